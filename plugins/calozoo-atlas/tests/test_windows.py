"""Window selection against the windows that came with the Geant4 cells, and the symmetries it must have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calozoo import Cells, DataError
from calozoo_atlas.barrel import AtlasBarrel, PhiOrigin

SAMPLE = Path(__file__).parent / "cells_sample.h5"
DETA, DPHI = 0.025, 2 * np.pi / 256
#: Cell sizes, written out once more so that a slip in the package is seen.
SIZES = [(0.025, 2 * np.pi / 64), (0.003125, 2 * np.pi / 64), (0.025, 2 * np.pi / 256), (0.05, 2 * np.pi / 256)]


@pytest.fixture(scope="module")
def sample():
    with h5py.File(SAMPLE) as file:
        cells = Cells(
            file["event"][:].astype(np.int64),
            file["layer"][:].astype(np.int64),
            file["eta"][:],
            file["phi"][:],
            file["energy"][:],
            file["incident_energies"][:, 0],
        )
        names = ("showers", "outside_window", "eta_alignment", "phi_alignment", "impact_deta", "impact_dphi")
        return cells, file["photon_eta"][:], file["photon_phi"][:], {name: file[name][:] for name in names}


@st.composite
def events(draw, origin=2):
    """A few showers of cells scattered around their particles, in the regular grids of the barrel."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    n, m = draw(st.integers(1, 4)), draw(st.integers(0, 200))
    eta, phi = random.uniform(-1.2, 1.2, n), random.uniform(-np.pi, np.pi, n)
    event, layer = random.integers(0, n, m), random.integers(0, 4, m)
    size = np.array(SIZES)[layer]
    start = np.where(layer < 2, -origin * DPHI, 0.0)
    near_eta = eta[event] + random.normal(0, 0.07, m)
    near_phi = phi[event] + random.normal(0, 0.07, m)
    cell_eta = (np.floor(near_eta / size[:, 0]) + 0.5) * size[:, 0]
    cell_phi = (np.floor((near_phi - start) / size[:, 1]) + 0.5) * size[:, 1] + start
    energy = random.exponential(50, m).astype(np.float32)
    return Cells(event, layer, cell_eta, cell_phi, energy, np.full(n, 1e4, np.float32)), eta, phi


few = settings(max_examples=60, deadline=None)


def test_windows_of_the_geant4_cells_come_out_cell_by_cell(sample):
    cells, eta, phi, expected = sample
    showers = AtlasBarrel().select(cells, eta, phi)
    np.testing.assert_allclose(showers.energies, expected["showers"], rtol=1e-3)
    assert np.array_equal(showers.energies == 0, expected["showers"] == 0)
    np.testing.assert_allclose(AtlasBarrel().outside(cells, eta, phi), expected["outside_window"], rtol=1e-3)
    for name in ("eta_alignment", "phi_alignment"):
        assert np.array_equal(showers.conditions[name], expected[name])
        assert showers.conditions[name].dtype == np.uint8
    for name in ("impact_deta", "impact_dphi"):
        np.testing.assert_array_equal(showers.conditions[name], expected[name])
    assert set(expected["eta_alignment"]) == {0, 1}
    assert set(expected["phi_alignment"]) == {0, 1, 2, 3}


def test_every_geant4_window_keeps_positive_energies_and_loses_none(sample):
    cells, eta, phi, _ = sample
    barrel = AtlasBarrel()
    showers = barrel.select(cells, eta, phi)
    assert (showers.energies >= 0).all()
    total = np.bincount(cells.event, weights=cells.energy)
    np.testing.assert_allclose(showers.total + barrel.outside(cells, eta, phi).sum(axis=1), total, rtol=1e-6)


