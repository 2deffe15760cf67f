from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import cached_property

import pytest
import torch

from calozoo import Activation, ConfigError, Initialiser, Space
from calozoo.config import create
from calozoo.testing import ModelContract, ToyGeometry, toy_batch, toy_showers, toy_space
from calozoo_vae.vae import Reduction, Vae

SHOWERS = toy_showers(64)
SPACE = toy_space(SHOWERS)
BATCH = toy_batch(SPACE, SHOWERS)
LAYERS = (0.3, 0.5, 0.2)


class TestVae(ModelContract):
    name = "vae"


class TestVaeOnLogarithms(ModelContract):
    name = "vae"

    @cached_property
    def space(self) -> Space:
        other = create("preprocessor", {"name": "log"}, SPACE.geometry)
        return replace(SPACE, preprocessor=other)


def make(**options: object) -> Vae:
    torch.manual_seed(0)
    return Vae(SPACE, **{"encoder": (16, 8), "layers": LAYERS, **options})  # type: ignore[arg-type]


def noise(model: Vae) -> dict[str, torch.Tensor]:
    return {"latent": torch.randn(len(BATCH), model.latent.size, generator=torch.Generator().manual_seed(1))}


@pytest.mark.parametrize("reduction", list(Reduction))
def test_each_term_is_what_the_note_says(reduction: Reduction) -> None:
    model = make(reduction=reduction, reconstruction=0.7, kl=0.03, kl_start=None, total=0.4)
    drawn = noise(model)
    terms = {name: term.item() for name, term in model.loss(BATCH, drawn).items()}

    x, c = BATCH.values, BATCH.condition
    out = model.encoder(torch.cat([3.0 * x, 2.0 * c], dim=1)).detach()
    mu, log_variance = out[:, :10].tolist(), out[:, 10:].tolist()
    rebuilt = []
    expected = dict.fromkeys(terms, 0.0)
    n, cells, slices = len(BATCH), SPACE.features, ToyGeometry().slices
    for i in range(n):
        z = [
            m + math.exp(v / 2) * e for m, v, e in zip(mu[i], log_variance[i], drawn["latent"][i].tolist(), strict=True)
        ]
        logits = model.decoder(torch.cat([torch.tensor([z]), 2.0 * c[i : i + 1]], dim=1))[0].tolist()
        rebuilt.append([1 / (1 + math.exp(-y)) for y in logits])
        true, made = x[i].tolist(), rebuilt[i]
        squares = sum((a - b) ** 2 for a, b in zip(true, made, strict=True))
        expected["reconstruction"] += 0.7 * squares / (cells if reduction is Reduction.mean else 1) / n
        expected["kl"] += (
            0.03 * 0.5 * sum(m * m + math.exp(v) - v - 1 for m, v in zip(mu[i], log_variance[i], strict=True)) / n
        )
        expected["total"] += 0.4 * abs(sum(true) - sum(made)) / n
        shares = [abs(sum(true[s]) / sum(true) - sum(made[s]) / sum(made)) for s in slices]
        expected["layers"] += sum(w * d for w, d in zip(LAYERS, shares, strict=True)) / n
    assert terms == pytest.approx(expected, rel=2e-4)


def test_divergence_vanishes_for_the_prior() -> None:
    model = make(kl=1.0, kl_start=None)
    with torch.no_grad():
        model.encoder.last.weight.zero_()
        model.encoder.last.bias.zero_()
    assert model.loss(BATCH, noise(model))["kl"].item() == pytest.approx(0, abs=1e-7)


def test_weight_of_the_divergence_falls_geometrically_to_its_end() -> None:
    model = make(kl=1e-4, kl_start=1e-2, kl_hold=0.5)
    drawn = noise(model)

    def term(progress: float) -> float:
        return model.loss(type(BATCH)(BATCH.values, BATCH.condition, progress), drawn)["kl"].item()

    assert term(0.0) == pytest.approx(term(0.5))
    assert term(0.75) / term(0.5) == pytest.approx(0.1, rel=1e-4)
    assert term(1.0) / term(0.5) == pytest.approx(0.01, rel=1e-4)


def test_widths_and_parameters_of_the_note() -> None:
    model = Vae(SPACE)
    inputs, condition = SPACE.features, SPACE.condition_size
    sizes = [inputs + condition, 200, 150, 100, 50, 20], [10 + condition, 50, 100, 150, 200, inputs]
    expected = sum(a * b + b for chain in sizes for a, b in itertools.pairwise(chain))
    assert sum(p.numel() for p in model.parameters()) == expected
    assert model.layer_weights == pytest.approx((0.98 / 3,) * 3)


def test_four_layers_have_the_weights_of_the_note() -> None:
    from calozoo_vae.vae import _layer_weights

    assert _layer_weights((), 4) == (8e-2, 6e-1, 2e-1, 1e-1)
    with pytest.raises(ConfigError, match="gives 2 weights, and the geometry has 3 layers"):
        make(layers=(1.0, 2.0))


@pytest.mark.parametrize("activation", list(Activation))
@pytest.mark.parametrize("encoder", [(190,), (200, 150), (200, 150, 100), (200, 150, 100, 50), (200, 150, 100, 50, 25)])
def test_activations_and_depths_of_table_1_run(activation: Activation, encoder: tuple[int, ...]) -> None:
    model = make(activation=activation, encoder=encoder)
    assert len(model.encoder.linears) == len(encoder) + 1
    assert all(torch.isfinite(term) for term in model.loss(BATCH, noise(model)).values())


@pytest.mark.parametrize("initialiser", list(Initialiser))
def test_initialisers_of_table_1_act_on_weights_and_biases(initialiser: Initialiser) -> None:
    torch.manual_seed(5)
    first = make(kernel=initialiser, bias=Initialiser.zeros).encoder.linears[0].weight
    assert (first.std() > 0) == (initialiser not in {Initialiser.zeros, Initialiser.ones})
    bias = make(bias=initialiser).encoder.linears[0].bias
    assert (bias == 1).all() == (initialiser is Initialiser.ones)


def test_senseless_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.kl"):
        make(kl=0.0, kl_start=0.02)
    with pytest.raises(ConfigError, match="kl_hold"):
        make(kl_hold=1.0)
