from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cached_property

import pytest
import torch

from calozoo import Activation, ConfigError, Initialiser, Sides, Space
from calozoo.config import create
from calozoo.testing import CriticContract, ModelContract, toy_batch, toy_showers, toy_space
from calozoo_wgan_gp.output import Output, activate, invert
from calozoo_wgan_gp.shower import ShowerCritic
from calozoo_wgan_gp.wgan_gp import WganGp

SHOWERS = toy_showers(64)
SPACE = toy_space(SHOWERS)
BATCH = toy_batch(SPACE, SHOWERS)


class TestWganGp(ModelContract):
    name = "wgan_gp"


class TestWganGpWithBothCritics(ModelContract):
    name = "wgan_gp"
    critics = ("shower", "energy")


class TestWganGpOnLogarithms(ModelContract):
    name = "wgan_gp"

    @cached_property
    def space(self) -> Space:
        other = create("preprocessor", {"name": "log_scaled"}, SPACE.geometry)
        return replace(SPACE, preprocessor=other)


class TestShowerCritic(CriticContract):
    name = "shower"


class TestShowerCriticWithSums(CriticContract):
    name = "shower"
    options = {"sums": [5.0, 50.0], "logs": 0.2, "activation": "selu"}


def make(**options: object) -> WganGp:
    torch.manual_seed(0)
    return WganGp(SPACE, **{"latent_size": 7, "hidden": (16, 16), **options})  # type: ignore[arg-type]


def judge(**options: object) -> ShowerCritic:
    torch.manual_seed(1)
    critic = ShowerCritic(SPACE, **{"hidden": (16, 16), **options})  # type: ignore[arg-type]
    critic.initialise(BATCH)
    return critic


