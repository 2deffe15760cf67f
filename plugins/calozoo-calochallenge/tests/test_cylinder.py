"""Voxels of the published sets and of binning files."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from calozoo import ConfigError, DataError
from calozoo.config import create
from calozoo.testing import GeometryContract
from calozoo_calochallenge.binning import read_binning
from calozoo_calochallenge.cylinder import Rings

PHOTONS = """<Bins>
   <Bin pid="22" etaMin="0" etaMax="130" name="photon">
      <Layer id="0" r_edges="0,5,10,30,50,100,200,400,600" n_bin_alpha="1" />
      <Layer id="1" r_edges="0,2,4,6,8,10,12,15,20,30,40,50,70,90,120,150,200" n_bin_alpha="10"/>
      <Layer id="2" r_edges="0,2,5,10,15,20,25,30,40,50,60,80,100,130,160,200,250,300,350,400" n_bin_alpha="10"/>
      <Layer id="3" r_edges="0,50,100,200,400,600" n_bin_alpha="1" />
      <Layer id="4" r_edges="0" n_bin_alpha="1" />
      <Layer id="12" r_edges="0,100,200,400,1000,2000" n_bin_alpha="1" />
      <Layer id="13" r_edges="0" n_bin_alpha="1" />
   </Bin>
</Bins>
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "binning.xml"
        path.write_text(text)
        return str(path)

    return write


class TestPhotons(GeometryContract):
    name = "calochallenge_photons"


class TestPions(GeometryContract):
    name = "calochallenge_pions"


class TestSet2(GeometryContract):
    name = "calochallenge_2"


class TestSet3(GeometryContract):
    name = "calochallenge_3"


class TestBinning(GeometryContract):
    name = "binning"
    options: ClassVar = {}

    @pytest.fixture(autouse=True)
    def _file(self, write):
        type(self).options = {"path": write(PHOTONS)}


VOXELS = {
    "calochallenge_photons": {0: 8, 1: 160, 2: 190, 3: 5, 12: 5},
    "calochallenge_pions": {0: 8, 1: 100, 2: 100, 3: 5, 12: 150, 13: 160, 14: 10},
    "calochallenge_2": dict.fromkeys(range(45), 144),
    "calochallenge_3": dict.fromkeys(range(45), 900),
}


@pytest.mark.parametrize("name", VOXELS)
def test_voxels_per_layer(name):
    geometry = create("geometry", {"name": name})
    assert {layer.name: layer.cells for layer in geometry.layers} == {
        f"layer_{number}": voxels for number, voxels in VOXELS[name].items()
    }
    assert geometry.cells == {"photons": 368, "pions": 533, "2": 6480, "3": 40500}[name.split("_")[1]]
    depths = [layer.depth for layer in geometry.layers]
    assert depths == sorted(depths)
    assert geometry.columns == ()
    assert geometry.units == ("mm", "mm")


def test_radius_is_fastest_then_angle_from_minus_pi():
    geometry = create("geometry", {"name": "calochallenge_2"})
    layer = geometry.layers[7]
    radius = np.hypot(layer.x, layer.y).reshape(16, 9)
    np.testing.assert_allclose(radius, np.tile((np.arange(9) + 0.5) * 4.65, (16, 1)))
    angle = np.arctan2(layer.y, layer.x).reshape(16, 9)
    np.testing.assert_allclose(angle[:, 0], -np.pi + (np.arange(16) + 0.5) * 2 * np.pi / 16)
    np.testing.assert_allclose(geometry.radii[geometry.slices[7]], radius.ravel())


def area(outlines):
    x, y = outlines[..., 0], outlines[..., 1]
    return 0.5 * np.abs((x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1))


@pytest.mark.parametrize("sectors", [1, 2, 10, 50])
def test_outlines_have_the_area_of_their_voxels(sectors):
    rings = Rings(0, (0.0, 2.0, 5.0), sectors, 1.0)
    expected = np.tile(np.pi * np.array([4, 21]) / sectors, sectors)
    np.testing.assert_allclose(area(rings.layer().outlines), expected, rtol=0.005)
    assert rings.voxels == rings.layer().cells == 2 * sectors


