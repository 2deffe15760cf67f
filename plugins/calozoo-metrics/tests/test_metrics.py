from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calozoo import DataError, Metric, Showers
from calozoo.config import create
from calozoo.testing import ToyGeometry, toy_showers

GEOMETRY = ToyGeometry()


def make(name: str) -> Metric:
    metric: Metric = create("metric", {"name": name}, GEOMETRY)
    return metric


def scaled(showers: Showers, factor: Callable[[Showers], np.ndarray]) -> Showers:  # type: ignore[type-arg]
    return Showers(showers.energies * factor(showers), showers.incident_energies, showers.conditions)


def test_one_layer_scaled_is_seen_in_its_fraction_alone() -> None:
    reference = toy_showers(2000)
    factor = np.ones(GEOMETRY.cells)
    factor[GEOMETRY.slices[1]] = 1.02
    values = {
        v.key: v.value for v in make("layer_fractions").score(reference, scaled(reference, lambda _: factor)).values
    }
    here = reference.incident_energies == 65536
    share = reference.energies[here][:, GEOMETRY.slices[1]].sum(axis=1).mean() / 65536
    assert values["second/65536"] == pytest.approx(100 * 0.02 * share, rel=1e-3)
    assert values["first/65536"] == pytest.approx(0, abs=1e-6)


def test_response_and_resolution_see_what_was_done_to_them() -> None:
    reference = toy_showers(4000)
    values = {
        v.key: v.value for v in make("response").score(reference, scaled(reference, lambda _: np.array(1.03))).values
    }
    assert values["bias/2048"] == pytest.approx(3.0, rel=1e-4)

    def widen(showers: Showers) -> np.ndarray:  # type: ignore[type-arg]
        response = showers.total / showers.incident_energies
        wider = response.copy()
        for energy in np.unique(showers.incident_energies):
            here = showers.incident_energies == energy
            wider[here] = np.median(response[here]) + 1.1 * (response[here] - np.median(response[here]))
        return (wider / response)[:, None]

    values = {v.key: v.value for v in make("resolution").score(reference, scaled(reference, widen)).values}
    assert values["central/65536"] == pytest.approx(1.1, rel=1e-3)
    assert values["overall"] == pytest.approx(1.1, rel=1e-3)


def test_cells_shuffled_within_a_layer_are_seen_by_profiles_and_not_by_layers() -> None:
    reference = toy_showers(2000)
    energies = reference.energies.copy()
    energies[:, GEOMETRY.slices[0]] = energies[:, GEOMETRY.slices[0]][:, [2, 3, 0, 1]]
    shuffled = Showers(energies, reference.incident_energies, reference.conditions)
    wrong, chance = (
        {value.key: value.value for value in make("profiles").score(reference, other).values}
        for other in (shuffled, toy_showers(2000, seed=9))
    )
    assert wrong["profile/first/eta/65536"] > 3 * chance["profile/first/eta/65536"]
    assert wrong["profile/second/eta/65536"] == pytest.approx(0, abs=1e-6)
    assert make("layer_fractions").score(reference, shuffled).values[0].value == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", ["ks", "wasserstein", "separation", "covariance", "images"])
def test_a_replay_is_perfect(name: str) -> None:
    reference = toy_showers(1000)
    assert make(name).score(reference, reference).values[0].value == pytest.approx(0, abs=1e-9)


def test_nearest_tells_a_replay() -> None:
    reference = toy_showers(600)
    assert make("nearest").score(reference, reference).values[0].value < 0.1


def test_memorising_tells_training_showers_from_new_ones() -> None:
    training, new = toy_showers(1500, seed=1), toy_showers(600, seed=2)
    values = {value.key: value.value for value in make("memorising").score(training, new).values}
    assert values["distance"] == pytest.approx(1, abs=0.06)
    assert values["ks"] < 0.1
    assert values["copies"] == 0
    mixed = Showers.concatenate([training[:300], new[:300]])
    values = {value.key: value.value for value in make("memorising").score(training, mixed).values}
    assert values["copies"] == pytest.approx(0.5)
    assert values["ks"] == pytest.approx(0.5, abs=0.06)
    energies = training.energies[:600] * np.random.default_rng(0).normal(1, 0.01, (600, GEOMETRY.cells))
    near = Showers(energies, training.incident_energies[:600])
    values = {value.key: value.value for value in make("memorising").score(training, near).values}
    assert values["distance"] < 0.5
    assert values["copies"] == 0


def test_two_samples_of_one_kind_cannot_be_told_apart() -> None:
    auc = make("classifier").score(toy_showers(1500, seed=1), toy_showers(1500, seed=2)).values[0].value
    assert auc == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", ["ks", "response", "resolution", "layer_fractions"])
def test_what_cannot_be_judged_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(DataError, match=r"energ"):
        make(name).score(toy_showers(500, energies=(2048.0,)), toy_showers(500, energies=(65536.0,)))
    with pytest.raises(DataError):
        make(name).score(toy_showers(500), toy_showers(1))
