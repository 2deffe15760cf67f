"""Scores generated showers against reference showers, and the reference against itself."""

from __future__ import annotations

import math
import warnings
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
    others: Showers | None = None,
) -> dict[str, Any]:
    """Score with every metric; what ``scores.json`` holds.

    Cells below ``threshold`` (MeV) count as zero in all samples. Each value's floor is what a perfect generator would
    score: ``others`` of the same simulation, as many as were generated if there are so many, against the reference. Where
    there are no others, it is what one half of the reference scores against the other, which is worse by chance. Metrics
    against the ``training`` showers have the reference's score for their floor. A metric that refuses the samples gives its
    reason instead of values.
    """
    reference, generated = reference.above(threshold), generated.above(threshold)
    order = np.random.default_rng(0).permutation(len(reference))
    perfect = reference[order[::2]], reference[order[1::2]]
    training = training and training.above(threshold)
    if others is not None:
        drawn = np.random.default_rng(1).permutation(len(others))[: len(generated)]
        perfect = reference, others[np.sort(drawn)].above(threshold)
    scores: dict[str, Any] = {}
    for done, (name, metric) in enumerate(metrics.items(), 1):
        entry: dict[str, Any] = {
            "direction": metric.direction.name,
            "unit": metric.unit,
            "published": {key: dict(sources) for key, sources in metric.published.items()},
            "values": [],
        }
        try:
            if metric.against is Split.test:
                score, floor = metric.score(reference, generated), perfect
            elif training is not None:
                score, floor = metric.score(training, generated), (training, reference)
            else:
                raise DataError("It compares with training showers, which a run has: calozoo evaluate run=FOLDER.")
            entry["values"] = [_finite(asdict(value)) for value in _with_floor(score, metric, floor).values]
        except DataError as reason:
            entry["refused"] = str(reason)
        except Exception as cause:  # a metric that breaks must not cost the others' scores
            entry["refused"] = f"it failed: {type(cause).__name__}: {cause}"
            warnings.warn(f"The metric '{name}' failed: {cause!r}", stacklevel=2)
        scores[name] = entry
        hooks.metric_scored(name=name, done=done, total=len(metrics))
    sizes = {"reference": len(reference), "generated": len(generated), "floor": [len(part) for part in perfect]}
    return {"showers": sizes, "threshold": threshold, "metrics": scores}


def _with_floor(score: Score, metric: Metric, samples: tuple[Showers, Showers]) -> Score:
    try:
        floors = {value.key: value for value in metric.score(*samples).values}
    except Exception as cause:  # too few showers, or a fault that must not cost the score
        if not isinstance(cause, DataError):
            warnings.warn(f"A floor cannot be found: {cause!r}", stacklevel=2)
        return score
    return Score(
        tuple(
            replace(value, floor=floors[value.key].value, floor_error=floors[value.key].error)
            if value.key in floors
            else value
            for value in score.values
        )
    )


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(item, float) and not math.isfinite(item) else item for key, item in value.items()}
