"""Option types that components and the trainer share; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Activation(Enum):
    """Activation functions of hidden layers; :func:`calozoo.networks.activation` builds them."""

    elu = "elu"
    relu = "relu"
    selu = "selu"
    leaky_relu = "leaky_relu"
    prelu = "prelu"


class Initialiser(Enum):
    """How weights or biases start, by their Keras names; :func:`calozoo.networks.initialise` applies them."""

    zeros = "zeros"
    ones = "ones"
    random_normal = "random_normal"
    random_uniform = "random_uniform"
    truncated_normal = "truncated_normal"
    variance_scaling = "variance_scaling"
    glorot_normal = "glorot_normal"
    glorot_uniform = "glorot_uniform"
    lecun_normal = "lecun_normal"


class OptimizerName(Enum):
    """The optimizers of the note's Table 1, and AdamW."""

    adam = "adam"
    adamw = "adamw"
    nadam = "nadam"
    rmsprop = "rmsprop"
    adagrad = "adagrad"
    adadelta = "adadelta"


@dataclass
class Optimizer:
    """An optimizer: its name, learning rate and, for the Adam family, its betas."""

    name: OptimizerName = OptimizerName.adam
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0


class ScheduleName(Enum):
    """How the learning rate moves over the training."""

    constant = "constant"
    cosine = "cosine"
    linear = "linear"


@dataclass
class Schedule:
    """A factor on every learning rate: a linear rise over ``warmup`` steps, then towards ``final``."""

    name: ScheduleName = ScheduleName.constant
    warmup: int = 0
    final: float = 0.0


@dataclass
class Picking:
    """Which weights generate in the end: the last, or the best of those that are scored every ``every`` epochs.

    The overall value of ``metric`` on validation showers decides; the metric has the options that the run gives it.
    """

    every: float | None = None  # epochs between two scores; None: the last weights generate
    metric: str | None = None
    showers: int = 5000  # validation showers at most


@dataclass
class Trainer:
    """How a model is trained; the same for every model.

    A step updates every player once or as often as it asks for: for a GAN it is one generator iteration. The
    training ends after ``max_steps`` steps or ``epochs`` passes over the sample, whichever comes first.
    """

    remark: str = ""  # shown in the report
    max_steps: int | None = None
    epochs: int | None = None
    batch_size: int = 128
    optimizer: Optimizer = field(default_factory=Optimizer)
    players: dict[str, Any] = field(default_factory=dict)  # by player: what differs from ``optimizer``
    schedule: Schedule = field(default_factory=Schedule)
    ema: float | None = None  # decay of the averaged weights that generate; None: the last weights generate
    clip: float | None = None  # largest norm of a player's gradient
    energies: list[float] | None = None  # MeV; train on these incident energies alone
    fraction: float = 1.0  # part of the training showers that is used
    log_every: int = 20  # steps between two entries of the losses
    checkpoint_every: float = 60.0  # seconds
    pick: Picking = field(default_factory=Picking)


class Split(Enum):
    """The disjoint parts of a sample: trained on, tuned on, and judged on."""

    train = "train"
    validation = "validation"
    test = "test"


class DeviceName(Enum):
    """Where a run computes."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"
    mps = "mps"


@dataclass
class Device:
    """The device and how many CPU threads a run takes; one is fastest for networks this small."""

    name: DeviceName = DeviceName.auto
    threads: int = 1


@dataclass
class Generation:
    """How the run's own showers are generated."""

    per_energy: int = 2000
    threshold: float = 0.0


@dataclass
class Evaluation:
    """How they are judged: on which part of the sample, and below how many MeV a cell counts as empty."""

    split: Split = Split.test  # validation while anything is still being chosen
    threshold: float = 1.0
    most: int | None = None  # showers of either sample; None: as many as fit into a quarter of a GB


class Layout(Enum):
    """What a converted file holds: condition columns too, or showers and incident energies alone."""

    calozoo = "calozoo"
    calochallenge = "calochallenge"


@dataclass
class Root:
    """Types of the keys that root configs have beside their groups; each root has some of them."""

    seed: int | None = 0
    generation: Generation = field(default_factory=Generation)
    evaluation: Evaluation = field(default_factory=Evaluation)
    run: str | None = None
    out: str | None = None
    n: int | None = None
    energy: Any = None
    conditions: str | None = None
    threshold: float | None = None
    most: int | None = None
    reference: str | None = None
    generated: str | None = None
    unit: str | None = None
    layout: Layout = Layout.calozoo
    file: str | None = None
    runs: list[str] = field(default_factory=list)
