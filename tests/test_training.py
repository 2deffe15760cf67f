from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from calozoo import training
from calozoo.config import create
from calozoo.errors import ConfigError, RunError
from calozoo.generator import Batch, Player
from calozoo.hooks import Observers, hookimpl
from calozoo.options import Optimizer, OptimizerName, Schedule, ScheduleName, Trainer
from calozoo.run import Run
from calozoo.showers import Showers
from calozoo.simulator import Simulator
from calozoo.testing import toy_showers
from calozoo.training import Sampler, check, chosen_rows, optimizer, rate, train
from conftest import Memory, make_simulator

OPTIONS = Trainer(
    max_steps=12,
    batch_size=16,
    optimizer=Optimizer(lr=1e-3, betas=(0.0, 0.9)),
    schedule=Schedule(ScheduleName.cosine, warmup=3, final=0.1),
    ema=0.9,
    log_every=2,
    checkpoint_every=0.0,
)


@pytest.fixture(scope="module")
def showers(barrel: Any) -> Showers:
    return toy_showers(100, geometry=barrel)


class Watch:
    """Remembers the losses, and does something at a step."""

    def __init__(self, step: int = -1, act: Any = None) -> None:
        self.step, self.act, self.losses = step, act, list[tuple[int, Any]]()
        self.saved, self.started = list[int](), 0

    @hookimpl
    def training_started(self, step: int) -> None:
        self.started = step

    @hookimpl
    def losses_logged(self, step: int, losses: Mapping[str, Mapping[str, float]]) -> None:
        self.losses.append((step, losses))
        if step == self.step:
            self.act()

    @hookimpl
    def checkpoint_saved(self, step: int) -> None:
        self.saved.append(step)


def trained(
    folder: Path,
    showers: Showers,
    watch: Watch | None = None,
    seed: int = 0,
    model: str = "wgan_gp",
    picker: Any = None,
    result: bool = False,
    **options: Any,
) -> tuple[Any, ...]:
    """Train a new simulator in a folder, or go on there; also gives the critics and, with ``result``, what was done."""
    simulator = make_simulator(model, showers, seed)
    critics = (
        {"shower": create("critic", {"name": "shower", "hidden": [16]}, simulator.space)} if model != "vae" else {}
    )
    hooks = Observers([])
    hooks.manager.register(watch or Watch())
    wanted = Trainer(**{**OPTIONS.__dict__, **options})
    done = train(simulator, critics, Memory(showers), wanted, run=Run(folder), hooks=hooks, seed=seed, picker=picker)
    return (simulator, critics, done) if result else (simulator, critics)


def weights(simulator: Simulator, critics: dict[str, Any]) -> dict[str, Tensor]:
    parts = {"generator": simulator.generator, **critics}
    return {f"{part}.{name}": t for part, module in parts.items() for name, t in module.state_dict().items()}


