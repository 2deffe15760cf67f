"""Random photon-binned showers, which the tests of this package share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from calozoo import Geometry, Showers
from calozoo.config import create

#: Sectors and radii of the published photons, written down again.
RINGS = {
    0: (1, [0, 5, 10, 30, 50, 100, 200, 400, 600]),
    1: (10, [0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200]),
    2: (10, [0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 350, 400]),
    3: (1, [0, 50, 100, 200, 400, 600]),
    12: (1, [0, 100, 200, 400, 1000, 2000]),
}


@pytest.fixture(scope="session")
def photons() -> Geometry:
    geometry: Geometry = create("geometry", {"name": "calochallenge_photons"})
    return geometry


@pytest.fixture(scope="session")
def showers(photons: Geometry) -> Callable[..., Showers]:
    """``n`` showers of which the layers vary together; ``scale`` multiplies the voxels of one layer."""

    def draw(n: int, seed: int, *, scale: float = 1.0, layer: int = 2) -> Showers:
        random = np.random.default_rng(seed)
        incident = 2.0 ** random.integers(8, 23, n)
        voxels = random.gamma(0.7, size=(n, photons.cells)) * (random.random((n, photons.cells)) > 0.3)
        part = np.concatenate(
            [random.gamma(20, size=(n, 1)) * np.ones(rings.voxels) / rings.voxels for rings in photons.rings], axis=1
        )
        voxels = voxels * part
        response = random.normal(0.95, 0.01, n)
        voxels *= (incident * response / voxels.sum(axis=1))[:, None]
        voxels[:, photons.slices[layer]] *= scale
        return Showers(voxels, incident)

    return draw


@pytest.fixture(scope="session")
def rings() -> dict[int, tuple[int, list[int]]]:
    return RINGS
