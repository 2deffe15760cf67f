"""What every data source must do, in three geometries."""

from __future__ import annotations

from typing import ClassVar

from calozoo.testing import DataContract


class TestInAToy(DataContract):
    name = "gflash"
    options: ClassVar = {"n": 300, "spots": 50, "material": {"radiation_length": 5.0}}


class TestInTheBarrel(DataContract):
    name = "gflash"
    geometry = "atlas_barrel"
    options: ClassVar = {"n": 600, "spots": 50, "energies": [1024.0, 65536.0]}


class TestInRings(DataContract):
    name = "gflash"
    geometry = "calochallenge_photons"
    options: ClassVar = {"n": 60, "spots": 50, "particle": "electron"}
