from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.optimize import curve_fit, nnls

from calozoo import Showers
from calozoo.config import create
from calozoo_calochallenge.features import high_level
from calozoo_calochallenge.physics_distance import discrepancy, fpd, frechet_distance, kpd, scaled


@pytest.fixture(scope="module")
def features(showers: Callable[..., Showers], photons: Any) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    samples = showers(2000, 1), showers(2000, 2, scale=1.02)
    own, other = (high_level(s.energies, s.incident_energies, photons) for s in samples)
    return own, other


def direct_scaled(own: Any, other: Any) -> tuple[list[list[float]], list[list[float]]]:
    largest = [max(abs(row[k]) for row in own) or 1.0 for k in range(len(own[0]))]
    first, second = ([[x / m for x, m in zip(row, largest, strict=True)] for row in s] for s in (own, other))
    return first, second


def direct_frechet(first: Any, second: Any) -> float:
    moments = []
    for sample in (first, second):
        n, d = len(sample), len(sample[0])
        mean = [math.fsum(row[k] for row in sample) / n for k in range(d)]
        centred = np.array(sample) - mean
        moments.append((np.array(mean), centred.T @ centred / (n - 1)))
    (m1, c1), (m2, c2) = moments
    return float(((m1 - m2) ** 2).sum() + np.trace(c1) + np.trace(c2) - 2 * np.trace(sqrtm(c1 @ c2)).real)


def direct_discrepancy(first: Any, second: Any) -> float:
    def kernel(x: Any, y: Any) -> float:
        return float(x @ y / len(x) + 1) ** 4

    n, m = len(first), len(second)
    own = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    other = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return own + other - 2 * sum(kernel(x, y) for x in first for y in second) / (n * m)


def test_features_are_scaled_by_the_references_largest_magnitude(features: Any) -> None:
    own, other = features
    for found, expected in zip(scaled(own, other), direct_scaled(own.tolist(), other.tolist()), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal(scaled(np.zeros((3, 1)), np.ones((3, 1)))[1], np.ones((3, 1)))


def test_frechet_distance_is_the_definition(features: Any) -> None:
    own, other = scaled(*features)
    assert frechet_distance(own, other) == pytest.approx(direct_frechet(own, other), abs=1e-9)


def test_frechet_distance_takes_features_that_never_vary() -> None:
    sample = np.random.default_rng(0).normal(size=(200, 3))
    sample[:, 2] = 1.0
    assert frechet_distance(sample, sample) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(sample, sample + np.array([0, 0, 2])) == pytest.approx(4)


def test_discrepancy_is_the_definition_across_blocks(features: Any) -> None:
    own, other = scaled(*features)
    assert discrepancy(own[:60], other[:50]) == pytest.approx(direct_discrepancy(own[:60], other[:50]), abs=1e-9)
    kernel = [(a @ b.T / 30 + 1) ** 4 for a, b in ((own, own), (other, other), (own, other))]
    n = len(own)
    whole = sum((k.sum() - np.trace(k)) / (n * (n - 1)) for k in kernel[:2]) - 2 * kernel[2].mean()
    assert discrepancy(own, other) == pytest.approx(whole, abs=1e-9)


def test_fpd_is_the_intercept_over_sizes(features: Any) -> None:
    own, other = scaled(*features)
    random = np.random.default_rng(42)
    sizes, means = [], []
    for k in range(10):
        size = int(1 / np.linspace(1 / 400, 1 / 2000, 10)[k])
        distances = []
        for _ in range(20):
            first = own[random.choice(len(own), size=size)]
            second = other[random.choice(len(other), size=size)]
            distances.append(direct_frechet(first, second))
        sizes.append(size)
        means.append(sum(distances) / 20)
    (intercept, _), _ = nnls(np.stack([np.ones(10), 1 / np.array(sizes)], axis=1), np.array(means))
    # The published numbers come from this solver at its default tolerances, at which it stops short of the best line.
    line, covariance = curve_fit(
        lambda x, a, b: a + b * x, 1 / np.array(sizes), means, bounds=([0, 0], [np.inf, np.inf])
    )
    found = fpd(*features, largest=2000)
    assert found.value == pytest.approx(line[0], abs=1e-9)
    assert found.error == pytest.approx(math.sqrt(covariance[0, 0]), abs=1e-9)
    assert found.value == pytest.approx(intercept, abs=1e-4)


def test_fpd_is_never_negative(features: Any) -> None:
    assert 0 <= fpd(features[0], features[0], largest=2000).value < 1e-3


def test_kpd_is_the_median_over_batches(features: Any) -> None:
    own, other = scaled(*features)
    found = []
    for k in range(10):
        random = np.random.default_rng(42 + 1000 * k)
        first = own[random.choice(len(own), size=40)]
        second = other[random.choice(len(other), size=40)]
        found.append(direct_discrepancy(first, second))
    estimate = kpd(*features, batch=40)
    found.sort()
    assert estimate.value == pytest.approx((found[4] + found[5]) / 2, abs=1e-9)
    at = [q / 100 * 9 for q in (16.275, 83.725)]
    low, high = (found[int(x)] + (x - int(x)) * (found[int(x) + 1] - found[int(x)]) for x in at)
    assert estimate.error == pytest.approx((high - low) / 2, abs=1e-9)


@pytest.mark.parametrize("name", ["fpd", "kpd"])
def test_a_small_sample_goes_by_another_name(name: str, showers: Callable[..., Showers], photons: Any) -> None:
    metric = create("metric", {"name": f"calochallenge_{name}"}, photons)
    floor = metric.score(showers(3000, 1), showers(4000, 2)).values
    assert [value.key for value in floor] == [f"{name}_small/n=3000"]
    assert abs(floor[0].value) < 5 * floor[0].error + 0.5
    wrong = metric.score(showers(3000, 1), showers(4000, 2, scale=4.0)).values[0].value
    assert wrong > floor[0].value


def test_official_sizes_have_the_official_name_and_a_rank(photons: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from calozoo_calochallenge import challenge, physics_distance

    for module in (challenge, physics_distance):
        monkeypatch.setattr(module, "OFFICIAL_ROWS", 1000)
    random = np.random.default_rng(0)
    samples = [Showers(random.gamma(1, 9, size=(1000, 368)), random.choice([256.0, 512.0], 1000)) for _ in range(2)]
    for name in ("fpd", "kpd"):
        values = create("metric", {"name": f"calochallenge_{name}"}, photons).score(*samples).values
        assert [value.key for value in values] == [name, f"{name}/rank"]
        assert 1 <= values[1].value <= 16
