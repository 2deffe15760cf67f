r"""Which cell of a window a deposit belongs to, as pure functions of cell and particle positions.

Cells are counted in units of middle cells, :math:`\Delta\eta = 0.025` and :math:`\Delta\phi = 2\pi/256`: the
impact cell is :math:`i = \lfloor\eta/\Delta\eta\rfloor`, :math:`j = \lfloor\phi/\Delta\phi\rfloor`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calozoo import Cells, DataError

DETA = 0.025
PHI_CELLS = 256
DPHI = 2 * np.pi / PHI_CELLS
_REACH = 3  # middle cells on either side of the impact cell
_FRONT_FACE = 1410.0  # mm, inner radius of the presampler
_OFF = 0.05  # cells that a deposit may lie off its cell's centre; those of another layer lie at least 1/16 off


@dataclass(frozen=True)
class Window:
    """The cells of one layer: how many, and how many middle cells each spans."""

    name: str
    eta_cells: int
    phi_cells: int
    eta_span: float
    phi_span: int
    inner: float  # mm, radii
    outer: float

    @property
    def size(self) -> tuple[float, float]:
        """Extent of a cell in eta and phi (rad)."""
        return self.eta_span * DETA, self.phi_span * DPHI

    @property
    def depth(self) -> float:
        """Radial distance of the layer's centre from the calorimeter's front face, mm."""
        return (self.inner + self.outer) / 2 - _FRONT_FACE


LAYERS = (
    Window("presampler", 7, 3, 1, 4, 1410.0, 1421.0),
    Window("front", 56, 3, 1 / 8, 4, 1500.0, 1587.0),
    Window("middle", 7, 7, 1, 1, 1587.0, 1929.0),
    Window("back", 4, 7, 2, 1, 1929.0, 1960.0),
)


@dataclass(frozen=True, eq=False)
class Placed:
    """Where particles hit the middle layer, each (n,)."""

    i: NDArray[np.int64]  # impact cell in eta, of the mirrored particle where eta < 0
    j: NDArray[np.int64]  # impact cell in phi
    eta_alignment: NDArray[np.int64]  # 0, 1: the impact cell within its back cell
    phi_alignment: NDArray[np.int64]  # 0 .. 3: the impact cell within its presampler cell
    deta: NDArray[np.float64]  # particle less centre of the impact cell, mirrored where eta < 0
    dphi: NDArray[np.float64]  # rad


def place(eta: NDArray[np.float64], phi: NDArray[np.float64], origin: int) -> Placed:
    """Find the impact cells and alignments of particles at (``eta``, ``phi``).

    ``origin`` is how many middle cells lie between the lower edge of a presampler cell and phi = 0.

    >>> placed = place(np.array([0.21, -0.21]), np.array([0.0, 0.0]), origin=2)
    >>> placed.i.tolist(), placed.eta_alignment.tolist(), placed.phi_alignment.tolist(), placed.deta.round(4).tolist()
    ([8, 8], [0, 0], [2, 2], [-0.0025, -0.0025])
    """
    i, j = _index(np.abs(eta), DETA), _index(phi, DPHI)
    return Placed(i, j, i % 2, (j + origin) % 4, np.abs(eta) - (i + 0.5) * DETA, phi - (j + 0.5) * DPHI)


def inside(cells: Cells, eta: NDArray[np.float64], phi: NDArray[np.float64], origin: int) -> NDArray[np.int64]:
    """Find the place of each deposit among the cells of its shower's window, (m,); -1 is outside of it."""
    placed = place(eta, phi, origin)
    i, j = placed.i[cells.event], placed.j[cells.event]
    mirrored = np.where(eta < 0, -1.0, 1.0)[cells.event]
    cell = np.full(len(cells.event), -1)
    start = 0
    for k, window in enumerate(LAYERS):
        mine = np.flatnonzero(cells.layer == k)
        first_eta = np.floor((i[mine] - _REACH) / window.eta_span).astype(np.int64)
        offset = origin if window.phi_span > 1 else 0
        first_phi = (j[mine] + offset) // window.phi_span - window.phi_cells // 2
        row = _index(cells.eta[mine] * mirrored[mine], window.size[0]) - first_eta
        # Modulo the circumference, so that the seam at +-pi and whole turns make no difference.
        column = (_index(cells.phi[mine] + offset * DPHI, window.size[1]) - first_phi) % (PHI_CELLS // window.phi_span)
        hit = (row >= 0) & (row < window.eta_cells) & (column < window.phi_cells)
        cell[mine[hit]] = start + row[hit] * window.phi_cells + column[hit]
        start += window.eta_cells * window.phi_cells
    return cell


def require(cells: Cells, eta: NDArray[np.float64], phi: NDArray[np.float64], origin: int) -> None:
    """Raise DataError, naming the first bad row, for a cell list that cannot be what it says."""
    n, m = len(cells.incident_energies), len(cells.event)
    if eta.shape != (n,) or phi.shape != (n,):
        raise DataError(f"{n} showers need eta and phi of shape ({n},), not {eta.shape} and {phi.shape}.")
    for name in ("layer", "eta", "phi", "energy"):
        if len(getattr(cells, name)) != m:
            raise DataError(f"{m} deposits need {m} values of '{name}', not {len(getattr(cells, name))}.")
    positive = "Cell energies are required to be positive"
    stray = (cells.layer < 0) | (cells.layer >= len(LAYERS))
    for what, bad in (
        ("particle has an eta or phi that is not finite", ~(np.isfinite(eta) & np.isfinite(phi))),
        (f"deposit belongs to none of the {n} showers", (cells.event < 0) | (cells.event >= n)),
        (f"deposit lies in none of the layers 0 to {len(LAYERS) - 1}", stray),
        ("deposit has an eta or phi that is not finite", ~(np.isfinite(cells.eta) & np.isfinite(cells.phi))),
        (f"deposit has an energy that is not finite. {positive}", ~np.isfinite(cells.energy)),
        (f"deposit has a negative energy. {positive}", cells.energy < 0),
    ):
        if bad.any():
            raise DataError(f"Row {np.flatnonzero(bad)[0]}: the {what}.")
    bad = _off_centre(cells, origin) > _OFF
    if bad.any():
        row = np.flatnonzero(bad)[0]
        layer = cells.layer[row]
        raise DataError(
            f"Row {row}: the deposit at eta={cells.eta[row]:.5g}, phi={cells.phi[row]:.5g} in layer {layer} is not the "
            f"centre of a {LAYERS[layer].name} cell. Layers are {', '.join(f'{w.name} {k}' for k, w in enumerate(LAYERS))}; "
            "geometry.phi_origin says where cells begin in azimuth."
        )


def _off_centre(cells: Cells, origin: int) -> NDArray[np.float64]:
    """How many cells each deposit lies off the centre of the cell that holds it, (m,), the larger of eta and phi."""
    off = np.zeros(len(cells.event))
    for k, window in enumerate(LAYERS):
        mine = cells.layer == k
        start = -origin * DPHI if window.phi_span > 1 else 0.0
        for position, size, first in (
            (cells.eta[mine], window.size[0], 0.0),
            (cells.phi[mine], window.size[1], start),
        ):
            off[mine] = np.maximum(off[mine], np.abs((position - first) / size % 1 - 0.5))
    return off


def wrapped(phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Azimuth brought to [-pi, pi), where it is not there already.

    >>> wrapped(np.array([0.1, 3 * np.pi / 2])).round(3).tolist()
    [0.1, -1.571]
    """
    return np.where(np.abs(phi) > np.pi, (phi + np.pi) % (2 * np.pi) - np.pi, phi)


def _index(position: NDArray[np.float64], size: float) -> NDArray[np.int64]:
    return np.floor(position / size).astype(np.int64)
