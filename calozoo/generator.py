"""What a model is: parts that are trained, and a way to draw showers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

import torch
from torch import Tensor, nn

from calozoo.conditions import Conditions
from calozoo.critic import Critic
from calozoo.errors import ConfigError
from calozoo.geometry import Geometry
from calozoo.preprocessor import Preprocessor


class Distribution(Enum):
    """What random numbers are drawn from."""

    normal = "normal"  # mean 0, variance 1
    uniform = "uniform"  # [0, 1)


@dataclass(frozen=True)
class Noise:
    """Random numbers that a loss or a generator needs: (n, size) from a distribution."""

    size: int
    distribution: Distribution = Distribution.normal

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Draw (n, size) numbers from ``random``, on its device."""
        draw = torch.randn if self.distribution is Distribution.normal else torch.rand
        return draw(n, self.size, generator=random, device=random.device)


@dataclass(frozen=True, eq=False)
class Space:
    """What a generator has to fill: the shape and meaning of its input and output.

    ``values`` are what the preprocessor makes of cell energies, (n, features); ``condition`` is what the
    conditions are encoded as, (n, condition_size).
    """

    geometry: Geometry
    preprocessor: Preprocessor
    conditions: Conditions

    @property
    def features(self) -> int:
        """How many values describe a shower."""
        return self.preprocessor.features

    @property
    def condition_size(self) -> int:
        """How many inputs the conditions are."""
        return self.conditions.size

    @property
    def range(self) -> tuple[float | None, float | None]:
        """The interval of the values; None is unbounded."""
        return self.preprocessor.range

    def incident(self, condition: Tensor) -> Tensor:
        """Incident energy (n, 1), MeV, that ``condition`` encodes."""
        return self.conditions.incident(condition)

    def fractions(self, values: Tensor, condition: Tensor) -> Tensor:
        """Cell energies over the incident energy, (n, cells); differentiable in ``values``."""
        incident = self.incident(condition)
        return self.preprocessor.inverse(values, incident) / incident

    def layer_sums(self, cells: Tensor) -> Tensor:
        """Sums of ``cells`` (n, cells) over each layer, (n, layers)."""
        return torch.stack([cells[:, layer].sum(dim=1) for layer in self.geometry.slices], dim=1)


@dataclass(frozen=True, eq=False)
class Batch:
    """Training showers as a model sees them."""

    values: Tensor  # (n, features), preprocessed
    condition: Tensor  # (n, condition_size)
    progress: float = 1.0  # how much of the training is done, for losses whose weights move

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Player:
    """A part of a model that is trained against its own loss.

    ``loss`` is a pure function of the batch and the drawn ``noise`` (by name); it returns named terms, already
    weighted, whose sum is minimised over ``parameters``. The player is updated ``updates`` times in each step of
    the training, with a new batch each time, players in the order in which the model names them.
    """

    name: str
    parameters: tuple[nn.Parameter, ...]
    loss: Callable[[Batch, Mapping[str, Tensor]], Mapping[str, Tensor]]
    noise: Mapping[str, Noise] = field(default_factory=dict)
    updates: int = 1


class Generator(nn.Module, ABC):
    """A model that generates showers.

    The first argument of a plugin's ``__init__`` is the :class:`Space`, which it hands on to this class together
    with the ``latent`` noise that :meth:`sample` takes; its keyword-only arguments are the options.
    """

    #: What comes with the model unless the user names others: options of conditions, critic and trainer.
    default_conditions: ClassVar[str] = "energy"
    default_critics: ClassVar[tuple[str, ...]] = ()
    default_trainer: ClassVar[str] = "quick"
    #: Training showers, drawn evenly, that the model and its critics are initialised from, at most.
    start: ClassVar[int] = 20_000

    def __init__(self, space: Space, *, latent: Noise) -> None:
        super().__init__()
        self.space = space
        self.latent = latent

    def initialise(self, batch: Batch) -> None:
        """Adapt to training showers before the first step, e.g. the last layer's bias to the mean shower."""

    @abstractmethod
    def players(self, critics: Mapping[str, Critic]) -> tuple[Player, ...]:
        """The parts that are trained, judged by ``critics``; a model without critics refuses any."""

    @abstractmethod
    def sample(self, condition: Tensor, latent: Tensor) -> Tensor:
        """Values (n, features) for ``condition`` (n, condition_size) and ``latent`` (n, latent.size)."""

    def refuse(self, critics: Mapping[str, Critic]) -> None:
        """Raise :class:`~calozoo.errors.ConfigError` if there are critics: for models that are not adversarial."""
        if critics:
            name = type(self).__name__
            raise ConfigError(f"{name} is not adversarial and has no use for critic=[{','.join(critics)}]; drop it.")
