"""What is measured on showers: pure functions of showers and geometry.

The equations are those of ATL-SOFT-PUB-2018-001. Energies are MeV. A ratio that a shower does not define, such as the
depth of a shower without energy, is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import Geometry, Layer, Showers

Floats = NDArray[np.float64]

#: Most bins of a lateral profile, where cells are much finer than the layer is wide.
_MOST_BINS = 200


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


# ---- longitudinal ----------------------------------------------------------------------------------------------------


def layer_energies(showers: Showers, geometry: Geometry) -> Floats:
    """Energy in each layer, E_i = sum_j E_ij (equation 7), (n, layers), MeV."""
    return np.stack([showers.energies[:, cells].sum(axis=1, dtype=np.float64) for cells in geometry.slices], axis=1)


def total_energy(showers: Showers) -> Floats:
    """Energy of the whole shower, E = sum_i sum_j E_ij (equation 9), (n,), MeV."""
    return showers.total


def response(showers: Showers) -> Floats:
    """Total energy over incident energy, (n,).

    >>> response(Showers(np.array([[3.0, 6.0]]), np.array([10.0]))).round(6).tolist()
    [0.9]
    """
    return showers.total / showers.incident_energies


def fractions_of_incident(showers: Showers, geometry: Geometry) -> Floats:
    """Share of the incident energy that each layer holds, (n, layers)."""
    return layer_energies(showers, geometry) / showers.incident_energies[:, None].astype(np.float64)


def fractions_of_total(showers: Showers, geometry: Geometry) -> Floats:
    """Share of the shower's total energy that each layer holds (as in equation 4), (n, layers)."""
    energies = layer_energies(showers, geometry)
    return _ratio(energies, energies.sum(axis=1, keepdims=True))


def shower_depth(showers: Showers, geometry: Geometry) -> Floats:
    """Longitudinal shower centre, d = 1/E sum_i E_i d_i (equation 8), (n,), mm from the calorimeter's front face."""
    energies = layer_energies(showers, geometry)
    return _ratio(energies @ np.array([layer.depth for layer in geometry.layers]), energies.sum(axis=1))


def shower_observables(showers: Showers, geometry: Geometry) -> dict[str, Floats]:
    """The observables whose distributions the note shows by energy, each (n,): total, every layer, depth.

    Energies are divided by the incident energy, which changes nothing at a fixed one and makes a bin of energies
    comparable; the depth is in mm.
    """
    layers = fractions_of_incident(showers, geometry)
    return {
        "total": response(showers),
        **{layer.name: layers[:, i] for i, layer in enumerate(geometry.layers)},
        "depth": shower_depth(showers, geometry),
    }


def layer_correlation(showers: Showers, geometry: Geometry) -> Floats:
    """Pearson correlation of the layers' shares of the incident energy, (layers, layers)."""
    return correlation(
        np.cov(fractions_of_incident(showers, geometry), rowvar=False).reshape(2 * (len(geometry.layers),))
    )


# ---- lateral ---------------------------------------------------------------------------------------------------------


def common_conditions(*samples: Showers) -> list[Showers]:
    """The samples with only the condition columns that all of them have.

    Distances from the particle are then measured alike in each, also where one file lacks an impact position.
    """
    names = set.intersection(*(set(showers.conditions) for showers in samples))
    return [
        Showers(s.energies, s.incident_energies, {name: s.conditions[name] for name in s.conditions if name in names})
        for s in samples
    ]


def layer_shift(showers: Showers, geometry: Geometry, layer: int, axis: int, *, aligned: bool = True) -> Floats:
    """Where a layer's origin lies relative to the particle along one axis, (n,); zero unless ``aligned``."""
    if not aligned:
        return np.zeros(len(showers))
    return np.asarray(geometry.shift(showers.columns), dtype=np.float64)[:, layer, axis]


def _positions(layer: Layer, axis: int) -> Floats:
    return np.asarray((layer.x, layer.y)[axis], dtype=np.float64)


def profile_edges(layer: Layer, axis: int) -> Floats:
    """Bin edges as wide as the layer's cells along one axis, (bins + 1,), in the geometry's unit.

    They are the cells' own borders where these tile the axis, as on a grid, else even steps of the median cell.

    >>> profile_edges(Layer.grid("front", [-0.2, 0.0, 0.2], [0.0, 0.1], depth=0.0), 0).tolist()
    [-0.2, 0.0, 0.2]
    """
    lows, highs = layer.outlines[..., axis].min(axis=1), layer.outlines[..., axis].max(axis=1)
    width = float(np.median(highs - lows))
    digits = int(6 - np.floor(np.log10(width)))
    starts, ends = np.unique(lows.round(digits)), np.unique(highs.round(digits))
    if len(starts) == len(ends) and np.allclose(starts[1:], ends[:-1], rtol=0, atol=1e-4 * width):
        return np.append(starts, ends[-1])
    bins = int(np.clip(round((highs.max() - lows.min()) / width), 1, _MOST_BINS))
    return np.linspace(lows.min(), highs.max(), bins + 1)


