"""Frechet and kernel physics distances of the challenge's high-level features.

Source: R. Kansal et al., arXiv:2211.10295, with the settings of the CaloChallenge, arXiv:2410.21611. Showers are drawn
as by JetNet 0.2.5, so that the same ones are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import Direction, Showers, Value
from calozoo_calochallenge.challenge import ChallengeMetric
from calozoo_calochallenge.dataset import OFFICIAL_ROWS
from calozoo_calochallenge.features import Floats, high_level
from calozoo_metrics.statistics import Estimate

_SEED = 42
_SIZES, _BATCHES = 10, 20  # of the extrapolation
_KERNEL_BATCHES = 10
#: The largest sample is this many times the smallest of the extrapolation and the kernel's batches.
_FRACTION = 5
#: Rows of the kernel that are in memory at a time.
_BLOCK = 500


class FPD(ChallengeMetric):
    """Frechet physics distance x 1000 of the challenge's high-level features, extrapolated to endless samples.

    ``fpd`` is the official number and stands beside its ``rank`` among the published ones. With n < 50,000 showers in
    a sample there is ``fpd_small/n=...`` instead, extrapolated from n/5 to n showers, which is no official number.
    """

    direction = Direction.lower
    unit = "x 1e-3"

    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        """The distance and the error of its extrapolation."""
        rows = min(len(reference), len(generated))
        own, other = (high_level(s.energies, s.incident_energies, self.geometry) for s in (reference, generated))
        found = fpd(own, other, largest=min(rows, OFFICIAL_ROWS))
        return self.ranks([_value("fpd", found, rows)], {"fpd": "FPD_x1e3"}, rows)


class KPD(ChallengeMetric):
    """Kernel physics distance x 1000 of the challenge's high-level features, which can come out below zero.

    ``kpd`` is the official number and stands beside its ``rank`` among the published ones. With n < 50,000 showers in
    a sample there is ``kpd_small/n=...`` instead, from batches of n/5 showers, which is no official number.
    """

    direction = Direction.lower
    unit = "x 1e-3"

    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        """The median over the batches and half the width of their central 68 %."""
        rows = min(len(reference), len(generated))
        own, other = (high_level(s.energies, s.incident_energies, self.geometry) for s in (reference, generated))
        found = kpd(own, other, batch=min(rows, OFFICIAL_ROWS) // _FRACTION)
        return self.ranks([_value("kpd", found, rows)], {"kpd": "KPD_x1e3"}, rows)


def _value(key: str, found: Estimate, rows: int) -> Value:
    name = key if rows >= OFFICIAL_ROWS else f"{key}_small/n={rows}"
    return Value(name, 1000 * found.value, 1000 * found.error)


def fpd(reference: NDArray[Any], generated: NDArray[Any], *, largest: int = OFFICIAL_ROWS) -> Estimate:
    """Frechet distance between features, (n, d) and (m, d), as the sample size N goes to infinity.

    Means over 20 random samples at 10 sizes, regular in 1/N from ``largest`` / 5 to ``largest``; the intercept of a
    straight line in 1/N, of which neither intercept nor slope is negative. The solver is that of the published numbers,
    scipy's at its default tolerances: it stops up to some 1e-4 above the best intercept, so that small numbers agree.
    """
    from scipy.optimize import curve_fit

    reference, generated = scaled(reference, generated)
    sizes = (1 / np.linspace(_FRACTION / largest, 1 / largest, _SIZES)).astype(int)
    random = np.random.default_rng(_SEED)
    means = []
    for size in sizes:
        found = []
        for _ in range(_BATCHES):
            own, other = (sample[random.choice(len(sample), size=size)] for sample in (reference, generated))
            found.append(frechet_distance(own, other))
        means.append(np.mean(found))
    line, covariance = curve_fit(
        lambda x, intercept, slope: intercept + slope * x, 1 / sizes, means, bounds=(0, np.inf)
    )
    return Estimate(float(line[0]), float(np.sqrt(covariance[0, 0])))


def kpd(reference: NDArray[Any], generated: NDArray[Any], *, batch: int = OFFICIAL_ROWS // _FRACTION) -> Estimate:
    """Median of the squared maximum mean discrepancy over 10 random batches of features, (n, d) and (m, d)."""
    reference, generated = scaled(reference, generated)
    found = []
    for k in range(_KERNEL_BATCHES):
        random = np.random.default_rng(_SEED + 1000 * k)
        own, other = (sample[random.choice(len(sample), size=batch)] for sample in (reference, generated))
        found.append(discrepancy(own, other))
    low, high = np.percentile(found, (16.275, 83.725))
    return Estimate(float(np.median(found)), float(high - low) / 2)


def scaled(reference: NDArray[Any], generated: NDArray[Any]) -> tuple[Floats, Floats]:
    """Both sets of features over the largest magnitude of each feature in the reference, 1 where that is 0."""
    largest = np.abs(reference).max(axis=0)
    largest = np.where(largest == 0, 1.0, largest)
    return reference / largest, generated / largest


def frechet_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Squared Frechet distance of the normal distributions with the samples' means and covariances.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    >>> round(frechet_distance(np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])), 12)
    1.0
    """
    covariances = [np.cov(sample, rowvar=False).reshape(sample.shape[1], -1) for sample in (first, second)]
    roots = []
    for covariance in covariances:
        values, vectors = np.linalg.eigh(covariance)
        roots.append(vectors * np.sqrt(np.maximum(values, 0)))
    # With C = R R^T the trace of (C1 C2)^(1/2) is the sum of the singular values of R1^T R2, also where C is singular.
    both = np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).sum()
    shift = first.mean(axis=0) - second.mean(axis=0)
    return float(shift @ shift + sum(np.trace(covariance) for covariance in covariances) - 2 * both)


def discrepancy(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^4, in bounded memory.

    >>> discrepancy(np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]]))
    15.0
    """
    n, m = len(first), len(second)
    own = (_kernel_sum(first, first) - _kernel_trace(first)) / (n * (n - 1))
    other = (_kernel_sum(second, second) - _kernel_trace(second)) / (m * (m - 1))
    return own + other - 2 * _kernel_sum(first, second) / (n * m)


def _kernel_sum(first: Floats, second: Floats) -> float:
    total = 0.0
    for start in range(0, len(first), _BLOCK):
        kernel = first[start : start + _BLOCK] @ second.T
        kernel /= first.shape[1]
        kernel += 1
        np.square(kernel, out=kernel)
        total += float(np.vdot(kernel, kernel))
    return total


def _kernel_trace(sample: Floats) -> float:
    return float(((np.square(sample).sum(axis=1) / sample.shape[1] + 1) ** 4).sum())
