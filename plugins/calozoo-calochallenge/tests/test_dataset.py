from __future__ import annotations

from pathlib import Path

import pytest

from calozoo import ConfigError, registry
from calozoo.config import create
from calozoo.testing import ToyGeometry
from calozoo_calochallenge import dataset
from calozoo_calochallenge.dataset import find_dataset

LAYERS = {0: (1, "0,5,10"), 3: (4, "0,50")}


def write(path: Path, layers: dict[int, tuple[int, str]]) -> str:
    lines = [f'<Layer id="{k}" r_edges="{edges}" n_bin_alpha="{sectors}"/>' for k, (sectors, edges) in layers.items()]
    path.write_text(f'<Bins><Bin pid="22" etaMin="0" etaMax="1" name="x">{"".join(lines)}</Bin></Bins>')
    return str(path)


def test_every_set_has_its_threshold() -> None:
    found = {
        name: find_dataset(create("geometry", {"name": f"calochallenge_{name}"}))
        for name in ("photons", "pions", "2", "3")
    }
    assert [found[name].name for name in found] == ["ds1_photons", "ds1_pions", "ds2", "ds3"]
    assert [found[name].threshold for name in found] == [1, 1, 0.5e-3 / 0.033, 0.5e-3 / 0.033]
    assert all(dataset.published for dataset in found.values())


def test_a_published_binning_file_is_the_set(tmp_path: Path) -> None:
    edges = ",".join(f"{4.65 * k:.2f}" for k in range(10))
    path = write(tmp_path / "b.xml", dict.fromkeys(range(45), (16, edges)))
    assert find_dataset(create("geometry", {"name": "binning", "path": path})) == dataset.SET_2


def test_another_binning_is_none_of_them(tmp_path: Path) -> None:
    geometry = create("geometry", {"name": "binning", "path": write(tmp_path / "b.xml", LAYERS)})
    assert find_dataset(geometry) == dataset.OTHER
    assert not dataset.OTHER.published
    with pytest.raises(ConfigError, match=r"edges .* its own sets alone: type geometry=.* metric=\["):
        create("metric", {"name": "calochallenge_separation"}, geometry)


@pytest.mark.parametrize("name", [name for name in registry.available("metric") if name.startswith("calochallenge")])
def test_other_geometries_are_refused_with_what_to_type(name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"cylindrical voxels and ToyGeometry has none: type geometry=calochallenge_photons"
    ):
        create("metric", {"name": name}, ToyGeometry())
