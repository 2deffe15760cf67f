from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from calozoo import DataError, Direction, Metric, Score, Showers, Split, Value
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


def test_the_floor_is_what_other_showers_of_the_simulation_score() -> None:
    metric, others = Distance(), toy_showers(300, seed=8)
    generated = toy_showers(50, seed=2)
    found = evaluate({"one": metric}, REFERENCE, generated, threshold=10.0, hooks=Observers([]), others=others)
    (_, _), (reference, perfect) = metric.seen
    assert np.array_equal(reference.energies, REFERENCE.above(10.0).energies)
    assert len(perfect) == 50
    assert {row.tobytes() for row in perfect.energies} <= {row.tobytes() for row in others.above(10.0).energies}
    floor = found["metrics"]["one"]["values"][0]["floor"]
    assert floor == pytest.approx(perfect.total.mean() - REFERENCE.above(10.0).total.mean())
    assert found["showers"]["floor"] == [101, 50]


class AgainstTraining(Distance):
    """Looks at training showers."""

    against = Split.train


def test_metrics_against_training_showers_have_held_out_ones_for_their_floor() -> None:
    metric, training = AgainstTraining(), toy_showers(70, seed=8)
    generated = toy_showers(50, seed=2)
    evaluate({"one": metric}, REFERENCE, generated, threshold=0.0, hooks=Observers([]), training=training)
    (first, score), (second, floor) = metric.seen
    for got, wanted in ((first, training), (score, generated), (second, training), (floor, REFERENCE)):
        assert np.array_equal(got.energies, wanted.energies)
    refused = evaluate({"one": metric}, REFERENCE, generated, threshold=0.0, hooks=Observers([]))["metrics"]["one"]
    assert "compares with training showers, which a run has" in refused["refused"]


class Breaks(Distance):
    """Fails, once or from the second time on."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.good = good

    def score(self, reference: Showers, generated: Showers) -> Score:
        if len(self.seen) >= self.good:
            raise ValueError("broken")
        return super().score(reference, generated)


def test_a_metric_that_breaks_costs_nothing_but_itself() -> None:
    with pytest.warns(UserWarning, match="The metric 'one' failed: ValueError"):
        found = scores(one=Breaks(0), two=Distance())["metrics"]
    assert found["one"]["refused"] == "it failed: ValueError: broken"
    assert found["two"]["values"]
    with pytest.warns(UserWarning, match="A floor cannot be found: ValueError"):
        value = scores(one=Breaks(1))["metrics"]["one"]["values"][0]
    assert value["value"] is not None
    assert value["floor"] is None


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
        {"key": "number", "value": 2.0, "error": None, "floor": None, "floor_error": None}
    ]


def test_numbers_that_json_has_not_become_null() -> None:
    found = scores(odd=Odd(ToyGeometry()))
    first, second = found["metrics"]["odd"]["values"]
    assert first == {"key": "nan", "value": None, "error": None, "floor": None, "floor_error": None}
    assert (second["value"], second["floor"]) == (1.0, 1.0)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["showers"] == {"reference": 101, "generated": 50, "floor": [51, 50]}


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
