"""Profiles against their formulas, worked out by other means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma

from calozoo_gflash.profile import Longitudinal, Material, Radial, longitudinal, radial, spot_profile, spots

LEAD_ARGON = Material()


def test_longitudinal_mean_by_hand():
    """y = 1000: ln y = 6.9078."""
    energy = np.array([LEAD_ARGON.critical_energy])  # GeV, a thousand critical energies
    profile = longitudinal(energy, np.zeros((1, 2)), LEAD_ARGON)
    assert profile.maximum[0] == pytest.approx(6.9078 - 0.812 - 0.55 / 3 - 0.69 * 0.31, abs=1e-3)
    assert profile.alpha[0] == pytest.approx(0.81 + (0.458 + 2.26 / 59) * 6.9078 - 0.476 / 3, abs=1e-3)


def test_longitudinal_fluctuations_and_their_correlation():
    normal = np.random.default_rng(0).standard_normal((200_000, 2))
    profile = longitudinal(np.full(200_000, LEAD_ARGON.critical_energy), normal, LEAD_ARGON)
    ln_t, ln_alpha = np.log(profile.maximum), np.log(profile.alpha)
    assert ln_t.std() == pytest.approx(1 / (-2.5 + 1.25 * 6.9078), rel=0.01)
    assert ln_alpha.std() == pytest.approx(1 / (-0.82 + 0.79 * 6.9078), rel=0.01)
    assert np.corrcoef(ln_t, ln_alpha)[0, 1] == pytest.approx(0.784 - 0.023 * 6.9078, abs=0.01)


def test_fraction_is_the_integral_of_a_gamma_distribution_with_that_maximum():
    profile = Longitudinal(np.array([3.7]), np.array([5.2]))
    density = gamma(3.7, scale=5.2 / 2.7).pdf
    for depth in (0.5, 4.0, 12.0):
        assert profile.fraction(depth)[0] == pytest.approx(quad(density, 0, depth)[0], rel=1e-6)
    t = np.linspace(0.1, 20, 20_000)
    assert t[np.argmax(density(t))] == pytest.approx(5.2, abs=2e-3)
    assert profile.fraction(-3.0)[0] == 0


def test_low_energies_stay_finite():
    energy = np.array([1e-4, 1e-2, 0.1, 1e5])
    profile = longitudinal(energy, np.full((4, 2), -4.0), LEAD_ARGON)
    assert (profile.alpha > 1).all()
    assert (profile.maximum > 0).all()
    assert np.isfinite(profile.fraction(10.0)).all()


def test_radial_profile_by_hand():
    """10 GeV at the shower maximum in lead and argon."""
    profile = radial(np.array(10.0), np.array(1.0), LEAD_ARGON)
    ln_e = np.log(10.0)
    core = 0.0251 + 0.00319 * ln_e + (0.1162 - 0.000381 * 59) - 0.0203 * 0.31 + 0.0397 / 3 / np.e
    tail = (0.659 - 0.00309 * 59) * (np.exp(-2.59 * 0.355) + np.exp((0.3585 + 0.0421 * ln_e) * 0.355))
    tail += -0.14 * 0.31 - 0.495 / 3 / np.e
    u = (0.401 + 0.00187 * 59 - 1) / (1.313 - 0.0686 * ln_e)
    weight = (2.632 - 0.00094 * 59) * np.exp(u - np.exp(u)) + 0.31 * (0.348 - 0.642 / 3)
    assert profile.core == pytest.approx(core)
    assert profile.tail == pytest.approx(tail)
    assert profile.weight == pytest.approx(weight)
    assert 0.05 < core < tail < 2


def test_drawn_radii_follow_the_profile():
    random = np.random.default_rng(1)
    core, tail, p = 0.1, 0.6, 0.7
    r = Radial(np.array(core), np.array(tail), np.array(p)).draw(random.random(200_000), random.random(200_000))
    for edge in (0.05, 0.2, 0.5, 2.0):
        expected = p * edge**2 / (edge**2 + core**2) + (1 - p) * edge**2 / (edge**2 + tail**2)
        assert (r < edge).mean() == pytest.approx(expected, abs=0.005)


def test_spots():
    assert spots(np.array([1.0, 10.0]), 0.1) == pytest.approx([103.0, 937.2], rel=1e-3)
    profile = spot_profile(Longitudinal(np.array([4.0]), np.array([6.0])), LEAD_ARGON)
    assert profile.alpha[0] == pytest.approx(4 * (0.844 + 0.0026 * 59))
    assert profile.maximum[0] == pytest.approx(6 * (0.813 + 0.0019 * 59))
