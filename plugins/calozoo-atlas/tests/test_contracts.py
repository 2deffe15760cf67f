"""What every geometry must do."""

from __future__ import annotations

from typing import ClassVar

from calozoo.testing import GeometryContract


class TestAtlasBarrel(GeometryContract):
    name = "atlas_barrel"


class TestAtlasBarrelWithAnEdgeAtZero(GeometryContract):
    name = "atlas_barrel"
    options: ClassVar = {"phi_origin": "edge"}
