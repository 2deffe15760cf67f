"""Distances between the distributions of the observables that the note shows, by energy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calozoo import ConfigError, DataError, Direction, Geometry, Metric, Score, Showers
from calozoo_metrics.energies import pairs, representative
from calozoo_metrics.observables import shower_observables
from calozoo_metrics.statistics import (
    Estimate,
    average,
    bootstrap,
    histogram,
    ks_distance,
    make_score,
    separation_power,
    wasserstein_distance,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class _Distance(Metric):
    """A distance for each observable and energy, such as ``front/65536``; overall their mean.

    The observables are the total energy, each layer's energy and the shower depth.
    """

    direction = Direction.lower

    @abstractmethod
    def distance(self, reference: NDArray[np.float64], generated: NDArray[np.float64]) -> Estimate:
        """The distance between the distributions of an observable, (n,) and (m,)."""

    def score(self, reference: Showers, generated: Showers) -> Score:
        """Distances of every observable at every energy."""
        details = {}
        for pair in pairs(reference, generated, self.geometry):
            others = shower_observables(pair.generated, self.geometry)
            for name, values in shower_observables(pair.reference, self.geometry).items():
                details[f"{name}/{pair.key}"] = self.distance(values, others[name])
        return make_score(average(details), details)


class KS(_Distance):
    """Kolmogorov-Smirnov distance, by which the note chose its VAE (section 4.1), for each observable and energy.

    ``energies`` (MeV) are those that figures show, by default the lowest, a typical and the highest one.
    """

    def __init__(self, geometry: Geometry, *, energies: tuple[float, ...] = ()) -> None:
        super().__init__(geometry)
        self.energies = tuple(energies)

    def distance(self, reference: NDArray[np.float64], generated: NDArray[np.float64]) -> Estimate:
        """Largest difference of the distribution functions."""
        return ks_distance(reference, generated)

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Distributions of layer energies (figure 7), depth (figure 8) and total energy (figure 9)."""
        from calozoo_metrics import figures

        energies = self.energies or representative(reference.incident_energies)
        return {
            **figures.total_energies(reference, generated, self.geometry, energies),
            **figures.layer_energies(reference, generated, self.geometry, energies),
            **figures.shower_depths(reference, generated, self.geometry, energies),
        }


class Wasserstein(_Distance):
    """First Wasserstein distance in units of the reference's standard deviation, for each observable and energy.

    The error is a bootstrap of ``rounds`` rounds.
    """

    unit = "reference standard deviations"

    def __init__(self, geometry: Geometry, *, rounds: int = 20) -> None:
        super().__init__(geometry)
        self.rounds = _at_least(rounds, 2, "rounds")

    def distance(self, reference: NDArray[np.float64], generated: NDArray[np.float64]) -> Estimate:
        """Integral of the difference of the distribution functions over the reference's standard deviation."""
        reference, generated = _defined(reference), _defined(generated)
        # Where the reference never varies, such as a layer that is always empty, both samples give the scale.
        scale = float(reference.std() or np.concatenate([reference, generated]).std() or 1.0)
        value = wasserstein_distance(reference, generated) / scale
        return Estimate(value, float(bootstrap(wasserstein_distance, reference, generated, rounds=self.rounds)) / scale)


class Separation(_Distance):
    """Separation power 1/2 sum (h1 - h2)^2 / (h1 + h2) of each observable and energy, from 0 to 1.

    Histograms have ``bins`` bins of equal width over the central 99 % of the reference, with what lies outside in
    the end bins. The error is a bootstrap of ``rounds`` rounds.
    """

    def __init__(self, geometry: Geometry, *, bins: int = 30, rounds: int = 50) -> None:
        super().__init__(geometry)
        self.bins, self.rounds = _at_least(bins, 2, "bins"), _at_least(rounds, 2, "rounds")

    def distance(self, reference: NDArray[np.float64], generated: NDArray[np.float64]) -> Estimate:
        """Separation power of the two histograms."""
        reference, generated = _defined(reference), _defined(generated)
        low, high = np.quantile(reference, (0.005, 0.995))
        if low == high:
            low, high = min(reference.min(), generated.min()), max(reference.max(), generated.max())
        edges = np.linspace(low, high if high > low else low + 1.0, self.bins + 1)
        counts = histogram(reference, edges), histogram(generated, edges)
        random = np.random.default_rng(0)
        drawn = [
            separation_power(*(random.multinomial(int(h.sum()), h / h.sum()) for h in counts))
            for _ in range(self.rounds)
        ]
        return Estimate(separation_power(*counts), float(np.std(drawn, ddof=1)))


def _defined(values: NDArray[Any]) -> NDArray[Any]:
    kept = values[~np.isnan(values)]
    if not len(kept):
        raise DataError("No shower of a sample has any energy at one incident energy: its depth is undefined.")
    return kept


def _at_least(value: int, least: int, name: str) -> int:
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, not {value}.")
    return value
