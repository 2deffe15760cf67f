from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from calozoo import ConfigError, Showers
from calozoo.config import create
from calozoo_calochallenge.classifier import Inputs, judge_probabilities, make_network, make_rows, split
from calozoo_calochallenge.features import high_level, low_level, normalised

SHORT = {"epochs": 4, "width": 64, "runs": 1}


def make(photons: Any, **options: Any) -> Any:
    return create("metric", {"name": "calochallenge_classifier", **options}, photons)


def scores(metric: Any, *samples: Showers) -> dict[str, float]:
    return {value.key: value.value for value in metric.score(*samples).values}


def test_the_network_has_the_official_layers() -> None:
    network = make_network(369, 2048)
    kinds = [type(layer).__name__ for layer in network]  # type: ignore[arg-type]
    assert kinds == ["Linear", "LeakyReLU"] * 3 + ["Linear"]
    assert sum(p.numel() for p in network.parameters()) == 370 * 2048 + 2 * 2049 * 2048 + 2049
    assert {p.dtype for p in network.parameters()} == {torch.float64}


@pytest.mark.parametrize(("kind", "function"), [*zip(Inputs, (low_level, high_level, normalised), strict=True)])
def test_rows_are_the_features(kind: Inputs, function: Any, showers: Callable[..., Showers], photons: Any) -> None:
    sample = showers(30, 1)
    expected = function(sample.energies, sample.incident_energies, photons)
    rows = np.array([7, 3, 29])
    np.testing.assert_array_equal(make_rows(kind, sample, photons)(rows), expected[rows])


def test_splits_are_60_20_20_without_overlap() -> None:
    parts = split(1000, np.random.default_rng(0), 500)
    assert [len(part) for part in parts] == [300, 100, 100]
    assert len(set(np.concatenate(parts).tolist())) == 500


def test_probabilities_are_calibrated_on_the_test_split() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 160).astype(float)
    found = 0.5 + 0.1 * (labels - 0.5) + 0.05 * random.normal(size=160)
    order = np.argsort(found[:100])
    sums = [0.0, *np.cumsum(labels[:100][order])]
    fit = [  # isotonic regression by its max-min formula
        max(min((sums[b] - sums[a]) / (b - a) for b in range(i + 1, 101)) for a in range(i + 1)) for i in range(100)
    ]
    p = np.interp(found[100:], found[:100][order], [min(max(value, 1e-6), 1 - 1e-6) for value in fit]).tolist()
    truth = labels[100:].tolist()
    entropy = -sum(math.log(q if label else 1 - q) for label, q in zip(truth, p, strict=True)) / len(p)
    pairs = [(p[i], p[j]) for i in range(60) for j in range(60) if truth[i] > truth[j]]
    area = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)
    verdict = judge_probabilities(found[:100], labels[:100], found[100:], labels[100:])
    assert verdict.divergence == pytest.approx((math.log(2) - entropy) / math.log(2), abs=1e-9)
    assert verdict.auc == pytest.approx(area, abs=1e-9)
    assert 0.7 < verdict.auc < 1


def test_equal_samples_cannot_be_told_apart_and_a_scaled_layer_can(
    showers: Callable[..., Showers], photons: Any
) -> None:
    metric = make(photons, inputs=["high"], **SHORT)
    key = "auc/high/epochs=4,width=64,runs=1"
    floor = scores(metric, showers(4000, 1), showers(5000, 2))
    assert list(floor) == [key, key.replace("auc", "jsd")]
    assert floor[key] == pytest.approx(0.5, abs=0.04)
    assert scores(metric, showers(4000, 1), showers(4000, 2, scale=2.0))[key] > floor[key] + 0.05


def test_the_official_settings_have_the_official_name(photons: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from calozoo_calochallenge import challenge, classifier

    monkeypatch.setattr(challenge, "OFFICIAL_ROWS", 1000)
    monkeypatch.setattr(
        classifier, "train_and_judge", lambda *_, seed, **__: classifier.Verdict(0.6 + 0.01 * seed, 0.1)
    )
    samples = [Showers(np.random.default_rng(k).gamma(1, 9, size=(1000, 368)), np.full(1000, 256.0)) for k in (0, 1)]
    values = make(photons).score(*samples).values
    assert [v.key for v in values] == ["auc/low", "auc/low/rank", "auc/high", "auc/high/rank", "jsd/low", "jsd/high"]
    assert values[0].value == pytest.approx(0.645)
    assert values[0].error == pytest.approx(np.std(0.01 * np.arange(10)))
    assert values[1].value == 3  # after CaloDiffusion and CaloINN


def test_random_numbers_elsewhere_are_left_alone(showers: Callable[..., Showers], photons: Any) -> None:
    metric = make(photons, inputs=["low"], epochs=1, width=8, runs=1)
    state = torch.get_rng_state()
    first = metric.score(showers(1000, 1), showers(1000, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert metric.score(showers(1000, 1), showers(1000, 2)) == first


def test_settings_that_make_no_classifier(photons: Any) -> None:
    with pytest.raises(ConfigError, match="at least 1 epoch, width and run, not 0, 2048, 10"):
        make(photons, epochs=0)
