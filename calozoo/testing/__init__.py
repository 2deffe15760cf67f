"""Contract suites that every plugin, first-party or not, must pass, and toy showers to pass them with.

They need pytest. ``docs/write-a-plugin.md`` shows a test of three lines.
"""

from __future__ import annotations

from calozoo.testing.contracts import (
    CONTRACTS,
    Contract,
    CriticContract,
    DataContract,
    GeometryContract,
    MetricContract,
    ModelContract,
    PreprocessorContract,
)
from calozoo.testing.toy import ToyGeometry, toy_batch, toy_showers, toy_space

__all__ = [
    "CONTRACTS",
    "Contract",
    "CriticContract",
    "DataContract",
    "GeometryContract",
    "MetricContract",
    "ModelContract",
    "PreprocessorContract",
    "ToyGeometry",
    "toy_batch",
    "toy_showers",
    "toy_space",
]
