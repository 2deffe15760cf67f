from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from calozoo.conditions import ConditionOptions, Conditions, chosen
from calozoo.errors import ConfigError, DataError
from calozoo.testing import ToyGeometry

COLUMNS = {
    "incident_energy": np.array([1000.0, 10_000.0, 100_000.0]),
    "side": np.array([0, 1, 1]),
    "offset": np.array([-0.5, 0.0, 0.25]),
}


def make(columns: dict, kinds: dict | None = None) -> Conditions:  # type: ignore[type-arg]
    conditions = Conditions(chosen(ConditionOptions(columns, kinds or {}), ToyGeometry()))
    conditions.fit(COLUMNS)
    return conditions


def test_each_encoding_gives_its_numbers() -> None:
    encoded = make(
        {"incident_energy": [{"name": "linear"}, {"name": "log10"}]},
        {"alignment": [{"name": "one_hot"}], "position": [{"name": "linear"}]},
    )(COLUMNS)
    energies = COLUMNS["incident_energy"]
    step = 1.5**0.5  # three equidistant numbers, standardised
    rows = [[-step, 1, 0, -1.0], [0.0, 0, 1, 0.0], [step, 0, 1, 0.5]]
    linear = (energies - energies.mean()) / energies.std()
    torch.testing.assert_close(encoded, torch.tensor([[x, *row] for x, row in zip(linear.tolist(), rows, strict=True)]))


def test_offset_scale_and_shift_are_taken_as_given() -> None:
    conditions = make(
        {
            "incident_energy": [{"name": "log", "offset": 9.70406053, "scale": 1.76099569}],
            "side": [{"name": "one_hot", "shift": 1}],
        }
    )
    encoded = conditions(COLUMNS)
    assert encoded[1, 0].item() == pytest.approx((math.log(10_000) - 9.70406053) / 1.76099569)
    assert encoded[:, 1:].tolist() == [[0, 1], [1, 0], [1, 0]]


@pytest.mark.parametrize("name", ["linear", "log", "log10"])
def test_incident_energy_is_recovered(name: str) -> None:
    conditions = make({"side": [{"name": "one_hot"}], "incident_energy": [{"name": name}]})
    recovered = conditions.incident(conditions(COLUMNS))[:, 0]
    torch.testing.assert_close(
        recovered, torch.tensor(COLUMNS["incident_energy"], dtype=torch.float32), rtol=1e-5, atol=0
    )


def test_one_energy_alone_is_no_division_by_zero() -> None:
    conditions = Conditions(chosen(ConditionOptions({"incident_energy": [{"name": "log"}]}), ToyGeometry()))
    conditions.fit({"incident_energy": np.full(4, 65536.0)})
    assert torch.isfinite(conditions({"incident_energy": np.full(2, 65536.0)})).all()


@pytest.mark.parametrize(
    ("columns", "kinds", "reason"),
    [
        ({}, {}, "must encode 'incident_energy'"),
        ({"incident_energy": [{"name": "one_hot"}]}, {}, "is continuous, .* cannot be one_hot"),
        ({"incident_energy": [{"name": "log11"}]}, {}, "log11"),
        ({"incident_energy": [{"name": "log", "ofset": 1}]}, {}, "ofset"),
        ({"incident_energy": "log"}, {}, "a list of encodings"),
        ({"incident_energy": [{"name": "log", "scale": 0}]}, {}, "a scale other than 0"),
        ({"incident_energy": [{"name": "log"}, {"name": "waves", "order": 0}]}, {}, "order of at least 1"),
        ({"incident_energy": [{"name": "log"}], "pdg": [{"name": "one_hot"}]}, {}, r"categories: \[11, 22\]"),
        ({"incident_energy": [{"name": "log", "categories": [1]}]}, {}, "categories belong to one_hot"),
        ({"incident_energy": [{"name": "log"}], "pdg": [{"name": "one_hot", "categories": [1, 1]}]}, {}, "twice"),
        ({"incident_energy": [{"name": "log"}]}, {"alignments": []}, "Did you mean 'alignment'"),
    ],
)
def test_what_makes_no_sense_is_refused(columns: dict, kinds: dict, reason: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=reason):
        make(columns, kinds)


def test_a_missing_column_and_a_wrong_category_are_errors() -> None:
    conditions = make({"incident_energy": [{"name": "log"}], "side": [{"name": "one_hot"}]})
    with pytest.raises(DataError, match="no condition column 'side'"):
        conditions({"incident_energy": COLUMNS["incident_energy"]})
    with pytest.raises(DataError, match="row 2 is 2, and its categories are 0, 1"):
        conditions(COLUMNS | {"side": np.array([0, 1, 2])})


def test_what_has_no_logarithm_is_named() -> None:
    conditions = make({"incident_energy": [{"name": "log"}]})
    with pytest.raises(DataError, match="Condition 'incident_energy', row 1 is 0, which has no logarithm"):
        conditions({"incident_energy": np.array([1000.0, 0.0])})
    with pytest.raises(DataError, match=r"Condition .offset., row 0 is -0.5"):
        make({"incident_energy": [{"name": "log"}], "offset": [{"name": "log10"}]})


def test_columns_that_only_a_file_has_are_categories_when_their_values_are_listed() -> None:
    columns = {"incident_energy": [{"name": "log"}], "pdg": [{"name": "one_hot", "categories": [11, 22, 211]}]}
    encode = make(columns)
    given = COLUMNS | {"pdg": np.array([22, 211, 11])}
    assert encode(given)[:, 1:].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    with pytest.raises(DataError, match="Condition 'pdg', row 1 is 13, and its categories are 11, 22, 211"):
        encode(COLUMNS | {"pdg": np.array([22, 13, 11])})


@pytest.mark.parametrize(
    ("name", "options"),
    [("linear", {}), ("waves", {"order": 3}), ("linear", {"offset": 0.1, "scale": 3.0})],
)
def test_columns_are_recovered(name: str, options: dict) -> None:  # type: ignore[type-arg]
    conditions = make(
        {
            "offset": [{"name": name, **options}],
            "side": [{"name": "one_hot", "shift": 1}],
            "incident_energy": [{"name": "linear"}, {"name": "log10"}, {"name": "log"}],
            "pdg": [{"name": "one_hot", "categories": [11, 22, 211]}],
        }
    )
    columns = {**COLUMNS, "pdg": np.array([211, 11, 22]), "offset": np.array([-0.45, 0.0, 0.25])}
    found = conditions.columns(conditions(columns))
    assert found.keys() == columns.keys()
    assert conditions.categories == {"side": [0, 1], "pdg": [11, 22, 211]}
    for column, values in columns.items():
        torch.testing.assert_close(found[column], torch.tensor(values, dtype=torch.float32), rtol=1e-5, atol=1e-6)
