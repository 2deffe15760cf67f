from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calozoo import DataError, Showers, Unit, open_showers, write_showers
from calozoo.data import everything
from calozoo.testing import ToyGeometry, toy_showers
from conftest import put

TOY = ToyGeometry()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 2**31))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, blocks: list[int], seed: int) -> None:
    path = tmp_path_factory.mktemp("written") / "showers.h5"
    parts = [toy_showers(n, seed + i) for i, n in enumerate(blocks)]
    assert write_showers(path, TOY, parts) == sum(blocks)
    back, whole = everything(open_showers(path, TOY)), Showers.concatenate(parts)
    assert np.array_equal(back.energies, whole.energies)
    assert np.array_equal(back.incident_energies, whole.incident_energies)
    assert all(np.array_equal(back.conditions[name], whole.conditions[name]) for name in whole.conditions)


@pytest.mark.parametrize("block", [7, 8192])
def test_rows_come_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr("calozoo.shower_file.block_size", lambda cells: block)
    showers = toy_showers(500)
    write_showers(tmp_path / "showers.h5", TOY, [showers])
    file = open_showers(tmp_path / "showers.h5", TOY)
    for index in (np.array([400, 3, 3, 77]), np.array([], dtype=np.int64), np.arange(499, -1, -1)):
        assert np.array_equal(file.rows(index).energies, showers.energies[index])


def test_gev_are_converted(tmp_path: Path) -> None:
    showers = toy_showers(10)
    with h5py.File(tmp_path / "gev.h5", "w") as file:
        file["showers"], file["incident_energies"] = showers.energies / 1000, showers.incident_energies[:, None] / 1000
    back = everything(open_showers(tmp_path / "gev.h5", TOY, Unit.GeV))
    np.testing.assert_allclose(back.energies, showers.energies, rtol=1e-6)
    with pytest.raises(DataError, match=r"looks like GeV.*Add unit=GeV"):
        open_showers(tmp_path / "gev.h5", TOY)


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path) -> None:
    def blocks() -> object:
        yield toy_showers(5)
        raise RuntimeError("killed")

    (tmp_path / "showers.h5").write_text("before")
    with pytest.raises(RuntimeError, match="killed"):
        write_showers(tmp_path / "showers.h5", TOY, blocks())  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["showers.h5"]
    assert (tmp_path / "showers.h5").read_text() == "before"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"showers": put(7, np.nan)}, "dataset 'showers', row 7 has an energy that is not finite"),
        ({"showers": put(8, np.inf)}, "dataset 'showers', row 8 has an energy that is not finite"),
        ({"showers": put(9, -1.0)}, "dataset 'showers', row 9 has a negative energy"),
        ({"incident_energies": put(3, 0.0)}, "dataset 'incident_energies', row 3 is not positive"),
        ({"incident_energies": put(4, -5.0)}, "row 4 is not positive"),
        ({"incident_energies": put(5, np.nan)}, "row 5 is not finite"),
        ({"showers": lambda v: v[:, :100]}, "100 cells in a row, and the geometry has 266"),
        ({"showers": lambda v: v[:266].T}, "300"),
        ({"showers": lambda v: v[0]}, "shape must be"),
        ({"showers": lambda v: v[:20]}, "20 showers need the shape"),
        ({"showers": lambda v: v[:0], "incident_energies": lambda v: v[:0]}, "holds no showers"),
        ({"showers": lambda v: v.astype("S5")}, "numbers are needed"),
        ({"showers": None}, "no dataset 'showers'; it holds"),
        ({"showers": lambda v: v * 1000}, "different units"),
        ({"phi": lambda v: v * np.nan}, "dataset 'phi', row 0 is not finite"),
    ],
)
def test_bad_files_are_refused_with_the_first_bad_row(
    spoil: Callable[..., Path],
    barrel: object,
    changes: dict,
    reason: str,  # type: ignore[type-arg]
) -> None:
    path = spoil(**changes)
    with pytest.raises(DataError, match=reason) as caught:
        open_showers(path, barrel)  # type: ignore[arg-type]
    assert str(path) in str(caught.value)


def test_a_file_that_is_missing_foreign_or_truncated(shower_path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        open_showers(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(DataError, match="is not HDF5"):
        open_showers(tmp_path / "text.h5")
    whole = shower_path.read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        open_showers(tmp_path / "cut.h5")


def test_other_layers_than_stated_are_refused(shower_path: Path, barrel: object) -> None:
    with h5py.File(shower_path, "a") as file:
        file.attrs["layers"] = "front:168 presampler:21 middle:49 back:28"
    with pytest.raises(DataError, match="states the layers"):
        open_showers(shower_path, barrel)  # type: ignore[arg-type]
    with h5py.File(shower_path, "a") as file:
        file.attrs["energy_unit"] = "GeV"
    with pytest.raises(DataError, match="states the layers"):
        open_showers(shower_path, barrel)  # type: ignore[arg-type]
    with h5py.File(shower_path, "a") as file:
        del file.attrs["layers"]
    assert open_showers(shower_path, barrel).unit is Unit.GeV  # type: ignore[arg-type]


def test_blocks_that_differ_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    one = toy_showers(10)
    columns = {name: np.asarray(values) for name, values in one.conditions.items()}
    first = next(iter(columns))
    for other in (
        {name: values for name, values in columns.items() if name != first},
        {**columns, "more": np.zeros(10)},
        {**columns, first: columns[first].astype(np.complex64).real.astype(np.float64) + 0.5},
    ):
        changed = Showers(one.energies, one.incident_energies, other)
        with pytest.raises(DataError, match="Showers 10 and those after it have another column or type"):
            write_showers(tmp_path / "out.h5", TOY, [one, changed])
    with pytest.raises(DataError, match="no showers to write"):
        write_showers(tmp_path / "out.h5", TOY, [])
    with pytest.raises(DataError, match="cannot be called 'showers'"):
        write_showers(
            tmp_path / "out.h5", TOY, [Showers(one.energies, one.incident_energies, {"showers": np.zeros(10)})]
        )
    assert not list(tmp_path.iterdir())
