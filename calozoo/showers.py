"""Showers and their condition columns: what travels between the stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo.errors import DataError

INCIDENT_ENERGY = "incident_energy"


class ColumnKind(Enum):
    """What a condition column describes; condition presets choose columns by it."""

    energy = "energy"
    alignment = "alignment"
    position = "position"
    direction = "direction"
    particle = "particle"
    other = "other"


@dataclass(frozen=True)
class Column:
    """A named condition of a shower, one number per shower.

    ``categories`` counts the values 0, 1, ... of a categorical column and is 0 for a continuous one, whose
    values lie in [``low``, ``high``] in ``unit``.
    """

    name: str
    kind: ColumnKind
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf
    categories: int = 0
    description: str = ""


@dataclass(frozen=True, eq=False)
class Showers:
    """Calorimeter showers of single particles.

    Shapes are checked here; the values are checked once, where showers enter from a file
    (:func:`calozoo.shower_file.open_showers`).

    >>> showers = Showers(np.ones((3, 4)), np.array([10.0, 20.0, 30.0]), {"eta": np.zeros(3)})
    >>> len(showers), len(showers[1:]), showers[1:].incident_energies.tolist()
    (3, 2, [20.0, 30.0])
    """

    energies: NDArray[np.float32]  # (n, cells), MeV
    incident_energies: NDArray[np.float32]  # (n,), MeV
    conditions: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # name -> (n,)

    def __post_init__(self) -> None:
        energies = np.asarray(self.energies, dtype=np.float32)
        incident = np.asarray(self.incident_energies, dtype=np.float32)
        if energies.ndim != 2:
            raise DataError(f"Shower energies have the shape (n, cells), not {energies.shape}.")
        n = len(energies)
        if incident.shape == (n, 1):
            incident = incident[:, 0]
        if incident.shape != (n,):
            raise DataError(f"{n} showers need incident energies of shape ({n},), not {incident.shape}.")
        conditions = {name: np.asarray(values) for name, values in self.conditions.items()}
        if INCIDENT_ENERGY in conditions:
            raise DataError(f"A condition cannot be called '{INCIDENT_ENERGY}': that is the incident energy itself.")
        for name, values in conditions.items():
            if values.shape != (n,):
                raise DataError(f"{n} showers need a condition '{name}' of shape ({n},), not {values.shape}.")
        object.__setattr__(self, "energies", energies)
        object.__setattr__(self, "incident_energies", incident)
        object.__setattr__(self, "conditions", MappingProxyType(conditions))

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, rows: slice | NDArray[Any] | Sequence[int]) -> Showers:
        """Select showers by a slice, a mask or indices."""
        return Showers(
            self.energies[rows],
            self.incident_energies[rows],
            {name: values[rows] for name, values in self.conditions.items()},
        )

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Every condition by name, the incident energy (MeV) first."""
        return {INCIDENT_ENERGY: self.incident_energies, **self.conditions}

    @property
    def total(self) -> NDArray[np.float64]:
        """Energy summed over the cells, (n,), MeV."""
        return np.asarray(self.energies.sum(axis=1, dtype=np.float64))

    def above(self, threshold: float) -> Showers:
        """The same showers with every cell below ``threshold`` (MeV) set to zero."""
        return replace(self, energies=np.where(self.energies >= threshold, self.energies, np.float32(0)))

    @staticmethod
    def concatenate(parts: Iterable[Showers]) -> Showers:
        """Join showers of the same cells and the same condition columns, in order."""
        parts = list(parts)
        if not parts:
            raise DataError("There are no showers to concatenate.")
        names = set(parts[0].conditions)
        for part in parts[1:]:
            if set(part.conditions) != names or part.energies.shape[1] != parts[0].energies.shape[1]:
                raise DataError("Showers with different cells or condition columns cannot be concatenated.")
        return Showers(
            np.concatenate([part.energies for part in parts]),
            np.concatenate([part.incident_energies for part in parts]),
            {name: np.concatenate([part.conditions[name] for part in parts]) for name in parts[0].conditions},
        )
