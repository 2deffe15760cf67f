from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import pytest
import torch

from calozoo import Space, registry
from calozoo.config import create
from calozoo.testing import ModelContract, toy_batch, toy_showers, toy_space
from calozoo_swish_gan.swish import Swish
from calozoo_swish_gan.swish_gan import Beta, SwishGan

SHOWERS = toy_showers(400)
SPACE = toy_space(SHOWERS)
BATCH = toy_batch(SPACE, SHOWERS)


class TestSwishGan(ModelContract):
    name = "swish_gan"
    critics = ("shower", "energy")


class TestSwishGanOnLogarithms(ModelContract):
    name = "swish_gan"
    critics = ("shower",)

    @cached_property
    def space(self) -> Space:
        other = create("preprocessor", {"name": "log"}, SPACE.geometry)
        return replace(SPACE, preprocessor=other)


def test_swish_is_its_formula_and_its_beta_is_trained() -> None:
    swish = Swish(3)
    with torch.no_grad():
        swish.beta.copy_(torch.tensor([0.5, 1.0, 2.0]))
    x = torch.tensor([[1.0, -2.0, 0.3]], requires_grad=True)
    torch.testing.assert_close(swish(x), x * (1 / (1 + torch.exp(-torch.tensor([0.5, 1.0, 2.0]) * x))))
    gradient = torch.autograd.grad(swish(x).sum(), swish.beta)[0]
    sigmoid = torch.sigmoid(swish.beta * x[0])
    torch.testing.assert_close(gradient, x[0] ** 2 * sigmoid * (1 - sigmoid))


@pytest.mark.parametrize(("beta", "betas"), [(Beta.layer, 1), (Beta.unit, 32)])
def test_betas_are_shared_by_a_layer_or_not(beta: Beta, betas: int) -> None:
    model = SwishGan(SPACE, hidden=(32, 32), beta=beta)
    assert [act.beta.numel() for act in model.network.activations] == [betas, betas]


def test_starts_at_the_mean_shower_of_each_energy() -> None:
    model = SwishGan(SPACE, hidden=(32,))
    model.initialise(BATCH)
    with torch.no_grad():
        for linear in model.network.linears:
            linear.weight.zero_()
        made = SPACE.fractions(model.sample(BATCH.condition, torch.zeros(len(BATCH), 64 + 13)), BATCH.condition)
    true = SPACE.fractions(BATCH.values, BATCH.condition)
    incident = SPACE.incident(BATCH.condition)[:, 0].round()
    for energy in incident.unique():
        here = incident == energy
        torch.testing.assert_close(made[here].sum(dim=1).mean(), true[here].sum(dim=1).mean(), rtol=1e-3, atol=0)
    shares = (true / true.sum(dim=1, keepdim=True)).mean(dim=0)
    torch.testing.assert_close((made / made.sum(dim=1, keepdim=True))[0], shares, rtol=1e-3, atol=1e-5)


def test_is_conditioned_on_the_position_and_judged_by_shower_and_energy() -> None:
    assert SwishGan.default_conditions == "poster"
    assert "energy" in SwishGan.default_critics
    assert registry.find("critic", "energy").package == "calozoo-e-discriminator"
