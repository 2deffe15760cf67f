"""Metrics of nearest neighbours among showers, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import ConfigError, DataError, Direction, Geometry, Metric, Score, Showers, Split
from calozoo_metrics.energies import pairs
from calozoo_metrics.metrics.classifier import balanced
from calozoo_metrics.statistics import Estimate, ks_distance, make_score

#: Rows of distances that are in memory at a time.
_BLOCK = 512


class Coverage(Metric):
    """Precision, recall, density and coverage of the generated showers; overall the coverage.

    With the ball around each shower that reaches its ``neighbours``-th neighbour in its own sample: precision is the
    share of generated showers inside any reference ball, recall that of reference showers inside any generated ball
    (Kynkaanniemi et al., arXiv:1904.06991); density counts the reference balls around a generated shower over
    ``neighbours``, coverage is the share of reference balls that hold a generated shower (Naeem et al.,
    arXiv:2002.09797). Showers are log10(E/MeV) of their cells, those below 0.1 MeV as 0.1 (CaloChallenge). Both samples
    enter with as many showers at each energy, at most ``showers`` each.
    """

    direction = Direction.higher

    def __init__(self, geometry: Geometry, *, neighbours: int = 5, showers: int = 5000) -> None:
        super().__init__(geometry)
        if neighbours < 1:
            raise ConfigError(f"neighbours must be at least 1, not {neighbours}.")
        self.neighbours, self.showers = neighbours, showers

    def score(self, reference: Showers, generated: Showers) -> Score:
        """``coverage``, ``density``, ``precision`` and ``recall``."""
        own, other = (_features(s) for s in balanced(pairs(reference, generated, self.geometry), self.showers))
        if len(own) <= self.neighbours:
            raise DataError(f"{self.neighbours} neighbours need more than {len(own)} showers.")
        found = compare_neighbours(own, other, self.neighbours)
        return make_score(found["coverage"], found)


class Nearest(Metric):
    """Distance of a generated shower to the nearest reference shower, over that of reference showers to each other.

    Medians over all showers; about 1 for new showers of the same kind, below 1 where reference showers are repeated,
    above 1 where the generated ones lie elsewhere. Showers are log10(E/MeV) of their cells, those below 0.1 MeV as 0.1. Both samples
    enter with as many showers at each energy, at most ``showers`` each.
    """

    direction = Direction.one

    def __init__(self, geometry: Geometry, *, showers: int = 5000) -> None:
        super().__init__(geometry)
        self.showers = showers

    def score(self, reference: Showers, generated: Showers) -> Score:
        """``distance``, and the shares that are exact ``copies`` of a reference shower or ``repeats`` of a generated one."""
        own, other = balanced(pairs(reference, generated, self.geometry), self.showers)
        # A copy must be found wherever it is in the reference, also among the showers that were not drawn.
        known = {row.tobytes() for row in reference.energies}
        copies = np.array([row.tobytes() in known for row in other.energies])
        rows = [row.tobytes() for row in other.energies]
        repeats = Estimate(1 - len(set(rows)) / len(rows), 0.0)
        first, second = _features(own), _features(other)
        among = np.sqrt(nearest(first, first, 2)[:, 1])
        across = np.sqrt(nearest(second, first, 1)[:, 0])
        scale = float(np.median(among))
        if scale == 0:
            raise DataError("The reference repeats its own showers: distances to it mean nothing.")
        ratio = float(np.median(across)) / scale
        error = float(np.hypot(_median_error(across) / scale, ratio * _median_error(among) / scale))
        distance = Estimate(ratio, error)
        return make_score(distance, {"distance": distance, "copies": _share(copies), "repeats": repeats})


class Memorising(Metric):
    """Distance of a generated shower to the nearest training shower, over that of training showers to each other.

    Medians over all showers, whose distances count in units of the median at their energy. A model that repeats what it was
    trained on is below 1 and below what ``nearest`` gives it, and has ``copies``; held-out showers of the simulation,
    which give the floor, are at 1. Neighbours are looked for among the training showers of the same incident
    energy, all of them unless ``evaluation.most`` allows fewer; at most ``showers`` of either sample have theirs looked for. Showers are log10(E/MeV) of their cells, those
    below 0.1 MeV as 0.1.
    """

    direction = Direction.one
    against = Split.train

    def __init__(self, geometry: Geometry, *, showers: int = 5000) -> None:
        super().__init__(geometry)
        if showers < 1:
            raise ConfigError(f"showers must be at least 1, not {showers}.")
        self.showers = showers

    def score(self, reference: Showers, generated: Showers) -> Score:
        """``distance``, ``ks`` of the two samples' distances, and the share of exact ``copies`` of a training shower."""
        cut = pairs(reference, generated, self.geometry)
        most = max(1, self.showers // len(cut))
        among, across = [], []
        for pair in cut:
            known = _features(pair.reference)
            own = np.sqrt(nearest(known[:: -(-len(known) // most)], known, 2)[:, 1])
            other = _features(pair.generated)
            scale = float(np.median(own))
            if scale == 0:
                raise DataError("The training showers repeat each other: distances to them mean nothing.")
            among.append(own / scale)
            across.append(np.sqrt(nearest(other[:: -(-len(other) // most)], known, 1)[:, 0]) / scale)
        rows = {row.tobytes() for row in reference.energies}
        copies = np.array([row.tobytes() in rows for row in generated.energies])
        own, other = np.concatenate(among), np.concatenate(across)
        distance = Estimate(float(np.median(other)), float(np.hypot(_median_error(own), _median_error(other))))
        return make_score(distance, {"distance": distance, "ks": ks_distance(own, other), "copies": _share(copies)})


def _features(showers: Showers) -> NDArray[np.float32]:
    return np.log10(np.maximum(showers.energies, np.float32(0.1)))


def compare_neighbours(own: NDArray[Any], other: NDArray[Any], neighbours: int) -> dict[str, Estimate]:
    """``coverage``, ``density``, ``precision`` and ``recall`` of points (m, features) that repeat ``own`` (n, features)."""
    radius, other_radius = nearest(own, own, neighbours + 1)[:, -1], nearest(other, other, neighbours + 1)[:, -1]
    balls = np.zeros(len(other))
    covered, recalled = np.zeros(len(own), dtype=bool), np.zeros(len(own), dtype=bool)
    for start in range(0, len(own), _BLOCK):
        rows = slice(start, start + _BLOCK)
        distances = squared_distances(own[rows], other)
        inside = distances < radius[rows, None]
        balls += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distances < other_radius).any(axis=1)
    return {
        "coverage": _share(covered),
        "density": _share(balls / neighbours),
        "precision": _share(balls > 0),
        "recall": _share(recalled),
    }


def squared_distances(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Squared Euclidean distances between rows, (n, m).

    >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]])).tolist()
    [[25.0, 1.0]]
    """
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.asarray(np.maximum(squares, 0.0))


def nearest(points: NDArray[Any], others: NDArray[Any], count: int) -> NDArray[Any]:
    """Squared distances of each of ``points`` to its ``count`` nearest ``others``, (n, count), nearest first."""
    found = []
    for start in range(0, len(points), _BLOCK):
        distances = squared_distances(points[start : start + _BLOCK], others)
        found.append(np.sort(np.partition(distances, count - 1, axis=1)[:, :count], axis=1))
    return np.concatenate(found)


def _share(values: NDArray[Any]) -> Estimate:
    return Estimate(float(values.mean()), float(values.std() / np.sqrt(len(values))))


def _median_error(values: NDArray[Any]) -> float:
    """Error of a median, 1.2533 s / sqrt(n), with s from the central 68 %."""
    low, high = np.quantile(values, (0.158655, 0.841345))
    return float(1.2533 * (high - low) / 2 / np.sqrt(len(values)))
