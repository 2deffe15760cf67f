"""``model=wgan_gp``: the GAN of the ATLAS note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from calozoo import Activation, Batch, Initialiser, Noise, Space, networks
from calozoo_wgan_gp.adversarial import Adversarial
from calozoo_wgan_gp.output import Output, activate, invert


class WganGp(Adversarial):
    """Wasserstein GAN with gradient penalty (ATL-SOFT-PUB-2018-001, Sec. 4.2; arXiv:1704.00028).

    The bold values of the note's Table 2 are the defaults; what it leaves open is marked as ours.

    Args (options):
        latent_size: random numbers that a shower is made from, N(0, 1).
        hidden: widths of the generator's hidden layers; the critic has its own, ``critic.shower.hidden``.
        activation: of the hidden layers.
        slope: of LeakyReLU (ours).
        output: activation of the last layer, scaled to the range of the preprocessed values.
        cut: what a ReLU after a sigmoid or softmax takes off, of the range (ours).
        kernel: how weights start.
        l1: weight of the L1 activity regulariser on the showers, summed over cells and averaged over the batch (ours).
        ratio: updates of the critics for one of the generator.
        bias_from_data: start the last layer's bias at the mean training shower (ours).
    """

    default_conditions: ClassVar[str] = "note"
    default_critics: ClassVar[tuple[str, ...]] = ("shower",)

    def __init__(
        self,
        space: Space,
        *,
        latent_size: int = 300,
        hidden: tuple[int, ...] = (128, 128, 128),
        activation: Activation = Activation.leaky_relu,
        slope: float = 0.05,
        output: Output = Output.sigmoid,
        cut: float = 1e-5,
        kernel: Initialiser = Initialiser.glorot_uniform,
        l1: float = 1e-5,
        ratio: int = 5,
        bias_from_data: bool = True,
    ) -> None:
        super().__init__(space, latent=Noise(latent_size), ratio=ratio)
        self.output, self.cut, self.l1, self.bias_from_data = output, cut, l1, bias_from_data
        sizes = [latent_size + space.condition_size, *hidden, space.features]
        self.network = networks.MLP(sizes, lambda width: networks.activation(activation, slope), kernel)

    def initialise(self, batch: Batch) -> None:
        """Start at the mean training shower."""
        if self.bias_from_data:
            with torch.no_grad():
                self.network.last.bias.copy_(invert(self.output, batch.values.mean(dim=0), self.space.range))

    def regularise(self, values: Tensor, condition: Tensor) -> Mapping[str, Tensor]:
        """The L1 activity regulariser, on how far the values lie above the lowest."""
        low = self.space.range[0] or 0.0
        return {"l1": self.l1 * (values - low).abs().sum(dim=1).mean()} if self.l1 else {}

    def sample(self, condition: Tensor, latent: Tensor) -> Tensor:
        """Values (n, features)."""
        return activate(self.output, self.network(torch.cat([latent, condition], dim=1)), self.space.range, self.cut)
