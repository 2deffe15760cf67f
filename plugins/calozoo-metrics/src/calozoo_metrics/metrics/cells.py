"""How many cells a shower reaches, and with what energies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from calozoo import ConfigError, Direction, Geometry, Metric, Score, Showers
from calozoo_metrics.energies import pairs, representative
from calozoo_metrics.observables import cell_spectrum, mean_and_error, sparsity
from calozoo_metrics.statistics import Estimate, average, bootstrap, magnitudes, make_score, separation_power

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Sparsity(Metric):
    """Difference of the mean share of cells with at least ``threshold`` MeV, in percentage points.

    Overall the mean magnitude over energies. ``energies`` (MeV) are those that figures show.
    """

    direction = Direction.zero
    unit = "percentage points"

    def __init__(self, geometry: Geometry, *, threshold: float = 1.0, energies: tuple[float, ...] = ()) -> None:
        super().__init__(geometry)
        self.threshold, self.energies = _positive(threshold), tuple(energies)

    def score(self, reference: Showers, generated: Showers) -> Score:
        """Generated minus reference, for all cells (``cells/65536``) and for each layer (``front/65536``)."""
        cells, layers = {}, {}
        for pair in pairs(reference, generated, self.geometry):
            cells[f"cells/{pair.key}"] = self._difference(pair.reference, pair.generated, slice(None))
            for layer, inside in zip(self.geometry.layers, self.geometry.slices, strict=True):
                layers[f"{layer.name}/{pair.key}"] = self._difference(pair.reference, pair.generated, inside)
        return make_score(average(magnitudes(cells)), {**cells, **layers})

    def _difference(self, reference: Showers, generated: Showers, cells: slice) -> Estimate:
        (mean, error), (other, other_error) = (
            mean_and_error(sparsity(Showers(s.energies[:, cells], s.incident_energies), self.threshold))
            for s in (reference, generated)
        )
        return Estimate(100 * float(other - mean), 100 * float(np.hypot(error, other_error)))

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Distributions of the share of cells above the threshold."""
        from calozoo_metrics import figures

        energies = self.energies or representative(reference.incident_energies)
        return figures.sparsities(reference, generated, self.geometry, energies, threshold=self.threshold)


class CellSpectrum(Metric):
    """Separation power of the spectra of cell energies above ``threshold`` MeV at each energy; overall the mean.

    Spectra have ``bins`` logarithmic bins up to the reference's largest cell. Errors are a bootstrap over showers of
    ``rounds`` rounds. ``energies`` (MeV) are those that figures show.
    """

    direction = Direction.lower

    def __init__(
        self,
        geometry: Geometry,
        *,
        threshold: float = 1.0,
        bins: int = 50,
        rounds: int = 20,
        energies: tuple[float, ...] = (),
    ) -> None:
        super().__init__(geometry)
        self.threshold, self.bins, self.rounds = _positive(threshold), bins, rounds
        self.energies = tuple(energies)

    def score(self, reference: Showers, generated: Showers) -> Score:
        """Separation power for each energy, such as ``cells/65536``."""
        details = {}
        for pair in pairs(reference, generated, self.geometry):
            highest = max(float(pair.reference.energies.max()), 10 * self.threshold)
            edges = np.geomspace(self.threshold, highest, self.bins + 1)
            spectra = [cell_spectrum(showers, edges) for showers in (pair.reference, pair.generated)]
            value = _separation(*spectra)
            details[f"cells/{pair.key}"] = Estimate(value, float(bootstrap(_separation, *spectra, rounds=self.rounds)))
        return make_score(average(details), details)

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Cells per shower against cell energy."""
        from calozoo_metrics import figures

        energies = self.energies or representative(reference.incident_energies)
        return figures.cell_spectra(reference, generated, self.geometry, energies, threshold=self.threshold)


def _separation(reference: np.ndarray, generated: np.ndarray) -> float:  # type: ignore[type-arg]
    first, second = reference.sum(axis=0), generated.sum(axis=0)
    if not first.any() or not second.any():
        return float(first.any() or second.any())
    return separation_power(first, second)


def _positive(threshold: float) -> float:
    if not threshold > 0:
        raise ConfigError(f"A threshold of cell energy is above 0 MeV, not {threshold}.")
    return threshold
