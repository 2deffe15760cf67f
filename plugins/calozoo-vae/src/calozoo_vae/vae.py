"""``model=vae``: the variational autoencoder of the ATLAS note."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

import torch
from torch import Tensor

from calozoo import Activation, Batch, ConfigError, Critic, Generator, Initialiser, Noise, Player, Space, networks


class Reduction(Enum):
    """How the squared errors of the cells are joined."""

    mean = "mean"
    sum = "sum"


class Vae(Generator):
    """Variational autoencoder conditioned on the incident energy (ATL-SOFT-PUB-2018-001, Sec. 4.1; arXiv:1312.6114).

    The bold values of the note's Table 1 are the defaults; what it leaves open is marked as ours. The note's Eq. 1
    and 5 have slips of sign and form; the divergence here is KL = 1/2 sum(mu^2 + sigma^2 - ln sigma^2 - 1), and every
    term of the loss is minimised.

    Args (options):
        latent_size: dimension of the latent space.
        encoder: widths of the encoder's hidden layers; the decoder mirrors them unless ``decoder`` gives its own.
        decoder: widths of the decoder's hidden layers.
        activation: of the hidden layers.
        kernel: how weights start.
        bias: how biases start; the note prints both ones and glorot_normal in bold.
        reduction: whether the squared errors of the cells are averaged or summed; the note does not say (ours).
        reconstruction: weight of the squared error.
        kl: weight of the divergence.
        kl_start: its weight in the first part of the training, from where it falls to ``kl`` geometrically; null keeps
            ``kl`` throughout, as the note has it. A strong start brings the encodings of every energy under the prior (ours).
        kl_hold: how much of the training that first part is (ours).
        total: weight of the total energy's error, Eq. 3.
        layers: weights of the layer fractions' errors, Eq. 4, from the front; none given: the note's for four layers, and
            their mean for each layer of other geometries (ours).
        bias_from_data: start the last layer's bias at the mean training shower (ours).
        scale: factor on the values that the encoder sees (ours).
        condition_scale: factor on the conditions at both ends (ours).
        slope: of LeakyReLU (ours).
    """

    default_trainer: ClassVar[str] = "quick_vae"

    def __init__(
        self,
        space: Space,
        *,
        latent_size: int = 10,
        encoder: tuple[int, ...] = (200, 150, 100, 50),
        decoder: tuple[int, ...] | None = None,
        activation: Activation = Activation.elu,
        kernel: Initialiser = Initialiser.glorot_normal,
        bias: Initialiser = Initialiser.glorot_normal,
        reduction: Reduction = Reduction.sum,
        reconstruction: float = 1.0,
        kl: float = 1e-4,
        kl_start: float | None = None,
        kl_hold: float = 0.8,
        total: float = 1e-2,
        layers: tuple[float, ...] = (),
        bias_from_data: bool = True,
        scale: float = 3.0,
        condition_scale: float = 2.0,
        slope: float = 0.3,
    ) -> None:
        super().__init__(space, latent=Noise(latent_size))
        self.reduction, self.bias_from_data = reduction, bias_from_data
        self.scale, self.condition_scale = scale, condition_scale
        self.kl_start, self.kl_hold = kl if kl_start is None else kl_start, kl_hold
        if not 0 <= kl_hold < 1:
            raise ConfigError(f"model.kl_hold must lie in [0, 1), not {kl_hold}.")
        if (kl_start is not None and kl <= 0) or self.kl_start < 0 or kl < 0:
            raise ConfigError("model.kl must not be negative, and must be positive where model.kl_start is given.")
        self.weights = {"reconstruction": reconstruction, "kl": kl, "total": total}
        self.layer_weights = _layer_weights(layers, len(space.geometry.slices))
        condition = space.condition_size
        decoder = tuple(reversed(encoder)) if decoder is None else decoder

        def make(sizes: list[int]) -> networks.MLP:
            return networks.MLP(sizes, lambda width: networks.activation(activation, slope), kernel, bias)

        self.encoder = make([space.features + condition, *encoder, 2 * latent_size])
        self.decoder = make([latent_size + condition, *decoder, space.features])

    def initialise(self, batch: Batch) -> None:
        """Start at the mean training shower."""
        low, high = self.space.range
        if self.bias_from_data and low is not None and high is not None:
            with torch.no_grad():
                self.decoder.last.bias.copy_(networks.inverse_sigmoid((batch.values.mean(dim=0) - low) / (high - low)))

    def players(self, critics: Mapping[str, Critic]) -> tuple[Player, ...]:
        """One player with the whole loss."""
        self.refuse(critics)
        return (Player("vae", tuple(self.parameters()), self.loss, {"latent": self.latent}),)

    def loss(self, batch: Batch, noise: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The terms of the note's Eq. 5, weighted; with ``noise`` the encoding is drawn (Eq. 1's q)."""
        seen = torch.cat([self.scale * batch.values, self.condition_scale * batch.condition], dim=1)
        mu, log_variance = self.encoder(seen).chunk(2, dim=1)
        latent = mu + (0.5 * log_variance).exp() * noise["latent"]
        rebuilt = self.sample(batch.condition, latent)
        squares = (rebuilt - batch.values).square()
        squares = squares.mean(dim=1) if self.reduction is Reduction.mean else squares.sum(dim=1)
        divergence = 0.5 * (mu.square() + log_variance.exp() - log_variance - 1).sum(dim=1)
        sums, rebuilt_sums = (
            self.space.layer_sums(self.space.fractions(values, batch.condition)) for values in (batch.values, rebuilt)
        )
        total, rebuilt_total = sums.sum(dim=1, keepdim=True), rebuilt_sums.sum(dim=1, keepdim=True)
        shares = sums / total.clamp(min=1e-9) - rebuilt_sums / rebuilt_total.clamp(min=1e-9)
        weights = shares.new_tensor(self.layer_weights)
        fallen = max(0.0, (batch.progress - self.kl_hold) / (1 - self.kl_hold))
        kl = self.kl_start * (self.weights["kl"] / self.kl_start) ** fallen if self.kl_start else 0.0
        return {
            "reconstruction": self.weights["reconstruction"] * squares.mean(),
            "kl": kl * divergence.mean(),
            "total": self.weights["total"] * (total - rebuilt_total).abs().mean(),
            "layers": (shares.abs() * weights).sum(dim=1).mean(),
        }

    def sample(self, condition: Tensor, latent: Tensor) -> Tensor:
        """Values (n, features): the decoder's output, a sigmoid over the values' range."""
        out = self.decoder(torch.cat([latent, self.condition_scale * condition], dim=1))
        low, high = self.space.range
        if low is None or high is None:
            return out
        return low + (high - low) * torch.sigmoid(out)


def _layer_weights(weights: tuple[float, ...], layers: int) -> tuple[float, ...]:
    note = (8e-2, 6e-1, 2e-1, 1e-1)
    if not weights:
        return note if layers == len(note) else (sum(note) / layers,) * layers
    if len(weights) != layers:
        raise ConfigError(f"model.layers gives {len(weights)} weights, and the geometry has {layers} layers.")
    return tuple(weights)
