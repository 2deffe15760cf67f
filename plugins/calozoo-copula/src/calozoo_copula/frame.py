"""Showers as seen from the particle: where it enters each layer, and layers turned to the cell that it hits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from calozoo import Batch, Column, Geometry, Space
from calozoo_copula import smooth

_PROBE = 4096  # conditions drawn to see which coordinates there are
_NODES = 13  # of the piecewise linear functions of a coordinate


@dataclass(frozen=True, eq=False)
class Impact:
    """The conditions of a batch."""

    incident: Tensor  # (n, 1), MeV
    u: Tensor  # (n,), logarithm of the incident energy, from -1 to 1 over the training range
    place: Tensor  # (n, m), functions of where the particle enters and of the other conditions, the first being 1
    turns: Tensor  # (n, axes), cells by which each axis that is turned is turned

    def __len__(self) -> int:
        return len(self.u)

    def __getitem__(self, rows: Any) -> Impact:
        return Impact(self.incident[rows], self.u[rows], self.place[rows], self.turns[rows])

    @cached_property
    def smooth(self) -> Tensor:
        """Smooth functions of the energy, (n, DEGREE + 1)."""
        return smooth.legendre(self.u)

    @cached_property
    def basis(self) -> Tensor:
        """Functions of place and energy, (n, 3 m)."""
        u = self.u[:, None]
        return torch.cat([self.place, self.place * u, self.place * u * u], dim=1)


@dataclass(frozen=True, eq=False)
class _Coordinate:
    """Where the particle enters, along one axis of a layer in cells, or the value of a column."""

    column: str | None = None
    layer: int = 0
    axis: int = 0
    first: float = 0.0  # lower edge of the first cell
    pitch: float = 1.0
    centre: int = 0  # the cell in the middle
    turn: tuple[int, int] | None = None  # least and largest turn, where the axis is turned
    table: Tensor | None = None  # (count, cells), which cell lies so many cells further, in a circle

    def place(self, columns: dict[str, NDArray[Any]], path: NDArray[np.float64]) -> NDArray[np.float64]:
        """In units of cells from the lower edge of the first one, or the column's values, (n,)."""
        if self.column is not None:
            return np.asarray(columns[self.column], dtype=float)
        return np.asarray((path[:, self.layer, self.axis] - self.first) / self.pitch)

    def turns(self, place: NDArray[np.float64]) -> NDArray[np.int64]:
        """Cells from the central one to the one that is hit, (n,)."""
        return np.floor(place).astype(np.int64) - self.centre


