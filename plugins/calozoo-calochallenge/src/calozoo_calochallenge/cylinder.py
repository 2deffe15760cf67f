"""Layers of voxels in cylindrical coordinates around the particle."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calozoo import Geometry, Layer

_FULL_CIRCLE = 96  # points that a circle is drawn with


@dataclass(frozen=True)
class Rings:
    """The voxels of one layer: rings, each cut into equal sectors from -pi to pi."""

    id: int
    edges: tuple[float, ...]  # radii, mm, increasing
    sectors: int
    depth: float  # mm, of the layer's centre

    @property
    def voxels(self) -> int:
        """How many there are."""
        return (len(self.edges) - 1) * self.sectors

    def layer(self) -> Layer:
        """The voxels as a layer of cells, angle outer and radius inner; a full ring is centred on the axis.

        >>> layer = Rings(3, (0.0, 1.0, 3.0), 4, 0.0).layer()
        >>> layer.x.round(2).tolist()[:4], layer.y.round(2).tolist()[:4]
        ([-0.35, -1.41, 0.35, 1.41], [-0.35, -1.41, -0.35, -1.41])
        """
        edges, angles = np.array(self.edges), np.linspace(-np.pi, np.pi, self.sectors + 1)
        inner, outer = np.tile(edges[:-1], self.sectors), np.tile(edges[1:], self.sectors)
        first, last = (np.repeat(ends, len(edges) - 1) for ends in (angles[:-1], angles[1:]))
        middle = (first + last) / 2
        radius = (inner + outer) / 2 if self.sectors > 1 else np.zeros(len(inner))
        part = np.linspace(0, 1, max(3, _FULL_CIRCLE // self.sectors + 1))
        arc = first[:, None] + part * (last - first)[:, None]
        ray = np.stack([np.cos(arc), np.sin(arc)], axis=2)  # (voxels, points, 2)
        outlines = np.concatenate([outer[:, None, None] * ray, inner[:, None, None] * ray[:, ::-1]], axis=1)
        return Layer(f"layer_{self.id}", radius * np.cos(middle), radius * np.sin(middle), outlines, self.depth)


class Cylinder(Geometry):
    """Concentric rings of voxels per layer; voxels are stored layer by layer, angle outer and radius inner.

    A geometry of this kind says what its :attr:`rings` are.
    """

    axes = ("x", "y")
    units = ("mm", "mm")

    @property
    @abstractmethod
    def rings(self) -> tuple[Rings, ...]:
        """The voxels of each layer."""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that have voxels."""
        return tuple(rings.layer() for rings in self.rings)

    @property
    def radii(self) -> NDArray[np.float64]:
        """Mean of each voxel's two radii, (cells,), mm; full rings have one too, unlike in ``layer.x``."""
        return np.concatenate(
            [np.tile((np.array(r.edges[:-1]) + np.array(r.edges[1:])) / 2, r.sectors) for r in self.rings]
        )
