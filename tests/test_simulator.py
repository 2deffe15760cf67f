from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from calozoo.errors import CalozooError, ConfigError, DataError, RunError
from calozoo.showers import Showers
from calozoo.simulator import BLOCK, Simulator, find_device
from calozoo.testing import toy_showers
from conftest import make_simulator


@pytest.fixture(scope="module")
def seen(barrel: Any) -> Showers:
    return toy_showers(400, geometry=barrel, energies=(2048.0, 65536.0))


@pytest.fixture(scope="module")
def simulator(seen: Showers) -> Simulator:
    return make_simulator("wgan_gp", seen)


def generated(simulator: Simulator, n: int, columns: dict[str, Any] | None = None, **options: Any) -> Showers:
    return Showers.concatenate(simulator.generate(n, columns or {}, **options))


def same(one: Showers, other: Showers) -> bool:
    return np.array_equal(one.energies, other.energies) and all(
        np.array_equal(one.columns[name], other.columns[name]) for name in one.columns | other.columns
    )


def test_a_seed_decides_everything(simulator: Simulator) -> None:
    assert same(generated(simulator, 50, seed=3), generated(simulator, 50, seed=3))
    assert not same(generated(simulator, 50, seed=3), generated(simulator, 50, seed=4))


@pytest.mark.parametrize("columns", [{}, {"incident_energy": 4096.0}])
def test_the_first_of_a_longer_generation_are_a_shorter_one(simulator: Simulator, columns: dict[str, Any]) -> None:
    longer = generated(simulator, 2 * BLOCK + 100, columns)
    assert len(longer) == 2 * BLOCK + 100
    for n in (1, 7, BLOCK, BLOCK + 1):
        assert same(generated(simulator, n, columns), longer[:n])
    assert not np.array_equal(longer.energies[:100], longer.energies[BLOCK : BLOCK + 100])


def test_a_row_depends_on_its_own_condition_alone(simulator: Simulator) -> None:
    energies = np.geomspace(2048, 65536, 60)
    other = np.where(np.arange(60) < 30, energies, 60_000.0)
    one, two = (generated(simulator, 60, {"incident_energy": e}) for e in (energies, other))
    assert np.array_equal(one.energies[:30], two.energies[:30])
    assert not np.array_equal(one.energies[30:], two.energies[30:])


def test_conditions_that_are_not_given_are_those_of_training(simulator: Simulator, seen: Showers) -> None:
    drawn = generated(simulator, 500)
    assert set(drawn.conditions) == set(seen.conditions)
    known = {tuple(row) for row in zip(*(seen.columns[name].tolist() for name in seen.columns), strict=True)}
    got = {tuple(row) for row in zip(*(drawn.columns[name].tolist() for name in seen.columns), strict=True)}
    assert got <= known  # whole rows, so that correlations stay
    assert len(got) > 200


