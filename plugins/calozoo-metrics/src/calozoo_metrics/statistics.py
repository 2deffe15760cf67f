"""Distances between distributions, estimates with errors, and how they are put together into a score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo import DataError, Score, Value

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A number and its standard deviation."""

    value: float
    error: float


def ks_distance(first: NDArray[Any], second: NDArray[Any]) -> Estimate:
    """Kolmogorov-Smirnov distance, the largest difference of the distribution functions: D = max |F - G|.

    NaN, which stands for undefined, counts as the lowest value. The error is that of F - G where the difference is
    largest (Raghavachari, Ann. Statist. 1 (1973) 67), sqrt(F(1 - F)/n + G(1 - G)/m).

    >>> ks_distance(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])).value
    0.5
    """
    first, second = (np.sort(np.where(np.isnan(values), -np.inf, values)) for values in (first, second))
    f, g = _distribution_functions(first, second, np.concatenate([first, second]))
    at = int(np.argmax(np.abs(f - g)))
    variance = f[at] * (1 - f[at]) / len(first) + g[at] * (1 - g[at]) / len(second)
    return Estimate(float(abs(f[at] - g[at])), float(np.sqrt(variance)))


def ks_p_value(distance: float, n: int, m: int) -> float:
    """Chance of a larger KS distance between two samples of ``n`` and ``m`` of one distribution (Kolmogorov's limit).

    p = 2 sum_k (-1)^(k - 1) exp(-2 k^2 z^2), z = D sqrt(n m / (n + m)).

    >>> round(ks_p_value(0.04294, 2000, 2000), 3)
    0.05
    """
    z = distance * np.sqrt(n * m / (n + m))
    if z < 0.2:  # the series converges slowly there, and p is 1 to twelve digits
        return 1.0
    k = np.arange(1, 101)
    return float(np.clip(2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * k**2 * z**2)), 0.0, 1.0))


def wasserstein_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    """First Wasserstein distance, the integral of |F - G|, in the unit of the values.

    >>> wasserstein_distance(np.array([0.0, 1.0]), np.array([2.0, 3.0, 2.0, 3.0]))
    2.0
    """
    first, second = np.sort(first), np.sort(second)
    everything = np.sort(np.concatenate([first, second]))
    f, g = _distribution_functions(first, second, everything[:-1])
    return float(np.sum(np.abs(f - g) * np.diff(everything)))


def _distribution_functions(first: NDArray[Any], second: NDArray[Any], at: NDArray[Any]) -> tuple[Floats, Floats]:
    return (
        np.searchsorted(first, at, side="right") / len(first),
        np.searchsorted(second, at, side="right") / len(second),
    )


def separation_power(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Triangular discriminator of two histograms, 1/2 sum (h1 - h2)^2 / (h1 + h2), each scaled to the sum 1.

    0 for equal histograms, 1 for those without a common bin (Diefenbacher et al., arXiv:2009.03796).

    >>> separation_power(np.array([1.0, 1.0]), np.array([3.0, 1.0])), separation_power(np.eye(2)[0], np.eye(2)[1])
    (0.0666..., 1.0)
    """
    h1, h2 = first / first.sum(), second / second.sum()
    both = h1 + h2
    return float(0.5 * np.sum(np.divide((h1 - h2) ** 2, both, out=np.zeros_like(both), where=both > 0)))


def histogram(values: NDArray[Any], edges: NDArray[Any]) -> Floats:
    """Entries by bin, (bins,); underflow and overflow count in the first and last bin, NaN nowhere.

    >>> histogram(np.array([-5.0, 0.5, 1.5, 9.0, np.nan]), np.array([0.0, 1.0, 2.0])).tolist()
    [2.0, 2.0]
    """
    values = values[~np.isnan(values)]
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(index, minlength=len(edges) - 1).astype(np.float64)


def bootstrap(
    statistic: Callable[..., Any], *samples: NDArray[Any], rounds: int = 50, seed: int = 0
) -> NDArray[np.float64]:
    """Standard deviation of a ``statistic`` of ``samples`` when each is redrawn from itself, row by row."""
    random = np.random.default_rng(seed)
    results = [
        statistic(*(sample[random.integers(len(sample), size=len(sample))] for sample in samples))
        for _ in range(rounds)
    ]
    return np.asarray(np.std(results, axis=0, ddof=1))


def average(details: Mapping[str, Estimate]) -> Estimate:
    """Mean of estimates by key.

    Those of one energy, the last part of their keys, come from the same showers and count as fully correlated, those
    of different energies as independent.

    >>> average({"a/10": Estimate(1.0, 3.0), "b/10": Estimate(3.0, 3.0), "a/20": Estimate(2.0, 4.0)})
    Estimate(value=2.0, error=2.5)
    """
    by_energy: dict[str, list[Estimate]] = defaultdict(list)
    for key, estimate in details.items():
        by_energy[key.rpartition("/")[2]].append(estimate)
    values, errors = np.array([np.mean(estimates, axis=0) for estimates in by_energy.values()]).T
    return Estimate(float(values.mean()), float(np.sqrt(np.sum(errors**2)) / len(errors)))


def largest(details: Mapping[str, Estimate]) -> Estimate:
    """The estimate farthest from 0, as a magnitude."""
    worst = max(details.values(), key=lambda estimate: abs(estimate.value))
    return Estimate(abs(worst.value), worst.error)


def magnitudes(details: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The estimates without their signs."""
    return {key: Estimate(abs(estimate.value), estimate.error) for key, estimate in details.items()}


def make_score(overall: Estimate, details: Mapping[str, Estimate]) -> Score:
    """A score with the overall number first; DataError if a number is not finite."""
    found = {"overall": overall, **details}
    for key, estimate in found.items():
        if not np.isfinite(estimate).all():
            raise DataError(f"'{key}' comes out as {estimate.value} +- {estimate.error}: the showers do not define it.")
    return Score(tuple(Value(key, float(e.value), float(e.error)) for key, e in found.items()))
