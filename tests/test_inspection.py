from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from calozoo import open_showers
from conftest import QUICK, Outcome, put

Call = Callable[..., Outcome]
CELLS = Path(__file__).parents[1] / "plugins" / "calozoo-atlas" / "tests" / "cells_sample.h5"


def test_a_good_file_is_described_and_pictured(calozoo: Call, shower_path: Path, tmp_path: Path) -> None:
    picture = tmp_path / "mean.png"
    outcome = calozoo("data", "inspect", str(shower_path), "geometry=atlas_barrel", f"out={picture}")
    assert outcome.status == 0, outcome.err
    assert "(300, 266)" in outcome.out
    assert "65536" in outcome.out
    assert "nothing is wrong" in outcome.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_raw_cells_are_inspected_through_their_source(calozoo: Call, tmp_path: Path) -> None:
    plain = calozoo("data", "inspect", str(CELLS), f"out={tmp_path}/no.png")
    assert plain.status == 0  # this file holds windows too
    outcome = calozoo("data", "inspect", str(CELLS), "data=cells", "geometry=atlas_barrel", f"out={tmp_path}/mean.png")
    assert outcome.status == 0, outcome.err
    assert "condition phi_alignment: 0 to 3" in outcome.out
    assert (tmp_path / "mean.png").is_file()
    with h5py.File(CELLS) as file, h5py.File(tmp_path / "bad.h5", "w") as bad:
        for name in file:
            if name != "showers":
                file.copy(name, bad)
        bad["energy"][5] = -1.0
        bad["eta"][7] = np.nan
    outcome = calozoo("data", "inspect", str(tmp_path / "bad.h5"), "data=cells", "geometry=atlas_barrel")
    assert outcome.status == 1
    assert "'energy', row 5 is negative" in outcome.out
    assert "'eta', row 7 is not finite" in outcome.out
    outcome = calozoo("data", "inspect", str(tmp_path / "bad.h5"))
    assert outcome.status == 1
    assert "another layout: calozoo data inspect FILE data=NAME" in outcome.out


def test_every_problem_is_named(calozoo: Call, spoil: Callable[..., Path]) -> None:
    path = spoil(showers=put(9, -1.0), incident_energies=put(3, 0.0))
    outcome = calozoo("data", "inspect", str(path))
    assert outcome.status == 1
    assert "row 9 has a negative energy" in outcome.out
    assert "row 3 is not positive" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("data", "inspect"), "Type: calozoo data inspect FILE.h5"),
        (("data", "inspect", "none.h5"), "There is no file none.h5"),
        (("data", "inspct", "x"), "Did you mean 'inspect'"),
        (("data", "inspect", "x.h5", "unit=eV"), "no unit 'eV'"),
        (("data", "inspect", "x.h5", "data=cells"), "add geometry=NAME"),
        (("data", "inspect", str(CELLS), "data=cell", "geometry=atlas_barrel"), "Did you mean 'cells'"),
        (("data", "convert", "data=hdf5", "geometry=atlas_barrel"), "data.path=FILE"),
    ],
)
def test_bad_commands(
    calozoo: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = calozoo(*arguments)
    assert outcome.status != 0
    assert reason in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_raw_cells_become_the_windows_that_come_with_them(calozoo: Call, tmp_path: Path) -> None:
    out = tmp_path / "windows.h5"
    outcome = calozoo("data", "convert", "data=cells", f"data.path={CELLS}", "geometry=atlas_barrel", f"out={out}")
    assert outcome.status == 0, outcome.err
    with h5py.File(CELLS) as file:
        expected, alignment = file["showers"][:], file["phi_alignment"][:]
    got = open_showers(out).rows(slice(0, 200))
    np.testing.assert_allclose(got.energies, expected, rtol=1e-3, atol=1e-3)
    assert np.array_equal(got.conditions["phi_alignment"], alignment)


def test_three_layouts_are_trained_with_one_changed_word(calozoo: Call, tmp_path: Path) -> None:
    ours, plain = tmp_path / "ours.h5", tmp_path / "plain.h5"
    convert = ("data", "convert", "geometry=atlas_barrel", "data=cells", f"data.path={CELLS}")
    assert calozoo(*convert, f"out={ours}").status == 0
    assert calozoo(*convert, f"out={plain}", "layout=calochallenge").status == 0
    with h5py.File(plain) as file:
        assert set(file) == {"showers", "incident_energies"}
    for data, path, conditions in (("cells", CELLS, "note"), ("hdf5", ours, "note"), ("hdf5", plain, "energy")):
        outcome = calozoo(
            "train", "model=wgan_gp", f"data={data}", f"data.path={path}", f"conditions={conditions}", *QUICK,
            f"hydra.run.dir={tmp_path / path.stem}",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
    outcome = calozoo(
        "train", "model=wgan_gp", "data=hdf5", f"data.path={plain}", *QUICK, f"hydra.run.dir={tmp_path / 'no'}"
    )
    assert "no condition column 'eta_alignment'" in outcome.err


def test_position_of_the_window_follows_the_impact(barrel: object) -> None:
    with h5py.File(CELLS) as file:
        showers, impact = file["showers"][:], file["impact_deta"][:]
    front = barrel.layers[1]  # type: ignore[attr-defined]
    energies = showers[:, barrel.slices[1]]  # type: ignore[attr-defined]
    seen = energies.sum(axis=1) > 100
    mean = (energies * front.x).sum(axis=1)[seen] / energies.sum(axis=1)[seen]
    assert np.corrcoef(mean, impact[seen])[0, 1] > 0.9


def test_what_is_hardly_meant_is_told(calozoo: Call, spoil: Callable[..., Path], tmp_path: Path) -> None:
    path = spoil(showers=lambda values: values * 5, phi_alignment=lambda values: values + 1)
    with h5py.File(path, "a") as file:
        file["angle"], file["particle"] = np.zeros(299), np.full(300, b"gamma")
    outcome = calozoo("data", "inspect", str(path), "geometry=atlas_barrel", f"out={tmp_path}/mean.png")
    assert outcome.status == 0, outcome.err
    for remark in (
        "times their incident energy",
        "condition phi_alignment goes from 1 to 4, and the geometry has it from 0 to 3",
        "dataset 'angle' is not read: it is no number for each of 300 showers",
        "dataset 'particle' is not read",
    ):
        assert f"{remark}" in outcome.out, outcome.out
    assert "nothing is wrong with its form" in outcome.out
    empty = spoil(showers=lambda values: values * 0)
    assert "100 % of the showers hold no energy" in calozoo("data", "inspect", str(empty), f"out={tmp_path}/x.png").out


def test_a_file_is_not_converted_onto_itself(calozoo: Call, shower_path: Path) -> None:
    before = shower_path.read_bytes()
    outcome = calozoo(
        "data", "convert", "data=hdf5", f"data.path={shower_path}", "geometry=atlas_barrel", f"out={shower_path}"
    )
    assert "is the file that is read" in outcome.err
    assert shower_path.read_bytes() == before


def test_a_truncated_file_is_named(calozoo: Call, shower_path: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.h5").write_bytes(shower_path.read_bytes()[:5000])
    outcome = calozoo("data", "inspect", str(tmp_path / "cut.h5"))
    assert outcome.err.strip().startswith(f"calozoo: {tmp_path / 'cut.h5'} cannot be read; it may be truncated")
