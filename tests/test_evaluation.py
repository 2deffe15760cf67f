from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from calozoo import DataError, Direction, Metric, Score, Showers, Value
from calozoo.evaluation import evaluate
from calozoo.hooks import Observers, hookimpl
from calozoo.testing import ToyGeometry, toy_showers

REFERENCE = toy_showers(101, seed=1)


class Distance(Metric):
    """Difference of the mean total energies, and the smallest cell that is not empty."""

    unit = "MeV"

    def __init__(self) -> None:
        super().__init__(ToyGeometry())
        self.seen: list[tuple[Showers, Showers]] = []

    def score(self, reference: Showers, generated: Showers) -> Score:
        self.seen.append((reference, generated))
        least = float(generated.energies[generated.energies > 0].min())
        return Score((Value("mean", float(generated.total.mean() - reference.total.mean())), Value("least", least)))


class Odd(Metric):
    """Numbers that JSON has not."""

    direction = Direction.higher

    def score(self, reference: Showers, generated: Showers) -> Score:
        return Score((Value("nan", math.nan, error=math.inf), Value("one", 1.0)))


class Needs(Metric):
    """Refuses small samples."""

    def score(self, reference: Showers, generated: Showers) -> Score:
        if len(reference) < 100:
            raise DataError("100 showers are needed.")
        return Score((Value("number", 2.0),))


class Never(Metric):
    """Refuses all."""

    def score(self, reference: Showers, generated: Showers) -> Score:
        raise DataError("Not these.")


def scores(**metrics: Any) -> Any:
    return evaluate(metrics, REFERENCE, toy_showers(50, seed=2), threshold=10.0, hooks=Observers([]))


def test_the_floor_is_one_half_of_the_reference_against_the_other() -> None:
    metric = Distance()
    found = scores(distance=metric)["metrics"]["distance"]
    (_, _), (left, right) = metric.seen
    assert sorted(np.concatenate([left.total, right.total])) == sorted(REFERENCE.above(10.0).total)
    assert [len(left), len(right)] == [51, 50]
    values = {value["key"]: value for value in found["values"]}
    assert values["mean"]["floor"] == pytest.approx(right.total.mean() - left.total.mean())
    assert found["direction"] == "lower"
    assert found["unit"] == "MeV"


def test_the_threshold_counts_in_both_samples() -> None:
    metric = Distance()
    values = scores(distance=metric)["metrics"]["distance"]["values"]
    assert values[1]["value"] >= 10
    for pair in metric.seen:
        for showers in pair:
            assert not ((showers.energies > 0) & (showers.energies < 10)).any()


def test_what_is_refused_is_said_and_the_others_are_scored() -> None:
    found = scores(never=Never(ToyGeometry()), odd=Odd(ToyGeometry()))["metrics"]
    assert found["never"] == {
        "direction": "lower", "unit": "", "published": {}, "values": [], "refused": "Not these.",
    }  # fmt: skip
    assert len(found["odd"]["values"]) == 2


def test_halves_that_are_too_small_leave_no_floor() -> None:
    assert scores(needs=Needs(ToyGeometry()))["metrics"]["needs"]["values"] == [
        {"key": "number", "value": 2.0, "error": None, "floor": None}
    ]


def test_numbers_that_json_has_not_become_null() -> None:
    found = scores(odd=Odd(ToyGeometry()))
    first, second = found["metrics"]["odd"]["values"]
    assert first == {"key": "nan", "value": None, "error": None, "floor": None}
    assert (second["value"], second["floor"]) == (1.0, 1.0)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["showers"] == {"reference": 101, "generated": 50}


def test_hooks_hear_of_each_metric() -> None:
    calls = []

    class Watch:
        @hookimpl
        def metric_scored(self, name: str, done: int, total: int) -> None:
            calls.append((name, done, total))

    hooks = Observers([])
    hooks.manager.register(Watch())
    metrics = {"odd": Odd(ToyGeometry()), "never": Never(ToyGeometry())}
    evaluate(metrics, REFERENCE, REFERENCE, threshold=0.0, hooks=hooks)
    assert calls == [("odd", 1, 2), ("never", 2, 2)]
