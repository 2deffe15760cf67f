"""``critic=energy``: judges the total energy of a shower and nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from calozoo import Activation, Batch, Critic, Sides, Space, networks


class EnergyCritic(Critic):
    """The poster's "E discriminator with low gradient penalty to only look at total energy".

    It sees the shower's total energy, standardised by the training sample's mean and width at that incident energy,
    and the condition. Its gradient vanishes along every change of cells that keeps the total. What the poster leaves
    open was chosen by measurement and is ours.

    Args (options):
        hidden: widths of the hidden layers.
        activation: of the hidden layers.
        slope: of LeakyReLU.
        penalty: weight of the gradient penalty, low.
        sides: one- or two-sided penalty.
        weight: of this critic in the generator's loss.
    """

    def __init__(
        self,
        space: Space,
        *,
        hidden: tuple[int, ...] = (32, 32),
        activation: Activation = Activation.leaky_relu,
        slope: float = 0.05,
        penalty: float = 0.1,
        sides: Sides = Sides.two,
        weight: float = 0.6,
    ) -> None:
        super().__init__(space, penalty=penalty, sides=sides, weight=weight)
        self.space = space
        self.network = networks.MLP(
            [1 + space.condition_size, *hidden, 1], lambda width: networks.activation(activation, slope)
        )
        self.standard = networks.EnergyStandard(1)

    def initialise(self, batch: Batch) -> None:
        """Learn the mean and width of the total energy as functions of the incident energy."""
        self.standard.fit(self._total(batch.values, batch.condition), self.space.incident(batch.condition))

    def view(self, values: Tensor, condition: Tensor) -> Tensor:
        """The standardised total energy, (n, 1)."""
        return self.standard(self._total(values, condition), self.space.incident(condition))

    def judge(self, view: Tensor, condition: Tensor) -> Tensor:
        """Score (n, 1)."""
        return self.network(torch.cat([view, condition], dim=1))

    def gradient(self, view: Tensor, condition: Tensor) -> Tensor:
        """Derivative of the score with respect to the view, written out."""
        return self.network.gradient(torch.cat([view, condition], dim=1), 1)

    def _total(self, values: Tensor, condition: Tensor) -> Tensor:
        return self.space.fractions(values, condition).sum(dim=1, keepdim=True)
