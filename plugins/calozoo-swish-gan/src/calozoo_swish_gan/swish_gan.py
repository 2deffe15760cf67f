"""``model=swish_gan``: the revised GAN of the ATLAS poster."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from calozoo import Batch, Initialiser, Noise, Space, networks
from calozoo_swish_gan.swish import Swish
from calozoo_wgan_gp.adversarial import Adversarial


class Beta(Enum):
    """How many trainable betas Swish has."""

    layer = "layer"
    unit = "unit"


class SwishGan(Adversarial):
    """Deeper GAN with trainable Swish, conditioned on the impact position, judged by shower and total energy.

    What the poster leaves open was chosen by measurement and is ours. In particular the output is factorised: the total
    energy, in units of the training sample's mean and width at the incident energy, times each cell's share of it; and each
    cell's share fluctuates by a random number of its own, as wide as the network says, since a network of smooth functions
    of few random numbers makes showers that are too smooth.

    Args (options):
        latent_size: random numbers that the network sees, N(0, 1); each cell has one more of its own.
        hidden: widths of the generator's hidden layers.
        beta: one trainable beta per layer or per unit.
        kernel: how weights start.
        ratio: updates of the critics for one of the generator.
        sharpness: of the shares; larger makes cells fade to zero sooner.
    """

    default_conditions: ClassVar[str] = "poster"
    default_critics: ClassVar[tuple[str, ...]] = ("shower_sums", "energy")
    default_trainer: ClassVar[str] = "quick_poster"

    def __init__(
        self,
        space: Space,
        *,
        latent_size: int = 64,
        hidden: tuple[int, ...] = (256, 256, 256, 256, 256),
        beta: Beta = Beta.unit,
        kernel: Initialiser = Initialiser.glorot_uniform,
        ratio: int = 5,
        sharpness: float = 1.0,
    ) -> None:
        cells = space.geometry.cells
        super().__init__(space, latent=Noise(latent_size + cells), ratio=ratio)
        self.latent_size, self.sharpness = latent_size, sharpness
        sizes = [latent_size + space.condition_size, *hidden, 1 + 2 * cells]
        self.network = networks.MLP(sizes, lambda width: Swish(width if beta is Beta.unit else 1), kernel)
        self.response = networks.EnergyStandard(1)

    def initialise(self, batch: Batch) -> None:
        """Start at the mean training shower, and learn how the total energy depends on the incident energy."""
        fractions = self.space.fractions(batch.values, batch.condition)
        total = fractions.sum(dim=1, keepdim=True)
        self.response.fit(total, self.space.incident(batch.condition))
        share = (fractions / total.clamp(min=1e-9)).mean(dim=0)
        with torch.no_grad():
            self.network.last.bias[: 1 + len(share)] = 0.0
            self.network.last.bias[-len(share) :] = (share.clamp(min=1e-6).log() + 7.0) / self.sharpness

    def sample(self, condition: Tensor, latent: Tensor) -> Tensor:
        """Values (n, features)."""
        network_latent, cell_latent = latent.split([self.latent_size, self.space.geometry.cells], dim=1)
        response, width, mean = self.network(torch.cat([network_latent, condition], dim=1)).split(
            [1, cell_latent.shape[1], cell_latent.shape[1]], dim=1
        )
        incident = self.space.incident(condition)
        total = self.response.inverse(response, incident).clamp(min=1e-3)
        shares = torch.softmax(self.sharpness * mean + functional.softplus(width) * cell_latent, dim=1)
        return self.space.preprocessor(total * shares * incident, incident)
