"""Separation power of the challenge's histograms, with its edges.

Source: C. Krause et al., CaloChallenge 2022, arXiv:2410.21611; separation power as in arXiv:2009.03796.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import ConfigError, DataError, Direction, Geometry, Showers, Value
from calozoo_calochallenge.challenge import ChallengeMetric
from calozoo_calochallenge.dataset import PHOTONS, PIONS, SET_2, SET_3
from calozoo_calochallenge.features import Floats, Observables, observables, sectored

#: Incident energies of data set 1 lie in the ranges between these, MeV.
_ENERGIES = [2.0**k for k in range(8, 24)]


class Separation(ChallengeMetric):
    """Separation power of the challenge's histograms, from 0 to 1, such as ``E_layer/layer_0``.

    Overall that of the total over the incident energy, ``E_total``; ``cell`` is that of the voxel energies. Each other
    group, such as ``E_layer``, is the mean over the layers and stands beside its ``rank`` among the published ones.
    ConfigError for a geometry that is none of the challenge's, as there are no edges for it.
    """

    direction = Direction.lower

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        if not self.dataset.published:
            raise ConfigError(
                "The CaloChallenge has edges of histograms for its own sets alone: type geometry=calochallenge_photons, "
                "calochallenge_pions, calochallenge_2 or calochallenge_3, or leave calochallenge_separation out, as in "
                "metric=[calochallenge_fpd,calochallenge_kpd]."
            )

    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        """Every observable's separation power; DataError where a sample has nothing within its edges."""
        own, other = (observables(s.energies, s.incident_energies, self.geometry) for s in (reference, generated))
        found = [self._value("E_total", self._response(own), self._response(other), np.linspace(0.5, 1.5, 101))]
        found += self._by_energy(own, other)
        edges = _logarithmic(self.dataset.threshold, float(reference.energies.max()), 50, "cell")
        found.append(self._value("cell", reference.energies.ravel(), generated.energies.ravel(), edges))
        for group in ("E_layer", *_COLUMNS):
            layers = self._layers(group, own, other)
            found += [Value(group, float(np.mean([value.value for value in layers]))), *layers]
        rows = min(len(reference), len(generated))
        single = {key: f"sep_{key}" for key in ("E_total", "cell")}
        return self.ranks(found, single | {key: f"sep_{key}_mean" for key in ("E_layer", *_COLUMNS)}, rows)

    def _by_energy(self, own: Observables, other: Observables) -> list[Value]:
        """The response at each incident energy of data set 1, where both samples have showers within the edges."""
        found: list[Value] = []
        if self.dataset not in (PHOTONS, PIONS):
            return found
        for k, (low, high) in enumerate(pairwise(_ENERGIES)):
            here = [(low <= sample.incident) & (sample.incident < high) for sample in (own, other)]
            edges = np.linspace(0.9, 1.1, 21) if self.dataset == PHOTONS and k > 3 else np.linspace(0.4, 1.4, 21)
            first, second = (self._response(s)[mask] for s, mask in zip((own, other), here, strict=True))
            with suppress(DataError):
                found.append(self._value(f"E_total/{low:.0f}", first, second, edges))
        return found

    def _layers(self, group: str, own: Observables, other: Observables) -> list[Value]:
        """A group's separation power in each layer that has it."""
        whole = group in ("E_layer", "sparsity", "EC_r", "EC_r_std")
        layers = range(len(self.geometry.rings)) if whole else sectored(self.geometry)
        found = []
        for column, layer in enumerate(layers):
            key = f"{group}/{self.geometry.layers[layer].name}"
            if group == "E_layer":
                first, second = own.layers[:, column], other.layers[:, column]
                edges = _logarithmic(self.dataset.threshold, float(first.max()), 40, key)
            else:
                first, second = (getattr(sample, _COLUMNS[group])[:, column] for sample in (own, other))
                edges = self._edges(group, self.geometry.rings[layer].id)
            found.append(self._value(key, first, second, edges))
        return found

    def _edges(self, group: str, layer: int) -> Floats:
        """The edges of a layer's histogram, by the layer's id."""
        if group == "sparsity":
            return np.linspace(0, 1, 21)
        electrons, wide = self.dataset in (SET_2, SET_3), layer in ((12, 13, 14) if "_r" in group else (12, 13))
        high = _HIGHEST[group][0 if electrons else 1 if wide else 2]
        return np.linspace(-high if group in ("EC_eta", "EC_phi") else 0, high, 101)

    @staticmethod
    def _response(sample: Observables) -> Floats:
        return sample.total / sample.incident

    @staticmethod
    def _value(key: str, first: NDArray[Any], second: NDArray[Any], edges: Floats) -> Value:
        counts = []
        for name, values in (("reference", first), ("generated", second)):
            counts.append(np.histogram(values, edges)[0])
            if not counts[-1].any():
                raise DataError(
                    f"No {name} shower has '{key}' between {edges[0]:.6g} and {edges[-1]:.6g}, where the CaloChallenge's "
                    "histogram lies: its separation power is undefined."
                )
        return Value(key, separation_power(counts[0], counts[1]))


#: Groups of the published table to the observables that they show.
_COLUMNS = {
    "EC_eta": "eta",
    "EC_phi": "phi",
    "EC_r": "radius",
    "EC_eta_std": "eta_width",
    "EC_phi_std": "phi_width",
    "EC_r_std": "radius_width",
    "sparsity": "sparsity",
}
#: Upper ends of the histograms, mm: in sets 2 and 3, in the hadronic layers of set 1, in its other layers.
_HIGHEST = {
    "EC_eta": (30, 500, 100),
    "EC_phi": (30, 500, 100),
    "EC_eta_std": (30, 400, 100),
    "EC_phi_std": (30, 400, 100),
    "EC_r": (42, 1500, 500),
    "EC_r_std": (20, 1500, 500),
}


def separation_power(first: NDArray[Any], second: NDArray[Any]) -> float:
    """1/2 sum (h1 - h2)^2 / (h1 + h2 + 1e-16) of two histograms (bins,), each scaled to the sum 1.

    >>> round(separation_power(np.array([1, 1]), np.array([3, 1])), 6)
    0.066667
    """
    h1, h2 = first / first.sum(), second / second.sum()
    return float(0.5 * np.sum((h1 - h2) ** 2 / (h1 + h2 + 1e-16)))


def _logarithmic(low: float, high: float, count: int, key: str) -> Floats:
    if high <= low:
        raise DataError(f"No reference shower has '{key}' above {low:.3g} MeV: its separation power is undefined.")
    return np.logspace(np.log10(low), np.log10(high), count)
