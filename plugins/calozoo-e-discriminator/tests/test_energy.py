from __future__ import annotations

import torch

from calozoo.testing import CriticContract, toy_batch, toy_showers, toy_space
from calozoo_e_discriminator.energy import EnergyCritic

SHOWERS = toy_showers(400)
SPACE = toy_space(SHOWERS)
BATCH = toy_batch(SPACE, SHOWERS)


class TestEnergyCritic(CriticContract):
    name = "energy"


def make() -> EnergyCritic:
    torch.manual_seed(0)
    critic = EnergyCritic(SPACE)
    critic.initialise(BATCH)
    return critic


def test_gradient_vanishes_along_what_keeps_the_total() -> None:
    values = BATCH.values.clone().requires_grad_()
    gradient = torch.autograd.grad(make()(values, BATCH.condition).sum(), values)[0]
    direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(1))
    direction -= direction.mean(dim=1, keepdim=True)  # moves energy between cells and keeps the sum
    along = (gradient * direction).sum(dim=1)
    assert (gradient.norm(dim=1) > 0).all()
    assert (along.abs() < 1e-5 * gradient.norm(dim=1) * direction.norm(dim=1)).all()


def test_sees_the_total_in_units_of_its_spread() -> None:
    view = make().view(BATCH.values, BATCH.condition)
    incident = torch.as_tensor(SHOWERS.incident_energies)
    for energy in incident.unique():
        here = view[incident == energy]
        assert abs(here.mean().item()) < 0.05
        assert 0.8 < here.std().item() < 1.3


def test_cells_may_be_exchanged_without_a_change() -> None:
    critic = make()
    shuffled = BATCH.values[:, torch.randperm(BATCH.values.shape[1], generator=torch.Generator().manual_seed(2))]
    torch.testing.assert_close(
        critic(shuffled, BATCH.condition), critic(BATCH.values, BATCH.condition), rtol=1e-4, atol=1e-4
    )
