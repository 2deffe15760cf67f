from __future__ import annotations

import pytest

from calozoo import Direction, Metric, Score, Showers, Value
from calozoo.testing import ToyGeometry, toy_showers


class Least(Metric):
    """What a plugin has to write."""

    def score(self, reference: Showers, generated: Showers) -> Score:
        return Score((Value("number", 1.0),))


def test_a_metric_needs_a_score_and_no_more() -> None:
    metric = Least(ToyGeometry())
    assert metric.direction is Direction.lower
    assert metric.figures(toy_showers(5), {"one": toy_showers(5)}) == {}
    assert metric.score(toy_showers(5), toy_showers(5)).values[0] == Value("number", 1.0, error=None, floor=None)
    with pytest.raises(TypeError, match="abstract"):
        Metric(ToyGeometry())  # type: ignore[abstract]
