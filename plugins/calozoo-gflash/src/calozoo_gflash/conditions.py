"""Condition columns of showers that no one has measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import Cells, Column, ConfigError, Geometry


def draw_conditions(geometry: Geometry, n: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Draw the columns that ``geometry`` declares, uniformly in their range or over their categories.

    Where a geometry can place a window around a direction (eta, phi), the direction is drawn and the other columns are
    those of its window, so that they agree with each other. A continuous column without a range is left out.
    """
    drawn = {column.name: _draw(column, n, random) for column in geometry.columns if _bounded(column)}
    if {"eta", "phi"} <= set(drawn):
        none = np.zeros(0, dtype=np.int64)
        nothing = Cells(
            none, none, none.astype(float), none.astype(float), none.astype(np.float32), np.ones(n, np.float32)
        )
        try:
            placed = geometry.select(nothing, drawn["eta"], drawn["phi"])
        except ConfigError:  # no window selection
            return drawn
        return {**drawn, **placed.conditions}
    return drawn


def _bounded(column: Column) -> bool:
    return column.categories > 0 or bool(np.isfinite(column.low) and np.isfinite(column.high))


def _draw(column: Column, n: int, random: np.random.Generator) -> NDArray[Any]:
    if column.categories:
        return random.integers(0, column.categories, n).astype(np.uint8)
    return random.uniform(column.low, column.high, n)
