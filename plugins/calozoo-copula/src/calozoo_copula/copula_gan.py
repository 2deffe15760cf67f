"""``model=copula_gan``: a Gaussian copula of cells, refined by a GAN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from calozoo import Batch, Noise, Space
from calozoo_copula.copula import Copula
from calozoo_copula.frame import Frame
from calozoo_swish_gan.swish import Swish
from calozoo_wgan_gp.adversarial import Adversarial


class CopulaGan(Adversarial):
    """Normal scores with the correlations of training showers, moved by a network that critics train.

    Before any training it draws from the :class:`~calozoo_copula.copula.Copula` that is fitted to the training showers;
    the network adds to its scores what a Gaussian does not have. All that is learnt is a smooth function of the incident
    energy. Source: ours.

    Args (options):
        extra: random numbers, N(0, 1), that the network sees beside the scores.
        hidden: widths of the network's hidden layers; where two are equal the second adds to the first.
        gain: factor on what the network adds to the score of the total energy, whose distribution is right already.
        start_gain: factor on the network's initial weights of the last layer; 0 starts at the copula exactly.
        anchors: incident energies, even in their logarithm, at which scores have correlations of their own.
        ratio: updates of the critics for one of the network.
    """

    default_conditions: ClassVar[str] = "poster"
    default_critics: ClassVar[tuple[str, ...]] = ("observables", "energy")
    default_trainer: ClassVar[str] = "quick_copula"
    start: ClassVar[int] = 50_000  # the highest energies are often the rarest

    def __init__(
        self,
        space: Space,
        *,
        extra: int = 32,
        hidden: tuple[int, ...] = (384, 384, 384, 384),
        gain: float = 0.1,
        start_gain: float = 0.1,
        anchors: int = 5,
        ratio: int = 2,
    ) -> None:
        frame = Frame(space)
        copula = Copula(space.geometry, frame.size, anchors)
        super().__init__(space, latent=Noise(copula.size + extra), ratio=ratio)
        self.frame, self.copula = frame, copula
        self.network = Residual([self.latent.size + space.condition_size + frame.size, *hidden, copula.size])
        with torch.no_grad():
            self.network.last.weight.mul_(start_gain)
        self.register_buffer(
            "gains", torch.cat([torch.full((1,), gain), torch.ones(copula.size - 1)]), persistent=False
        )

    def initialise(self, batch: Batch) -> None:
        """Fit the copula."""
        self.frame.fit(batch)
        impact = self.frame(batch.condition)
        incident = impact.incident
        self.copula.fit(self.frame.turn(self.space.preprocessor.inverse(batch.values, incident), impact), impact)

    def sample(self, condition: Tensor, latent: Tensor) -> Tensor:
        """Values (n, features)."""
        impact = self.frame(condition)
        noise, extra = latent.split([self.copula.size, latent.shape[1] - self.copula.size], dim=1)
        scores = self.copula.draw(noise, impact)
        moved = scores + self.gains * self.network(torch.cat([scores, extra, condition, impact.place], dim=1))
        cells = self.frame.turn(self.copula.decode(moved, impact), impact, back=True)
        return self.space.preprocessor(cells, impact.incident)


class Residual(nn.Module):
    """A perceptron with trainable Swish whose hidden layers add to what they are given where the widths agree.

    >>> Residual([3, 8, 8, 1])(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes[:-1]))
        self.activations = nn.ModuleList(Swish(b) for b in sizes[1:-1])
        self.last = nn.Linear(sizes[-2], sizes[-1])
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The network's output, (n, sizes[-1])."""
        for k, (linear, activation) in enumerate(zip(self.linears, self.activations, strict=True)):
            new = activation(linear(x))
            x = x + new if k and new.shape == x.shape else new
        return self.last(x)  # type: ignore[no-any-return]
