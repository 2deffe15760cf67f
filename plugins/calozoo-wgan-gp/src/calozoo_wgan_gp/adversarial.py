"""The Wasserstein game with gradient penalty, for any generator and any critics."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from calozoo import Batch, ConfigError, Critic, Distribution, Generator, Noise, Player, Space


class Adversarial(Generator, ABC):
    """A generator that plays against critics; what is left to a model is its network.

    Two players, ``critics`` (updated ``ratio`` times in each step) and ``generator``. A model may add terms of its
    own to the generator's loss by :meth:`regularise`.
    """

    def __init__(self, space: Space, *, latent: Noise, ratio: int) -> None:
        super().__init__(space, latent=latent)
        self.ratio = ratio

    def regularise(self, values: Tensor, condition: Tensor) -> Mapping[str, Tensor]:
        """Further terms of the generator's loss on its ``values`` (n, features); none by default."""
        return {}

    def players(self, critics: Mapping[str, Critic]) -> tuple[Player, ...]:
        """The critics' loss is the note's Eq. 6, summed over the critics; the generator's raises their scores."""
        if not critics:
            raise ConfigError(f"{type(self).__name__} is adversarial and needs a critic, for example critic=[shower].")
        judged = tuple(parameter for critic in critics.values() for parameter in critic.parameters())
        mixes = {f"mix_{name}": Noise(1, Distribution.uniform) for name in critics}
        return (
            Player("critics", judged, self._critics_loss(critics), {"latent": self.latent, **mixes}, self.ratio),
            Player("generator", tuple(self.parameters()), self._generator_loss(critics), {"latent": self.latent}),
        )

    def _critics_loss(
        self, critics: Mapping[str, Critic]
    ) -> Callable[[Batch, Mapping[str, Tensor]], Mapping[str, Tensor]]:
        def loss(batch: Batch, noise: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            terms = {}
            with torch.no_grad():
                fake = self.sample(batch.condition, noise["latent"])
            twice = torch.cat([batch.condition, batch.condition])
            for name, critic in critics.items():
                with torch.no_grad():
                    real_view = critic.view(batch.values, batch.condition)
                    fake_view = critic.view(fake, batch.condition)
                # Real and generated showers in one pass: half as many operations.
                real_score, fake_score = critic.judge(torch.cat([real_view, fake_view]), twice).mean(dim=1).chunk(2)
                terms[f"{name}_distance"] = fake_score.mean() - real_score.mean()
                penalty = critic.gradient_penalty(real_view, fake_view, batch.condition, noise[f"mix_{name}"])
                terms[f"{name}_penalty"] = critic.penalty * penalty
            return terms

        return loss

    def _generator_loss(
        self, critics: Mapping[str, Critic]
    ) -> Callable[[Batch, Mapping[str, Tensor]], Mapping[str, Tensor]]:
        def loss(batch: Batch, noise: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            fake = self.sample(batch.condition, noise["latent"])
            terms = {name: -critic.weight * critic(fake, batch.condition).mean() for name, critic in critics.items()}
            return terms | dict(self.regularise(fake, batch.condition))

        return loss
