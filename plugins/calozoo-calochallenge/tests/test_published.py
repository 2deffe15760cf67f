from __future__ import annotations

from pathlib import Path

import pytest

from calozoo import ConfigError
from calozoo_calochallenge.dataset import VERSION
from calozoo_calochallenge.published import rank, table

DATA_SETS = {"ds1_photons": 16, "ds1_pions": 13, "ds2": 18, "ds3": 16}


@pytest.mark.parametrize("dataset", DATA_SETS)
def test_the_table_is_whole(dataset: str) -> None:
    rows = table(dataset)
    assert len(rows) == DATA_SETS[dataset]
    assert {"FPD_x1e3", "KPD_x1e3", "coverage", "binary_cls_low", "binary_cls_high"} <= set(rows["GEANT4"])


def test_known_numbers() -> None:
    photons = table("ds1_photons")
    assert photons["GEANT4"]["FPD_x1e3"] == 0.1192
    assert photons["CaloVAE+INN"]["FPD_x1e3"] == 14.5877
    assert photons["CaloScore"]["binary_cls_low"] == 0.75149
    assert table("ds1_pions")["GEANT4"]["binary_cls_low"] == 0.60894


def test_a_published_number_has_its_own_place() -> None:
    numbers = sorted(row["FPD_x1e3"] for name, row in table("ds2").items() if name != "GEANT4")
    assert [rank("ds2", "FPD_x1e3", number) for number in numbers] == list(range(1, 18))
    assert rank("ds2", "FPD_x1e3", numbers[0] - 1e-6) == 1
    assert rank("ds2", "FPD_x1e3", numbers[0] + 1e-6) == 2


def test_density_is_best_near_geant4s() -> None:
    assert rank("ds1_photons", "density", 0.99) == 1
    assert rank("ds1_photons", "density", 1000.0) == 16
    assert rank("ds1_photons", "precision", 0.9999) > rank("ds1_photons", "precision", 0.71)


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no data set 'ds9'.*ds1_photons"):
        table("ds9")
    with pytest.raises(ConfigError, match=r"no column 'FPD'.*FPD_x1e3"):
        rank("ds2", "FPD", 1.0)


def test_the_readme_says_what_is_so() -> None:
    assert rank("ds1_photons", "FPD_x1e3", 12.0) == 8
    assert VERSION in (Path(__file__).parents[1] / "README.md").read_text()
