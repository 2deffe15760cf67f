"""What judges an adversarial model's showers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from calozoo.generator import Batch, Space


class Sides(Enum):
    """Which gradients a penalty acts on."""

    one = "one"  # those longer than 1
    two = "two"  # all, towards length 1


class Critic(nn.Module, ABC):
    """Scores showers under their condition, high for those of the simulation, with its own gradient penalty.

    The first argument of a plugin's ``__init__`` is the :class:`~calozoo.Space`; its keyword-only arguments are
    the options. The critic sees a :meth:`view` of a shower, and its slope is held to 1 with respect to that view,
    not to the condition.
    """

    def __init__(self, space: Space, *, penalty: float, sides: Sides = Sides.two, weight: float = 1.0) -> None:
        super().__init__()
        self.penalty, self.sides, self.weight = penalty, sides, weight

    def initialise(self, batch: Batch) -> None:
        """Adapt to training showers before the first step, e.g. the scale of the view."""

    def view(self, values: Tensor, condition: Tensor) -> Tensor:
        """What the critic looks at, (n, m): the values (n, features) themselves unless a plugin says otherwise."""
        return values

    @abstractmethod
    def judge(self, view: Tensor, condition: Tensor) -> Tensor:
        """Score (n, 1) of a view (n, m) under its ``condition`` (n, condition_size)."""

    def gradient(self, view: Tensor, condition: Tensor) -> Tensor:
        """Derivative of the score with respect to the view, (n, m), itself differentiable in the weights."""
        view = view.detach().requires_grad_()
        return torch.autograd.grad(self.judge(view, condition).sum(), view, create_graph=True)[0]

    def forward(self, values: Tensor, condition: Tensor) -> Tensor:
        """Score (n, 1) of showers (n, features) under their ``condition``."""
        return self.judge(self.view(values, condition), condition)

    def gradient_penalty(self, real: Tensor, fake: Tensor, condition: Tensor, mix: Tensor) -> Tensor:
        """Mean of (||grad||_2 - 1)^2 at points between two views, ``mix`` (n, 1) in [0, 1) of the real one.

        The third term of the note's Eq. 6 (arXiv:1704.00028), without its weight; one-sided it counts only
        gradients longer than 1.
        """
        between = fake + mix * (real - fake)
        excess = self.gradient(between, condition).square().sum(dim=1).add(1e-12).sqrt() - 1
        if self.sides is Sides.one:
            excess = excess.clamp(min=0)
        return excess.square().mean()
