from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest

from calozoo import Geometry, Showers
from calozoo.config import create
from calozoo_calochallenge.features import high_level, low_level, normalised


def direct(voxels: list[float], incident: float, rings: dict[int, tuple[int, list[int]]]) -> dict[str, list[float]]:
    """The features of one shower, voxel by voxel."""
    start, found = (
        0,
        {name: [] for name in ("layers", "eta", "phi", "eta_width", "phi_width", "sparsity", "radius", "radius_width")},
    )  # type: dict[str, list[float]]
    for sectors, edges in rings.values():
        cells = []
        for a in range(sectors):
            alpha = -math.pi + (a + 0.5) * 2 * math.pi / sectors
            for inner, outer in pairwise(edges):
                radius = (inner + outer) / 2
                cells.append((voxels[start], radius * math.cos(alpha), radius * math.sin(alpha), radius))
                start += 1
        total = sum(cell[0] for cell in cells)
        found["layers"].append(math.log10(total + 1e-8))
        found["sparsity"].append(sum(cell[0] == 0 for cell in cells) / len(cells))
        for axis, name in ((1, "eta"), (2, "phi"), (3, "radius")):
            if sectors == 1 and axis < 3:
                continue
            centre = sum(cell[axis] * cell[0] for cell in cells) / (total + 1e-16)
            square = sum(cell[axis] ** 2 * cell[0] for cell in cells) / (total + 1e-16)
            found[name].append(centre / 100)
            found[f"{name}_width"].append(math.sqrt(max(0, square - centre**2)) / 100)
    assert start == len(voxels)
    return {"incident": [math.log10(incident)], "total": [math.log10(sum(voxels) + 1e-8)], **found}


ORDER = (
    "incident layers eta phi eta_width phi_width total sparsity radius radius_width".split()  # noqa: SIM905
)


def test_high_level_features_are_the_definitions(showers: Callable[..., Showers], photons: Any, rings: Any) -> None:
    sample = showers(50, 1)
    found = high_level(sample.energies, sample.incident_energies, photons)
    assert found.dtype == np.float64
    for row, voxels, incident in zip(found, sample.energies.tolist(), sample.incident_energies.tolist(), strict=True):
        parts = direct(voxels, incident, rings)
        np.testing.assert_allclose(row, [*chain(*(parts[name] for name in ORDER))], rtol=1e-9, atol=1e-9)


def test_empty_and_single_voxels_are_finite(photons: Any, rings: Any) -> None:
    voxels = np.zeros((3, 368), np.float32)
    voxels[1, 100], voxels[2, 367] = 5, 2000
    found = high_level(voxels, np.full(3, 4096.0), photons)
    for row, energies in zip(found, voxels.tolist(), strict=True):
        parts = direct(energies, 4096.0, rings)
        # A width of one voxel is the root of what rounding leaves of 0.
        np.testing.assert_allclose(row, [*chain(*(parts[name] for name in ORDER))], rtol=1e-9, atol=1e-6)


def test_classifier_inputs_are_the_definitions(showers: Callable[..., Showers], photons: Any, rings: Any) -> None:
    sample = showers(20, 2)
    args = sample.energies, sample.incident_energies, photons
    for row, other, voxels, incident in zip(
        low_level(*args), normalised(*args), sample.energies.tolist(), sample.incident_energies.tolist(), strict=True
    ):
        expected = [math.log10(incident), *(voxel / incident for voxel in voxels)]
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-9)
        start, over, layers = 0, [], []
        for sectors, edges in rings.values():
            part = voxels[start : start + sectors * (len(edges) - 1)]
            over += [voxel / (sum(part) + 1e-16) for voxel in part]
            layers.append(math.log10(sum(part) + 1e-8))
            start += len(part)
        np.testing.assert_allclose(other, [math.log10(incident), *over, *layers], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "count"), [("photons", 30), ("pions", 46), ("2", 362), ("3", 362)])
def test_there_are_as_many_features_as_published(name: str, count: int) -> None:
    geometry: Any = create("geometry", {"name": f"calochallenge_{name}"})
    voxels = np.ones((2, geometry.cells), np.float32)
    found = high_level(voxels, np.ones(2), geometry)
    assert found.shape == (2, count)
    assert low_level(voxels, np.ones(2), geometry).shape == (2, 1 + geometry.cells)
    assert normalised(voxels, np.ones(2), geometry).shape == (2, 1 + geometry.cells + len(geometry.layers))


def test_a_geometry_without_sectors_has_no_centres(tmp_path: Any) -> None:
    path = tmp_path / "b.xml"
    path.write_text("<Bins><Bin name='x'><Layer id='0' r_edges='0,1,2' n_bin_alpha='1'/></Bin></Bins>")
    geometry: Geometry = create("geometry", {"name": "binning", "path": str(path)})
    assert high_level(np.ones((4, 2)), np.ones(4), geometry).shape == (4, 6)  # type: ignore[arg-type]
