"""The calorimeter's resolution and how it falls with energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import DataError
from calozoo_metrics.statistics import Estimate, bootstrap

#: Quantiles that hold the central 68.27 % of a distribution, one standard deviation of a Gaussian to each side.
_CENTRAL = (0.158655, 0.5, 0.841345)


def central_resolution(energies: NDArray[Any]) -> float:
    """Half the width of the central 68.27 % over the median of ``energies`` (n,); tails do not count.

    >>> round(central_resolution(np.random.default_rng(0).normal(100, 10, 100_000)), 3)
    0.1
    """
    low, median, high = np.quantile(energies, _CENTRAL)
    if median <= 0:
        raise DataError("More than half of the showers at an energy hold no energy: there is no resolution.")
    return float((high - low) / (2 * median))


def relative_deviation(energies: NDArray[Any]) -> float:
    """Standard deviation over mean of ``energies`` (n,); tails count.

    >>> relative_deviation(np.array([9.0, 11.0])).__round__(4)
    0.1414
    """
    mean = energies.mean(dtype=np.float64)
    if mean <= 0:
        raise DataError("The showers at an energy hold no energy: there is no resolution.")
    return float(energies.std(dtype=np.float64, ddof=1) / mean)


def resolutions(energies: NDArray[Any], *, rounds: int = 50) -> tuple[Estimate, Estimate]:
    """:func:`central_resolution` and :func:`relative_deviation` of ``energies`` (n,) with bootstrap errors."""
    values = np.array([central_resolution(energies), relative_deviation(energies)])
    errors = bootstrap(lambda drawn: [central_resolution(drawn), relative_deviation(drawn)], energies, rounds=rounds)
    return Estimate(float(values[0]), float(errors[0])), Estimate(float(values[1]), float(errors[1]))


@dataclass(frozen=True)
class ResolutionFit:
    """sigma/E = a / sqrt(E / GeV), with a constant term c in quadrature where it was fitted."""

    stochastic: Estimate  # a, dimensionless
    constant: Estimate | None  # c, dimensionless
    chi2: float
    degrees: int

    def __call__(self, energies: NDArray[Any]) -> NDArray[np.float64]:
        """The fitted resolution at incident ``energies`` (n,), MeV."""
        c = self.constant.value if self.constant else 0.0
        return np.sqrt(self.stochastic.value**2 / (np.asarray(energies) / 1000.0) + c**2)

    def __str__(self) -> str:
        text = f"{100 * self.stochastic.value:.1f}%/√E"
        return f"{text} ⊕ {100 * self.constant.value:.2f}%" if self.constant else text


def fit_resolution(
    energies: NDArray[Any], resolution: NDArray[Any], errors: NDArray[Any], *, constant: bool = True
) -> ResolutionFit:
    """Fit (sigma/E)^2 = a^2 / E + c^2 by weighted least squares, linear in 1/E; ``energies`` (n,) in MeV.

    The poster's resolution is a / sqrt(E) with a about 10 %; the constant term is ours. Where c^2 comes out negative the
    fit is done without it.

    >>> str(fit_resolution(np.array([1e3, 4e3, 1.6e4]), np.array([0.1, 0.05, 0.025]), np.full(3, 1e-3)))
    '10.0%/√E'
    """
    resolution = np.asarray(resolution, dtype=np.float64)
    design = np.stack([1000.0 / np.asarray(energies, dtype=np.float64), np.ones(len(resolution))], axis=1)
    design = design if constant else design[:, :1]
    if len(resolution) < design.shape[1]:
        raise DataError(f"A fit of the resolution needs {design.shape[1]} energies, not {len(resolution)}.")
    weights = 1 / (2 * resolution * np.asarray(errors, dtype=np.float64))
    covariance = np.linalg.inv((weights[:, None] * design).T @ (weights[:, None] * design))
    squares = covariance @ (design.T @ (weights**2 * resolution**2))
    # Rounding may leave a vanishing c^2 on either side of zero.
    if constant and squares[1] <= 1e-9 * resolution.min() ** 2:
        return fit_resolution(energies, resolution, errors, constant=False)
    if squares[0] <= 0:
        raise DataError("The resolution does not fall with energy, so that a / sqrt(E) cannot be fitted to it.")
    values, deviations = np.sqrt(squares), np.sqrt(np.diag(covariance)) / (2 * np.sqrt(squares))
    estimates = [Estimate(float(v), float(d)) for v, d in zip(values, deviations, strict=True)]
    chi2 = float(np.sum((weights * (resolution**2 - design @ squares)) ** 2))
    return ResolutionFit(estimates[0], estimates[1] if constant else None, chi2, len(resolution) - design.shape[1])
