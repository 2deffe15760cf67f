"""Cells are found where they are, for grids and for any shape."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo import Layer
from calozoo.config import create
from calozoo_gflash.finder import Grid, Rasters, finder


def points(layer, n=20_000):
    low, high = layer.outlines.min(axis=(0, 1)), layer.outlines.max(axis=(0, 1))
    margin = 0.2 * (high - low)
    return np.random.default_rng(0).uniform(low - margin, high + margin, (n, 2)).T


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("edges", [np.linspace(-3.5, 3.5, 8), np.array([-2.0, -1.0, 0.5, 3.0])])
def test_grids_are_exact_in_any_order_of_cells(edges, reverse):
    layer = Layer.grid("grid", edges, [-1.0, 0.0, 0.7, 2.0], depth=1.0)
    if reverse:
        layer = Layer("grid", layer.x[::-1], layer.y[::-1], layer.outlines[::-1], 1.0)
    found = finder(layer)
    assert isinstance(found, Grid)
    x, y = points(layer)
    low, high = layer.outlines.min(axis=1), layer.outlines.max(axis=1)
    inside = (low[:, 0, None] <= x) & (x < high[:, 0, None]) & (low[:, 1, None] <= y) & (y < high[:, 1, None])
    expected = np.where(inside.any(axis=0), inside.argmax(axis=0), layer.cells)
    assert np.array_equal(found.find(x, y), expected)


def test_every_barrel_layer_is_a_grid_with_its_centres_in_place():
    for layer in create("geometry", {"name": "atlas_barrel"}).layers:
        found = finder(layer)
        assert isinstance(found, Grid)
        assert np.array_equal(found.find(layer.x, layer.y), np.arange(layer.cells))


def test_rings_are_found_by_radius_and_angle():
    layer = create("geometry", {"name": "calochallenge_2"}).layers[0]
    found = finder(layer)
    assert isinstance(found, Rasters)
    x, y = points(layer)
    ring, sector = np.hypot(x, y) // 4.65, (np.arctan2(y, x) + np.pi) // (2 * np.pi / 16)
    expected = np.where(ring < 9, sector * 9 + ring, layer.cells)
    assert (found.find(x, y) == expected).mean() > 0.985  # but at the edges' pixels


def test_small_cells_in_the_middle_are_found_as_well_as_large_ones():
    layer = create("geometry", {"name": "calochallenge_photons"}).layers[2]
    edges = [0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 350, 400]
    random = np.random.default_rng(0)
    for inner, outer in ((0, 2), (2, 5), (20, 25), (350, 400)):
        r, angle = np.sqrt(random.uniform(inner**2, outer**2, 50_000)), random.uniform(-np.pi, np.pi, 50_000)
        sector = ((angle + np.pi) // (2 * np.pi / 10)).astype(int)
        found = finder(layer).find(r * np.cos(angle), r * np.sin(angle))
        assert (found == sector * (len(edges) - 1) + edges.index(inner)).mean() > 0.97
        # No sector gets more than its tenth: what one loses at its edges it gains at others.
        share = np.bincount(found // (len(edges) - 1), minlength=10)[:10] / len(r)
        assert np.abs(share - 0.1).max() < 0.005


def test_full_rings_and_triangles():
    rings = create("geometry", {"name": "calochallenge_photons"}).layers[3]
    x, y = points(rings)
    expected = np.searchsorted([50, 100, 200, 400, 600], np.hypot(x, y), side="right")
    assert (finder(rings).find(x, y) == expected).mean() > 0.985
    corners = np.array([[[0, 0], [2, 0], [0, 2]], [[2, 2], [2, 0], [0, 2]]], dtype=float)
    triangles = Layer("triangles", corners[:, :, 0].mean(1), corners[:, :, 1].mean(1), corners, 1.0)
    x, y = points(triangles)
    inside = (x > 0) & (y > 0) & (x < 2) & (y < 2)
    expected = np.where(inside, (x + y > 2).astype(int), 2)
    assert (finder(triangles).find(x, y) == expected).mean() > 0.99
