from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from calozoo import drawing
from calozoo.testing import ToyGeometry
from conftest import Outcome


def test_every_cell_is_drawn(barrel: Any) -> None:
    for geometry in (barrel, ToyGeometry()):
        drawn = drawing.by_layer(geometry)
        assert [len(axes.collections[0].get_paths()) for axes in drawn.axes if axes.get_visible()] == [
            layer.cells for layer in geometry.layers
        ]
        assert len(drawing.in_space(geometry).axes[0].collections) == len(geometry.layers)


def test_alignments_move_the_layers_that_they_should(barrel: Any) -> None:
    figures = drawing.alignments(barrel)
    titles = {name: [axes.get_title() for axes in figure.axes] for name, figure in figures.items()}
    assert titles["eta_alignment"] == ["back, eta_alignment = 0", "back, eta_alignment = 1"]
    assert len(titles["phi_alignment"]) == 8
    assert drawing.alignments(ToyGeometry()) == {}


def test_the_command_writes_pictures(calozoo: Callable[..., Outcome], tmp_path: Path) -> None:
    assert calozoo("picture", "geometry=atlas_barrel", f"out={tmp_path}").status == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "cells.png", "layers.png", "eta_alignment.png", "phi_alignment.png"
    }  # fmt: skip
    assert "Choose a geometry" in calozoo("picture").err