def test_energy_weighted_position_follows_the_impact_position(sample):
    cells, eta, phi, _ = sample
    barrel = AtlasBarrel()
    showers = barrel.select(cells, eta, phi)
    middle = barrel.slices[2]
    for axis, name, cell in ((0, "impact_deta", DETA), (1, "impact_dphi", DPHI)):
        position = (barrel.layers[2].x, barrel.layers[2].y)[axis]
        energies = showers.energies[:, middle].astype(float)
        centre = energies @ position / energies.sum(axis=1)
        impact = showers.conditions[name]
        assert np.corrcoef(centre, impact)[0, 1] > 0.8
        assert np.std(centre - impact) < 0.35 * cell
    # With the shift, the distance from the particle averages to nothing; the layers' alignments are in it.
    shift = barrel.shift(showers.conditions)
    for k, slice_ in enumerate(barrel.slices[:3]):
        for axis, cell in ((0, SIZES[k][0]), (1, SIZES[k][1])):
            position = (barrel.layers[k].x, barrel.layers[k].y)[axis] + shift[:, k, axis, None]
            energies = showers.energies[:, slice_].astype(float)
            seen = energies.sum(axis=1) > 0
            mean = (energies * position).sum(axis=1)[seen] / energies.sum(axis=1)[seen]
            assert abs(np.median(mean)) < max(0.3 * cell, 0.002)


@few
@given(events())
def test_inside_and_outside_add_up_layer_by_layer(case):
    cells, eta, phi = case
    barrel = AtlasBarrel()
    showers = barrel.select(cells, eta, phi)
    outside = barrel.outside(cells, eta, phi)
    for k, layer in enumerate(barrel.slices):
        mine = cells.layer == k
        total = np.bincount(cells.event[mine], weights=cells.energy[mine], minlength=len(eta))
        np.testing.assert_allclose(
            showers.energies[:, layer].sum(axis=1, dtype=float) + outside[:, k], total, rtol=1e-5
        )


@few
@given(events(), st.integers(-3, 3))
def test_whole_turns_make_no_difference(case, turns):
    cells, eta, phi = case
    expected = AtlasBarrel().select(cells, eta, phi)
    turned = replace(cells, phi=np.where(np.arange(len(cells.phi)) % 2, cells.phi + turns * 2 * np.pi, cells.phi))
    assert np.array_equal(AtlasBarrel().select(turned, eta, phi).energies, expected.energies)
    around = AtlasBarrel().select(cells, eta, phi + turns * 2 * np.pi)
    assert np.array_equal(around.energies, expected.energies)
    assert np.array_equal(around.conditions["phi_alignment"], expected.conditions["phi_alignment"])
    np.testing.assert_allclose(around.conditions["phi"], expected.conditions["phi"], atol=1e-5)


@few
@given(events(), st.integers(1, 63))
def test_windows_may_lie_anywhere_in_azimuth(case, steps):
    """A turn by whole presampler cells carries windows over the seam at +-pi."""
    cells, eta, phi = case
    angle = steps * 2 * np.pi / 64
    turned = replace(cells, phi=(cells.phi + angle + np.pi) % (2 * np.pi) - np.pi)
    expected = AtlasBarrel().select(cells, eta, phi)
    showers = AtlasBarrel().select(turned, eta, phi + angle)
    assert np.array_equal(showers.energies, expected.energies)
    assert np.array_equal(showers.conditions["phi_alignment"], expected.conditions["phi_alignment"])


@few
@given(events(), st.integers(1, 8))
def test_windows_depend_on_position_only_through_the_alignment(case, steps):
    """Moving everything by whole back cells in eta changes nothing, wherever that stays on one side."""
    cells, eta, phi = case
    eta, cells = np.abs(eta), replace(cells, eta=cells.eta + 2 * (np.abs(eta) - eta)[cells.event] / 2)
    grid = np.array(SIZES)[cells.layer][:, 0]
    cells = replace(cells, eta=(np.floor(cells.eta / grid) + 0.5) * grid)
    expected = AtlasBarrel().select(cells, eta, phi)
    moved = AtlasBarrel().select(replace(cells, eta=cells.eta + steps * 0.05), eta + steps * 0.05, phi)
    assert np.array_equal(moved.energies, expected.energies)
    assert np.array_equal(moved.conditions["eta_alignment"], expected.conditions["eta_alignment"])


@few
@given(events())
def test_negative_eta_is_the_mirror_image(case):
    cells, eta, phi = case
    expected = AtlasBarrel().select(cells, eta, phi)
    mirrored = AtlasBarrel().select(replace(cells, eta=-cells.eta), -eta, phi)
    assert np.array_equal(mirrored.energies, expected.energies)
    for name in ("eta", "eta_alignment", "phi_alignment", "impact_deta", "impact_dphi"):
        assert np.array_equal(mirrored.conditions[name], expected.conditions[name])


