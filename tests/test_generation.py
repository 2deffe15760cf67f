from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from calozoo.errors import ConfigError, DataError
from calozoo.generation import from_options, generate, held_out, timing
from calozoo.h5files import Unit
from calozoo.hooks import Observers, hookimpl
from calozoo.shower_file import open_showers
from calozoo.showers import Showers
from calozoo.testing import toy_showers
from calozoo.training import Sampler
from conftest import Memory, make_simulator


def sample(energies: list[float]) -> Showers:
    n = len(energies)
    return Showers(np.ones((n, 2)), np.array(energies), {"side": np.arange(n), "else": np.arange(n)})


def test_held_out_conditions_come_often_enough_at_each_energy() -> None:
    columns = held_out(sample([1e3, 1e3, 1e3, 2e3]), ("incident_energy", "side", "absent"), 5)
    assert set(columns) == {"incident_energy", "side"}
    assert columns["incident_energy"].tolist() == [1e3] * 6 + [2e3] * 5
    assert columns["side"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 3]


def test_held_out_conditions_come_once_where_there_are_enough() -> None:
    columns = held_out(sample([1e3, 2e3, 1e3]), ("side",), 1)
    assert columns["side"].tolist() == [0, 1, 2]


def test_a_continuous_spectrum_is_repeated_as_a_whole() -> None:
    rows = sample(np.linspace(1e3, 2e3, 100).tolist())
    assert len(held_out(rows, ("side",), 150)["side"]) == 200
    assert len(held_out(rows, ("side",), 50)["side"]) == 100


def test_an_energy_or_a_list_is_repeated() -> None:
    assert from_options(None, 7, None) == (7, {})
    n, columns = from_options(65536, 3, None)
    assert (n, columns["incident_energy"].tolist()) == (3, [65536.0] * 3)
    n, columns = from_options([1, 2], 5, None)
    assert (n, columns["incident_energy"].tolist()) == (5, [1, 2, 1, 2, 1])


def test_a_file_gives_its_conditions_row_by_row(barrel_file: Path) -> None:
    n, columns = from_options(None, None, str(barrel_file))
    whole = open_showers(barrel_file).rows(slice(0, 300))
    assert n == 300
    assert columns.keys() == whole.columns.keys()
    assert all(np.array_equal(columns[name], whole.columns[name]) for name in columns)


def test_a_file_of_conditions_needs_no_showers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "wanted.h5", "w") as file:
        file["incident_energies"], file["side"] = np.array([[1.0], [2.0]]), np.array([0, 1])
        file["else"] = np.zeros(5)
        file.attrs["energy_unit"] = "GeV"
    n, columns = from_options(None, None, str(tmp_path / "wanted.h5"))
    assert (n, list(columns)) == (2, ["incident_energy", "side"])
    assert columns["incident_energy"].tolist() == [1000, 2000]
    for name, text in (
        ("wanted.csv", "incident_energy,side\n1,0\n2,1\n"),
        ("WITH_BOM.CSV", "\ufeffincident_energies,side\n1,0\n2,1\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        n, table = from_options(None, None, str(tmp_path / name), Unit.GeV)
        assert n == 2
        assert all(np.array_equal(table[name], columns[name]) for name in columns)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("incident_energy,side\n1,2\n3\n", "line 3 has 1 values, and the first line names 2 columns"),
        ("incident_energy\n1\nabc\n", "line 3 holds something that is not a number .*abc"),
        ("", "needs a line with the names"),
        ("incident_energy\n", "at least one line of numbers"),
        ("incident_energy,side,side\n1,2,3\n", "two columns of the same name"),
    ],
)
def test_bad_tables_of_conditions_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "wanted.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        from_options(None, None, str(tmp_path / "wanted.csv"))


def test_a_table_may_leave_the_energies_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "wanted.h5", "w") as file:
        file["side"] = np.array([0, 1])
    (tmp_path / "wanted.csv").write_text("side\n0\n1\n")
    for name in ("wanted.h5", "wanted.csv"):
        n, columns = from_options(None, None, str(tmp_path / name))
        assert (n, list(columns), columns["side"].tolist()) == (2, ["side"], [0, 1])
        n, columns = from_options(5000, None, str(tmp_path / name))
        assert columns["incident_energy"].tolist() == [5000, 5000]
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["pairs"] = np.zeros((2, 2))
    with pytest.raises(DataError, match="no dataset with a number for each shower; it holds pairs"):
        from_options(None, None, str(tmp_path / "none.h5"))


@pytest.mark.parametrize(
    ("energy", "n", "reason"),
    [
        ("abc", 5, "number or a list of numbers"),
        ([[1, 2], [3]], 5, "number or a list"),
        (5, 0, "n must be at least 1"),
        ([1, 2, 3], 2, "n=2 showers cannot have 3 energies"),
    ],
)
def test_bad_options_are_refused(energy: Any, n: int, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        from_options(energy, n, None)


def test_energies_come_from_one_place(barrel_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="either energy= or conditions="):
        from_options(5, None, str(barrel_file))
    with pytest.raises(ConfigError, match="either n= or conditions="):
        from_options(None, 5, str(barrel_file))
    with pytest.raises(DataError, match="There is no file"):
        from_options(None, None, str(tmp_path / "none.h5"))


class Watch:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    @hookimpl
    def showers_generated(self, done: int, total: int) -> None:
        self.calls.append((done, total))


def test_showers_are_streamed_into_a_file(barrel: Any, tmp_path: Path) -> None:
    showers = toy_showers(50, geometry=barrel)
    simulator = make_simulator("vae", showers)
    simulator.generator.initialise(Sampler(simulator, Memory(showers), 50, seed=0).next())
    hooks, watch = Observers([]), Watch()
    hooks.manager.register(watch)
    columns = {"incident_energy": np.full(1500, 4096.0), "unknown": np.zeros(1500)}
    with pytest.warns(UserWarning, match="has no use for the columns unknown; its own are incident_energy"):
        n = generate(simulator, 1500, columns, tmp_path / "out.h5", hooks=hooks, seed=5, threshold=1.0)
    assert n == 1500
    assert watch.calls == [(1024, 1500), (1500, 1500)]
    written = open_showers(tmp_path / "out.h5", barrel).rows(slice(0, 1500))
    direct = Showers.concatenate(simulator.generate(1500, {"incident_energy": 4096.0}, seed=5, threshold=1.0))
    assert np.array_equal(written.energies, direct.energies)
    assert set(written.conditions) == set(direct.conditions)


def test_times_are_per_shower_in_three_batch_sizes(barrel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = make_simulator("vae", toy_showers(50, geometry=barrel))
    sizes = []
    draw = type(simulator).draw
    monkeypatch.setattr(
        type(simulator), "draw", lambda self, c, r: sizes.append(len(c["incident_energy"])) or draw(self, c, r)
    )
    found = timing(simulator)
    assert list(found) == ["1", "100", "10000"]
    assert all(time > 0 for time in found.values())
    assert found["10000"] < found["1"]
    assert set(sizes) == {1, 100, 10_000}
