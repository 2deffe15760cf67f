"""Every preprocessor against its formula, and inverse of forward; in any geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calozoo import ConfigError, Geometry, Layer, Preprocessor
from calozoo.config import create
from calozoo.registry import load


class Uneven(Geometry):
    """Three layers of 1, 6 and 4 cells."""

    @property
    def layers(self):
        return (
            Layer.grid("first", [-1, 1], [-1, 1], depth=1.0),
            Layer.grid("second", [-1, 0, 1, 5], [-1, 0, 1], depth=2.0),
            Layer.grid("third", [-1, 0, 1], [-1, 0, 1], depth=3.0),
        )


NAMES = ["fraction", "log", "log_scaled", "layers"]


def make_showers(n, seed=0, geometry=None, spread=1.5):
    """Lognormal cell energies, a third of them empty, and some empty layers; three incident energies."""
    geometry = geometry or Uneven()
    random = torch.Generator().manual_seed(seed)
    incident = 10 ** torch.randint(3, 6, (n, 1), generator=random).float()
    energies = torch.exp(spread * torch.randn(n, geometry.cells, generator=random) - 3) * incident
    energies[torch.rand(energies.shape, generator=random) < 0.33] = 0
    for layer in geometry.slices:
        empty = torch.rand(n, generator=random) < 0.1
        energies[empty, layer] = 0
    return energies * (0.9 / (energies.sum(dim=1, keepdim=True) / incident).clamp(min=0.9)), incident


@pytest.fixture(scope="module", params=NAMES)
def preprocessor(request) -> Preprocessor:
    made = load("preprocessor", request.param)(Uneven())
    made.fit(*make_showers(500))
    return made


def test_inverse_of_forward(preprocessor):
    energies, incident = make_showers(300, seed=1)
    values = preprocessor(energies, incident)
    assert values.dtype == torch.float32
    assert values.shape == (300, preprocessor.features)
    low, high = preprocessor.range
    assert low <= values.min()
    assert values.max() <= high
    back = preprocessor.inverse(values, incident)
    assert torch.equal(back == 0, energies == 0)
    torch.testing.assert_close(back, energies, rtol=1e-5, atol=0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(NAMES), st.floats(0.01, 3.0))
def test_inverse_of_forward_for_any_showers(seed, name, spread):
    made = load("preprocessor", name)(Uneven())
    made.fit(*make_showers(50, seed=seed + 1, spread=spread))
    energies, incident = make_showers(8, seed=seed, spread=spread)
    back = made.inverse(made(energies, incident), incident)
    kept = energies > 1.01e-10 * incident
    torch.testing.assert_close(back[kept], energies[kept], rtol=3e-5, atol=0)
    assert not back[energies == 0].any()


def test_unfitted_and_empty(preprocessor):
    fresh = type(preprocessor)(Uneven())
    energies, incident = make_showers(20, seed=2)
    torch.testing.assert_close(fresh.inverse(fresh(energies, incident), incident), energies, rtol=1e-4, atol=0)
    nothing = torch.zeros(4, 11)
    values = preprocessor(nothing, incident[:4])
    assert torch.isfinite(values).all()
    assert not preprocessor.inverse(values, incident[:4]).any()
    assert preprocessor(energies[:0], incident[:0]).shape == (0, preprocessor.features)
    fresh.fit(torch.zeros(20, 11), incident)
    assert torch.isfinite(fresh(energies, incident)).all()


def test_whatever_a_network_says_becomes_finite_positive_energies_with_gradients(preprocessor):
    low, high = preprocessor.range
    incident = torch.tensor([[1e3], [1e5], [1e6]])
    corners = torch.tensor([low - 0.1, low, low + 1e-6, (low + high) / 2, high - 1e-6, high, high + 0.1])
    for fill in corners:
        values = torch.full((3, preprocessor.features), float(fill), requires_grad=True)
        energies = preprocessor.inverse(values, incident)
        assert (energies >= 0).all()
        assert torch.isfinite(energies).all()
        (gradient,) = torch.autograd.grad(energies.sum(), values)
        assert torch.isfinite(gradient).all()


def test_gradient_of_the_inverse_is_that_of_differences(preprocessor):
    energies, incident = make_showers(5, seed=3)
    made = load_double(preprocessor)
    values = (made(energies.double(), incident.double()) * 0.9 + 0.05 * sum(preprocessor.range)).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: made.inverse(v, incident.double()) / incident, (values,), atol=1e-4)


def load_double(preprocessor):
    made = type(preprocessor)(Uneven())
    made.load_state_dict(preprocessor.state_dict())
    return made.double()


def test_what_was_learnt_is_saved(preprocessor):
    fresh = type(preprocessor)(Uneven())
    fresh.load_state_dict(preprocessor.state_dict())
    energies, incident = make_showers(20, seed=4)
    assert torch.equal(fresh(energies, incident), preprocessor(energies, incident))


def test_formulas():
    energies, incident = torch.tensor([[0.0, 1.0, 10.0, 1e-8] + [0.0] * 7]), torch.tensor([[1000.0]])
    ratio = energies.double() / incident.double()
    torch.testing.assert_close(
        create("preprocessor", {"name": "fraction"}, Uneven())(energies, incident).double(), ratio
    )
    log = create("preprocessor", {"name": "log"}, Uneven())(energies, incident)
    np.testing.assert_allclose(log[0, :4], [-10, -3, -2, -10], rtol=1e-6)
    scaled = create("preprocessor", {"name": "log_scaled"}, Uneven())(energies, incident)
    np.testing.assert_allclose(scaled[0, :4], [0, 7, 8, 0], rtol=1e-6, atol=1e-6)


def test_the_floor_is_an_option():
    log = create("preprocessor", {"name": "log", "floor": 3e-5}, Uneven())
    assert log.range[0] == pytest.approx(np.log10(3e-5))
    energies, incident = torch.tensor([[0.0299, 0.0301] + [0.0] * 9]), torch.tensor([[1000.0]])
    back = log.inverse(log(energies, incident), incident)
    assert back[0, 0] == 0
    assert back[0, 1] == pytest.approx(0.0301, rel=1e-5)
    scaled = create("preprocessor", {"name": "log_scaled", "scale": 1e4}, Uneven())
    assert scaled.range == (0.0, 4.0)
    for name, option, value in (("log", "floor", 0.0), ("log", "floor", 1.0), ("log_scaled", "scale", 1.0)):
        with pytest.raises(ConfigError, match=f"preprocessor.{option}"):
            create("preprocessor", {"name": name, option: value}, Uneven())


def test_layers_hold_their_energies_whatever_the_shares():
    energies, incident = make_showers(400, seed=5)
    layers = load("preprocessor", "layers")(Uneven())
    layers.fit(energies, incident)
    assert layers.features == 3 + 11
    values = layers(energies, incident)
    noisy = torch.cat([values[:, :3], torch.rand(values[:, 3:].shape)], dim=1)
    back = layers.inverse(noisy, incident)
    for layer in Uneven().slices:
        torch.testing.assert_close(back[:, layer].sum(dim=1), energies[:, layer].sum(dim=1), rtol=1e-5, atol=1e-6)


def test_layers_are_standardised_at_discrete_energies_and_between():
    """ln(E_l / E) drawn with a mean and width linear in ln E: between the energies seen, both are met."""
    random = torch.Generator().manual_seed(6)
    geometry = Uneven()

    def showers(incident):
        mean, width = -0.5 - 0.3 * incident.log10(), 0.1 + 0.05 * incident.log10()
        fractions = (mean + width * torch.randn(len(incident), 3, generator=random)).exp()
        cells = [fractions[:, k : k + 1].expand(-1, c.cells) / c.cells for k, c in enumerate(geometry.layers)]
        return torch.cat(cells, dim=1) * incident

    layers = load("preprocessor", "layers")(geometry)
    seen = 10.0 ** torch.arange(3, 6).repeat_interleave(30_000).float()[:, None]
    layers.fit(showers(seen), seen)
    between = torch.full((30_000, 1), 10**4.5)
    values = layers(showers(between), between)[:, :3]
    np.testing.assert_allclose(values.median(dim=0).values, 0.5, atol=0.02)
    # One width from the mean: z = 1 gives 3/4, z = -1 gives 1/4.
    np.testing.assert_allclose(torch.quantile(values, 0.8413, dim=0), 0.75, atol=0.02)
    np.testing.assert_allclose(torch.quantile(values, 0.1587, dim=0), 0.25, atol=0.02)
    np.testing.assert_allclose(layers(showers(seen), seen)[:, 3:].mean(), 0.5, atol=0.01)


def test_vanishing_energies_do_no_harm(preprocessor):
    """Energies that single precision can hold, but not divide by the incident energy."""
    energies, incident = make_showers(50, seed=7)
    energies[::3] = 1e-42
    made = type(preprocessor)(Uneven())
    made.fit(energies, incident)
    values = made(energies, incident)
    assert torch.isfinite(values).all()
    back = made.inverse(values, incident)
    assert torch.isfinite(back).all()
    torch.testing.assert_close(back, energies, rtol=1e-5, atol=1e-30)
