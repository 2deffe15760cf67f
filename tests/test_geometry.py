from __future__ import annotations

import numpy as np
import pytest

from calozoo import ConfigError, Layer
from calozoo.testing import ToyGeometry


def test_a_grid_runs_along_the_second_axis_first() -> None:
    layer = Layer.grid("layer", [0, 1, 3], [0, 10, 20, 30], depth=5.0)
    assert layer.cells == 6
    assert layer.x.tolist() == [0.5, 0.5, 0.5, 2.0, 2.0, 2.0]
    assert layer.y.tolist() == [5, 15, 25, 5, 15, 25]
    assert layer.size.tolist() == [[1, 10]] * 3 + [[2, 10]] * 3


def test_slices_follow_the_layers() -> None:
    geometry = ToyGeometry()
    assert geometry.cells == 13
    assert geometry.slices == (slice(0, 4), slice(4, 10), slice(10, 13))


def test_a_geometry_without_selection_says_so() -> None:
    with pytest.raises(ConfigError, match="no window selection"):
        ToyGeometry().select(None, np.zeros(1), np.zeros(1))  # type: ignore[arg-type]


def test_a_layer_needs_matching_shapes() -> None:
    with pytest.raises(ConfigError, match="outlines of shape"):
        Layer("layer", np.zeros(2), np.zeros(2), np.zeros((3, 4, 2)), 1.0)
