"""Scores generated showers against reference showers, and the reference against itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from calozoo.errors import DataError
from calozoo.metric import Metric, Score
from calozoo.showers import Showers


def evaluate(
    metrics: Mapping[str, Metric], reference: Showers, generated: Showers, *, threshold: float, hooks: Any
) -> dict[str, Any]:
    """Score with every metric; what ``scores.json`` holds.

    Cells below ``threshold`` (MeV) count as zero in both samples. Each value's floor is what one random half of
    the reference scores against the other. A metric that refuses the samples gives its reason instead of values.
    """
    reference, generated = reference.above(threshold), generated.above(threshold)
    order = np.random.default_rng(0).permutation(len(reference))
    halves = reference[order[::2]], reference[order[1::2]]
    scores: dict[str, Any] = {}
    for done, (name, metric) in enumerate(metrics.items(), 1):
        entry: dict[str, Any] = {"direction": metric.direction.name, "unit": metric.unit}
        try:
            score = metric.score(reference, generated)
            entry["values"] = [_finite(asdict(value)) for value in _with_floor(score, metric, halves).values]
        except DataError as reason:
            entry |= {"values": [], "refused": str(reason)}
        except Exception as cause:  # a metric that breaks must not cost the others' scores
            entry |= {"values": [], "refused": f"it failed: {type(cause).__name__}: {cause}"}
        scores[name] = entry
        hooks.metric_scored(name=name, done=done, total=len(metrics))
    sizes = {"reference": len(reference), "generated": len(generated)}
    return {"showers": sizes, "threshold": threshold, "metrics": scores}


def _with_floor(score: Score, metric: Metric, halves: tuple[Showers, Showers]) -> Score:
    try:
        floors = {value.key: value.value for value in metric.score(*halves).values}
    except DataError:  # too few showers in a half
        return score
    return Score(tuple(replace(value, floor=floors.get(value.key)) for value in score.values))


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(item, float) and not math.isfinite(item) else item for key, item in value.items()}
