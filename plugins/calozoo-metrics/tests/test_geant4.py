"""What the metrics say of real showers: two halves cannot be told apart, and each distortion is caught by its metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from calozoo import Direction, Geometry, Showers, Split
from calozoo.config import create
from calozoo_metrics.observables import shower_observables
from calozoo_metrics.statistics import ks_distance, ks_p_value

pytest.importorskip("calozoo_geant4_photons")


@pytest.fixture(scope="module")
def barrel() -> Geometry:
    geometry: Geometry = create("geometry", {"name": "atlas_barrel"})
    return geometry


@pytest.fixture(scope="module")
def showers(barrel: Geometry) -> Showers:
    rows = create("data", {"name": "geant4_photons"}, barrel).open(Split.test)
    return rows.rows(slice(0, len(rows))).above(1.0)


@pytest.fixture(scope="module")
def halves(showers: Showers) -> tuple[Showers, Showers]:
    order = np.random.default_rng(3).permutation(len(showers))
    return showers[order[::2]], showers[order[1::2]]


def values(name: str, barrel: Geometry, reference: Showers, generated: Showers, **options: Any) -> dict[str, float]:
    found = create("metric", {"name": name, **options}, barrel).score(reference, generated).values
    return {value.key: value.value for value in found}


@pytest.mark.slow
def test_p_values_of_random_halves_are_uniform(barrel: Geometry, showers: Showers) -> None:
    """Over 200 random splits, at each energy, of an observable without ties."""
    random = np.random.default_rng(0)
    for energy in np.unique(showers.incident_energies):
        here = showers[showers.incident_energies == energy]
        for name in ("total", "middle", "depth"):
            observed = shower_observables(here, barrel)[name]
            n = len(observed) // 2
            found = []
            for _ in range(200):
                order = random.permutation(len(observed))
                distance = ks_distance(observed[order[:n]], observed[order[n:]]).value
                found.append(ks_p_value(distance, n, len(observed) - n))
            # Kolmogorov's limit is a little too large for few showers; far from uniform would be far below this.
            assert kstest(found, "uniform").pvalue > 1e-4, (energy, name)


@pytest.mark.slow
def test_trees_cannot_tell_two_halves_apart(barrel: Geometry, halves: tuple[Showers, Showers]) -> None:
    found = values("classifier", barrel, *halves)
    assert found["low"] == pytest.approx(0.5, abs=0.02)
    assert found["high"] == pytest.approx(0.5, abs=0.02)


def scaled_layer(showers: Showers, barrel: Geometry) -> np.ndarray[Any, Any]:
    energies = showers.energies.copy()
    energies[:, barrel.slices[2]] *= 1.02
    return energies


def shuffled_in_phi(showers: Showers, barrel: Geometry) -> np.ndarray[Any, Any]:
    energies = showers.energies.copy()
    middle = energies[:, barrel.slices[2]].reshape(-1, 7, 7)
    random = np.random.default_rng(0)
    energies[:, barrel.slices[2]] = random.permuted(middle, axis=2).reshape(len(energies), -1)
    return energies


def widened(showers: Showers, barrel: Geometry) -> np.ndarray[Any, Any]:
    response = showers.total / showers.incident_energies
    factor = np.ones(len(showers))
    for energy in np.unique(showers.incident_energies):
        here = showers.incident_energies == energy
        middle = np.median(response[here])
        factor[here] = np.maximum(middle + 1.1 * (response[here] - middle), 0.01) / response[here]
    return showers.energies * factor[:, None]


@pytest.mark.parametrize(
    ("distort", "metric", "key"),
    [
        (scaled_layer, "layer_fractions", "middle/16384"),
        (shuffled_in_phi, "profiles", "profile/middle/phi/16384"),
        (widened, "resolution", "overall"),
    ],
)
def test_a_distortion_is_caught_by_the_metric_made_for_it(
    barrel: Geometry,
    showers: Showers,
    distort: Callable[[Showers, Geometry], np.ndarray[Any, Any]],
    metric: str,
    key: str,
) -> None:
    """The same showers distorted, so that nothing but the distortion differs."""
    reference, other = showers, Showers(distort(showers, barrel), showers.incident_energies, showers.conditions)
    cost: Callable[[float], float] = create("metric", {"name": metric}, barrel).direction.cost
    wrong, right = (values(metric, barrel, reference, each)[key] for each in (other, reference))
    assert right == pytest.approx(1.0 if metric == "resolution" else 0.0, abs=1e-6)
    expected = {"layer_fractions": 1.3, "profiles": 5.0, "resolution": 0.1}[metric]
    assert cost(wrong) == pytest.approx(expected, rel=0.25) or (metric == "profiles" and cost(wrong) > expected)
    assert create("metric", {"name": metric}, barrel).direction is not Direction.higher


def test_a_replay_of_stored_showers_is_caught(barrel: Geometry, halves: tuple[Showers, Showers]) -> None:
    training, held_out = halves
    assert values("memorising", barrel, training, training[::3])["copies"] == 1
    new = values("memorising", barrel, training, held_out)
    assert new["copies"] == 0
    assert new["distance"] == pytest.approx(1, abs=0.03)
    assert new["ks"] < 0.06
