"""Pearson correlations between the energies of the layers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np

from calozoo import DataError, Direction, Showers, Value
from calozoo_calochallenge.challenge import ChallengeMetric
from calozoo_calochallenge.features import Floats

#: With more layers than this the pairs are not listed.
_LISTED = 8


class Correlation(ChallengeMetric):
    """Difference of the Pearson correlations between layer energies, over all incident energies; overall the largest.

    ``largest`` and ``mean`` are magnitudes over all pairs of layers; where there are few, each pair stands with its sign.
    The challenge shows the matrices and gives no number for them, so that there is none to be ranked by.
    """

    direction = Direction.zero

    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        """Generated minus reference."""
        names = [layer.name for layer in self.geometry.layers]
        difference = self._matrix("generated", generated) - self._matrix("reference", reference)
        pairs = {f"{names[i]}-{names[j]}": float(difference[i, j]) for i, j in combinations(range(len(names)), 2)}
        if not pairs:
            raise DataError("There is one layer alone: it has no correlation with others.")
        sizes = np.abs(list(pairs.values()))
        found = [Value("largest", float(sizes.max())), Value("mean", float(sizes.mean()))]
        return found + [Value(key, value) for key, value in pairs.items() if len(names) <= _LISTED]

    def _matrix(self, name: str, showers: Showers) -> Floats:
        """Correlations, (layers, layers)."""
        layers = np.stack(
            [showers.energies[:, part].sum(axis=1, dtype=np.float64) for part in self.geometry.slices], axis=1
        )
        for layer, spread in zip(self.geometry.layers, layers.std(axis=0), strict=True):
            if spread == 0:
                raise DataError(f"All {name} showers have the same energy in {layer.name}: it correlates with nothing.")
        return np.corrcoef(layers, rowvar=False).reshape(len(self.geometry.layers), -1)
