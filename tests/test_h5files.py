"""Files from strangers: what is not theirs is not read, and what they say of units is taken at its word alone."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from calozoo.errors import DataError
from calozoo.h5files import Unit, columns, datasets, fingerprint, mismatch, opened, text, unit_of
from calozoo.shower_file import ShowerFile

N = 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["showers"], file["incident_energies"] = np.full((N, 4), 1e3), np.full((N, 1), 5000.0)
        file["angle"], file["names"], file["pair"] = np.zeros(N), np.full(N, b"a"), np.zeros((N, 2))
    return tmp_path / "file.h5"


def test_columns_are_numbers_one_for_each_shower(path: Path) -> None:
    with opened(path) as file:
        found = datasets(file)
        assert set(found) == {"showers", "incident_energies", "angle", "names", "pair"}
        assert columns(found, N, beside=()) == ("angle",)
        assert columns(found, N, beside=("angle",)) == ()


def test_links_are_not_followed(path: Path) -> None:
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["secret"] = np.zeros(N)
    with h5py.File(path, "a") as file:
        file["far"] = h5py.ExternalLink("other.h5", "/secret")
        file["soft"] = h5py.SoftLink("/angle")
        file["self"] = h5py.SoftLink("/self")
    with opened(path) as file:
        assert not {"far", "soft", "self"} & set(datasets(file))
    assert ShowerFile(path).columns == ("angle",)


def test_values_in_another_file_are_not_read(path: Path) -> None:
    raw = path.with_name("raw.bin")
    raw.write_bytes(bytes(8 * N))
    with h5py.File(path, "a") as file:
        file.create_dataset("outside", (N,), "f8", external=[(str(raw), 0, 8 * N)])
    with opened(path) as file, pytest.raises(DataError, match="'outside': its values lie in another file"):
        datasets(file)
    with h5py.File(path, "a") as file:
        del file["outside"]
        layout = h5py.VirtualLayout((N,), "f8")
        layout[:] = h5py.VirtualSource("other.h5", "secret", (N,))
        file.create_virtual_dataset("virtual", layout)
    with opened(path) as file, pytest.raises(DataError, match="'virtual': its values lie in another file"):
        datasets(file)


def test_a_size_that_lies_is_refused_before_anything_is_read(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["incident_energies"]
        file.create_dataset("incident_energies", (10**12, 1), "f8", chunks=(1024, 1))
    with pytest.raises(DataError, match="'incident_energies': it claims 8000000000000 bytes"):
        ShowerFile(path)


@pytest.mark.parametrize(
    "value", ["MeV", np.bytes_(b"MeV"), np.array([b"MeV"]), np.array("MeV", dtype=h5py.string_dtype())]
)
def test_attributes_are_text_however_they_are_stored(path: Path, value: object) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["energy_unit"] = value
    with opened(path) as file:
        assert text(file, "energy_unit") == "MeV"
        assert text(file, "none") is None
        assert unit_of(file, None, np.array([1.0])) is Unit.MeV


def test_units(path: Path) -> None:
    low, high = np.array([300.0, 512.0]), np.array([300.0, 5000.0])
    with opened(path) as file:
        assert unit_of(file, None, high) is Unit.MeV
        assert unit_of(file, Unit.MeV, low) is Unit.MeV
        assert unit_of(file, Unit.GeV, low) is Unit.GeV
        with pytest.raises(DataError, match=r"looks like GeV .* unit=GeV or unit=MeV"):
            unit_of(file, None, low)


@pytest.mark.parametrize(
    ("factor", "wrong"), [(1.0, False), (0.01, False), (20.0, False), (1000.0, True), (1e-3, True)]
)
def test_two_units_in_one_file_are_seen_by_their_factor(factor: float, wrong: bool) -> None:
    responses = np.random.default_rng(0).normal(0.95, 0.1, 100) * factor
    assert (mismatch(responses) is not None) == wrong
    assert mismatch(np.array([np.nan])) is None


def test_one_odd_shower_is_no_unit(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["showers"], file["incident_energies"], file["angle"], file["names"], file["pair"]
        energies = np.full((8193, 4), 500.0)
        energies[-1] = 0.5
        file["showers"], file["incident_energies"] = energies, np.full((8193, 1), 2000.0)
    assert len(ShowerFile(path)) == 8193


def test_fingerprints_are_of_bytes(path: Path) -> None:
    before = fingerprint(path)
    assert before.startswith("sha256:")
    with h5py.File(path, "a") as file:
        file["angle"][0] = 1.0
    assert fingerprint(path) != before
