"""The layers of the barrel, their positions, columns and configuration."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from calozoo import ConfigError
from calozoo.conditions import ConditionOptions, Conditions, Encoding, chosen
from calozoo.config import CalozooSource, create, options
from calozoo_atlas.barrel import AtlasBarrel, PhiOrigin


def test_layers_are_those_of_the_note():
    barrel = AtlasBarrel()
    assert [layer.name for layer in barrel.layers] == ["presampler", "front", "middle", "back"]
    assert [layer.cells for layer in barrel.layers] == [7 * 3, 56 * 3, 7 * 7, 4 * 7]
    assert barrel.cells == 266
    radii = [(1410, 1421), (1500, 1587), (1587, 1929), (1929, 1960)]
    assert [layer.depth for layer in barrel.layers] == [sum(pair) / 2 - 1410 for pair in radii]
    sizes = [(0.025, 2 * np.pi / 64), (0.025 / 8, 2 * np.pi / 64), (0.025, 2 * np.pi / 256), (0.05, 2 * np.pi / 256)]
    for layer, size in zip(barrel.layers, sizes, strict=True):
        np.testing.assert_allclose(layer.size, np.tile(size, (layer.cells, 1)))
        assert layer.x.mean() == pytest.approx(0)
        assert layer.y.mean() == pytest.approx(0)


def test_eta_is_outer_and_phi_inner():
    middle = AtlasBarrel().layers[2]
    np.testing.assert_allclose(middle.x.reshape(7, 7)[:, 0], 0.025 * np.arange(-3, 4), atol=1e-12)
    np.testing.assert_allclose(middle.y.reshape(7, 7)[0], 2 * np.pi / 256 * np.arange(-3, 4), atol=1e-12)


def test_shift_by_hand():
    columns = {
        "eta_alignment": np.array([0, 1, 0]),
        "phi_alignment": np.array([0, 3, 1]),
        "impact_deta": np.array([0.0, 0.01, -0.005]),
        "impact_dphi": np.array([0.002, 0.0, 0.0]),
    }
    cell = 2 * np.pi / 256
    expected = np.zeros((3, 4, 2))
    expected[:, 3, 0] = [-0.0125, 0.0125, -0.0125]
    expected[:, :2, 1] = np.array([1.5, -1.5, 0.5])[:, None] * cell
    expected[:, :, 0] -= np.array([0.0, 0.01, -0.005])[:, None]
    expected[:, :, 1] -= np.array([0.002, 0.0, 0.0])[:, None]
    np.testing.assert_allclose(AtlasBarrel().shift(columns), expected, atol=1e-12)


def test_missing_columns_count_as_their_mean():
    assert not AtlasBarrel().shift({"incident_energy": np.ones(3)}).any()
    assert AtlasBarrel().shift({}).shape == (0, 4, 2)
    both = AtlasBarrel().shift({"eta_alignment": np.arange(2)})
    np.testing.assert_allclose(both.mean(axis=0), 0, atol=1e-15)
    all_four = AtlasBarrel().shift({"phi_alignment": np.arange(4)})
    np.testing.assert_allclose(all_four.mean(axis=0), 0, atol=1e-15)


def test_the_option_is_checked():
    assert create("geometry", {"name": "atlas_barrel"}).phi_origin is PhiOrigin.centre
    assert create("geometry", {"name": "atlas_barrel", "phi_origin": "edge"}).phi_origin is PhiOrigin.edge
    with pytest.raises(ConfigError, match="centre, edge"):
        create("geometry", {"name": "atlas_barrel", "phi_origin": "left"})


def test_conditions_are_those_of_the_athena_service():
    source = CalozooSource("test", "calozoo://run")
    assert source.is_config("conditions/atlas")
    preset = source.load_config("conditions/atlas").config
    columns = {
        name: [options(encoding, Encoding, "conditions") for encoding in several]
        for name, several in preset.columns.items()
    }
    conditions = Conditions(chosen(ConditionOptions(columns), AtlasBarrel()))
    assert not preset.kinds
    assert conditions.size == 1 + 4 + 2 + 2
    columns = {
        "incident_energy": np.array([np.exp(9.70406053), np.exp(9.70406053 + 1.76099569)]),
        "phi_alignment": np.array([0, 3]),
        "eta_alignment": np.array([0, 1]),
        "impact_deta": np.array([3.47603256e-5, 3.47603256e-5 + 0.00722316]),
        "impact_dphi": np.array([-5.42153684e-5, -5.42153684e-5 - 0.00708241]),
    }
    conditions.fit(columns)
    expected = torch.tensor([[0, 1, 0, 0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 1, 1, 0, 1, -1.0]])
    torch.testing.assert_close(conditions(columns), expected, atol=1e-5, rtol=0)


def test_the_package_is_light():
    code = "import calozoo_atlas, calozoo_atlas.conf, sys; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
