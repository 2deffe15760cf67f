"""From incident energies to cell energies: depth profile, sampling, spots, cells."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calozoo import ConfigError, Geometry
from calozoo_gflash.finder import Finder, finder
from calozoo_gflash.profile import Material, longitudinal, radial, spot_profile, spots

_STEP = 1.0  # X0, the longest step within which the radial profile is taken as constant
_CONVERSION = 9 / 7  # X0, a photon's mean free path to pair production at high energy
_LEAST = 1e-3  # MeV, below which a step deposits nothing
_LENGTHS = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
_ANGLES = ("rad", "")
_DEEPEST = 10.0  # shower maxima, beyond which the radial fits say nothing


class Calorimeter:
    """A geometry with what a shower needs to know of its material."""

    def __init__(
        self,
        geometry: Geometry,
        material: Material,
        *,
        resolution: float,
        most_spots: int,
        photon: bool,
        starts: tuple[float, ...],
        ends: tuple[float, ...],
        radius: float,
    ) -> None:
        self.geometry, self.material = geometry, material
        self.resolution, self.most_spots, self.photon = resolution, most_spots, photon
        if unknown := set(geometry.units) - {*_LENGTHS, *_ANGLES}:
            raise ConfigError(
                f"data=gflash knows the units {', '.join(_LENGTHS)}, rad and '' (pseudorapidity) of transverse "
                f"coordinates, and {type(geometry).__name__} has '{min(unknown)}'."
            )
        self.scales = np.array(
            [[_LENGTHS.get(unit, radius + layer.depth) for unit in geometry.units] for layer in geometry.layers]
        )  # (layers, 2), mm per unit of the transverse coordinates
        if starts or ends:
            self.starts, self.ends = np.array(starts), np.array(ends)
        else:
            edges = layer_edges(np.array([layer.depth for layer in geometry.layers])) / material.radiation_length
            self.starts, self.ends = edges[:-1], edges[1:]
        layers = len(geometry.layers)
        if len(self.starts) != layers or len(self.ends) != layers or not (self.starts < self.ends).all():
            raise ConfigError(
                f"data.starts and data.ends are {layers} depths in radiation lengths, each end after its start."
            )

    def contained(self, energy: float) -> float:
        """Share of the mean shower's energy, at ``energy`` MeV, that is deposited within the layers."""
        profile = longitudinal(np.array([energy / 1000]), np.zeros((1, 2)), self.material)
        first = _CONVERSION if self.photon else 0.0
        return float(np.sum(profile.fraction(self.ends - first) - profile.fraction(self.starts - first)))

    @cached_property
    def steps(self) -> tuple[NDArray[np.float64], NDArray[np.float64], list[slice]]:
        """Where each step starts and ends (steps,), X0, and which steps are each layer's."""
        lows: list[float] = []
        highs: list[float] = []
        slices = []
        for start, end in zip(self.starts, self.ends, strict=True):
            edges = np.linspace(start, end, max(1, int(np.ceil((end - start) / _STEP))) + 1)
            slices.append(slice(len(lows), len(lows) + len(edges) - 1))
            lows += edges[:-1].tolist()
            highs += edges[1:].tolist()
        return np.array(lows), np.array(highs), slices

    @cached_property
    def finders(self) -> list[Finder]:
        """One for each layer; layers of the same cells share theirs."""
        made: dict[bytes, Finder] = {}
        for layer in self.geometry.layers:
            key = layer.outlines.tobytes()
            if key not in made:
                made[key] = finder(layer)
        return [made[layer.outlines.tobytes()] for layer in self.geometry.layers]


def layer_edges(depths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where layers with centres at ``depths`` (layers,) may begin and end, (layers + 1,).

    >>> layer_edges(np.array([5.0, 15.0, 35.0])).tolist()
    [0.0, 10.0, 25.0, 45.0]
    """
    if len(depths) == 1:
        return np.array([0.0, 2 * depths[0]])
    middles = (depths[1:] + depths[:-1]) / 2
    return np.concatenate([[0.0], middles, [2 * depths[-1] - middles[-1]]])


def draw_showers(
    calorimeter: Calorimeter, incident: NDArray[np.float64], shift: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float32]:
    """Cell energies (n, cells), MeV, of showers of ``incident`` energies (n,), MeV, with the geometry's ``shift``."""
    material, geometry = calorimeter.material, calorimeter.geometry
    n, energy = len(incident), incident / 1000
    low, high, layers = calorimeter.steps
    profile = longitudinal(energy, random.standard_normal((n, 2)), material)
    start = random.exponential(_CONVERSION, n) if calorimeter.photon else np.zeros(n)

    # (steps, n): steps outermost, so that the spots of a layer lie together.
    before, after = low[:, None] - start, high[:, None] - start
    deposit = energy * (profile.fraction(after) - profile.fraction(before))
    variance = calorimeter.resolution**2
    deposit = (
        random.standard_gamma(deposit / variance) * variance * 1000
    )  # MeV, of mean deposit and variance c^2 deposit
    deposit[deposit < _LEAST] = 0
    spread = spot_profile(profile, material)
    number = np.minimum(spots(energy, calorimeter.resolution), calorimeter.most_spots)
    expected = number * (spread.fraction(after) - spread.fraction(before))
    count = np.where(deposit > 0, np.maximum(np.floor(expected + random.random(deposit.shape)), 1), 0).astype(np.int64)
    # The radial fits count depth in units of the mean profile's centre of gravity over its maximum.
    mean = longitudinal(energy, np.zeros((n, 2)), material).alpha
    centre = profile.maximum * profile.alpha / (profile.alpha - 1) * (mean - 1) / mean
    tau = np.clip((before + after) / 2 / centre, 0, _DEEPEST)
    shape = radial(energy, tau, material)
    per_spot = deposit / np.maximum(count, 1)

    out = np.zeros((n, geometry.cells), dtype=np.float32)
    for k, (steps, cells) in enumerate(zip(layers, geometry.slices, strict=True)):
        counts = count[steps].ravel()
        # What the spots of a step and shower have in common, in single precision, which is enough for places.
        tail, core, weight, dx, dy = (
            np.broadcast_to(values, count[steps].shape).ravel().astype(np.float32)
            for values in (
                shape.tail[steps] * material.moliere_radius,
                shape.core[steps] * material.moliere_radius,
                shape.weight[steps],
                shift[:, k, 0],
                shift[:, k, 1],
            )
        )
        where = np.repeat(np.arange(len(counts)), counts)
        choice, place, turn = random.random((3, len(where)), dtype=np.float32)
        r = np.where(choice < weight[where], core[where], tail[where]) * np.sqrt(place / (1 - place))
        turn *= np.float32(2 * np.pi)
        scale = calorimeter.scales[k].astype(np.float32)
        cell = calorimeter.finders[k].find(
            r * np.cos(turn) / scale[0] - dx[where], r * np.sin(turn) / scale[1] - dy[where]
        )
        width = cells.stop - cells.start + 1  # the last one is what lies beside the cells
        first = np.tile(np.arange(n) * width, len(counts) // n)
        sums = np.bincount(first[where] + cell, weights=per_spot[steps].ravel()[where], minlength=n * width)
        out[:, cells] = sums.reshape(n, width)[:, :-1]
    return out