def identical(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- the same in the end ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(showers: Showers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    return weights(*trained(tmp_path_factory.mktemp("whole"), showers))


def test_a_seed_decides_every_bit(showers: Showers, tmp_path: Path, undisturbed: dict[str, Tensor]) -> None:
    assert identical(weights(*trained(tmp_path / "same", showers)), undisturbed)
    assert not identical(weights(*trained(tmp_path / "other", showers, seed=1)), undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_ends_as_if_it_had_not_been(
    showers: Showers, tmp_path: Path, undisturbed: dict[str, Tensor], number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    stopped = Watch(6, lambda: os.kill(os.getpid(), number))
    with pytest.raises(RunError, match=r"Stopped at step \d of 12; the same command goes on"):
        trained(tmp_path, showers, stopped)
    assert signal.getsignal(number) is before
    assert stopped.saved[-1] in (6, 7)
    resumed = Watch()
    assert identical(weights(*trained(tmp_path, showers, resumed)), undisturbed)
    assert resumed.started == stopped.saved[-1]


def test_a_training_that_failed_goes_on_from_its_checkpoint(
    showers: Showers, tmp_path: Path, undisturbed: dict[str, Tensor]
) -> None:
    def fail() -> None:
        raise SystemExit("killed")

    with pytest.raises(SystemExit, match="killed"):
        trained(tmp_path, showers, Watch(8, fail))
    resumed = Watch()
    assert identical(weights(*trained(tmp_path, showers, resumed)), undisturbed)
    assert resumed.started == 6


def test_losses_do_not_depend_on_an_interruption(showers: Showers, tmp_path: Path) -> None:
    whole, first, second = Watch(), Watch(8, sys.exit), Watch()
    trained(tmp_path / "whole", showers, whole)
    with pytest.raises(SystemExit):
        trained(tmp_path / "parts", showers, first)
    trained(tmp_path / "parts", showers, second)
    assert [step for step, _ in whole.losses] == [2, 4, 6, 8, 10, 12]
    assert first.losses[:3] + second.losses == whole.losses


def test_the_averaged_weights_generate(showers: Showers, tmp_path: Path, undisturbed: dict[str, Tensor]) -> None:
    last = weights(*trained(tmp_path, showers, ema=None))
    assert not identical(last, undisturbed)
    critic = [name for name in last if name.startswith("shower.")]
    assert critic
    assert all(torch.equal(last[name], undisturbed[name]) for name in critic)  # averaging changes no training


# ---- batches -------------------------------------------------------------------------------------------------------


def numbered(barrel: Any, n: int) -> tuple[Simulator, Memory]:
    showers = toy_showers(n, geometry=barrel)
    showers = Showers(showers.energies / 100, 1000.0 + 10 * np.arange(n), showers.conditions)
    return make_simulator("vae", showers), Memory(showers)


def epoch(sampler: Sampler, batches: int) -> list[int]:
    """Which rows come in some batches, from the incident energies that they encode."""
    rows = []
    for _ in range(batches):
        incident = sampler.simulator.conditions.incident(sampler.next().condition)
        rows += ((incident[:, 0] - 1000) / 10).round().int().tolist()
    return rows


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_IN_MEMORY", 0)
    monkeypatch.setattr(training, "_CHUNK", 4)
    monkeypatch.setattr(training, "_POOL", 3)


def test_in_memory_every_row_comes_once_an_epoch(barrel: Any) -> None:
    simulator, rows = numbered(barrel, 96)
    sampler = Sampler(simulator, rows, 6, seed=0)
    first, second = epoch(sampler, 16), epoch(sampler, 16)
    assert sampler.small
    assert sorted(first) == sorted(second) == list(range(96))
    assert first != second != list(range(96))


@pytest.mark.usefixtures("streaming")
def test_streamed_every_row_comes_once_an_epoch(barrel: Any) -> None:
    simulator, rows = numbered(barrel, 96)
    sampler = Sampler(simulator, rows, 6, seed=0)
    first, second = epoch(sampler, 16), epoch(sampler, 16)
    assert not sampler.small
    assert sorted(first) == sorted(second) == list(range(96))
    assert first != second
    assert len({row // 4 for row in first[:12]}) == 3  # three chunks, wherever they lie, make a pool


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("n", [97, 101, 13, 5])
def test_streamed_no_row_comes_twice_in_an_epoch(barrel: Any, n: int) -> None:
    simulator, rows = numbered(barrel, n)
    sampler = Sampler(simulator, rows, 5, seed=1)
    seen: dict[int, list[int]] = {}
    for _ in range(40):
        batch = epoch(sampler, 1)
        assert len(batch) == 5
        seen.setdefault(sampler.epoch, []).extend(batch)
    assert len(seen) > 1
    assert all(len(set(found)) == len(found) for found in seen.values())


@pytest.mark.usefixtures("streaming")
def test_streamed_batches_go_on_exactly(barrel: Any) -> None:
    simulator, rows = numbered(barrel, 60)
    for stop in (0, 1, 2, 11, 13):
        sampler = Sampler(simulator, rows, 5, seed=2)
        epoch(sampler, stop)
        again = Sampler(simulator, rows, 5, seed=2)
        again.state = sampler.state
        assert epoch(again, 20) == epoch(sampler, 20)


@pytest.mark.usefixtures("streaming")
def test_a_streamed_training_goes_on_exactly(showers: Showers, tmp_path: Path) -> None:
    whole = weights(*trained(tmp_path / "whole", showers, batch_size=5))
    with pytest.raises(SystemExit):
        trained(tmp_path / "parts", showers, Watch(8, sys.exit), batch_size=5)
    assert identical(weights(*trained(tmp_path / "parts", showers, batch_size=5)), whole)


def test_a_batch_larger_than_the_sample_is_the_sample(barrel: Any) -> None:
    simulator, rows = numbered(barrel, 10)
    assert sorted(epoch(Sampler(simulator, rows, 128, seed=0), 1)) == list(range(10))


# ---- options -------------------------------------------------------------------------------------------------------


def test_rates() -> None:
    assert [rate(Schedule(), step, 10) for step in range(10)] == [1.0] * 10
    linear = Schedule(ScheduleName.linear, warmup=4, final=0.2)
    assert [rate(linear, step, 14) for step in (0, 1, 3, 4, 9)] == pytest.approx([0.25, 0.5, 1.0, 1.0, 0.6])
    assert rate(linear, 14, 14) == pytest.approx(0.2)
    cosine = Schedule(ScheduleName.cosine, final=0.1)
    assert [rate(cosine, step, 4) for step in range(5)] == pytest.approx(
        [0.1 + 0.9 * (1 + np.cos(np.pi * k / 4)) / 2 for k in range(5)]
    )
    assert rate(Schedule(ScheduleName.linear, warmup=20), 9, 10) == 0.5  # never beyond the warm-up


@pytest.mark.parametrize("name", list(OptimizerName))
def test_every_optimizer_goes_downhill(name: OptimizerName) -> None:
    weight = nn.Parameter(torch.tensor([3.0, -2.0]))
    opt = optimizer([weight], Optimizer(name, lr=0.05, betas=(0.5, 0.9), weight_decay=0.01))
    assert type(opt).__name__.lower() == name.name
    group = opt.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.05, 0.01)
    if "adam" in name.name:
        assert group["betas"] == (0.5, 0.9)
    before = weight.square().sum().item()
    for _ in range(10):
        opt.zero_grad()
        weight.square().sum().backward()
        opt.step()
    assert weight.square().sum().item() < before


def test_gradients_are_clipped(showers: Showers, tmp_path: Path) -> None:
    def norm(**options: Any) -> float:
        simulator, _ = trained(tmp_path / str(options), showers, max_steps=1, **options)
        gradients = [p.grad for p in simulator.generator.parameters() if p.grad is not None]
        return torch.stack([gradient.norm() for gradient in gradients]).norm().item()

    free = norm()
    assert norm(clip=free / 10) == pytest.approx(free / 10, rel=1e-3)


def test_single_players_have_their_own_optimizer(
    showers: Showers, tmp_path: Path, undisturbed: dict[str, Tensor]
) -> None:
    still = Optimizer(lr=0.0)
    simulator, critics = trained(tmp_path, showers, players={"critics": still}, ema=None)
    fresh = make_simulator("wgan_gp", showers)
    start = create("critic", {"name": "shower", "hidden": [16]}, fresh.space)
    assert identical(
        {name: p.detach() for name, p in critics["shower"].named_parameters()},
        {name: p.detach() for name, p in start.named_parameters()},
    )
    assert not identical(weights(simulator, {}), weights(fresh, {}))


def test_epochs_end_a_training(showers: Showers, tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, showers, watch, model="vae", max_steps=None, epochs=2, batch_size=10)
    assert watch.losses[-1][0] == 20
    watch = Watch()
    trained(tmp_path / "steps", showers, watch, model="vae", max_steps=15, epochs=2, batch_size=10)
    assert watch.losses[-1][0] == 15


def test_the_end_is_logged_though_it_is_no_multiple(showers: Showers, tmp_path: Path) -> None:
    watch = Watch()
    trained(tmp_path, showers, watch, model="vae", max_steps=7, log_every=5)
    assert [step for step, _ in watch.losses] == [5, 7]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (Trainer(), "needs an end"),
        (Trainer(max_steps=-1), "needs an end"),
        (Trainer(max_steps=5, batch_size=0), "batch_size and trainer.log_every must be at least 1"),
        (Trainer(max_steps=5, players={"critcs": Optimizer()}), "'critcs'. Did you mean 'critics'.*trainer.players"),
    ],
)
def test_what_cannot_train_is_refused(options: Trainer, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        check((Player("critics", (), lambda batch, noise: {}),), options)


def test_fraction_and_energies_choose_rows(showers: Showers) -> None:
    rows = Memory(showers)
    assert chosen_rows(rows, Trainer(), 0) is rows
    fifth = chosen_rows(rows, Trainer(fraction=0.2), 0)
    assert len(fifth) == 20
    assert np.array_equal(
        fifth.rows(slice(0, 20)).energies, chosen_rows(rows, Trainer(fraction=0.2), 0).rows(slice(0, 20)).energies
    )
    other = chosen_rows(rows, Trainer(fraction=0.2), 1)
    assert not np.array_equal(fifth.rows(slice(0, 20)).energies, other.rows(slice(0, 20)).energies)
    low = chosen_rows(rows, Trainer(energies=[2048]), 0)
    assert set(low.rows(slice(0, len(low))).incident_energies.tolist()) == {2048.0}
    assert len(low) == (showers.incident_energies == 2048).sum()
    both = chosen_rows(rows, Trainer(energies=[2048], fraction=0.5), 0)
    assert len(both) == round(len(low) / 2)
    with pytest.raises(ConfigError, match="No training shower has"):
        chosen_rows(rows, Trainer(energies=[3000]), 0)
    for fraction in (0.0, -1.0):
        with pytest.raises(ConfigError, match=r"must lie in \(0, 1\]"):
            chosen_rows(rows, Trainer(fraction=fraction), 0)


# ---- good and bad trainings ------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_with_step_player_and_term(
    showers: Showers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def players(generator: Any, critics: Any) -> tuple[Player, ...]:
        parameters = tuple(generator.parameters())

        def loss(batch: Batch, noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
            total = torch.stack([p.sum() for p in parameters]).sum()
            return {"good": total, "bad": total * (torch.inf if batch.progress > 0.4 else 0.0)}

        return (Player("solo", parameters, loss),)

    monkeypatch.setattr(type(make_simulator("vae", showers).generator), "players", players)
    watch = Watch()
    with pytest.raises(
        RunError, match=r"the term '(bad|good)' of player 'solo' is (nan|-?inf) at step 6.*trainer.clip"
    ):
        trained(tmp_path, showers, watch, model="vae")
    assert watch.saved == [2, 4]  # nothing of the diverged weights is kept


def test_one_batch_can_be_learnt_by_heart(showers: Showers, tmp_path: Path) -> None:
    simulator = make_simulator(
        "vae", showers[:4], encoder=[64, 32], kl=0.0, kl_start=None, total=0.0, layers=[0.0] * 4, bias_from_data=False
    )
    watch = Watch()
    hooks = Observers([])
    hooks.manager.register(watch)
    options = Trainer(max_steps=400, batch_size=4, optimizer=Optimizer(lr=5e-3), log_every=10)
    train(simulator, {}, Memory(showers[:4]), options, run=Run(tmp_path), hooks=hooks, seed=0)
    first, last = (watch.losses[i][1]["vae"]["reconstruction"] for i in (0, -1))
    assert last < first / 50
