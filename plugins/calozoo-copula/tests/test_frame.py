from __future__ import annotations

import numpy as np
import torch

from calozoo import Showers, Space
from calozoo.config import create
from calozoo.testing import toy_batch, toy_showers, toy_space
from calozoo_copula.frame import Frame

BARREL = create("geometry", {"name": "atlas_barrel"})
SHOWERS = toy_showers(300, geometry=BARREL)
SPACE: Space = toy_space(SHOWERS, BARREL)
BATCH = toy_batch(SPACE, SHOWERS)


def fitted() -> Frame:
    frame = Frame(SPACE)
    frame.fit(BATCH)
    return frame


def test_the_front_layer_alone_is_turned_so_that_the_strip_that_is_hit_is_in_the_middle() -> None:
    frame = fitted()
    assert [(c.layer, c.axis) for c in frame.turned] == [(1, 0)]
    impact = frame(BATCH.condition)
    strip = np.floor((SHOWERS.conditions["impact_deta"] + 0.0125) / 0.003125).astype(int)  # of the impact cell
    hit = torch.zeros(len(SHOWERS), BARREL.cells)
    hit[torch.arange(len(hit)), torch.as_tensor(21 + 3 * (24 + strip) + 1)] = 1
    turned = frame.turn(hit, impact)
    assert bool((turned[:, 21 + 3 * 28 + 1] == 1).all())
    assert torch.equal(frame.turn(turned, impact, back=True), hit)


def test_turning_moves_cells_and_changes_none() -> None:
    frame, cells = fitted(), torch.as_tensor(SHOWERS.energies)
    impact = frame(BATCH.condition)
    turned = frame.turn(cells, impact)
    assert torch.equal(turned.sort(dim=1).values, cells.sort(dim=1).values)
    assert torch.equal(frame.turn(turned, impact, back=True), cells)
    assert torch.equal(turned[:, :21], cells[:, :21])
    assert torch.equal(turned[:, 189:], cells[:, 189:])


def test_coordinates_say_nothing_twice() -> None:
    found = [(c.column, c.layer, c.axis) for c in fitted().coordinates]
    # Presampler eta is middle eta, presampler phi is front phi, and middle phi is back phi: all follow from the position.
    assert found == [(None, 0, 0), (None, 0, 1), (None, 1, 0), (None, 2, 1), (None, 3, 0)]


def test_a_geometry_without_shifts_has_its_columns_for_coordinates() -> None:
    frame = Frame(toy_space(toy_showers(50)))
    assert [c.column for c in frame.coordinates] == ["offset"]
    assert not frame.turned


def test_place_is_a_partition_of_one_in_each_coordinate() -> None:
    frame = fitted()
    place = frame(BATCH.condition).place
    assert place.shape == (len(SHOWERS), frame.size)
    torch.testing.assert_close(place.sum(dim=1), torch.full((len(SHOWERS),), 1.0 + 2 + 5))


def test_energies_beyond_those_of_the_training_are_the_last_one() -> None:
    frame = fitted()
    some = Showers(SHOWERS.energies[:1], np.array([1e6], np.float32), {k: v[:1] for k, v in SHOWERS.conditions.items()})
    assert frame(SPACE.conditions(some.columns)).u.item() == 1.0
