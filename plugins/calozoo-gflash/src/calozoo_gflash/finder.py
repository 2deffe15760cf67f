"""Which cell of a layer a point lies in."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calozoo import Layer

_PIXELS = 1024
_ZOOM = 4


class Finder(Protocol):
    """Finds cells by position."""

    def find(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
        """Index of the cell at each point, and the number of cells where there is none."""
        ...


def finder(layer: Layer) -> Finder:
    """The fastest finder for a layer: exact for rectangular grids, on fine rasters for other shapes."""
    low, high = layer.outlines.min(axis=1), layer.outlines.max(axis=1)
    corners = np.stack([low, high], axis=1)
    at_corner = np.isclose(layer.outlines[:, :, None, :], corners[:, None, :, :], rtol=0, atol=1e-9).any(axis=2).all()
    edges = [_unique(np.concatenate([low[:, axis], high[:, axis]])) for axis in (0, 1)]
    shape = (len(edges[0]) - 1, len(edges[1]) - 1)
    if at_corner and layer.outlines.shape[1] == 4 and shape[0] * shape[1] == layer.cells:
        cells = np.full((shape[0] + 2, shape[1] + 2), layer.cells)
        i, j = (np.searchsorted(edges[axis], (low[:, axis] + high[:, axis]) / 2) for axis in (0, 1))
        cells[i, j] = np.arange(layer.cells)
        if len(set(zip(i.tolist(), j.tolist(), strict=True))) == layer.cells:
            return Grid(edges[0], edges[1], cells)
    return Rasters(layer.outlines)


class Grid:
    """Cells between the lines of a grid."""

    def __init__(self, x_edges: NDArray[np.float64], y_edges: NDArray[np.float64], cells: NDArray[np.int64]) -> None:
        self.x_edges, self.y_edges, self.cells = x_edges, y_edges, cells

    def find(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
        """Index of the cell at each point, and the number of cells where there is none."""
        return self.cells[_place(self.x_edges, x), _place(self.y_edges, y)]


class Rasters:
    """Cells of any shape on rasters that lie in each other around the origin, where showers are dense and cells small.

    Each is four times as fine as the one around it, until a pixel is a fiftieth of the smallest cell.
    """

    def __init__(self, outlines: NDArray[np.float64]) -> None:
        low, high = outlines.min(axis=(0, 1)), outlines.max(axis=(0, 1))
        smallest = (outlines.max(axis=1) - outlines.min(axis=1)).min(axis=0)
        wanted = 50 * (high - low) / _PIXELS / smallest
        finer = int(np.ceil(np.log(max(1.0, wanted.max())) / np.log(_ZOOM)))
        self.rasters = [Raster(outlines, low / _ZOOM**k, high / _ZOOM**k) for k in range(finer + 1)]

    def find(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
        """Index of the cell at each point, and the number of cells where there is none."""
        found = self.rasters[0].find(x, y)
        for raster in self.rasters[1:]:
            inside = raster.holds(x, y)
            found[inside] = raster.find(x[inside], y[inside])
        return found


class Raster:
    """Cells of any shape between ``low`` and ``high``, drawn once on 1024 x 1024 pixels: exact to a pixel.

    A point belongs to a cell if a line from it crosses the cell's outline an odd number of times.
    """

    def __init__(self, outlines: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        self.low, self.high, self.size = low, high, (high - low) / _PIXELS
        self.cells = np.full((_PIXELS + 2, _PIXELS + 2), len(outlines))
        for cell, outline in enumerate((outlines - low) / self.size):  # in pixels, whose centres are at n + 1/2
            first = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
            last = np.minimum(np.ceil(outline.max(axis=0)).astype(int), _PIXELS)
            if (last <= first).any():
                continue
            rows = np.arange(first[0], last[0]) + 0.5
            (x, y), (x_next, y_next) = outline.T, np.roll(outline, -1, axis=0).T
            crosses = (x <= rows[:, None]) != (x_next <= rows[:, None])
            row, edge = np.nonzero(crosses)
            at = y[edge] + (rows[row] - x[edge]) / (x_next - x)[edge] * (y_next - y)[edge]
            column = np.clip(np.ceil(at - 0.5).astype(int) - first[1], 0, last[1] - first[1])
            crossed = np.zeros((len(rows), last[1] - first[1] + 1), dtype=np.int64)
            np.add.at(crossed, (row, column), 1)
            inside = np.cumsum(crossed, axis=1)[:, :-1] % 2 == 1
            self.cells[first[0] + 1 : last[0] + 1, first[1] + 1 : last[1] + 1][inside] = cell

    def holds(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Which points lie on it."""
        (left, low), (right, high) = self.low, self.high
        inside: NDArray[np.bool_] = (left < x) & (x < right) & (low < y) & (y < high)
        return inside

    def find(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
        """Index of the cell at each point, and the number of cells where there is none."""
        i, j = (
            np.clip(np.floor((value - low) / size), -1, _PIXELS).astype(np.int64) + 1
            for value, low, size in zip((x, y), self.low, self.size, strict=True)
        )
        found: NDArray[np.int64] = self.cells[i, j]
        return found


def _place(edges: NDArray[np.float64], x: NDArray[Any]) -> NDArray[np.int64]:
    """How many edges lie at or below each point; by arithmetic where they are equally spaced."""
    width = np.diff(edges)
    if np.allclose(width, width[0], rtol=1e-9):
        # Truncation is the floor of what is positive, and much faster.
        scaled = (x - x.dtype.type(edges[0] - width[0])) * x.dtype.type(1 / width[0])
        slots: NDArray[np.int64] = np.clip(scaled, 0, len(width) + 1).astype(np.int64)
        return slots
    places: NDArray[np.int64] = np.searchsorted(edges, x, side="right")
    return places


def _unique(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sorted values without those that differ by rounding alone."""
    ordered: NDArray[np.float64] = np.sort(x)
    kept: NDArray[np.float64] = ordered[np.concatenate([[True], np.diff(ordered) > 1e-9 * np.ptp(ordered)])]
    return kept
