from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from calozoo import ConfigError, Showers
from calozoo.config import create
from calozoo_calochallenge.coverage import logarithms
from calozoo_metrics.metrics.neighbours import compare_neighbours


def test_empty_voxels_count_as_a_tenth_and_others_as_they_are() -> None:
    found = logarithms(Showers(np.array([[0.0, 0.02, 1.0, 100.0]]), np.ones(1)))
    np.testing.assert_allclose(found, [[-1, np.log10(float(np.float32(0.02))), 0, 2]], rtol=1e-12)


def test_the_four_numbers_are_their_definitions() -> None:
    random = np.random.default_rng(0)
    own, other = random.normal(size=(60, 3)), random.normal(0.5, 0.8, size=(50, 3))

    def distance(x: Any, y: Any) -> float:
        return float(np.sqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True))))

    def radii(points: Any) -> list[float]:
        return [sorted(distance(x, y) for y in points)[5] for x in points]  # the first is the point itself

    mine, theirs = radii(own), radii(other)
    inside = [[distance(x, y) < r for y in other] for x, r in zip(own, mine, strict=True)]
    expected = {
        "precision": np.mean([any(row[j] for row in inside) for j in range(50)]),
        "recall": np.mean([any(distance(x, y) < r for y, r in zip(other, theirs, strict=True)) for x in own]),
        "density": sum(sum(row) for row in inside) / (5 * 50),
        "coverage": np.mean([any(row) for row in inside]),
    }
    found = compare_neighbours(own, other, 5)
    assert {name: found[name].value for name in expected} == pytest.approx(expected)


def test_the_floor_and_rows_in_the_keys(showers: Callable[..., Showers], photons: Any) -> None:
    metric = create("metric", {"name": "calochallenge_coverage", "rows": 1000}, photons)
    values = {value.key: value.value for value in metric.score(showers(1100, 1), showers(1100, 2)).values}
    assert next(iter(values)) == "precision_and_recall/rows=1000"
    assert values["density/rows=1000"] == pytest.approx(1, abs=0.1)
    assert values["coverage/rows=1000"] == pytest.approx(0.96, abs=0.04)
    with pytest.raises(ConfigError, match="rows must be 0, for all showers, or at least 1000, not 10"):
        create("metric", {"name": "calochallenge_coverage", "rows": 10}, photons)
