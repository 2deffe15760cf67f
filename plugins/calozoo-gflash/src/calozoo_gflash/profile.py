r"""Longitudinal and radial profiles of electromagnetic showers in sampling calorimeters, with their fluctuations.

Depths are in radiation lengths, radii in Moliere radii, energies E in GeV; :math:`y = E / E_c`.

Source: G. Grindhammer and S. Peters, The Parameterized Simulation of Electromagnetic Showers in Homogeneous and
Sampling Calorimeters, 2000, hep-ex/0001020, appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

Array = NDArray[np.float64]

_LEAST_LN_Y = 3.0  # the fits have poles below; 0.2 GeV in lead and argon
_STEEPEST = 1.05  # least alpha of a profile that has a maximum


@dataclass
class Material:
    """Effective constants of a calorimeter; the default is like lead and liquid argon in ATLAS's barrel.

    Args:
        radiation_length: mm.
        moliere_radius: mm.
        critical_energy: MeV.
        z: effective atomic number.
        sampling_frequency: radiation length over the thickness of an absorber and a gap together.
        e_over_mip: response to electrons over that to minimum-ionising particles.

    """

    radiation_length: float = 20.0
    moliere_radius: float = 40.0
    critical_energy: float = 10.5
    z: float = 59.0
    sampling_frequency: float = 3.0
    e_over_mip: float = 0.69


@dataclass(frozen=True, eq=False)
class Longitudinal:
    """Gamma profiles: their shape and the depth of their maximum, each (n,)."""

    alpha: Array
    maximum: Array  # X0

    def fraction(self, depth: Any) -> Array:
        """Share of the energy that is deposited before ``depth`` (X0); broadcasts over leading axes."""
        beta = (self.alpha - 1) / self.maximum
        return gammainc(self.alpha, beta * np.maximum(depth, 0))  # type: ignore[no-any-return]


def longitudinal(energy: Array, normal: Array, material: Material) -> Longitudinal:
    r"""Draw a profile for each ``energy`` (n,) GeV, from standard normal numbers (n, 2).

    .. math::
        \langle\ln T\rangle &= \ln\big(\ln y - 0.812 - 0.55/F_S - 0.69(1-\hat e)\big), &
        \sigma &= 1 / (-2.5 + 1.25 \ln y), \\
        \langle\ln \alpha\rangle &= \ln\big(0.81 + (0.458 + 2.26/Z)\ln y - 0.476/F_S\big), &
        \sigma &= 1 / (-0.82 + 0.79 \ln y),

    with the correlation :math:`\rho = 0.784 - 0.023 \ln y`.
    """
    ln_y = np.maximum(np.log(energy * 1000 / material.critical_energy), _LEAST_LN_Y)
    sampling = 1 / material.sampling_frequency
    ln_t = np.log(ln_y - 0.812 - 0.55 * sampling - 0.69 * (1 - material.e_over_mip))
    ln_alpha = np.log(0.81 + (0.458 + 2.26 / material.z) * ln_y - 0.476 * sampling)
    sigma_t, sigma_alpha = 1 / (-2.5 + 1.25 * ln_y), 1 / (-0.82 + 0.79 * ln_y)
    rho = np.clip(0.784 - 0.023 * ln_y, -1, 1)
    both, apart = np.sqrt((1 + rho) / 2) * normal[:, 0], np.sqrt((1 - rho) / 2) * normal[:, 1]
    alpha = np.exp(ln_alpha + sigma_alpha * (both - apart))
    return Longitudinal(np.maximum(alpha, _STEEPEST), np.exp(ln_t + sigma_t * (both + apart)))


def spot_profile(profile: Longitudinal, material: Material) -> Longitudinal:
    r"""How the energy spots are spread in depth: :math:`T (0.813 + 0.0019 Z)`, :math:`\alpha (0.844 + 0.0026 Z)`."""
    alpha = profile.alpha * (0.844 + 0.0026 * material.z)
    return Longitudinal(np.maximum(alpha, _STEEPEST), profile.maximum * (0.813 + 0.0019 * material.z))


def spots(energy: Array, resolution: float) -> Array:
    r"""How many spots a shower of ``energy`` (n,) GeV has: :math:`10.3\, E^{0.959} / c`."""
    return 10.3 / resolution * energy**0.959


@dataclass(frozen=True, eq=False)
class Radial:
    r"""Radial profiles of core and tail, of any one shape.

    :math:`p \frac{2rR_C^2}{(r^2+R_C^2)^2} + (1-p) \frac{2rR_T^2}{(r^2+R_T^2)^2}`
    """

    core: Array
    tail: Array
    weight: Array  # of the core

    def draw(self, choice: NDArray[Any], uniform: NDArray[Any]) -> NDArray[Any]:
        """Radii from two uniform numbers each: which component, and where in it."""
        radii: NDArray[Any] = np.where(choice < self.weight, self.core, self.tail) * np.sqrt(uniform / (1 - uniform))
        return radii


def radial(energy: Array, tau: Array, material: Material) -> Radial:
    r"""The radial profile at the depth ``tau`` in units of the shower maximum, of ``energy`` (GeV); they broadcast.

    With :math:`R_C = z_1 + z_2\tau`, :math:`R_T = k_1(e^{k_3(\tau-k_2)} + e^{k_4(\tau-k_2)})` and
    :math:`p = p_1 \exp\big((p_2-\tau)/p_3 - e^{(p_2-\tau)/p_3}\big)`, each with its correction for sampling.
    """
    ln_e, z = np.log(energy), material.z
    sampling, mip = 1 / material.sampling_frequency, 1 - material.e_over_mip
    core = 0.0251 + 0.00319 * ln_e + (0.1162 - 0.000381 * z) * tau
    core = core - 0.0203 * mip + 0.0397 * sampling * np.exp(-tau)
    k1, k2, k3, k4 = 0.659 - 0.00309 * z, 0.645, -2.59, 0.3585 + 0.0421 * ln_e
    tail = k1 * (np.exp(k3 * (tau - k2)) + np.exp(k4 * (tau - k2)))
    tail = tail - 0.14 * mip - 0.495 * sampling * np.exp(-tau)
    p1, p2, p3 = 2.632 - 0.00094 * z, 0.401 + 0.00187 * z, 1.313 - 0.0686 * ln_e
    weight = p1 * np.exp((p2 - tau) / p3 - np.exp((p2 - tau) / p3))
    weight = weight + mip * (0.348 - 0.642 * sampling * np.exp(-((tau - 1) ** 2)))
    return Radial(np.maximum(core, 0.005), np.maximum(tail, 0.05), np.clip(weight, 0, 1))
