from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from calozoo import DataError, Showers
from calozoo.config import create


def test_pairs_are_pearson_correlations(showers: Callable[..., Showers], photons: Any) -> None:
    own, other = showers(1000, 1), showers(1000, 2)
    values = {
        v.key: v.value
        for v in create("metric", {"name": "calochallenge_correlation"}, photons).score(own, other).values
    }

    def pearson(sample: Showers, i: int, j: int) -> float:
        cut = np.where(sample.energies < 1, 0, sample.energies).astype(float)
        x, y = ([sum(row[photons.slices[k]].tolist()) for row in cut] for k in (i, j))
        a, b = sum(x) / len(x), sum(y) / len(y)
        both = sum((p - a) * (q - b) for p, q in zip(x, y, strict=True))
        return both / math.sqrt(sum((p - a) ** 2 for p in x) * sum((q - b) ** 2 for q in y))

    assert values["layer_1-layer_12"] == pytest.approx(pearson(other, 1, 4) - pearson(own, 1, 4), abs=1e-9)
    assert len(values) == 2 + 10
    assert values["largest"] == max(abs(value) for key, value in values.items() if "-" in key)


def test_a_layer_that_never_varies_is_refused_by_name(showers: Callable[..., Showers], photons: Any) -> None:
    sample = showers(1000, 1)
    energies = sample.energies.copy()
    energies[:, photons.slices[3]] = 0
    metric = create("metric", {"name": "calochallenge_correlation"}, photons)
    with pytest.raises(DataError, match="All generated showers have the same energy in layer_3"):
        metric.score(sample, Showers(energies, sample.incident_energies))
