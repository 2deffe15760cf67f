from __future__ import annotations

import numpy as np
import pytest

from calozoo import DataError, Split
from calozoo.config import create
from calozoo.testing import DataContract, ToyGeometry


class TestGeant4Photons(DataContract):
    name = "geant4_photons"
    geometry = "atlas_barrel"


def test_mean_layer_fractions_are_those_of_the_data_sheet() -> None:
    source = create("data", {"name": "geant4_photons"}, create("geometry", {"name": "atlas_barrel"}))
    parts = [source.open(split) for split in Split]
    assert sum(map(len, parts)) == 63_000
    rows = parts[0].rows(slice(0, len(parts[0])))
    at = rows[rows.incident_energies == 65536]
    sums = [at.energies[:, layer].sum(axis=1).mean() / 65536 * 100 for layer in source.geometry.slices]
    np.testing.assert_allclose(sums, [0.65, 17.7, 79.5, 0.48], rtol=0.02)


def test_another_geometry_is_refused() -> None:
    with pytest.raises(DataError, match="266 cells in a row, and the geometry has 13"):
        create("data", {"name": "geant4_photons"}, ToyGeometry())
