from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from calozoo import Batch, Space, Split
from calozoo.conditions import ConditionOptions, Conditions, Encoding, EncodingName, chosen
from calozoo.config import create
from calozoo.testing import ModelContract, toy_batch, toy_showers, toy_space
from calozoo_copula.copula_gan import CopulaGan

SHOWERS = toy_showers(2000)
SPACE = toy_space(SHOWERS)
BATCH = toy_batch(SPACE, SHOWERS)


class TestCopulaGan(ModelContract):
    name = "copula_gan"


class TestCopulaGanOnLogarithms(ModelContract):
    name = "copula_gan"
    critics = ("shower",)

    @cached_property
    def space(self) -> Space:
        return replace(SPACE, preprocessor=create("preprocessor", {"name": "log"}, SPACE.geometry))

    @cached_property
    def batch(self) -> Batch:
        return toy_batch(self.space, toy_showers(256))


class TestCopulaGanOnLayers(TestCopulaGanOnLogarithms):
    @cached_property
    def space(self) -> Space:
        preprocessor = create("preprocessor", {"name": "layers"}, SPACE.geometry)
        preprocessor.fit(
            SPACE.preprocessor.inverse(BATCH.values, SPACE.incident(BATCH.condition)), SPACE.incident(BATCH.condition)
        )
        return replace(SPACE, preprocessor=preprocessor)


def start(space: Space, batch: Batch) -> CopulaGan:
    model = CopulaGan(space, start_gain=0.0)
    model.initialise(batch)
    return model.eval()


@torch.inference_mode()
def made(model: CopulaGan, condition: torch.Tensor) -> torch.Tensor:
    """Fractions of showers."""
    latent = model.latent.draw(len(condition), torch.Generator().manual_seed(5))
    return model.space.fractions(model.sample(condition, latent), condition)


def test_before_any_training_it_has_the_training_showers_means_zeros_and_correlations() -> None:
    ours, theirs = made(start(SPACE, BATCH), BATCH.condition), SPACE.fractions(BATCH.values, BATCH.condition)
    torch.testing.assert_close(ours.mean(dim=0), theirs.mean(dim=0), rtol=0.1, atol=2e-3)
    torch.testing.assert_close(ours.std(dim=0), theirs.std(dim=0), rtol=0.1, atol=2e-3)
    zeros, expected = (ours == 0).float().mean(dim=0), (theirs == 0).float().mean(dim=0)
    torch.testing.assert_close(zeros, expected, rtol=0, atol=0.05)
    torch.testing.assert_close(torch.corrcoef(ours.T), torch.corrcoef(theirs.T), rtol=0, atol=0.12)
    incident = SPACE.incident(BATCH.condition)[:, 0].round()
    for energy in incident.unique():
        total, true = (x.sum(dim=1)[incident == energy] for x in (ours, theirs))
        torch.testing.assert_close(total.mean(), true.mean(), rtol=0.01, atol=0)
        torch.testing.assert_close(total.std(), true.std(), rtol=0.1, atol=0)


def test_the_fit_is_the_same_each_time_and_leaves_the_random_state_alone() -> None:
    state = torch.get_rng_state()
    first = {name: tensor.clone() for name, tensor in start(SPACE, BATCH).copula.state_dict().items()}
    model = CopulaGan(SPACE)
    torch.set_rng_state(state)
    model.initialise(BATCH)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(first[name], tensor) for name, tensor in model.copula.state_dict().items())


def test_the_fit_is_saved_with_the_weights() -> None:
    model, other = start(SPACE, BATCH), CopulaGan(SPACE)
    other.load_state_dict(load(save(model.state_dict())))
    assert torch.equal(made(model, BATCH.condition[:50]), made(other.eval(), BATCH.condition[:50]))


def test_what_a_column_does_to_a_shower_is_learnt() -> None:
    showers = toy_showers(3000)
    energies, side = showers.energies.copy(), showers.conditions["side"] == 1
    energies[side, :4] = energies[side, 3::-1]
    space, batch = SPACE, toy_batch(SPACE, replace(showers, energies=energies))
    ours, theirs = made(start(space, batch), batch.condition), space.fractions(batch.values, batch.condition)
    for half in (torch.as_tensor(side), torch.as_tensor(~side)):
        torch.testing.assert_close(ours[half].mean(dim=0), theirs[half].mean(dim=0), rtol=0.12, atol=3e-3)


def test_one_energy_and_the_energy_alone_are_enough() -> None:
    showers = toy_showers(500, energies=(4096.0,))
    conditions = Conditions(
        chosen(ConditionOptions(columns={"incident_energy": [Encoding(EncodingName.log)]}), SPACE.geometry)
    )
    conditions.fit(showers.columns)
    space = replace(SPACE, conditions=conditions)
    batch = toy_batch(space, showers)
    ours = made(start(space, batch), batch.condition)
    torch.testing.assert_close(
        ours.mean(dim=0), space.fractions(batch.values, batch.condition).mean(dim=0), rtol=0.15, atol=3e-3
    )


def test_other_geometries_and_continuous_energies() -> None:
    geometry = create("geometry", {"name": "calochallenge_photons"})
    source = create("data", {"name": "gflash", "seed": 3}, geometry)
    showers = source.open(Split.train).rows(slice(0, 1500))
    space = toy_space(showers, geometry)
    batch = toy_batch(space, showers)
    ours = made(start(space, batch), batch.condition)
    theirs = space.fractions(batch.values, batch.condition)
    assert bool(torch.isfinite(ours).all())
    sums, expected = space.layer_sums(ours), space.layer_sums(theirs)
    torch.testing.assert_close(sums.mean(dim=0), expected.mean(dim=0), rtol=0.1, atol=3e-3)
    assert np.isclose((ours > 0).float().mean(), (theirs > 0).float().mean(), rtol=0.1)


def test_an_empty_layer_is_possible() -> None:
    showers = toy_showers(2000)
    energies = showers.energies.copy()
    empty = np.random.default_rng(0).random(len(energies)) < 0.3
    energies[empty, 4:10] = 0
    batch = toy_batch(SPACE, replace(showers, energies=energies))
    ours = made(start(SPACE, batch), batch.condition)
    assert (ours[:, 4:10].sum(dim=1) == 0).float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert bool((ours[:, :4].sum(dim=1) > 0).all())
