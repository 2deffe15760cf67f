"""Precision, recall, density and coverage as the challenge computed them.

Source: T. Kynkaanniemi et al., arXiv:1904.06991; M. F. Naeem et al., arXiv:2002.09797; CaloChallenge, arXiv:2410.21611.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from calozoo import ConfigError, Direction, Geometry, Showers, Value
from calozoo_calochallenge.challenge import ChallengeMetric
from calozoo_calochallenge.features import Floats
from calozoo_metrics.metrics.neighbours import compare_neighbours

_NEIGHBOURS = 5
_EMPTY = 0.1  # MeV, what an empty voxel counts as under the logarithm
_PARTS = ("precision", "recall", "density", "coverage")


class Coverage(ChallengeMetric):
    """Precision, recall, density and coverage from 5 nearest neighbours on log10(voxel / MeV), empty voxels as 0.1.

    Overall the smaller of precision and recall: showers that are all alike, or that fill everything, reach the others.
    All showers of both samples enter, as the challenge had it; ``rows`` takes the first so many of each instead (0: all)
    and is then part of the keys, which name no official number. Time goes with the square of the number of showers. The
    official numbers stand beside their ``rank`` among the published ones, by distance to Geant4's.
    """

    direction = Direction.higher

    def __init__(self, geometry: Geometry, *, rows: int = 0) -> None:
        super().__init__(geometry)
        if rows and rows < self.fewest:
            raise ConfigError(f"rows must be 0, for all showers, or at least {self.fewest}, not {rows}.")
        self.rows = rows

    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        """The smaller of precision and recall, then the four numbers."""
        take = slice(self.rows or None)
        found = compare_neighbours(logarithms(reference[take]), logarithms(generated[take]), _NEIGHBOURS)
        ending = f"/rows={self.rows}" if self.rows else ""
        values = [Value(f"{name}{ending}", found[name].value, found[name].error) for name in _PARTS]
        least = min(found["precision"], found["recall"])
        values.insert(0, Value(f"precision_and_recall{ending}", least.value, least.error))
        return self.ranks(values, {name: name for name in _PARTS}, min(len(reference), len(generated)))


def logarithms(showers: Showers) -> Floats:
    """Log10 of the voxels in MeV, empty ones as 0.1, (n, voxels)."""
    energies = showers.energies.astype(np.float64)
    energies[energies == 0] = _EMPTY
    return np.log10(energies, out=energies)
