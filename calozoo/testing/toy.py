"""A small calorimeter and showers in it, for tests: three layers of different shapes, one of them irregular."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calozoo.conditions import ConditionOptions, Conditions, Encoding, EncodingName, chosen
from calozoo.generator import Batch, Space
from calozoo.geometry import Geometry, Layer
from calozoo.preprocessor import Preprocessor
from calozoo.showers import Column, ColumnKind, Showers


class ToyGeometry(Geometry):
    """4 + 6 + 3 cells, two alignments and an impact position."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """A row, a grid, and three triangles."""
        triangles = np.array(
            [[[-1, -1], [1, -1], [0, 0]], [[1, -1], [1, 1], [0, 0]], [[-1, 1], [-1, -1], [0, 0]]], float
        )
        centres = triangles.mean(axis=1)
        return (
            Layer.grid("first", np.linspace(-1, 1, 5), [-1, 1], depth=10.0),
            Layer.grid("second", np.linspace(-1, 1, 3), np.linspace(-1, 1, 4), depth=60.0),
            Layer("third", centres[:, 0], centres[:, 1], triangles, depth=120.0),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """One categorical and one continuous column."""
        return (
            Column("side", ColumnKind.alignment, categories=2, description="which half the impact lies in"),
            Column("offset", ColumnKind.position, low=-0.5, high=0.5, description="from the centre of the impact cell"),
        )


class ToyPreprocessor(Preprocessor):
    """Cell energies over the incident energy."""

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Fractions of the incident energy."""
        return energies / incident

    def inverse(self, values: Tensor, incident: Tensor) -> Tensor:
        """Energies, none negative."""
        return values.clamp(min=0) * incident


def toy_showers(
    n: int, seed: int = 0, geometry: Geometry | None = None, energies: tuple[float, ...] = (2048.0, 65536.0)
) -> Showers:
    """``n`` random showers with empty cells, whose energy and shape vary as those of real ones do."""
    geometry = geometry or ToyGeometry()
    random = np.random.default_rng(seed)
    incident = random.choice(energies, n)
    shape = random.gamma(0.5 + np.linspace(2, 0, geometry.cells), size=(n, geometry.cells))
    shape[random.random(shape.shape) < 0.2] = 0
    shape[:, 0] += 1e-3
    response = random.normal(0.95, 0.1 / np.sqrt(incident / 1000))
    cells = shape / shape.sum(axis=1, keepdims=True) * (incident * response)[:, None]
    return Showers(cells, incident, {column.name: _draw(column, n, random) for column in geometry.columns})


def _draw(column: Column, n: int, random: np.random.Generator) -> NDArray[Any]:
    if column.categories:
        return random.integers(0, column.categories, n).astype(np.uint8)
    bounded = np.isfinite(column.low) and np.isfinite(column.high)
    return random.uniform(*((column.low, column.high) if bounded else (-1.0, 1.0)), n).astype(np.float32)


def toy_space(showers: Showers, geometry: Geometry | None = None) -> Space:
    """A fitted Space over ``geometry`` with every declared condition encoded."""
    geometry = geometry or ToyGeometry()
    options = ConditionOptions(
        columns={"incident_energy": [Encoding(EncodingName.log)]},
        kinds={
            "alignment": [Encoding(EncodingName.one_hot)],
            "position": [Encoding(EncodingName.linear)],
        },
    )
    conditions = Conditions(chosen(options, geometry))
    conditions.fit(showers.columns)
    return Space(geometry, ToyPreprocessor(geometry), conditions)


def toy_batch(space: Space, showers: Showers) -> Batch:
    """``showers`` as a model sees them."""
    incident = torch.as_tensor(showers.incident_energies)[:, None]
    return Batch(space.preprocessor(torch.as_tensor(showers.energies), incident), space.conditions(showers.columns))
