"""Files of one's own in three layouts, and what is said about bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calozoo import ConfigError, DataError, Geometry, Layer, Split
from calozoo.config import create
from calozoo.testing import DataContract, toy_showers

SAMPLE = Path(__file__).parents[2] / "calozoo-atlas" / "tests" / "cells_sample.h5"


def atlas():
    pytest.importorskip("calozoo_atlas")
    return create("geometry", {"name": "atlas_barrel"})


def source(kind, geometry=None, **options):
    return create("data", {"name": kind, **options}, geometry or atlas())


def everything(source):
    """All rows of the three splits together, in the order of the file."""
    parts = [source.open(split) for split in Split]
    index = np.concatenate([part.index for part in parts])
    assert sorted(index) == list(range(len(index)))
    energies = np.concatenate([part.rows(slice(0, len(part))).energies for part in parts])
    return energies[np.argsort(index)]


class TestHDF5(DataContract):
    name = "hdf5"

    @pytest.fixture(autouse=True)
    def _file(self, write):
        showers = toy_showers(60)
        path = write({"showers": showers.energies, "incident_energies": showers.incident_energies[:, None]})
        self.options = {"path": str(path)}


class TestCells(DataContract):
    name = "cells"
    geometry = "atlas_barrel"
    options = {"path": str(SAMPLE)}


def test_our_layout_brings_its_columns(sample, write):
    names = ("showers", "incident_energies", "eta_alignment", "phi_alignment", "impact_deta", "impact_dphi")
    path = write({name: sample[name] for name in names} | {"particle": np.full(200, 22)})
    train = source("hdf5", path=str(path)).open(Split.train)
    assert len(train) == 140
    showers = train.rows(slice(0, 140))
    for name in (*names[2:], "particle"):
        expected = 22 if name == "particle" else sample[name][train.index]
        np.testing.assert_array_equal(showers.conditions[name], expected)
    assert np.array_equal(showers.energies, sample["showers"][train.index])


def test_plain_calochallenge_layout_needs_no_columns(sample, write):
    path = write({"showers": sample["showers"], "incident_energies": sample["incident_energies"]})
    assert np.array_equal(everything(source("hdf5", path=str(path))), sample["showers"])


def test_cell_lists_become_the_windows_of_the_sample(sample):
    cells = source("cells", path=str(SAMPLE))
    np.testing.assert_allclose(everything(cells), sample["showers"], rtol=1e-3)
    test = cells.open(Split.test)
    showers = test.rows(slice(0, len(test)))
    for name in ("eta_alignment", "phi_alignment", "impact_deta", "impact_dphi"):
        np.testing.assert_array_equal(showers.conditions[name], sample[name][test.index])
    assert set(showers.conditions) == {
        "eta", "phi", "eta_alignment", "phi_alignment", "impact_deta", "impact_dphi",
    }  # fmt: skip


def test_rows_of_cell_lists_in_any_order_and_often(sample):
    whole = source("cells", path=str(SAMPLE)).file
    index = np.array([150, 3, 3, 199, 0, 4, 150])
    np.testing.assert_allclose(whole.rows(index).energies, sample["showers"][index], rtol=1e-3)
    np.testing.assert_array_equal(whole.rows(index).incident_energies, sample["incident_energies"][index, 0])
    assert len(whole.rows(slice(20, 30))) == 10


@pytest.mark.parametrize("split", [{"train": 0.5, "validation": 0.25}, {"train": 0.5, "validation": 0.25, "seed": 3}])
def test_the_split_is_an_option(split):
    cells = source("cells", path=str(SAMPLE), split=split)
    assert [len(cells.open(part)) for part in Split] == [100, 50, 50]


def test_events_without_deposits_are_empty_showers(sample, write):
    kept = ~np.isin(sample["event"], [0, 7, 199])
    names = ("event", "layer", "eta", "phi", "energy")
    path = write({**sample, **{name: sample[name][kept] for name in names}}, energy_unit="MeV")
    showers = source("cells", path=str(path)).file.rows(slice(0, 200))
    assert np.flatnonzero(showers.total == 0).tolist() == [0, 7, 199]
    kept_rows = np.setdiff1d(np.arange(200), [0, 7, 199])
    np.testing.assert_allclose(showers.energies[kept_rows], sample["showers"][kept_rows], rtol=1e-3)


def test_deposits_within_an_event_come_in_any_order_and_columns_are_kept(sample, write):
    random = np.random.default_rng(0)
    order = np.lexsort([random.random(len(sample["event"])), sample["event"]])
    names = ("event", "layer", "eta", "phi", "energy")
    renamed = {name: sample[name] for name in ("incident_energies", "photon_eta", "photon_phi")}
    renamed["my_eta"] = renamed.pop("photon_eta")
    path = write({**renamed, **{n: sample[n][order] for n in names}, "angle": np.arange(200.0)}, energy_unit="MeV")
    whole = source("cells", path=str(path), particle_eta="my_eta").file
    showers = whole.rows(np.array([9, 2]))
    np.testing.assert_allclose(showers.energies, sample["showers"][[9, 2]], rtol=1e-3)
    assert showers.conditions["angle"].tolist() == [9, 2]


def test_gev_is_converted_when_it_is_said_and_only_then(sample, write):
    cells = {k: v for k, v in sample.items() if k != "outside_window"}
    cells |= {"energy": cells["energy"] / 1000, "incident_energies": cells["incident_energies"] / 1000}
    showers = {name: sample[name] / 1000 for name in ("showers", "incident_energies")}
    for kind, datasets in (("cells", cells), ("hdf5", showers)):
        path = str(write(datasets, f"{kind}.h5"))
        with pytest.raises(DataError, match="looks like GeV"):
            source(kind, path=path)
        np.testing.assert_allclose(everything(source(kind, path=path, unit="GeV")), sample["showers"], rtol=1e-3)
        stated = str(write(datasets, f"{kind}_stated.h5", energy_unit="GeV"))
        np.testing.assert_allclose(everything(source(kind, path=stated)), sample["showers"], rtol=1e-3)
        with pytest.raises(DataError, match="states its energies in GeV, and unit=MeV was asked for"):
            source(kind, path=stated, unit="MeV")
        with pytest.raises(DataError, match="states the energy_unit 'keV', and known are MeV, GeV"):
            source(kind, path=str(write(datasets, f"{kind}_kev.h5", energy_unit="keV")))
        source(kind, path=path, unit="MeV")  # said by the user, so nothing is guessed


@pytest.mark.parametrize("kind", ["hdf5", "cells"])
def test_missing_path_and_files_are_named(kind, tmp_path, write):
    with pytest.raises(ConfigError, match=f"data={kind} .* data.path=FILE"):
        source(kind)
    with pytest.raises(DataError, match=r"There is no file nowhere.h5"):
        source(kind, path="nowhere.h5")
    (tmp_path / "text.h5").write_text("not a shower")
    with pytest.raises(DataError, match=r"text.h5 is not HDF5"):
        source(kind, path=str(tmp_path / "text.h5"))
    with pytest.raises(DataError, match="has no dataset"):
        source(kind, path=str(write({"nothing": np.zeros(3)})))
    whole = SAMPLE.read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut.h5"):
        source(kind, path=str(tmp_path / "cut.h5"))


BAD = [
    ("energy", 70, -1.0, "dataset 'energy', row 70 is negative. Cell energies are required to be positive"),
    ("energy", 5, np.nan, "dataset 'energy', row 5 is not finite"),
    ("layer", 8, 4, "dataset 'layer', row 8 is none of the layers 0 to 3"),
    ("event", 33738, 200, "dataset 'event', row 33738 is none of the 200 showers"),
    ("event", 40, 3, "dataset 'event', row 41 comes after a later event"),
    ("eta", 9, np.inf, "dataset 'eta', row 9 is not finite"),
    ("phi", 9, np.nan, "dataset 'phi', row 9 is not finite"),
    ("incident_energies", 4, 0.0, "dataset 'incident_energies', row 4 is not a positive number"),
    ("photon_phi", 4, np.nan, "dataset 'photon_phi', row 4 is not finite"),
]


@pytest.mark.parametrize(("name", "row", "value", "message"), BAD)
def test_bad_cell_lists_are_refused_with_the_first_bad_row(sample, write, name, row, value, message):
    changed = sample[name].copy()
    changed[row] = value
    with pytest.raises(DataError, match=message):
        source("cells", path=str(write({**sample, name: changed}, energy_unit="MeV")))


def test_wrong_shapes_and_kinds_are_refused(sample, write):
    with pytest.raises(DataError, match="dataset 'eta': its shape must be"):
        source("cells", path=str(write({**sample, "eta": sample["eta"][:-1]})))
    with pytest.raises(DataError, match="dataset 'photon_eta': its shape must be"):
        source("cells", path=str(write({**sample, "photon_eta": sample["photon_eta"][:-1]})))
    with pytest.raises(DataError, match="dataset 'layer': numbers are needed"):
        source("cells", path=str(write({**sample, "layer": sample["layer"].astype("S4")})))
    with pytest.raises(DataError, match="no showers"):
        source("cells", path=str(write({name: values[:0] for name, values in sample.items()})))


class NoSelection(Geometry):
    """Four layers that nothing can be selected for."""

    @property
    def layers(self):
        return tuple(Layer.grid(str(k), [0, 1], [0, 1], depth=float(k)) for k in range(4))


def test_a_geometry_without_selection_says_so():
    with pytest.raises(ConfigError, match="NoSelection has no window selection"):
        source("cells", NoSelection(), path=str(SAMPLE))


def test_fingerprints_tell_files_apart(sample, write):
    datasets = {name: sample[name] for name in ("showers", "incident_energies")}
    one, two = write(datasets, "one.h5"), write({**datasets, "more": np.zeros(200)}, "two.h5")
    assert source("hdf5", path=str(one)).fingerprint != source("hdf5", path=str(two)).fingerprint
    assert source("cells", path=str(SAMPLE)).fingerprint.startswith("sha256:")
