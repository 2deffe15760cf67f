from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from calozoo import DataError, Geometry, Showers, Value
from calozoo.config import create
from calozoo_calochallenge.challenge import ChallengeMetric


class Look(ChallengeMetric):
    """Shows what reaches a metric."""

    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        self.seen = reference, generated
        rows = min(len(reference), len(generated))
        return self.ranks([Value("fpd", 0.5), Value("other", 0.0)], {"fpd": "FPD_x1e3"}, rows)


def test_both_samples_are_cut_at_the_threshold(photons: Geometry) -> None:
    voxels = np.tile(np.array([[0.5, 1.0, np.nextafter(np.float32(1), np.float32(0)), 7.0]], np.float32), (1000, 92))
    metric = Look(photons)
    metric.score(Showers(voxels, np.ones(1000)), Showers(voxels, np.ones(1000)))
    for sample in metric.seen:
        assert sample.energies[0, :4].tolist() == [0, 1, 0, 7]


def test_the_threshold_of_the_silicon_sets_is_compared_in_double_precision() -> None:
    metric = Look(create("geometry", {"name": "calochallenge_2"}))
    threshold = 0.5e-3 / 0.033
    near = np.float32(threshold)
    values = [np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(1)), np.float32(0.02)]
    voxels = np.zeros((1000, 6480), np.float32)
    voxels[:, :4] = values
    metric.score(Showers(voxels, np.ones(1000)), Showers(voxels, np.ones(1000)))
    expected = [value if float(value) >= threshold else 0 for value in values]
    assert metric.seen[0].energies[0, :4].tolist() == expected


def test_showers_that_were_cut_too_high_before_are_refused() -> None:
    voxels = np.zeros((1000, 6480), np.float32)
    voxels[:, 0] = 1.0
    showers = Showers(voxels, np.ones(1000))
    with pytest.raises(DataError, match=r"less than 1 MeV .* ds2 is 0.0152 MeV.*evaluation.threshold=0"):
        Look(create("geometry", {"name": "calochallenge_2"})).score(showers, showers)


def test_refusals(photons: Geometry, showers: Callable[..., Showers]) -> None:
    good = showers(1000, 0)
    metric = Look(photons)
    with pytest.raises(DataError, match="at least 1000 showers of each sample, not 999"):
        metric.score(good, good[:999])
    with pytest.raises(DataError, match="have 367 cells"):
        metric.score(good, Showers(good.energies[:, 1:], good.incident_energies))
    with pytest.raises(DataError, match=r"do not overlap: reference 256 to .* generated 1e\+08 to 1e\+08 MeV"):
        metric.score(good, Showers(good.energies, np.full(1000, 1e8)))


def test_official_sizes_alone_are_ranked(photons: Geometry) -> None:
    metric, values = Look(photons), [Value("fpd", 0.5), Value("other", 0.0)]
    assert list(metric.ranks(values, {"fpd": "FPD_x1e3"}, 49_999)) == values
    found = list(metric.ranks(values, {"fpd": "FPD_x1e3"}, 50_000))
    assert found == [values[0], Value("fpd/rank", 2.0), values[1]]
