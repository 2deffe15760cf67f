"""Trains any model: owns every update of every player, seeded and resumable."""

from __future__ import annotations

import math
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from calozoo import checkpoint
from calozoo.config import options as checked
from calozoo.config import plain
from calozoo.critic import Critic
from calozoo.data import Part, Rows, block_size, everything, some
from calozoo.errors import ConfigError, RunError, Stopped, unknown
from calozoo.generator import Batch, Player
from calozoo.options import Optimizer, OptimizerName, Schedule, ScheduleName, Trainer
from calozoo.picking import Picker
from calozoo.run import Run
from calozoo.showers import Showers
from calozoo.simulator import Simulator

_IN_MEMORY = 2 << 30  # bytes of preprocessed showers that are kept as tensors; larger samples are streamed
_CHUNK = 256  # neighbouring rows that a streamed sample reads together, fewer where they are wide
_CHUNK_MEMORY = 1 << 21  # bytes of preprocessed showers in such a chunk
_REMEDY = "A smaller trainer.optimizer.lr or trainer.clip=1 usually helps."
_POOL = 256  # chunks that are shuffled together, fewer where they are large
_POOL_MEMORY = 1 << 28  # bytes of preprocessed showers in them


@dataclass
class Training:
    """What a training did."""

    steps: int
    epochs: float
    showers: int
    parameters: dict[str, int]  # trainable parameters by player
    picked: int | None  # the step whose weights were picked; None: the last
    scores: list[tuple[int, float | None]]  # step and score of those that could be picked


