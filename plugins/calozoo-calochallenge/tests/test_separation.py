from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from calozoo import DataError, Showers
from calozoo.config import create
from calozoo_calochallenge.features import observables
from calozoo_calochallenge.separation import separation_power


def regular(low: float, high: float, count: int) -> list[float]:
    return np.linspace(low, high, count).tolist()


def logarithmic(low: float, high: float, count: int) -> list[float]:
    return np.logspace(np.log10(low), np.log10(high), count).tolist()


def direct(first: Sequence[float], second: Sequence[float], edges: list[float]) -> float:
    """Histograms entry by entry, as densities times widths."""
    histograms = []
    for values in (first, second):
        counts = [0] * (len(edges) - 1)
        for value in values:
            if edges[0] <= value <= edges[-1]:
                counts[min(bisect_right(edges, value) - 1, len(counts) - 1)] += 1
        widths = [b - a for a, b in pairwise(edges)]
        densities = [count / (sum(counts) * width) for count, width in zip(counts, widths, strict=True)]
        histograms.append([density * width for density, width in zip(densities, widths, strict=True)])
    return 0.5 * sum((a - b) ** 2 / (a + b + 1e-16) for a, b in zip(*histograms, strict=True))


@pytest.fixture(scope="module")
def samples(showers: Callable[..., Showers]) -> tuple[Showers, Showers]:
    return showers(1500, 1), showers(1500, 2, scale=1.1)


@pytest.fixture(scope="module")
def values(samples: tuple[Showers, Showers], photons: Any) -> dict[str, float]:
    metric = create("metric", {"name": "calochallenge_separation"}, photons)
    return {value.key: value.value for value in metric.score(*samples).values}


def test_every_observable_has_the_official_edges(samples: Any, values: Any, photons: Any) -> None:
    cut = [Showers(np.where(s.energies < 1, 0, s.energies), s.incident_energies) for s in samples]
    own, other = (observables(s.energies, s.incident_energies, photons) for s in cut)
    response = [s.total / s.incident for s in (own, other)]
    expected = {"E_total": direct(*response, regular(0.5, 1.5, 101))}
    for k in range(15):
        energy = 2 ** (8 + k)
        edges = regular(0.9, 1.1, 21) if k > 3 else regular(0.4, 1.4, 21)
        at = [r[s.incident == energy] for r, s in zip(response, (own, other), strict=True)]
        expected[f"E_total/{energy}"] = direct(*at, edges)
    voxels = [s.energies.ravel().tolist() for s in cut]
    expected["cell"] = direct(*voxels, logarithmic(1, max(voxels[0]), 50))
    names, sectored = [0, 1, 2, 3, 12], [1, 2]
    for i, layer in enumerate(names):
        energies = own.layers[:, i], other.layers[:, i]
        expected[f"E_layer/layer_{layer}"] = direct(*energies, logarithmic(1, energies[0].max(), 40))
        expected[f"sparsity/layer_{layer}"] = direct(own.sparsity[:, i], other.sparsity[:, i], regular(0, 1, 21))
        high = 1500 if layer == 12 else 500
        expected[f"EC_r/layer_{layer}"] = direct(own.radius[:, i], other.radius[:, i], regular(0, high, 101))
        expected[f"EC_r_std/layer_{layer}"] = direct(
            own.radius_width[:, i], other.radius_width[:, i], regular(0, high, 101)
        )
    for i, layer in enumerate(sectored):
        for axis in ("eta", "phi"):
            centre, width = ([getattr(s, name)[:, i] for s in (own, other)] for name in (axis, f"{axis}_width"))
            expected[f"EC_{axis}/layer_{layer}"] = direct(*centre, regular(-100, 100, 101))
            expected[f"EC_{axis}_std/layer_{layer}"] = direct(*width, regular(0, 100, 101))
    for group in ("E_layer", "sparsity", "EC_r", "EC_r_std", "EC_eta", "EC_phi", "EC_eta_std", "EC_phi_std"):
        parts = [value for key, value in expected.items() if key.startswith(f"{group}/")]
        expected[group] = sum(parts) / len(parts)
    assert values == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "group", "layer", "ends"),
    [
        ("pions", "EC_eta", 12, (-500, 500)),
        ("pions", "EC_phi_std", 13, (0, 400)),
        ("pions", "EC_r", 14, (0, 1500)),
        ("pions", "EC_r", 3, (0, 500)),
        ("2", "EC_phi", 12, (-30, 30)),
        ("3", "EC_eta_std", 0, (0, 30)),
        ("2", "EC_r", 13, (0, 42)),
        ("3", "EC_r_std", 44, (0, 20)),
    ],
)
def test_edges_of_the_other_sets(name: str, group: str, layer: int, ends: tuple[float, float]) -> None:
    metric = create(
        "metric", {"name": "calochallenge_separation"}, create("geometry", {"name": f"calochallenge_{name}"})
    )
    edges = metric._edges(group, layer)
    assert (edges[0], edges[-1], len(edges)) == (*ends, 101)


def test_histograms_without_a_common_bin() -> None:
    assert separation_power(np.array([2, 0]), np.array([0, 5])) == pytest.approx(1)
    assert separation_power(np.array([2, 1]), np.array([4, 2])) == 0


def test_one_layer_scaled_by_two_percent_is_worse_than_the_floor(showers: Callable[..., Showers], photons: Any) -> None:
    metric = create("metric", {"name": "calochallenge_separation"}, photons)
    floor, wrong = (metric.score(showers(1500, 1), showers(1500, 2, scale=s)).values[0].value for s in (1.0, 1.02))
    assert wrong > 1.5 * floor > 0


def test_an_empty_layer_is_refused_with_its_name(samples: Any, photons: Any) -> None:
    energies = samples[1].energies.copy()
    energies[:, photons.slices[4]] = 0
    metric = create("metric", {"name": "calochallenge_separation"}, photons)
    with pytest.raises(DataError, match=r"No generated shower has 'E_layer/layer_12' between 1 and"):
        metric.score(samples[0], Showers(energies, samples[1].incident_energies))
    with pytest.raises(DataError, match=r"No reference shower has 'E_layer/layer_12' above 1 MeV"):
        metric.score(Showers(energies, samples[1].incident_energies), samples[0])
