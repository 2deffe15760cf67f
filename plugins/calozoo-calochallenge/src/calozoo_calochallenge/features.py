"""Features of showers as the challenge defined them: what its classifiers, FPD and KPD see, and its histograms show.

All are computed in double precision from ``energies`` (n, voxels), MeV, which are cut at the threshold already.
Source: C. Krause et al., CaloChallenge 2022, arXiv:2410.21611.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo_calochallenge.cylinder import Cylinder

Floats = NDArray[np.float64]

#: Added to an energy in a denominator, and to one under a logarithm, MeV.
_DENOMINATOR, _LOGARITHM = 1e-16, 1e-8


@dataclass(frozen=True, eq=False)
class Observables:
    """Observables of n showers in L layers, of which A are cut into sectors; MeV and mm."""

    incident: Floats  # (n,)
    total: Floats  # (n,)
    layers: Floats  # (n, L), energies
    sparsity: Floats  # (n, L), share of empty voxels
    eta: Floats  # (n, A), centre of energy along x = r cos(alpha)
    phi: Floats  # (n, A), along y = r sin(alpha)
    eta_width: Floats  # (n, A)
    phi_width: Floats  # (n, A)
    radius: Floats  # (n, L)
    radius_width: Floats  # (n, L)

    def features(self) -> Floats:
        """The high-level features, (n, 2 + 4 L + 4 A): 30 for photons, 46 for pions, 362 for the sets 2 and 3."""
        return np.concatenate(
            [
                np.log10(self.incident)[:, None],
                np.log10(self.layers + _LOGARITHM),
                self.eta / 100,
                self.phi / 100,
                self.eta_width / 100,
                self.phi_width / 100,
                np.log10(self.total + _LOGARITHM)[:, None],
                self.sparsity,
                self.radius / 100,
                self.radius_width / 100,
            ],
            axis=1,
        )


def sectored(geometry: Cylinder) -> list[int]:
    """Indices of the layers that are cut into sectors: those that have centres in eta and phi."""
    return [k for k, rings in enumerate(geometry.rings) if rings.sectors > 1]


def observables(energies: NDArray[Any], incident: NDArray[Any], geometry: Cylinder) -> Observables:
    """The observables of showers, of which one layer at a time is in double precision."""
    layers, sparsity, radius, across = [], [], [], []
    for rings, layer, part in zip(geometry.rings, geometry.layers, geometry.slices, strict=True):
        voxels = energies[:, part].astype(np.float64)
        layers.append(voxels.sum(axis=1))
        sparsity.append(1 - (voxels > 0).mean(axis=1))
        radius.append(_centre_and_width(voxels, geometry.radii[part]))
        if rings.sectors > 1:
            across.append(_centre_and_width(voxels, layer.x) + _centre_and_width(voxels, layer.y))
    n = len(energies)
    eta, eta_width, phi, phi_width = (_columns([found[k] for found in across], n) for k in range(4))
    return Observables(
        incident=np.asarray(incident, np.float64),
        total=np.sum(layers, axis=0),
        layers=_columns(layers, n),
        sparsity=_columns(sparsity, n),
        eta=eta,
        phi=phi,
        eta_width=eta_width,
        phi_width=phi_width,
        radius=_columns([centre for centre, _ in radius], n),
        radius_width=_columns([width for _, width in radius], n),
    )


def high_level(energies: NDArray[Any], incident: NDArray[Any], geometry: Cylinder) -> Floats:
    """The features of :meth:`Observables.features`."""
    return observables(energies, incident, geometry).features()


def low_level(energies: NDArray[Any], incident: NDArray[Any], geometry: Cylinder) -> Floats:
    """Log10 of the incident energy and every voxel over it, (n, 1 + voxels)."""
    incident = np.asarray(incident, np.float64)[:, None]
    return np.concatenate([np.log10(incident), energies.astype(np.float64) / incident], axis=1)


def normalised(energies: NDArray[Any], incident: NDArray[Any], geometry: Cylinder) -> Floats:
    """Log10 of the incident energy, every voxel over its layer's energy, log10 of these, (n, 1 + voxels + layers)."""
    voxels = energies.astype(np.float64)
    layers = np.stack([voxels[:, part].sum(axis=1) for part in geometry.slices], axis=1)
    for k, part in enumerate(geometry.slices):
        voxels[:, part] /= layers[:, k : k + 1] + _DENOMINATOR
    incident = np.asarray(incident, np.float64)[:, None]
    return np.concatenate([np.log10(incident), voxels, np.log10(layers + _LOGARITHM)], axis=1)


def _centre_and_width(voxels: Floats, position: Floats) -> tuple[Floats, Floats]:
    """Energy-weighted mean of ``position`` (voxels,) and its standard deviation, both (n,)."""
    energy = voxels.sum(axis=1) + _DENOMINATOR
    centre = voxels @ position / energy
    # Rounding makes the variance of a single voxel's energy negative at times.
    return centre, np.sqrt(np.maximum(voxels @ position**2 / energy - centre**2, 0))


def _columns(values: list[Floats], n: int) -> Floats:
    return np.stack(values, axis=1) if values else np.zeros((n, 0))