def draw(player: object) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(2)
    return {name: kind.draw(len(BATCH), random) for name, kind in player.noise.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("sides", list(Sides))
def test_losses_are_those_of_equation_6(sides: Sides) -> None:
    model, critic = make(l1=0.01), judge(penalty=3.0, sides=sides, weight=2.0, scale=5.0)
    critics, generator = model.players({"shower": critic})
    noise = draw(critics)
    terms = critics.loss(BATCH, noise)
    real = BATCH.values
    fake = model.sample(BATCH.condition, noise["latent"]).detach()
    distance = critic(fake, BATCH.condition).mean() - critic(real, BATCH.condition).mean()
    torch.testing.assert_close(terms["shower_distance"], distance)
    mix = noise["mix_shower"]
    between = (5 * (mix * real + (1 - mix) * fake)).requires_grad_()
    slope = torch.autograd.grad(critic.network(torch.cat([between, BATCH.condition], dim=1)).sum(), between)[0].norm(
        dim=1
    )
    excess = slope - 1 if sides is Sides.two else (slope - 1).clamp(min=0)
    torch.testing.assert_close(terms["shower_penalty"], 3.0 * excess.square().mean(), rtol=1e-4, atol=1e-6)

    noise = draw(generator)
    terms = generator.loss(BATCH, noise)
    fake = model.sample(BATCH.condition, noise["latent"])
    torch.testing.assert_close(terms["shower"], -2.0 * critic(fake, BATCH.condition).mean())
    torch.testing.assert_close(terms["l1"], 0.01 * fake.sum() / len(fake))


def test_penalty_acts_on_the_shower_and_not_on_the_condition() -> None:
    critic = judge()
    with torch.no_grad():
        critic.network.linears[0].weight[:, : critic.size] = 0  # a critic that looks at the condition alone
    view = critic.view(BATCH.values, BATCH.condition)
    assert critic.gradient(view, BATCH.condition).abs().max() == 0


def test_widths_and_parameters_of_the_note() -> None:
    condition, features = SPACE.condition_size, SPACE.features

    def count(sizes: list[int]) -> int:
        return sum(a * b + b for a, b in itertools.pairwise(sizes))

    model, critic = WganGp(SPACE), ShowerCritic(SPACE)
    assert model.latent.size == 300
    assert model.ratio == 5
    assert sum(p.numel() for p in model.parameters()) == count([300 + condition, 128, 128, 128, features])
    assert sum(p.numel() for p in critic.parameters()) == count([features + condition, 128, 128, 128, 1])
    assert critic.penalty == 10
    assert critic.sides is Sides.two


@pytest.mark.parametrize("output", list(Output))
def test_outputs_lie_in_the_range_and_start_at_the_mean(output: Output) -> None:
    model = make(output=output, hidden=(16,))
    model.initialise(BATCH)
    with torch.no_grad():
        for linear in model.network.linears:
            linear.weight.zero_()
        values = model.sample(BATCH.condition, torch.randn(len(BATCH), 7, generator=torch.Generator().manual_seed(0)))
    assert values.min() >= 0
    assert values.max() <= 1 or output is Output.relu
    expected = BATCH.values.mean(dim=0)
    if output in (Output.softmax, Output.softmax_relu):
        expected = expected / expected.sum()
    torch.testing.assert_close(values[0], expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("output", list(Output))
def test_outputs_are_scaled_to_the_range_of_the_values(output: Output) -> None:
    x = torch.linspace(-3, 3, 40).reshape(4, 10)
    unit = activate(output, x, (0.0, 1.0), 1e-5)
    scaled = activate(output, x, (-10.0, 0.0), 1e-5)
    torch.testing.assert_close(scaled, -10 + 10 * unit)
    assert torch.isfinite(invert(output, torch.full((3,), 0.3), (0.0, 1.0))).all()


def test_a_relu_after_a_sigmoid_makes_exact_zeros() -> None:
    x = torch.tensor([[-20.0, 0.0]])
    assert activate(Output.sigmoid, x, (0.0, 1.0), 1e-5)[0, 0] > 0
    assert activate(Output.sigmoid_relu, x, (0.0, 1.0), 1e-5)[0, 0] == 0


@pytest.mark.parametrize("activation", [Activation.leaky_relu, Activation.selu])
@pytest.mark.parametrize("hidden", [(64,), (128, 128, 128), (64,) * 5, (64,) * 10, (512, 512, 512), (1024,)])
@pytest.mark.parametrize("kernel", [Initialiser.glorot_uniform, Initialiser.lecun_normal])
def test_networks_of_table_2_run(activation: Activation, hidden: tuple[int, ...], kernel: Initialiser) -> None:
    model, critic = (
        make(hidden=hidden, activation=activation, kernel=kernel),
        judge(hidden=hidden, activation=activation, kernel=kernel),
    )
    assert [linear.out_features for linear in model.network.linears] == [*hidden, SPACE.features]
    assert [linear.out_features for linear in critic.network.linears] == [*hidden, 1]
    for player in model.players({"shower": critic}):
        assert all(torch.isfinite(term) for term in player.loss(BATCH, draw(player)).values())


@pytest.mark.parametrize("ratio", [1, 2, 5, 10])
def test_the_training_ratio_is_how_often_critics_are_updated(ratio: int) -> None:
    critics, generator = make(ratio=ratio).players({"shower": judge()})
    assert (critics.updates, generator.updates) == (ratio, 1)


def test_weights_of_penalty_and_regulariser_scale_their_terms() -> None:
    for options in ({"penalty": 1.0}, {"penalty": 20.0}):
        critics, _ = make().players({"shower": judge(**options)})
        term = critics.loss(BATCH, draw(critics))["shower_penalty"].item()
        _, generator = make(l1=options["penalty"]).players({"shower": judge()})
        regular = generator.loss(BATCH, draw(generator))["l1"].item()
        if options["penalty"] == 1.0:
            one, other = term, regular
    assert term / one == pytest.approx(20, rel=1e-4)
    assert regular / other == pytest.approx(20, rel=1e-4)
    _, generator = make(l1=0.0).players({"shower": judge()})
    assert "l1" not in generator.loss(BATCH, draw(generator))


def test_no_critic_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a critic"):
        make().players({})


def test_conditions_change_the_showers() -> None:
    model = make()
    latent = torch.zeros(len(BATCH), 7)
    assert model.sample(BATCH.condition, latent).std(dim=0).max() > 0
