"""Every registered component passes the contract of its kind: to register is to be tested."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from calozoo import registry
from calozoo.testing import CONTRACTS

SAMPLE = Path(__file__).parents[1] / "plugins" / "calozoo-atlas" / "tests" / "cells_sample.h5"
WINDOWS = str(files("calozoo_geant4_photons") / "photons.h5")

#: What a contract has to be told of a component beside its name.
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("geometry", "binning"): {"options": {"path": str(Path(__file__).with_name("binning.xml"))}},
    ("data", "geant4_photons"): {"geometry": "atlas_barrel"},
    ("data", "hdf5"): {"geometry": "atlas_barrel", "options": {"path": WINDOWS}},
    ("data", "cells"): {"geometry": "atlas_barrel", "options": {"path": str(SAMPLE)}},
    ("data", "gflash"): {"options": {"n": 300, "spots": 50, "material": {"radiation_length": 5.0}}},
    **{
        ("metric", name): {"geometry": "calochallenge_photons"}
        for name in registry.available("metric")
        if name.startswith("calochallenge_")
    },
    ("metric", "calochallenge_classifier"): {
        "geometry": "calochallenge_photons",
        "options": {"epochs": 30, "width": 128, "runs": 1},
    },
}

for _kind in registry.KINDS:
    for _name in registry.plugins(_kind):
        _title = f"Test{_kind.title()}{_name.title().replace('_', '')}"
        globals()[_title] = type(
            _title,
            (CONTRACTS[_kind],),
            {"name": _name, "__module__": __name__, **SETTINGS.get((_kind, _name), {})},
        )


@pytest.mark.parametrize("kind", list(registry.KINDS))
def test_every_kind_has_a_contract_and_components(kind: str) -> None:
    assert CONTRACTS[kind].kind == kind
    classes = [value for value in globals().values() if isinstance(value, type) and issubclass(value, CONTRACTS[kind])]
    assert sorted(cls.name for cls in classes) == registry.available(kind) != []