def test_mirrored_windows_reverse_the_order_in_eta_and_the_offset():
    """One strip one cell towards larger |eta| than a particle at -0.2175 = -(8.7 cells)."""
    cells = Cells(
        np.array([0, 0]), np.array([2, 2]), np.array([-0.2375, -0.1375]), np.array([DPHI / 2, DPHI / 2]),
        np.array([5.0, 7.0], np.float32), np.array([1e3], np.float32),
    )  # fmt: skip
    showers = AtlasBarrel().select(cells, np.array([-0.2175]), np.array([DPHI / 2]))
    middle = showers.energies[0, 189:238].reshape(7, 7)
    assert middle[4, 3] == 5.0  # further out than the impact cell comes later
    assert middle[0, 3] == 7.0
    assert showers.conditions["impact_deta"][0] == pytest.approx(0.005)
    assert showers.conditions["eta"][0] == pytest.approx(0.2175)


@few
@given(events(), st.integers(0, 2**32 - 1))
def test_order_of_cells_and_split_deposits_make_no_difference(case, seed):
    cells, eta, phi = case
    expected = AtlasBarrel().select(cells, eta, phi).energies
    order = np.random.default_rng(seed).permutation(len(cells.event))
    names = ("event", "layer", "eta", "phi", "energy")
    shuffled = replace(cells, **{name: getattr(cells, name)[order] for name in names})
    np.testing.assert_allclose(AtlasBarrel().select(shuffled, eta, phi).energies, expected, rtol=1e-6)
    twice = {name: np.tile(getattr(cells, name), 2) for name in names}
    halves = replace(cells, **{**twice, "energy": twice["energy"] / 2})
    np.testing.assert_allclose(AtlasBarrel().select(halves, eta, phi).energies, expected, rtol=1e-6)


@few
@given(events())
def test_a_deposit_lies_where_nominal_position_and_shift_say(case):
    """Layer.x + shift is the distance from the particle, for every cell in every alignment."""
    cells, eta, phi = case
    eta, cells = np.abs(eta), replace(cells, eta=np.where(eta[cells.event] < 0, -cells.eta, cells.eta))
    barrel = AtlasBarrel()
    for deposit in range(len(cells.event)):
        names = ("event", "layer", "eta", "phi", "energy")
        one = replace(cells, **{name: getattr(cells, name)[deposit : deposit + 1] for name in names})
        showers = barrel.select(one, eta, phi)
        event, cell = np.nonzero(showers.energies)
        if not len(cell):
            continue
        layer = one.layer[0]
        place = cell[0] - barrel.slices[layer].start
        shift = barrel.shift(showers.conditions)[event[0], layer]
        assert barrel.layers[layer].x[place] + shift[0] == pytest.approx(one.eta[0] - eta[event[0]], abs=1e-6)
        around = (one.phi[0] - phi[event[0]] + np.pi) % (2 * np.pi) - np.pi
        assert barrel.layers[layer].y[place] + shift[1] == pytest.approx(around, abs=1e-6)


