"""Scores generated showers against reference showers, and the reference against itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from calozoo.errors import DataError
from calozoo.metric import Metric, Score
from calozoo.options import Split
from calozoo.showers import Showers


def evaluate(
    metrics: Mapping[str, Metric],
    reference: Showers,
    generated: Showers,
    *,
    threshold: float,
    hooks: Any,
    training: Showers | None = None,
) -> dict[str, Any]:
    """Score with every metric; what ``scores.json`` holds.

    Cells below ``threshold`` (MeV) count as zero in all samples. Each value's floor is what one random half of
    the reference scores against the other; of a metric against the ``training`` showers, what the reference scores
    against them. A metric that refuses the samples gives its reason instead of values.
    """
    reference, generated = reference.above(threshold), generated.above(threshold)
    training = training and training.above(threshold)
    order = np.random.default_rng(0).permutation(len(reference))
    halves = reference[order[::2]], reference[order[1::2]]
    scores: dict[str, Any] = {}
    for done, (name, metric) in enumerate(metrics.items(), 1):
        entry: dict[str, Any] = {
            "direction": metric.direction.name,
            "unit": metric.unit,
            "published": {key: dict(sources) for key, sources in metric.published.items()},
        }
        try:
            if metric.against is Split.test:
                score, floor = metric.score(reference, generated), halves
            elif training is not None:
                score, floor = metric.score(training, generated), (training, reference)
            else:
                raise DataError("It compares with training showers, which a run has: calozoo evaluate run=FOLDER.")
            entry["values"] = [_finite(asdict(value)) for value in _with_floor(score, metric, floor).values]
        except DataError as reason:
            entry |= {"values": [], "refused": str(reason)}
        except Exception as cause:  # a metric that breaks must not cost the others' scores
            entry |= {"values": [], "refused": f"it failed: {type(cause).__name__}: {cause}"}
        scores[name] = entry
        hooks.metric_scored(name=name, done=done, total=len(metrics))
    sizes = {"reference": len(reference), "generated": len(generated)}
    return {"showers": sizes, "threshold": threshold, "metrics": scores}


def _with_floor(score: Score, metric: Metric, samples: tuple[Showers, Showers]) -> Score:
    try:
        floors = {value.key: value.value for value in metric.score(*samples).values}
    except DataError:  # too few showers
        return score
    return Score(tuple(replace(value, floor=floors.get(value.key)) for value in score.values))


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(item, float) and not math.isfinite(item) else item for key, item in value.items()}