class Frame(nn.Module):
    """Turns showers into the particle's frame and encodes where it enters, for any geometry and conditions.

    A layer that is a regular grid is rolled, in a circle, so that the cell that the particle hits has always the same
    index; along those axes alone where the hit cell varies, and by less than a quarter of the cells. The place within
    the hit cell, or in the layer where it is not rolled, is one coordinate; continuous columns are others, categories
    are indicators. Coordinates that say the same are kept once. All of it follows from :class:`~calozoo.Space`.
    """

    low: Tensor
    high: Tensor
    ends: Tensor

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.categories = space.conditions.categories
        random = np.random.default_rng(0)
        declared = {column.name: column for column, _ in space.conditions.pairs}
        probe = {name: _draw(column, self.categories.get(name), random) for name, column in declared.items()}
        self.coordinates = self._coordinates(probe)
        self.turned = [c for c in self.coordinates if c.turn is not None]
        for k, coordinate in enumerate(self.turned):
            self.register_buffer(f"table_{k}", coordinate.table, persistent=False)
        self.size = 1 + sum(len(v) for v in self.categories.values()) + _NODES * len(self.coordinates)
        self.register_buffer("low", torch.zeros(len(self.coordinates)))
        self.register_buffer("high", torch.ones(len(self.coordinates)))
        self.register_buffer("ends", torch.tensor([0.0, 1.0]))
        self._last: tuple[Tensor, Impact] | None = None  # the batch that was asked for last is asked for again

    def fit(self, batch: Batch) -> None:
        """Learn the ranges of energies and coordinates."""
        incident, _, places, _ = self._places(batch.condition)
        self._last = None
        self.low, self.high = places.amin(dim=0), places.amax(dim=0)
        # Where energies are continuous nothing is learnt beyond the mean of the first and last group of them.
        means = torch.stack([incident[group].log().mean() for group in smooth.groups(incident)])
        self.ends = torch.stack([means.min(), means.max()])

    def scaled(self, condition: Tensor) -> Tensor:
        """Logarithm of the incident energy, (n,), from -1 to 1 over the training range and constant beyond."""
        log = self.space.incident(condition)[:, 0].log()
        return (2 * (log - self.ends[0]) / (self.ends[1] - self.ends[0]).clamp(min=1e-6) - 1).clamp(-1, 1)

    def forward(self, condition: Tensor) -> Impact:
        """What ``condition`` (n, condition_size) means."""
        if self._last is None or self._last[0] is not condition:
            self._last = condition, self._impact(condition)
        return self._last[1]

    def _impact(self, condition: Tensor) -> Impact:
        incident, columns, places, turns = self._places(condition)
        scaled = 2 * (places - self.low) / (self.high - self.low).clamp(min=1e-9) - 1
        parts = [torch.ones_like(incident)]
        for name, values in self.categories.items():
            nearest = (columns[name][:, None] - columns[name].new_tensor(values)).abs().argmin(dim=1)
            parts.append(functional.one_hot(nearest, len(values)).to(condition))
        parts.append(smooth.hats(scaled, _NODES).flatten(1))
        return Impact(incident, self.scaled(condition), torch.cat(parts, dim=1), turns)

    def turn(self, cells: Tensor, impact: Impact, *, back: bool = False) -> Tensor:
        """``cells`` (n, cells) with the hit cell in the middle of each turned axis, or back from there."""
        for k in range(len(self.turned)):
            table: Tensor = self.get_buffer(f"table_{k}")
            steps = -impact.turns[:, k] if back else impact.turns[:, k]
            cells = cells.gather(1, table[steps % len(table)])
        return cells

    def _places(self, condition: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor, Tensor]:
        columns = self.space.conditions.columns(condition)
        numbers = {name: values.detach().cpu().numpy() for name, values in columns.items()}
        path = -self.space.geometry.shift(numbers)
        places, turns = [], []
        for coordinate in self.coordinates:
            place = coordinate.place(numbers, path)
            if coordinate.turn is not None:
                turn = coordinate.turns(place).clip(*coordinate.turn)
                turns.append(turn)
                place = place - turn
            places.append(place)
        n = len(condition)
        place_array = np.array(places, dtype=float).reshape(len(places), n).transpose()
        turn_array = np.array(turns, dtype=np.int64).reshape(len(turns), n).transpose()
        place_tensor, turn_tensor = torch.as_tensor(place_array).to(condition), torch.as_tensor(turn_array)
        return self.space.incident(condition), columns, place_tensor, turn_tensor.to(condition.device)

    def _coordinates(self, probe: dict[str, NDArray[Any]]) -> list[_Coordinate]:
        """Those that vary, none twice."""
        geometry = self.space.geometry
        path = -geometry.shift(probe)
        candidates = [
            _along(geometry, k, axis, path[:, k, axis]) for k in range(len(geometry.layers)) for axis in range(2)
        ]
        continuous = probe.keys() - self.categories.keys() - {"incident_energy"}
        candidates += [_Coordinate(name) for name in probe if name in continuous]
        kept: list[_Coordinate] = []
        seen: list[NDArray[np.float64]] = []
        for candidate in candidates:
            place = candidate.place(probe, path)
            if candidate.turn is not None:
                place = place - candidate.turns(place)
            if np.ptp(place) < 1e-9:
                continue
            same = any(abs(np.corrcoef(place, other)[0, 1]) > 1 - 1e-6 for other in seen)
            if not same or candidate.turn is not None:
                kept.append(candidate)
                seen.append(place)
        return kept


def _along(geometry: Geometry, k: int, axis: int, path: NDArray[np.float64]) -> _Coordinate:
    """The coordinate of layer ``k`` along ``axis``, turned where its cells are a regular grid."""
    layer, where = geometry.layers[k], geometry.slices[k]
    size = layer.size[:, axis]
    centres, index = _lines((layer.x, layer.y)[axis], size.min())
    _, line = _lines((layer.x, layer.y)[1 - axis], layer.size[:, 1 - axis].min())
    count = len(centres)
    grid = len(layer.x) == count * (line.max() + 1) == len(np.unique(index * len(layer.x) + line))
    if not grid or count < 2 or not np.allclose(np.diff(centres), size[0]) or not np.allclose(size, size[0]):
        return _Coordinate(layer=k, axis=axis)
    pitch, first = float(size[0]), float(centres[0] - size[0] / 2)
    plain = _Coordinate(layer=k, axis=axis, first=first, pitch=pitch, centre=count // 2)
    turns = plain.turns((path - first) / pitch)
    if not 0 < np.abs(turns).max() < count / 4:
        return plain
    flat = np.zeros((count, line.max() + 1), dtype=np.int64)
    flat[index, line] = np.arange(where.start, where.stop)
    table = np.tile(np.arange(geometry.cells), (count, 1))
    for step in range(count):
        table[step, where] = flat[(index + step) % count, line]
    return replace(plain, turn=(int(turns.min()), int(turns.max())), table=torch.as_tensor(table))


def _lines(positions: NDArray[np.float64], size: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The different ``positions`` (n,) of cells at least as large as ``size``, and the index of each one's."""
    rounded = np.rint(positions / max(size, 1e-12) * 1000).astype(np.int64)
    _, first, index = np.unique(rounded, return_index=True, return_inverse=True)
    return positions[first], index


def _draw(column: Column, categories: list[float] | None, random: np.random.Generator) -> NDArray[Any]:
    """Values that a column may take, (n,)."""
    if categories is not None:
        return random.choice(categories, _PROBE)
    if np.isfinite(column.low) and np.isfinite(column.high):
        return random.uniform(column.low, column.high, _PROBE)
    return random.normal(size=_PROBE)
