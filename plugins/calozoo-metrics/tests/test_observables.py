from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from calozoo import Showers
from calozoo.testing import ToyGeometry, toy_showers
from calozoo_metrics import energies, fits, observables, statistics

GEOMETRY = ToyGeometry()
SHOWERS = toy_showers(40)


def loop(function):  # type: ignore[no-untyped-def]
    return [
        function(SHOWERS.energies[i].astype(float), float(SHOWERS.incident_energies[i])) for i in range(len(SHOWERS))
    ]


def layers(cells):  # type: ignore[no-untyped-def]
    found, start = [], 0
    for layer in GEOMETRY.layers:
        found.append(sum(float(cells[start + j]) for j in range(layer.cells)))
        start += layer.cells
    return found


def test_equations_7_and_9() -> None:
    np.testing.assert_allclose(observables.layer_energies(SHOWERS, GEOMETRY), loop(lambda e, _: layers(e)), rtol=1e-6)
    np.testing.assert_allclose(observables.total_energy(SHOWERS), loop(lambda e, _: sum(e)), rtol=1e-6)
    np.testing.assert_allclose(observables.response(SHOWERS), loop(lambda e, incident: sum(e) / incident), rtol=1e-6)


def test_fractions() -> None:
    of_incident = loop(lambda e, incident: [x / incident for x in layers(e)])
    np.testing.assert_allclose(observables.fractions_of_incident(SHOWERS, GEOMETRY), of_incident, rtol=1e-6)
    of_total = loop(lambda e, _: [x / sum(e) for x in layers(e)])
    np.testing.assert_allclose(observables.fractions_of_total(SHOWERS, GEOMETRY), of_total, rtol=1e-6)


def test_equation_8() -> None:
    depths = [10.0, 60.0, 120.0]
    expected = loop(lambda e, _: sum(a * d for a, d in zip(layers(e), depths, strict=True)) / sum(e))
    np.testing.assert_allclose(observables.shower_depth(SHOWERS, GEOMETRY), expected, rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_lateral_mean_and_width(axis: int) -> None:
    layer, cells = GEOMETRY.layers[1], GEOMETRY.slices[1]
    positions = (layer.x, layer.y)[axis]
    mean, width = observables.lateral_mean_and_width(SHOWERS, GEOMETRY, 1, axis)
    for i, energies_of_one in enumerate(SHOWERS.energies[:, cells].astype(float)):
        total = sum(energies_of_one)
        m = sum(e * p for e, p in zip(energies_of_one, positions, strict=True)) / total
        w = math.sqrt(sum(e * (p - m) ** 2 for e, p in zip(energies_of_one, positions, strict=True)) / total)
        assert mean[i] == pytest.approx(m, abs=1e-6)
        assert width[i] == pytest.approx(w, abs=1e-6)


def test_profiles_hold_all_the_energy_of_a_layer() -> None:
    for axis in (0, 1):
        profiles = observables.shower_profiles(SHOWERS, GEOMETRY, 1, axis)
        np.testing.assert_allclose(profiles.sum(axis=1), observables.layer_energies(SHOWERS, GEOMETRY)[:, 1], rtol=1e-6)
    cells = SHOWERS.energies[:, GEOMETRY.slices[1]].reshape(len(SHOWERS), 2, 3)
    np.testing.assert_allclose(observables.shower_profiles(SHOWERS, GEOMETRY, 1, 0), cells.sum(axis=2), rtol=1e-6)
    np.testing.assert_allclose(observables.shower_profiles(SHOWERS, GEOMETRY, 1, 1), cells.sum(axis=1), rtol=1e-6)


def test_weighted_distance() -> None:
    layer, cells = GEOMETRY.layers[0], GEOMETRY.slices[0]
    found = observables.weighted_distance(SHOWERS, GEOMETRY, 0)
    for i, row in enumerate(SHOWERS.energies[:, cells].astype(float)):
        expected = sum(e * math.hypot(x, y) for e, x, y in zip(row, layer.x, layer.y, strict=True)) / sum(row)
        assert found[i] == pytest.approx(expected, rel=1e-6)


def test_spectrum_and_sparsity_count_cells() -> None:
    edges = np.array([1.0, 10.0, 100.0, 1000.0])
    spectrum = observables.cell_spectrum(SHOWERS, edges)
    for i, row in enumerate(SHOWERS.energies):
        assert spectrum[i, 0] == sum(1 <= e < 10 for e in row)
        assert spectrum[i, 2] == sum(e >= 100 for e in row)
    np.testing.assert_allclose(observables.sparsity(SHOWERS, 10.0), loop(lambda e, _: sum(e >= 10) / len(e)))


def test_covariance_and_correlation() -> None:
    energies_ = SHOWERS.energies.astype(float)
    covariance = observables.cell_covariance(SHOWERS)
    i, j = 2, 7
    a, b = energies_[:, i] - energies_[:, i].mean(), energies_[:, j] - energies_[:, j].mean()
    assert covariance[i, j] == pytest.approx((a * b).sum() / (len(a) - 1))
    assert observables.correlation(covariance)[i, j] == pytest.approx(
        np.corrcoef(energies_[:, i], energies_[:, j])[0, 1]
    )


def test_distances_are_those_of_scipy() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(size=300), random.normal(0.3, 1.2, size=200)
    assert statistics.ks_distance(first, second).value == pytest.approx(stats.ks_2samp(first, second).statistic)
    assert statistics.wasserstein_distance(first, second) == pytest.approx(stats.wasserstein_distance(first, second))


def test_separation_power() -> None:
    first, second = np.array([1.0, 3.0, 0.0]), np.array([2.0, 1.0, 1.0])
    h1, h2 = [0.25, 0.75, 0.0], [0.5, 0.25, 0.25]
    expected = 0.5 * sum((a - b) ** 2 / (a + b) for a, b in zip(h1, h2, strict=True))
    assert statistics.separation_power(first, second) == pytest.approx(expected)


def test_resolution_of_a_normal_distribution_and_its_fit() -> None:
    sample = np.random.default_rng(0).normal(100, 5, 200_000)
    assert fits.central_resolution(sample) == pytest.approx(0.05, rel=0.01)
    assert fits.relative_deviation(sample) == pytest.approx(0.05, rel=0.01)
    at = np.array([1e3, 4e3, 1.6e4, 6.4e4])
    fit = fits.fit_resolution(at, np.sqrt(0.1**2 / (at / 1000) + 0.02**2), np.full(4, 1e-4))
    assert fit.stochastic.value == pytest.approx(0.1, rel=1e-6)
    assert fit.constant is not None
    assert fit.constant.value == pytest.approx(0.02, rel=1e-6)


def test_discrete_energies_are_groups_and_continuous_ones_bins() -> None:
    groups = energies.energy_groups(np.array([2.0, 1.0, 2.0, 4.0]))
    assert [group.energy for group in groups] == [1, 2, 4]
    binned = energies.energy_groups(np.geomspace(1e3, 1e5, 500))
    assert 1 < len(binned) <= 8


def test_width_over_energy_is_not_changed_by_units_of_the_incident_energy() -> None:
    doubled = Showers(2 * SHOWERS.energies, 2 * SHOWERS.incident_energies, SHOWERS.conditions)
    np.testing.assert_allclose(observables.response(doubled), observables.response(SHOWERS), rtol=1e-6)