def shower_profiles(
    showers: Showers, geometry: Geometry, layer: int, axis: int, *, aligned: bool = True
) -> NDArray[np.float64]:
    """Energy of each shower against the cells' distance from the particle along one axis, (n, bins), MeV.

    The distance is that of the cell's centre, since the distribution within a cell is not known (section 5);
    ``aligned`` adds where the window lies around the particle. What lies outside counts in the end bins.
    """
    edges, positions = profile_edges(geometry.layers[layer], axis), _positions(geometry.layers[layer], axis)
    energies, bins = showers.energies[:, geometry.slices[layer]], len(edges) - 1
    shift = layer_shift(showers, geometry, layer, axis, aligned=aligned)
    # A centre on an edge must not fall left or right by rounding: it counts to the right.
    slack = 1e-6 * float(np.diff(edges).min())
    profiles = np.zeros((len(showers), bins))
    # Windows lie at a few places when only alignments shift them: one product for each of them is fastest.
    places, which = np.unique(shift, return_inverse=True)
    if len(places) <= 16:
        for k, place in enumerate(places):
            index = np.clip(np.searchsorted(edges, positions + place + slack, side="right") - 1, 0, bins - 1)
            rows = which == k
            profiles[rows] = energies[rows] @ np.eye(bins)[index]
        return profiles
    index = np.searchsorted(edges, shift[:, None] + positions + slack, side="right") - 1
    flat = np.clip(index, 0, bins - 1) + bins * np.arange(len(showers))[:, None]
    return np.bincount(flat.ravel(), weights=energies.ravel(), minlength=len(showers) * bins).reshape(-1, bins)


def average_profile(
    showers: Showers, geometry: Geometry, layer: int, axis: int, *, aligned: bool = True
) -> tuple[Floats, Floats]:
    """Average energy against the distance along one axis (figures 11 and 12) and its error, each (bins,), MeV."""
    return mean_and_error(shower_profiles(showers, geometry, layer, axis, aligned=aligned))


def lateral_mean_and_width(
    showers: Showers, geometry: Geometry, layer: int, axis: int, *, aligned: bool = True
) -> tuple[Floats, Floats]:
    """Energy-weighted mean and width of a shower in a layer along one axis (figures 13 and 14), each (n,).

    mean = sum(x E) / sum(E), width = sqrt(sum((x - mean)^2 E) / sum(E)), x the distance of the cells' centres.
    """
    energies = showers.energies[:, geometry.slices[layer]].astype(np.float64)
    positions, total = _positions(geometry.layers[layer], axis), energies.sum(axis=1)
    mean = _ratio(energies @ positions, total)
    variance = _ratio(energies @ positions**2, total) - mean**2
    return mean + layer_shift(showers, geometry, layer, axis, aligned=aligned), np.sqrt(np.maximum(variance, 0.0))


def weighted_distance(showers: Showers, geometry: Geometry, layer: int, *, aligned: bool = True) -> Floats:
    """Energy-weighted distance of a layer's cells from the particle, sum(E sqrt(x^2 + y^2)) / sum(E), (n,)."""
    energies = showers.energies[:, geometry.slices[layer]].astype(np.float64)
    x, y = (
        _positions(geometry.layers[layer], axis) + layer_shift(showers, geometry, layer, axis, aligned=aligned)[:, None]
        for axis in (0, 1)
    )
    return _ratio((energies * np.hypot(x, y)).sum(axis=1), energies.sum(axis=1))


# ---- cells -----------------------------------------------------------------------------------------------------------


def sparsity(showers: Showers, threshold: float = 1.0) -> Floats:
    """Share of the cells with at least ``threshold`` MeV, (n,).

    >>> sparsity(Showers(np.array([[0.0, 0.5, 2.0, 9.0]]), np.array([10.0]))).tolist()
    [0.5]
    """
    return np.asarray((showers.energies >= threshold).mean(axis=1, dtype=np.float64))


def cell_spectrum(showers: Showers, edges: NDArray[Any]) -> Floats:
    """How many cells of each shower lie in each bin of cell energy, (n, bins).

    Cells below the first edge are left out, those above the last count in the last bin.
    """
    bins = len(edges) - 1
    index = np.minimum(np.searchsorted(edges, showers.energies, side="right") - 1, bins - 1)
    rows = np.broadcast_to(np.arange(len(showers))[:, None], index.shape)
    kept = index >= 0
    counts = np.bincount(index[kept] + bins * rows[kept], minlength=len(showers) * bins)
    return counts.reshape(len(showers), bins).astype(np.float64)


def mean_image(showers: Showers) -> tuple[Floats, Floats]:
    """Average energy of every cell and its error, each (cells,), MeV."""
    return mean_and_error(showers.energies)


def cell_covariance(showers: Showers) -> Floats:
    """Covariance of the cells' energies, (cells, cells), MeV^2; the note chose its GAN by it (section 4.2)."""
    return np.cov(showers.energies.astype(np.float64), rowvar=False).reshape(2 * (showers.energies.shape[1],))


def correlation(covariance: Floats) -> Floats:
    """Pearson correlation from a covariance, C_ij / sqrt(C_ii C_jj); 0 beside what does not vary, 1 on the diagonal.

    >>> correlation(np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])).tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    deviation = np.sqrt(np.diag(covariance))
    scale = np.outer(deviation, deviation)
    result = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    np.fill_diagonal(result, 1.0)
    return result


def mean_and_error(values: NDArray[Any]) -> tuple[Floats, Floats]:
    """Mean over the first axis and its standard error, s / sqrt(n)."""
    mean = values.mean(axis=0, dtype=np.float64)
    error = values.std(axis=0, dtype=np.float64, ddof=1) / np.sqrt(len(values))
    return np.asarray(mean), np.asarray(error)
