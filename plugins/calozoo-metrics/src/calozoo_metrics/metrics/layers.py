"""How the energy is shared among the layers, on average and from shower to shower."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from calozoo import Direction, Geometry, Metric, Score, Showers
from calozoo_metrics.energies import is_barrel, pairs, representative
from calozoo_metrics.observables import correlation, fractions_of_incident, mean_and_error
from calozoo_metrics.statistics import Estimate, average, bootstrap, largest, make_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Correlations of single pairs of layers are listed up to so many layers.
_LISTED = 6


class LayerFractions(Metric):
    """Difference of the mean share of the incident energy in each layer, in percentage points; overall the largest.

    The note compares these shares in figures 11 and 12.
    """

    direction = Direction.zero
    unit = "percentage points"

    def score(self, reference: Showers, generated: Showers) -> Score:
        """Generated minus reference for each layer and energy, such as ``front/65536``, and ``largest/65536``."""
        details, worst = {}, {}
        for pair in pairs(reference, generated, self.geometry):
            mean, error = mean_and_error(100 * fractions_of_incident(pair.reference, self.geometry))
            other, other_error = mean_and_error(100 * fractions_of_incident(pair.generated, self.geometry))
            for i, layer in enumerate(self.geometry.layers):
                combined = float(np.hypot(error[i], other_error[i]))
                details[f"{layer.name}/{pair.key}"] = Estimate(float(other[i] - mean[i]), combined)
            worst[f"largest/{pair.key}"] = largest({k: e for k, e in details.items() if k.endswith(f"/{pair.key}")})
        return make_score(largest(details), {**details, **worst})

    @property
    def published(self) -> Mapping[str, Mapping[str, float]]:
        """From the note's figures of 65 GeV photons, each against its own Geant4 showers."""
        return {"largest/65536": {"the note's VAE": 1.9, "the note's GAN": 2.6}} if is_barrel(self.geometry) else {}

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Mean share of each layer against the incident energy."""
        from calozoo_metrics import figures

        return figures.layer_fractions(reference, generated, self.geometry)


class LayerCorrelation(Metric):
    """Largest difference of the Pearson correlations between layer energies at each energy; overall the mean of these.

    The note traces the tails of its generated samples to weak correlations between layers (section 5). Errors are a
    bootstrap of ``rounds`` rounds; ``energies`` (MeV) are those that figures show.
    """

    direction = Direction.zero

    def __init__(self, geometry: Geometry, *, rounds: int = 30, energies: tuple[float, ...] = ()) -> None:
        super().__init__(geometry)
        self.rounds, self.energies = rounds, tuple(energies)

    def score(self, reference: Showers, generated: Showers) -> Score:
        """``largest/65536``, a magnitude, and for a few layers generated minus reference of each pair of layers."""
        names = [layer.name for layer in self.geometry.layers]
        both = list(combinations(range(len(names)), 2))
        worst, details = {}, {}
        for pair in pairs(reference, generated, self.geometry):
            samples = [fractions_of_incident(showers, self.geometry) for showers in (pair.reference, pair.generated)]
            values = _difference(*samples)
            errors = bootstrap(_difference, *samples, rounds=self.rounds)
            found = {(i, j): Estimate(float(values[i, j]), float(errors[i, j])) for i, j in both}
            key = f"largest/{pair.key}"
            worst[key] = largest({str(ij): estimate for ij, estimate in found.items()}) if found else Estimate(0.0, 0.0)
            if len(names) <= _LISTED:
                details |= {f"{names[i]}-{names[j]}/{pair.key}": estimate for (i, j), estimate in found.items()}
        return make_score(average(worst), {**worst, **details})

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Correlation matrices of the layers."""
        from calozoo_metrics import figures

        energies = self.energies or representative(reference.incident_energies)[1:2]
        return figures.layer_correlations(reference, generated, self.geometry, energies)


def _difference(reference: np.ndarray, generated: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    shape = (reference.shape[1], reference.shape[1])
    first, second = (correlation(np.cov(values, rowvar=False).reshape(shape)) for values in (reference, generated))
    return second - first