class Sampler:
    """Batches of preprocessed training showers, one permutation per epoch.

    A sample that fits is kept as tensors; a larger one is read in chunks of neighbouring rows that are shuffled
    within a pool. :attr:`state` restores the position exactly.
    """

    def __init__(self, simulator: Simulator, rows: Rows, batch_size: int, seed: int) -> None:
        self.simulator, self.rows, self.batch_size, self.seed = simulator, rows, min(batch_size, len(rows)), seed
        self.epoch, self.position = 0, 0
        space = simulator.space
        width = (space.features + space.condition_size) * 4  # bytes of a row
        self.small = len(rows) * width <= _IN_MEMORY
        self.chunk = 1 if self.small else max(1, min(_CHUNK, _CHUNK_MEMORY // width))
        chunks = max(min(_POOL, _POOL_MEMORY // (self.chunk * width)), -(-self.batch_size // self.chunk))
        self.pool = len(rows) if self.small else self.chunk * chunks
        self.whole = self._all() if self.small else None
        self._ready: tuple[tuple[int, int], Batch] | None = None

    @property
    def state(self) -> dict[str, int]:
        """The position in the data."""
        return {"epoch": self.epoch, "position": self.position}

    @state.setter
    def state(self, state: Mapping[str, int]) -> None:
        self.epoch, self.position, self._ready = state["epoch"], state["position"], None

    def encode(self, showers: Showers) -> Batch:
        """Showers as the model sees them, on the simulator's device."""
        device = self.simulator.table.device
        with torch.no_grad():
            incident = torch.as_tensor(showers.incident_energies, device=device)[:, None]
            values = self.simulator.preprocessor(torch.as_tensor(showers.energies, device=device), incident)
            return Batch(values, self.simulator.conditions(showers.columns))

    def _all(self) -> Batch:
        """Every row, encoded a block at a time."""
        step = block_size(self.simulator.geometry.cells)
        parts = [self.encode(self.rows.rows(slice(i, i + step))) for i in range(0, len(self.rows), step)]
        return Batch(torch.cat([part.values for part in parts]), torch.cat([part.condition for part in parts]))

    def next(self) -> Batch:
        """The next batch; the rest of an epoch that does not fill one is dropped."""
        if self.position + self.batch_size > len(self.rows):
            self.epoch, self.position = self.epoch + 1, 0
        pool, order = self._pool()
        start = self.position % self.pool
        index = order[start : start + self.batch_size]
        if len(index) < self.batch_size:  # the batch reaches over the end of the pool
            self.position += self.pool - start
            return self.next()
        self.position += self.batch_size
        return Batch(pool.values[index], pool.condition[index])

    def _pool(self) -> tuple[Batch, Tensor]:
        """The showers that are being drawn from and their order, made anew at each epoch and pool."""
        key = (self.epoch, self.position // self.pool)
        if self._ready is None or self._ready[0] != key:
            random = np.random.default_rng((self.seed, self.epoch))
            if self.whole is not None:
                batch, order = self.whole, random.permutation(len(self.rows))
            else:
                starts = random.permutation(math.ceil(len(self.rows) / self.chunk))[
                    key[1] * self.pool // self.chunk : (key[1] + 1) * self.pool // self.chunk
                ]
                rows = np.concatenate(
                    [np.arange(s * self.chunk, min((s + 1) * self.chunk, len(self.rows))) for s in starts]
                )
                batch = self.encode(
                    Showers.concatenate(self.rows.rows(part) for part in np.array_split(rows, len(starts)))
                )
                order = np.random.default_rng((self.seed, *key)).permutation(len(rows))
            self._ready, self._order = (key, batch), torch.as_tensor(order, device=batch.values.device)
        return self._ready[1], self._order


def optimizer(parameters: Any, options: Optimizer) -> torch.optim.Optimizer:
    """The torch optimizer that ``options`` name; fused where torch has it."""
    common: dict[str, Any] = {"lr": options.lr, "weight_decay": options.weight_decay}
    adam = {**common, "betas": tuple(options.betas)}
    match options.name:
        case OptimizerName.adam:
            return torch.optim.Adam(parameters, **adam, fused=True)
        case OptimizerName.adamw:
            return torch.optim.AdamW(parameters, **adam, fused=True)
        case OptimizerName.nadam:
            return torch.optim.NAdam(parameters, **adam)
        case OptimizerName.rmsprop:
            return torch.optim.RMSprop(parameters, **common, alpha=0.9)  # Keras's rho
        case OptimizerName.adagrad:
            return torch.optim.Adagrad(parameters, **common)
        case OptimizerName.adadelta:
            return torch.optim.Adadelta(parameters, **common, rho=0.95)  # Keras's


def own(options: Trainer, player: str) -> Optimizer:
    """A player's optimizer: the trainer's, with what ``trainer.players`` changes for it."""
    changed = {**plain(options.optimizer), **plain(options.players.get(player) or {})}
    found: Optimizer = checked(changed, Optimizer, f"trainer.players.{player}")
    return found


def rate(schedule: Schedule, step: int, steps: int) -> float:
    """The factor on the learning rate at ``step`` of ``steps``.

    >>> [rate(Schedule(ScheduleName.linear), step, 4) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    done = (step - schedule.warmup) / max(steps - schedule.warmup, 1)
    match schedule.name:
        case ScheduleName.constant:
            return 1.0
        case ScheduleName.linear:
            falling = 1 - done
        case ScheduleName.cosine:
            falling = (1 + math.cos(math.pi * done)) / 2
    return schedule.final + (1 - schedule.final) * falling


def train(
    simulator: Simulator,
    critics: Mapping[str, Critic],
    rows: Rows,
    options: Trainer,
    *,
    run: Run,
    hooks: Any,
    seed: int,
    picker: Picker | None = None,
) -> Training:
    """Train ``simulator`` in place on ``rows`` and leave it with the weights that generate.

    Goes on from the run folder's newest checkpoint, exactly where it was. With a ``picker`` the best weights generate,
    and the last are saved in ``checkpoints/last``. Raises :class:`~calozoo.errors.RunError` where a loss is no longer
    finite.
    """
    device = simulator.table.device
    sampler = Sampler(simulator, rows, options.batch_size, seed)
    torch.manual_seed(seed)
    most = min(simulator.generator.start, 8 * block_size(simulator.geometry.cells))
    start = sampler.encode(everything(some(rows, most)))
    simulator.generator.initialise(start)
    for critic in critics.values():
        critic.initialise(start)
    players = simulator.generator.players(critics)
    each = sum(player.updates for player in players)
    per_epoch = len(rows) / sampler.batch_size / each  # steps
    limits = [options.max_steps, options.epochs and math.ceil(options.epochs * per_epoch)]
    steps = min(limit for limit in limits if limit is not None)

    optimizers = {player.name: optimizer(player.parameters, own(options, player.name)) for player in players}
    rates = {name: [group["lr"] for group in opt.param_groups] for name, opt in optimizers.items()}
    random = torch.Generator(device).manual_seed(seed)
    whole = nn.ModuleDict(
        {"generator": simulator.generator, **{f"critic_{name}": c for name, c in critics.items()}}
    ).train()
    own_weights = dict(simulator.generator.named_parameters())
    averaged = {name: p.detach().clone() for name, p in own_weights.items()} if options.ema else {}
    best: dict[str, Tensor] = {}
    scores: list[tuple[int, float]] = []
    scored_every = max(1, round((options.pick.every or math.inf) * per_epoch)) if picker else 0

    step = 0
    saved = checkpoint.load(run.checkpoints, device)
    if saved is not None:
        whole.load_state_dict(saved["weights"])
        for name, opt in optimizers.items():
            opt.load_state_dict(saved["optimizers"][name])
        averaged = {name: tensor.clone() for name, tensor in saved["averaged"].items()}
        try:
            random.set_state(saved["random"].cpu())
        except RuntimeError as cause:
            raise RunError(f"{run.folder} was begun on another kind of device; go on there, with device=.") from cause
        sampler.state = saved["sampler"]
        step = saved["step"]
        best, scores = saved["best"], saved["scores"]

    def refuse_infinite() -> None:
        if not all(bool(torch.isfinite(parameter).all()) for parameter in whole.parameters()):
            raise RunError(f"The training diverged: weights are no longer finite at step {step}. {_REMEDY}")

    def save() -> None:
        refuse_infinite()
        state = {
            "step": step,
            "weights": whole.state_dict(),
            "optimizers": {name: opt.state_dict() for name, opt in optimizers.items()},
            "averaged": averaged,
            "random": random.get_state(),
            "sampler": sampler.state,
            "best": best,
            "scores": scores,
        }
        checkpoint.save(run.checkpoints, step, state)
        hooks.checkpoint_saved(folder=run.folder, step=step)

    def put(weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in own_weights.items():
                parameter.copy_(weights[name])

    def pick(picker: Picker) -> None:
        """Score the weights that would generate if this were the end, and keep them if they are the best so far."""
        trained = {name: p.detach().clone() for name, p in own_weights.items()}
        candidate = {name: p.clone() for name, p in averaged.items()} or trained
        put(candidate)
        scores.append((step, picker.score(simulator)))
        costs = [picker.cost(score) for _, score in scores]
        if costs[-1] <= min(costs):
            best.update(candidate)
        put(trained)
        whole.train()

    hooks.training_started(folder=run.folder, step=step, steps=steps)
    sums: dict[tuple[str, str], Tensor] = defaultdict(lambda: torch.zeros((), device=device))
    counted, last_save = 0, perf_counter()
    with _stopping() as asked:
        while step < steps:
            factor = rate(options.schedule, step, steps)
            for player in players:
                opt = optimizers[player.name]
                for group, base in zip(opt.param_groups, rates[player.name], strict=True):
                    group["lr"] = base * factor
                for _ in range(player.updates):
                    batch = replace(sampler.next(), progress=step / steps)
                    noise = {name: kind.draw(len(batch), random) for name, kind in player.noise.items()}
                    terms = player.loss(batch, noise)
                    loss = torch.stack(list(terms.values())).sum()
                    gradients = torch.autograd.grad(loss, player.parameters)
                    for parameter, gradient in zip(player.parameters, gradients, strict=True):
                        parameter.grad = gradient.contiguous()  # fused optimizers read the memory as it lies
                    if options.clip is not None:
                        nn.utils.clip_grad_norm_(player.parameters, options.clip)
                    opt.step()
                for name, term in terms.items():
                    sums[player.name, name] += term.detach()
            step, counted = step + 1, counted + 1
            if averaged:
                # The average starts over at first, so that it does not remember the random weights.
                decay = min(options.ema or 0.0, step / (step + 10))
                torch._foreach_lerp_(
                    list(averaged.values()), [p.detach() for p in simulator.generator.parameters()], 1 - decay
                )
            if picker and (step % scored_every == 0 or step == steps):
                pick(picker)
            if step % options.log_every == 0 or step == steps:
                losses = _means(sums, counted, step)
                hooks.losses_logged(folder=run.folder, step=step, epoch=step / per_epoch, losses=losses)
                sums.clear()
                counted = 0
                if perf_counter() - last_save > options.checkpoint_every and step < steps:
                    save()
                    last_save = perf_counter()
            if asked:
                save()
                raise Stopped(f"Stopped at step {step} of {steps}; the same command goes on from there.")
    if averaged:
        put(averaged)
    refuse_infinite()
    picked = None
    if picker:
        simulator.save(run.checkpoints / "last")
        put(best)
        picked = min(scores, key=lambda entry: (picker.cost(entry[1]), -entry[0]))[0]
    counts = {player.name: sum(p.numel() for p in player.parameters) for player in players}
    finite = [(at, score if math.isfinite(score) else None) for at, score in scores]
    return Training(steps, steps / per_epoch, len(rows), counts, picked, finite)


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list instead of dying in the middle of a step; a second one acts at once."""
    asked: list[int] = []
    before = {}

    def note(number: int, frame: Any) -> None:
        asked.append(number)
        signal.signal(number, signal.default_int_handler)

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check(players: tuple[Player, ...], options: Trainer) -> None:
    """Refuse options that cannot train these players, before anything is done."""
    names = [player.name for player in players]
    for name in options.players:
        if name not in names:
            raise ConfigError(unknown("player of this model", name, names) + " It was named in trainer.players.")
    limits = [limit for limit in (options.max_steps, options.epochs) if limit is not None]
    if not limits or min(limits) <= 0:
        raise ConfigError("A training needs an end: set trainer.max_steps or trainer.epochs to a positive number.")
    if options.batch_size < 1 or options.log_every < 1:
        raise ConfigError("trainer.batch_size and trainer.log_every must be at least 1.")
    if options.clip is not None and options.clip <= 0:
        raise ConfigError(f"trainer.clip, the largest norm of a gradient, must be above 0, not {options.clip}.")
    for player in players:
        if player.updates < 1:
            raise ConfigError(
                f"Player '{player.name}' would be updated {player.updates} times in a step; an option of the model such as "
                "model.ratio must be at least 1."
            )
    every = options.pick.every
    if (every is None) != (options.pick.metric is None) or (every is not None and not 0 < every < math.inf):
        raise ConfigError(
            "Picking needs both trainer.pick.every (epochs, above 0) and trainer.pick.metric, such as "
            "trainer.pick.every=1 trainer.pick.metric=NAME."
        )
    if options.ema is not None and not 0 <= options.ema < 1:
        raise ConfigError(f"trainer.ema must lie in [0, 1), not {options.ema}.")
    for player in players:
        try:
            optimizer([nn.Parameter(torch.zeros(1))], own(options, player.name))
        except ValueError as cause:
            raise ConfigError(f"The optimizer of player '{player.name}' cannot be made: {cause}.") from cause


def _means(sums: Mapping[tuple[str, str], Tensor], counted: int, step: int) -> dict[str, dict[str, float]]:
    losses: dict[str, dict[str, float]] = defaultdict(dict)
    for (player, term), value in sums.items():
        losses[player][term] = value.item() / counted
        if not math.isfinite(losses[player][term]):
            raise RunError(
                f"The training diverged: the term '{term}' of player '{player}' is {losses[player][term]} at step {step}. {_REMEDY}"
            )
    return dict(losses)


def chosen_rows(rows: Rows, options: Trainer, seed: int) -> Rows:
    """The rows that are trained on: those of ``options.energies``, and the ``options.fraction`` of them."""
    if not 0 < options.fraction <= 1:
        raise ConfigError(f"trainer.fraction must lie in (0, 1], not {options.fraction}.")
    if not options.energies and options.fraction == 1:
        return rows
    index = np.arange(len(rows))
    if options.energies:
        starts = range(0, len(rows), 8192)
        incident = np.concatenate([rows.rows(slice(s, min(s + 8192, len(rows)))).incident_energies for s in starts])
        wanted = np.isclose(incident[:, None], np.array(options.energies)[None], rtol=1e-3)
        if absent := np.array(options.energies)[~wanted.any(axis=0)].tolist():
            raise ConfigError(
                f"No training shower has an incident energy of {', '.join(f'{e:g}' for e in absent)} MeV."
            )
        index = index[wanted.any(axis=1)]
    index = np.random.default_rng(seed).permutation(index)[: max(1, round(len(index) * options.fraction))]
    return Part(rows, np.sort(index))