@pytest.mark.parametrize("origin", list(PhiOrigin))
@pytest.mark.parametrize("j", range(-9, 9))
def test_presampler_cells_hold_the_middle_cells_of_their_origin(origin, j):
    first = 4 * ((j + origin.value) // 4) - origin.value  # the first middle cell in the presampler cell with j
    phi = np.array([(j + 0.5) * DPHI])
    cells = Cells(
        np.array([0]), np.array([0]), np.array([0.2125]), np.array([(first + 2) * DPHI]),
        np.array([3.0], np.float32), np.array([1e3], np.float32),
    )  # fmt: skip
    showers = AtlasBarrel(phi_origin=origin).select(cells, np.array([0.21]), phi)
    assert showers.energies[0, :21].reshape(7, 3)[3, 1] == 3.0
    assert showers.conditions["phi_alignment"][0] == j - first


@pytest.mark.parametrize("i", [8, 9])
def test_back_window_follows_the_eta_alignment(i):
    """The four back cells are floor((i-3)/2) .. floor((i+3)/2)."""
    k = np.arange((i - 3) // 2, (i + 3) // 2 + 1)
    assert len(k) == 4
    cells = Cells(
        np.zeros(4, int), np.full(4, 3), (k + 0.5) * 0.05, np.full(4, DPHI / 2),
        np.arange(1, 5, dtype=np.float32), np.array([1e3], np.float32),
    )  # fmt: skip
    showers = AtlasBarrel().select(cells, np.array([(i + 0.5) * DETA]), np.array([DPHI / 2]))
    assert showers.energies[0, 238:].reshape(4, 7)[:, 3].tolist() == [1, 2, 3, 4]
    assert showers.conditions["eta_alignment"][0] == i % 2


BAD = [
    ("energy", 1, -1.0, "Row 1: .*negative energy. Cell energies are required to be positive"),
    ("energy", 0, np.nan, "Row 0: .*not finite. Cell energies are required to be positive"),
    ("energy", 2, np.inf, "Row 2: .*not finite"),
    ("layer", 1, 4, "Row 1: .*none of the layers 0 to 3"),
    ("layer", 1, -1, "Row 1: .*none of the layers"),
    ("event", 2, 2, "Row 2: .*none of the 2 showers"),
    ("eta", 0, np.nan, "Row 0: .*eta or phi"),
]


@pytest.mark.parametrize(("name", "row", "value", "message"), BAD)
def test_bad_cells_are_refused(name, row, value, message):
    cells = Cells(
        np.array([0, 1, 1]), np.array([0, 1, 2]), np.array([0.2125, 0.2109375, 0.2125]), np.array([0, 0, DPHI / 2]),
        np.ones(3, np.float32), np.full(2, 1e3, np.float32),
    )  # fmt: skip
    changed = np.array(getattr(cells, name))
    changed[row] = value
    with pytest.raises(DataError, match=message):
        AtlasBarrel().select(replace(cells, **{name: changed}), np.full(2, 0.21), np.zeros(2))


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
def test_layers_in_another_order_are_refused(sample, first, second):
    cells, eta, phi, _ = sample
    layer = np.where(cells.layer == first, second, np.where(cells.layer == second, first, cells.layer))
    with pytest.raises(
        DataError, match=r"is not the centre of a .* Layers are presampler 0, front 1, middle 2, back 3"
    ):
        AtlasBarrel().select(replace(cells, layer=layer), eta, phi)


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize("other", range(4))
@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("j", range(4))
def test_no_single_cell_passes_for_one_of_another_layer(layer, other, i, j):
    """Any of the positions that a cell can have relative to the cells of the other layers."""
    start = -2 * DPHI if layer < 2 else 0.0
    eta, phi = (4 + i + 0.5) * SIZES[layer][0], start + (4 + j + 0.5) * SIZES[layer][1]
    cells = Cells(
        np.array([0]), np.array([other]), np.array([eta]), np.array([phi]), np.ones(1, np.float32),
        np.array([1e3], np.float32),
    )  # fmt: skip
    barrel, at = AtlasBarrel(), (np.array([0.21]), np.array([0.01]))
    if layer == other:
        barrel.select(cells, *at)
    else:
        with pytest.raises(DataError, match=r"Row 0: .* is not the centre of a"):
            barrel.select(cells, *at)


def test_another_azimuth_origin_is_refused(sample):
    cells, eta, phi, _ = sample
    with pytest.raises(DataError, match=r"geometry\.phi_origin"):
        AtlasBarrel(phi_origin=PhiOrigin.edge).select(cells, eta, phi)


def test_wrong_shapes_are_refused():
    none = np.zeros(0, int)
    cells = Cells(none, none, np.zeros(0), np.zeros(0), np.zeros(0, np.float32), np.full(2, 1e3, np.float32))
    with pytest.raises(DataError, match="2 showers need eta and phi"):
        AtlasBarrel().select(cells, np.zeros(3), np.zeros(3))
    with pytest.raises(DataError, match="0 deposits need 0 values of 'energy'"):
        AtlasBarrel().select(replace(cells, energy=np.ones(1, np.float32)), np.zeros(2), np.zeros(2))
    assert AtlasBarrel().select(cells, np.zeros(2), np.zeros(2)).total.tolist() == [0, 0]
