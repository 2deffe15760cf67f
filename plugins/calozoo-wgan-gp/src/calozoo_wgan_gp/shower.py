"""``critic=shower``: judges the cells of a shower."""

from __future__ import annotations

import torch
from torch import Tensor

from calozoo import Activation, Batch, Critic, Initialiser, Sides, Space, networks


class ShowerCritic(Critic):
    """The note's discriminator: a multilayer perceptron with a linear output (Fig. 4 and Table 2).

    Args (options):
        hidden: widths of the hidden layers.
        activation: of the hidden layers.
        slope: of LeakyReLU; the note does not give it (ours).
        kernel: how weights start.
        penalty: weight of the gradient penalty.
        sides: one- or two-sided penalty.
        weight: of this critic in the generator's loss.
        scale: factor on the values before the network, which sets how steep a critic of slope 1 may be in them (ours).
        sums: show it also the sums of each layer, over their spread, and of the shower, each times its factor; 0 hides
            them, as the note does. They are linear in the cells, and make the sums easier to judge (ours).
        logs: factor on ln(1 + E_cell / MeV), which it sees too unless 0, so that faint cells count (ours).
    """

    spread: Tensor

    def __init__(
        self,
        space: Space,
        *,
        hidden: tuple[int, ...] = (128, 128, 128),
        activation: Activation = Activation.leaky_relu,
        slope: float = 0.05,
        kernel: Initialiser = Initialiser.glorot_uniform,
        penalty: float = 10.0,
        sides: Sides = Sides.two,
        weight: float = 1.0,
        scale: float = 5.0,
        sums: tuple[float, float] = (0.0, 0.0),
        logs: float = 0.0,
    ) -> None:
        super().__init__(space, penalty=penalty, sides=sides, weight=weight)
        self.space, self.scale, self.sums, self.logs = space, scale, tuple(sums), logs
        layers = len(space.geometry.slices)
        self.size = space.features + layers * bool(sums[0]) + bool(sums[1]) + space.geometry.cells * bool(logs)
        sizes = [self.size + space.condition_size, *hidden, 1]
        self.network = networks.MLP(sizes, lambda width: networks.activation(activation, slope), kernel)
        self.register_buffer("spread", torch.ones(layers))

    def initialise(self, batch: Batch) -> None:
        """Learn how much each layer's share varies."""
        sums = self.space.layer_sums(self.space.fractions(batch.values, batch.condition))
        self.spread = sums.std(dim=0).clamp(min=1e-9)

    def view(self, values: Tensor, condition: Tensor) -> Tensor:
        """The scaled values, the sums and the logarithms where they are shown."""
        parts = [values * self.scale]
        if any(self.sums) or self.logs:
            fractions = self.space.fractions(values, condition)
            layers = self.space.layer_sums(fractions)
            if self.sums[0]:
                parts.append(layers / self.spread * self.sums[0])
            if self.sums[1]:
                parts.append(layers.sum(dim=1, keepdim=True) * self.sums[1])
            if self.logs:
                parts.append(torch.log1p(fractions * self.space.incident(condition)) * self.logs)
        return torch.cat(parts, dim=1)

    def judge(self, view: Tensor, condition: Tensor) -> Tensor:
        """Score (n, 1)."""
        return self.network(torch.cat([view, condition], dim=1))

    def gradient(self, view: Tensor, condition: Tensor) -> Tensor:
        """Derivative of the score with respect to the view, written out."""
        return self.network.gradient(torch.cat([view, condition], dim=1), self.size)