def test_full_rings_are_centred_and_keep_their_radius():
    geometry = create("geometry", {"name": "calochallenge_photons"})
    assert not geometry.layers[0].x.any()
    np.testing.assert_allclose(geometry.radii[:8], [2.5, 7.5, 20, 40, 75, 150, 300, 500])


def test_the_published_file_gives_the_photons(write):
    geometry, photons = (
        create("geometry", {"name": "binning", "path": write(PHOTONS), "spacing": 2.0}),
        create("geometry", {"name": "calochallenge_photons"}),
    )
    assert [layer.name for layer in geometry.layers] == [layer.name for layer in photons.layers]
    for ours, theirs in zip(geometry.layers, photons.layers, strict=True):
        np.testing.assert_array_equal(ours.outlines, theirs.outlines)
    assert [layer.depth for layer in geometry.layers] == [1, 3, 5, 7, 25]


def test_one_of_several_particles_is_chosen_by_name(write):
    layer = '<Layer id="0" r_edges="0,{}" n_bin_alpha="1"/>'
    path = write(f"<Bins><Bin name='a'>{layer.format(1)}</Bin><Bin name='b'>{layer.format(2)}</Bin></Bins>")
    assert read_binning(path, "b")[0].edges == (0, 2)
    with pytest.raises(DataError, match=r"2 Bin elements \(a, b\): choose one with geometry.particle=NAME"):
        read_binning(path)
    with pytest.raises(DataError, match="0 Bin elements of the name 'c' among: a, b"):
        read_binning(path, "c")


ENTITIES = """<!DOCTYPE b [<!ENTITY a "0,1"><!ENTITY c "&a;&a;">]><Bins><Bin name="x"/></Bins>"""
ONE = "<Bins><Bin name='x'><Layer {}/></Bin></Bins>"
BAD = [
    ("", "no element found"),
    ("not xml", "syntax error"),
    (PHOTONS[:300], "unclosed token"),
    (ENTITIES, "declares a document type"),
    ("<Bins/>", "0 Bin elements"),
    ("<Other/>", "the element Other does not belong at the top"),
    ("<Bins><Layer/></Bins>", "the element Layer does not belong into Bins"),
    ("<Bins><Bin name='x'/></Bins>", "no layer with voxels"),
    (ONE.format("id='1' r_edges='0,1'"), "no attribute n_bin_alpha"),
    (ONE.format("id='1' r_edges='0,a' n_bin_alpha='1'"), "layer 1 has an attribute that is not a number"),
    (ONE.format("id='1' r_edges='0,2,1' n_bin_alpha='1'"), "do not increase"),
    (ONE.format("id='1' r_edges='0,nan' n_bin_alpha='1'"), "do not increase"),
    (ONE.format("id='1' r_edges='0,inf' n_bin_alpha='1'"), "do not increase"),
    (ONE.format("id='1' r_edges='-1,2' n_bin_alpha='1'"), "do not increase"),
    (ONE.format("id='1' r_edges='0,1' n_bin_alpha='0'"), "not 1 to"),
    (ONE.format("id='1' r_edges='0,1' n_bin_alpha='999999999999'"), "not 1 to"),
    (
        ONE.format("id='1' r_edges='" + ",".join(map(str, range(1000))) + "' n_bin_alpha='9999'"),
        "more than 2000000 voxels",
    ),
    (
        "<Bins><Bin name='x'><Layer id='1' r_edges='0,1' n_bin_alpha='1'/><Layer id='1' r_edges='0,1' n_bin_alpha='1'/>"
        "</Bin></Bins>",
        "two layers have the same id",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message[:30] + str(k) for k, (_, message) in enumerate(BAD)])
def test_bad_files_give_one_clear_error(write, text, message):
    with pytest.raises(DataError, match=f"binning.xml is no binning file.*{message}"):
        read_binning(write(text))


def test_missing_and_huge_files(write):
    with pytest.raises(ConfigError, match=r"geometry.path=FILE"):
        create("geometry", {"name": "binning"})
    with pytest.raises(DataError, match="There is no file"):
        create("geometry", {"name": "binning", "path": "nowhere.xml"})
    with pytest.raises(DataError, match="larger than 1048576 bytes"):
        read_binning(write(PHOTONS + " " * 2**20))
    with pytest.raises(ConfigError, match=r"geometry.spacing"):
        create("geometry", {"name": "binning", "path": write(PHOTONS), "spacing": 0.0})
