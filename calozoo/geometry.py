"""What a calorimeter window is: layers of cells, and the conditions that its position defines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo.errors import ConfigError
from calozoo.showers import Column, Showers


@dataclass(frozen=True, eq=False)
class Layer:
    """One longitudinal layer of cells, in the order in which the cells are stored.

    Positions are relative to the nominal impact point, in the geometry's transverse coordinates.

    >>> layer = Layer.grid("middle", [-0.0125, 0.0125], [-0.1, 0.0, 0.1], depth=348.0)
    >>> layer.cells, layer.x.tolist(), layer.y.tolist()
    (2, [0.0, 0.0], [-0.05, 0.05])
    """

    name: str
    x: NDArray[np.float64]  # (cells,), cell centres along the geometry's first axis
    y: NDArray[np.float64]  # (cells,), along its second axis
    outlines: NDArray[np.float64]  # (cells, corners, 2), the cells' borders in the same coordinates
    depth: float  # mm, the layer's centre along the particle's path, from the calorimeter's front face

    def __post_init__(self) -> None:
        if not (self.x.shape == self.y.shape == self.outlines.shape[:1] and self.outlines.ndim == 3):
            raise ConfigError(
                f"Layer '{self.name}' needs x and y of shape (cells,) and outlines of shape (cells, corners, 2), "
                f"not {self.x.shape}, {self.y.shape} and {self.outlines.shape}."
            )

    @property
    def cells(self) -> int:
        """How many cells the layer has."""
        return len(self.x)

    @property
    def size(self) -> NDArray[np.float64]:
        """Extent of each cell along the two axes, (cells, 2)."""
        return np.asarray(np.ptp(self.outlines, axis=1))

    @staticmethod
    def grid(name: str, x_edges: Any, y_edges: Any, *, depth: float) -> Layer:
        """A rectangular grid of cells, the first axis outer and the second inner."""
        x_edges, y_edges = np.asarray(x_edges, dtype=float), np.asarray(y_edges, dtype=float)
        i, j = (
            index.ravel()
            for index in np.meshgrid(np.arange(len(x_edges) - 1), np.arange(len(y_edges) - 1), indexing="ij")
        )
        left, right, low, high = x_edges[i], x_edges[i + 1], y_edges[j], y_edges[j + 1]
        outlines = np.stack(
            [
                np.stack([left, low], 1),
                np.stack([right, low], 1),
                np.stack([right, high], 1),
                np.stack([left, high], 1),
            ],
            axis=1,
        )
        return Layer(name, (left + right) / 2, (low + high) / 2, outlines, depth)


@dataclass(frozen=True, eq=False)
class Cells:
    """Raw energy deposits of many showers as one list: what a window is selected from."""

    event: NDArray[np.int64]  # (m,), the row of the shower that each deposit belongs to
    layer: NDArray[np.int64]  # (m,), index into the geometry's layers
    eta: NDArray[np.float64]  # (m,), centre of the cell
    phi: NDArray[np.float64]  # (m,), rad
    energy: NDArray[np.float32]  # (m,), MeV
    incident_energies: NDArray[np.float32]  # (n,), MeV, of the n showers


class Geometry(ABC):
    """The layers of a calorimeter window and the conditions that come with it.

    A plugin implements :attr:`layers`. It declares in :attr:`columns` the conditions that placing a window
    defines, and may implement :meth:`select` and :meth:`shift`.
    """

    axes: tuple[str, str] = ("eta", "phi")  # names of the transverse coordinates
    units: tuple[str, str] = ("", "rad")

    @property
    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in the order in which their cells are stored."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Condition columns, beside the incident energy, that this geometry defines."""
        return ()

    def select(self, cells: Cells, eta: NDArray[np.float64], phi: NDArray[np.float64]) -> Showers:
        """Cut the windows around particles at (``eta``, ``phi``), each (n,), out of raw cell lists."""
        raise ConfigError(f"{type(self).__name__} has no window selection: give it showers that are already windows.")

    def shift(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Where each layer's nominal origin lies relative to the particle, (n, layers, 2).

        ``layer.x + shift[:, layer, 0]`` is then each cell's distance from the particle. Zero unless a geometry
        says otherwise.
        """
        n = len(next(iter(columns.values()), ()))
        return np.zeros((n, len(self.layers), 2))

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each layer's cells lie among all cells."""
        ends = np.cumsum([layer.cells for layer in self.layers]).tolist()
        return tuple(slice(start, end) for start, end in zip([0, *ends], ends, strict=False))

    @cached_property
    def cells(self) -> int:
        """How many cells all layers have together."""
        return sum(layer.cells for layer in self.layers)
