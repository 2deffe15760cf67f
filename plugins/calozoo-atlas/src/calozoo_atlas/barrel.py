"""The electromagnetic barrel around |eta| = 0.2 as windows of 266 cells in four layers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import Cells, Column, ColumnKind, Geometry, Layer, Showers
from calozoo_atlas.windows import DETA, DPHI, LAYERS, Window, inside, place, require, wrapped


class PhiOrigin(Enum):
    """What lies at phi = 0: the centre of a presampler and front cell, or the edge between two."""

    centre = 2  # they hold middle cells j = 4m-2 .. 4m+1, as in calozoo's Geant4 sample
    edge = 0  # they hold middle cells j = 4m .. 4m+3, as in ATLAS


class AtlasBarrel(Geometry):
    r"""Presampler 7 x 3, front 56 x 3, middle 7 x 7 and back 4 x 7 cells around a particle, eta outer, phi inner.

    The *impact cell* is the middle cell at the particle's (eta, phi); the windows of the other layers follow from
    it, in two possible alignments of the back cells in eta and four of the presampler and front cells in phi.
    At negative eta the window is mirrored in eta.

    Cell positions are relative to the centre of the impact cell, at the mean of the possible alignments, where every
    layer is symmetric; :meth:`shift` places them for an alignment. Depths are radial, from the presampler's
    inner face at r = 1410 mm.

    Args:
        phi_origin: what lies at phi = 0 in presampler and front: the ``centre`` of a cell, as in calozoo's Geant4
            sample, or the ``edge`` between two, as in ATLAS.

    Source: ATL-SOFT-PUB-2018-001, section 3 and figure 1; cell sizes and radii of the barrel at eta about 0.2.

    >>> barrel = AtlasBarrel()
    >>> [(layer.name, layer.cells, layer.depth) for layer in barrel.layers]
    [('presampler', 21, 5.5), ('front', 168, 133.5), ('middle', 49, 348.0), ('back', 28, 534.5)]

    """

    def __init__(self, *, phi_origin: PhiOrigin = PhiOrigin.centre) -> None:
        self.phi_origin = phi_origin

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Presampler, front (strips), middle and back."""
        return tuple(_layer(window) for window in LAYERS)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Direction, alignments and impact position."""
        half_eta, half_phi = DETA / 2, DPHI / 2
        direction, alignment, position = ColumnKind.direction, ColumnKind.alignment, ColumnKind.position
        return (
            Column(
                "eta", direction, "", 0.20, 0.25, description="pseudorapidity without its sign: windows are mirrored"
            ),
            Column("phi", direction, "rad", -np.pi, np.pi, description="azimuth"),
            Column("eta_alignment", alignment, categories=2, description="place of the impact cell in its back cell"),
            Column("phi_alignment", alignment, categories=4, description="place of the impact cell in its front cell"),
            Column("impact_deta", position, "", -half_eta, half_eta, description="eta off the impact cell's centre"),
            Column("impact_dphi", position, "rad", -half_phi, half_phi, description="phi off the impact cell's centre"),
        )

    def shift(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        r"""Where each layer's nominal origin lies relative to the particle, (n, 4, 2) in (eta, phi).

        The nominal origin is the impact cell's centre, which lies at minus the impact offset; the back layer
        moves by :math:`(a_\eta - 1/2)` middle cells in eta, presampler and front by :math:`(3/2 - a_\phi)` in phi.
        A column that is missing counts as its mean.

        >>> AtlasBarrel().shift({"eta_alignment": np.array([0, 1])})[:, 3, 0].tolist()
        [-0.0125, 0.0125]
        """
        n = len(next(iter(columns.values()), ()))
        shift = np.zeros((n, len(LAYERS), 2))
        for axis, name in enumerate(("impact_deta", "impact_dphi")):
            if name in columns:
                shift[:, :, axis] -= np.asarray(columns[name], dtype=float)[:, None]
        for k, window in enumerate(LAYERS):
            if window.eta_span == 2 and "eta_alignment" in columns:
                shift[:, k, 0] += (np.asarray(columns["eta_alignment"], dtype=float) - 0.5) * DETA
            if window.phi_span == 4 and "phi_alignment" in columns:
                shift[:, k, 1] += (1.5 - np.asarray(columns["phi_alignment"], dtype=float)) * DPHI
        return shift

    def select(self, cells: Cells, eta: NDArray[np.float64], phi: NDArray[np.float64]) -> Showers:
        """Cut the windows around particles at (``eta``, ``phi``), each (n,), out of raw cell lists in any order.

        Deposits in the same cell add up. Raises :class:`~calozoo.DataError` for energies that are negative or not
        finite and for cells that no layer or shower has, such as those of another layer order or azimuth origin.
        """
        eta, phi = np.asarray(eta, dtype=float), np.asarray(phi, dtype=float)
        require(cells, eta, phi, self.phi_origin.value)
        cell = inside(cells, eta, phi, self.phi_origin.value)
        chosen = cell >= 0
        n = len(eta)
        energies = _sums(cells.event[chosen] * self.cells + cell[chosen], cells.energy[chosen], (n, self.cells))
        placed = place(eta, phi, self.phi_origin.value)
        conditions: dict[str, NDArray[Any]] = {
            "eta": np.abs(eta).astype(np.float32),  # the window is the mirror image where eta is negative
            "phi": wrapped(phi).astype(np.float32),
            "eta_alignment": placed.eta_alignment.astype(np.uint8),
            "phi_alignment": placed.phi_alignment.astype(np.uint8),
            "impact_deta": placed.deta.astype(np.float32),
            "impact_dphi": placed.dphi.astype(np.float32),
        }
        return Showers(energies.astype(np.float32), cells.incident_energies, conditions)

    def outside(self, cells: Cells, eta: NDArray[np.float64], phi: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energy per layer that :meth:`select` leaves outside the windows, (n, 4), MeV."""
        eta, phi = np.asarray(eta, dtype=float), np.asarray(phi, dtype=float)
        require(cells, eta, phi, self.phi_origin.value)
        lost = inside(cells, eta, phi, self.phi_origin.value) < 0
        return _sums(cells.event[lost] * len(LAYERS) + cells.layer[lost], cells.energy[lost], (len(eta), len(LAYERS)))


def _sums(place: NDArray[np.int64], energy: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Energies summed by place, in double precision."""
    summed: NDArray[Any] = np.bincount(place, weights=energy, minlength=shape[0] * shape[1])
    return summed.astype(np.float64).reshape(shape)


def _layer(window: Window) -> Layer:
    deta, dphi = window.size
    eta = (np.arange(window.eta_cells + 1) - window.eta_cells / 2) * deta
    phi = (np.arange(window.phi_cells + 1) - window.phi_cells / 2) * dphi
    return Layer.grid(window.name, eta, phi, depth=window.depth)