def test_given_conditions_are_kept(simulator: Simulator) -> None:
    showers = generated(simulator, 5, {"incident_energy": [3e3, 4e3, 5e3, 6e3, 7e3], "phi_alignment": 1})
    assert showers.incident_energies.tolist() == [3e3, 4e3, 5e3, 6e3, 7e3]
    assert showers.conditions["phi_alignment"].tolist() == [1] * 5
    assert showers.conditions["phi_alignment"].dtype == np.uint8


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"incident_enrgy": 5.0}, "no condition of this simulator 'incident_enrgy'. Did you mean 'incident_energy'"),
        ({"incident_energy": 0.0}, "must be positive"),
        ({"incident_energy": [1.0, -1.0, 1.0]}, "must be positive"),
        ({"incident_energy": np.nan}, "not finite"),
        ({"phi_alignment": np.inf}, "'phi_alignment' has values that are not finite"),
        ({"phi_alignment": 77}, "row 0 is 77, and its categories are 0, 1, 2, 3"),
        ({"incident_energy": [1.0, 2.0]}, r"3 showers need 'incident_energy' as one number or 3 of them, not \(2,\)"),
    ],
)
def test_impossible_conditions_are_refused(simulator: Simulator, columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        generated(simulator, 3, columns)


def test_the_threshold_empties_cells_below_it(simulator: Simulator) -> None:
    whole = generated(simulator, 50)
    limit = float(np.median(whole.energies))
    cut = generated(simulator, 50, threshold=limit)
    assert np.array_equal(cut.energies, whole.above(limit).energies)
    assert 0.4 < (cut.energies == 0).mean() < 0.6


def test_damaged_weights_are_noticed(seen: Showers) -> None:
    simulator = make_simulator("wgan_gp", seen)
    with torch.no_grad():
        next(simulator.generator.parameters()).fill_(torch.nan)
    with pytest.raises(RunError, match="not finite"):
        generated(simulator, 3)


def test_what_is_saved_generates_the_same(simulator: Simulator, tmp_path: Path) -> None:
    simulator.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"simulator.json", "simulator.safetensors"}
    assert same(generated(Simulator.load(tmp_path), 100), generated(simulator, 100))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": {"name": "os.system"}}, "no model 'os.system'"),
        ({"model": {"name": "wgan_gp", "hidden": "abc"}}, r"model\.hidden"),
        ({"model": {"name": "wgan_gp", "command": "rm"}}, r"model\.command"),
        ({"model": {"name": "wgan_gp"}}, "does not fit simulator.json"),
        ({"model": {"name": "wgan_gp", "latent_size": -5}}, "not a simulator|does not fit"),
        ({"model": "wgan_gp"}, "not a simulator"),
        ({"conditions": "none"}, "^conditions: Invalid input"),
        ({"columns": 5}, "not a simulator"),
        ({"columns": ["incident_energy"]}, "does not fit"),
        ({"rows": -5}, "not a simulator"),
        ({"rows": "many"}, "not a simulator"),
        ({"format": 99}, "has format 99; this version reads 1"),
        ({"geometry": None}, "not a simulator"),
    ],
)
def test_a_tampered_description_is_one_line(
    simulator: Simulator, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    simulator.save(tmp_path)
    path = tmp_path / "simulator.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CalozooError, match=reason) as caught:
        Simulator.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "not JSON", '{"format": 1}'])
def test_a_file_that_describes_nothing_is_one_line(simulator: Simulator, tmp_path: Path, text: str) -> None:
    simulator.save(tmp_path)
    (tmp_path / "simulator.json").write_text(text)
    with pytest.raises(RunError, match=r"simulator\.json") as caught:
        Simulator.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_damaged_or_missing_weights_are_one_line(simulator: Simulator, tmp_path: Path) -> None:
    simulator.save(tmp_path)
    path = tmp_path / "simulator.safetensors"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"\xff" * 100, b""):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"does not fit simulator\.json or is damaged") as caught:
            Simulator.load(tmp_path)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(RunError, match=r"simulator\.safetensors"):
        Simulator.load(tmp_path)
    with pytest.raises(RunError, match="There is no file"):
        Simulator.load(tmp_path / "nowhere")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device("auto") == find_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="device=gpu was asked for"):
        find_device("gpu")
    with pytest.raises(ConfigError, match="device=mps does not work"):
        find_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto") == find_device("gpu") == torch.device("cuda")


def test_energies_beyond_the_training_are_warned_of(simulator: Simulator) -> None:
    with pytest.warns(UserWarning, match="the training saw 2048 to 65536 MeV"):
        generated(simulator, 2, {"incident_energy": 65.0})


def test_showers_that_no_model_can_make_are_told(barrel: Any) -> None:
    showers = toy_showers(20, geometry=barrel)
    energies = showers.energies.copy()
    energies[3, 5] = 1.5 * showers.incident_energies[3]
    with pytest.warns(UserWarning, match="1 of 20 training showers have values beyond 0 to 1.* preprocessor=fraction"):
        make_simulator("vae", Showers(energies, showers.incident_energies, showers.conditions))
