from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from calozoo import Activation, Initialiser, networks


@pytest.mark.parametrize("kind", list(Activation))
@pytest.mark.parametrize("hidden", [[], [7], [6, 5, 4]])
def test_explicit_gradient_is_the_finite_difference(kind: Activation, hidden: list[int]) -> None:
    torch.manual_seed(0)
    network = networks.MLP([5, *hidden, 1], lambda width: networks.activation(kind)).double()
    x = torch.randn(20, 5, dtype=torch.float64)
    gradient = network.gradient(x, 3)
    step = 1e-6 * torch.eye(5, dtype=torch.float64)
    for i in range(3):
        difference = (network(x + step[i]) - network(x - step[i])) / 2e-6
        torch.testing.assert_close(gradient[:, i : i + 1], difference.detach(), rtol=1e-5, atol=1e-7, check_dtype=False)


@pytest.mark.parametrize("kind", list(Activation))
def test_second_derivatives_are_those_of_double_backward(kind: Activation) -> None:
    torch.manual_seed(0)
    network = networks.MLP([4, 8, 8, 1], lambda width: networks.activation(kind)).double()
    x = torch.randn(30, 4, dtype=torch.float64, requires_grad=True)
    double = torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]
    weights = [linear.weight for linear in network.linears]
    ours = torch.autograd.grad(network.gradient(x.detach(), 4).square().sum(), weights)
    theirs = torch.autograd.grad(double.square().sum(), weights)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("kind", "std"),
    [
        (Initialiser.zeros, 0.0),
        (Initialiser.ones, 0.0),
        (Initialiser.random_normal, 0.05),
        (Initialiser.random_uniform, 0.05 / math.sqrt(3)),
        (Initialiser.glorot_uniform, math.sqrt(2 / 900)),
        (Initialiser.glorot_normal, math.sqrt(2 / 900) * 0.8796),
        (Initialiser.lecun_normal, math.sqrt(1 / 300) * 0.8796),
        (Initialiser.variance_scaling, math.sqrt(1 / 300) * 0.8796),
        (Initialiser.truncated_normal, 0.05 * 0.8796),
    ],
)
def test_initialisers_have_their_spread(kind: Initialiser, std: float) -> None:
    torch.manual_seed(0)  # 0.8796 is the spread of a normal distribution cut at two standard deviations
    tensor = torch.empty(600, 300)
    networks.initialise(tensor, kind, 300, 600)
    assert tensor.std().item() == pytest.approx(std, rel=0.02)
    assert tensor.mean().item() == pytest.approx(1.0 if kind is Initialiser.ones else 0.0, abs=1e-3)


def test_biases_start_with_the_spread_that_keras_gives_vectors() -> None:
    torch.manual_seed(0)
    bias = networks.MLP([3, 10_000, 1], lambda _: torch.nn.ReLU(), bias=Initialiser.glorot_normal).linears[0].bias
    assert bias.std().item() == pytest.approx(10_000**-0.25 * 0.8796, rel=0.03)


def test_energy_standard_is_exact_at_the_energies_it_saw_and_between_them() -> None:
    random = torch.Generator().manual_seed(0)
    incident = torch.tensor([1024.0 * 2**k for k in range(9)]).repeat_interleave(2000)[:, None]
    x = 0.9 + 0.01 * incident.log() + 0.3 / incident.sqrt() * torch.randn(len(incident), 1, generator=random)
    standard = networks.EnergyStandard(1)
    standard.fit(x, incident)
    z = standard(x, incident)
    for energy in incident.unique():
        here = z[incident[:, 0] == energy]
        assert here.mean().item() == pytest.approx(0, abs=1e-3)
        assert here.std().item() == pytest.approx(1, rel=0.06)
    torch.testing.assert_close(standard.inverse(z, incident), x, rtol=1e-5, atol=1e-6)
    between = torch.tensor([[1024.0 * 2**3.5]])
    mean, width = standard.curves(between)
    assert mean.item() == pytest.approx((0.9 + 0.01 * between.log()).item(), rel=1e-3)
    assert width.item() == pytest.approx((0.3 / between.sqrt()).item(), rel=0.05)


def test_leaky_relu_has_the_slope_asked_for() -> None:
    act = networks.activation(Activation.leaky_relu, 0.07)
    assert isinstance(act, nn.LeakyReLU)
    assert act(torch.tensor(-1.0)).item() == pytest.approx(-0.07)
