from __future__ import annotations

import torch

from calozoo import Space
from calozoo.testing import CriticContract, toy_batch, toy_showers, toy_space
from calozoo_copula.observables import Observables, ObservablesCritic

SHOWERS = toy_showers(2000)
SPACE: Space = toy_space(SHOWERS)
BATCH = toy_batch(SPACE, SHOWERS)


class TestObservablesCritic(CriticContract):
    name = "observables"


class TestObservablesCriticWithoutMoments(CriticContract):
    name = "observables"
    options = {"moments": 0.0}


def test_observables_of_training_showers_are_standardised_at_each_energy() -> None:
    observables = Observables(SPACE)
    observables.fit(BATCH)
    made = observables(BATCH.values, BATCH.condition)
    assert made.shape == (len(BATCH), observables.size)
    incident = SPACE.incident(BATCH.condition)[:, 0].round()
    for energy in incident.unique():
        here = made[incident == energy]
        assert bool((here.mean(dim=0).abs() < 0.2).all())
        assert bool((here.std(dim=0) < 1.2).all())


def test_the_linear_part_learns_the_difference_of_means_and_pulls_back() -> None:
    torch.manual_seed(0)
    critic = ObservablesCritic(SPACE, hidden=(8,))
    critic.initialise(BATCH)
    assert critic.moment is not None
    condition = BATCH.condition[:100]
    real = critic.view(BATCH.values[:100], condition)
    fake = real + 0.5
    mix = torch.zeros(len(real), 1)
    optimizer = torch.optim.Adam([critic.moment], lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        critic.gradient_penalty(real, fake, condition, mix).backward()
        optimizer.step()
    learnt = critic.moment[[0, -1], :, 0].detach()  # no shower is at an energy in between
    torch.testing.assert_close(learnt, torch.full_like(learnt, 0.5), rtol=0, atol=0.05)
    with torch.no_grad():
        critic.network.last.weight.zero_()
        worse = critic(BATCH.values * 1.05, BATCH.condition) - critic(BATCH.values, BATCH.condition)
    assert float(worse.mean()) < 0
