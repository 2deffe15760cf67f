from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_training import Watch, identical, trained, weights

from calozoo import Direction, Metric, Score, Showers, Simulator, Value
from calozoo.errors import ConfigError, DataError
from calozoo.options import Picking, Schedule, Trainer
from calozoo.picking import Picker
from calozoo.testing import toy_showers
from calozoo.training import check
from conftest import make_simulator


class Total(Metric):
    """Difference of the mean energies; refuses fewer than ten showers."""

    direction = Direction.zero

    def score(self, reference: Showers, generated: Showers) -> Score:
        if len(reference) < 10:
            raise DataError("Too few showers.")
        return Score((Value("overall", float(generated.total.mean() - reference.total.mean())),))


@pytest.fixture(scope="module")
def showers(barrel: Any) -> Showers:
    return toy_showers(100, geometry=barrel)


@pytest.fixture
def picker(barrel: Any, showers: Showers) -> Picker:
    return Picker(Total(barrel), showers[:40], threshold=0.0, seed=3)


class Given(Picker):
    """Gives the scores of a list, one after another."""

    scores: list[float]

    def score(self, simulator: Simulator) -> float:
        super().score(simulator)
        return self.scores.pop(0)


def test_scores_are_those_of_showers_under_the_same_conditions(picker: Picker, showers: Showers) -> None:
    simulator = make_simulator("wgan_gp", showers)
    columns = {name: showers[:40].columns[name] for name in simulator.columns}
    total = Showers.concatenate(simulator.generate(40, columns, seed=3)).total.mean()
    assert picker.score(simulator) == pytest.approx(total - showers[:40].total.mean())
    assert picker.score(simulator) == picker.score(simulator)


def test_showers_that_a_metric_refuses_are_the_worst(barrel: Any, showers: Showers) -> None:
    class Refusing(Total):
        def score(self, reference: Showers, generated: Showers) -> Score:
            if generated is not reference:
                raise DataError("There is no resolution.")
            return Score((Value("overall", 0.0),))

    picker = Picker(Refusing(barrel), showers[:40], threshold=0.0, seed=3)
    score = picker.score(make_simulator("wgan_gp", showers))
    assert math.isnan(score)
    assert picker.cost(score) == math.inf


def test_costs(picker: Picker) -> None:
    assert picker.cost(-2.0) == 2
    assert picker.cost(math.nan) == math.inf
    assert [d.cost(0.5) for d in (Direction.lower, Direction.higher, Direction.one)] == [0.5, -0.5, 0.5]


def test_a_metric_that_cannot_judge_is_refused_at_once(barrel: Any, showers: Showers) -> None:
    with pytest.raises(ConfigError, match=r"cannot judge 5 validation showers .*trainer.pick.showers"):
        Picker(Total(barrel), showers[:5], threshold=0.0, seed=0)


PICK = {"every": 0.5, "metric": "total"}  # 100 showers in batches of 16, six to the iteration: every step


def given(barrel: Any, showers: Showers, scores: list[float]) -> Picker:
    picker = Given(Total(barrel), showers[:40], threshold=0.0, seed=3)
    picker.scores = list(scores)
    return picker


def test_the_best_weights_generate_and_the_last_are_kept(barrel: Any, showers: Showers, tmp_path: Path) -> None:
    scores = [9.0, 8, -1, 7, math.nan, 5, 4, 3, 2, 3, 4, 5]
    picker = given(barrel, showers, scores)
    options: dict[str, Any] = {"schedule": Schedule()}  # what the first steps do does not depend on how many follow
    best, _, done = trained(tmp_path / "run", showers, picker=picker, pick=Picking(**PICK), result=True, **options)
    assert done.picked == 3
    assert [step for step, _ in done.scores] == list(range(1, 13))
    third, _ = trained(tmp_path / "third", showers, max_steps=3, **options)
    undisturbed, _ = trained(tmp_path / "plain", showers, **options)
    last = Simulator.load(tmp_path / "run" / "checkpoints" / "last")
    assert identical(weights(last, {}), weights(undisturbed, {}))
    assert identical(weights(best, {}), weights(third, {}))
    assert not identical(weights(best, {}), weights(last, {}))


def test_picking_goes_on_exactly(barrel: Any, showers: Showers, tmp_path: Path) -> None:
    scores = [9.0, 8, -1, 7, 6, 5, 4, 3, 2, 3, 4, 5]
    options: dict[str, Any] = {"pick": Picking(**PICK), "result": True}
    whole, _, done = trained(tmp_path / "whole", showers, picker=given(barrel, showers, scores), **options)
    with pytest.raises(SystemExit):
        trained(tmp_path / "parts", showers, Watch(8, sys.exit), picker=given(barrel, showers, scores), **options)
    picker = given(barrel, showers, scores[6:])  # the checkpoint before was written at step 6
    resumed, _, again = trained(tmp_path / "parts", showers, picker=picker, **options)
    assert identical(weights(whole, {}), weights(resumed, {}))
    assert (done.picked, done.scores) == (again.picked, again.scores)


def test_scoring_changes_no_training(picker: Picker, showers: Showers, tmp_path: Path) -> None:
    plain, critics = trained(tmp_path / "plain", showers)
    scored, others, _ = trained(tmp_path / "scored", showers, picker=picker, pick=Picking(**PICK), result=True)
    assert all(torch.equal(critics["shower"].state_dict()[k], v) for k, v in others["shower"].state_dict().items())
    last = Simulator.load(tmp_path / "scored" / "checkpoints" / "last")
    assert identical(weights(last, {}), weights(plain, {}))
    assert np.isfinite([v.abs().sum().item() for v in weights(scored, {}).values()]).all()


@pytest.mark.parametrize("clip", [0.0, -1.0])
def test_a_clip_that_would_turn_gradients_around_is_refused(clip: float) -> None:
    with pytest.raises(ConfigError, match=r"trainer.clip, the largest norm of a gradient, must be above 0"):
        check((), Trainer(max_steps=1, clip=clip))


@pytest.mark.parametrize("pick", [Picking(every=1.0), Picking(metric="ks"), Picking(every=0.0, metric="ks")])
def test_half_a_wish_is_refused(pick: Picking) -> None:
    with pytest.raises(ConfigError, match=r"both trainer.pick.every .* and trainer.pick.metric"):
        check((), Trainer(max_steps=1, pick=pick))
