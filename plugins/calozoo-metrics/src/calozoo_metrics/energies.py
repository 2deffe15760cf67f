"""Showers by incident energy: the groups in which two samples are compared, and the refusal of what cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import DataError, Geometry, Showers

#: With more distinct incident energies than this they count as a continuum and are binned.
DISTINCT = 40
#: Fewer showers than this at an energy say nothing about a distribution.
FEWEST = 20


def energy_label(energy: float) -> str:
    """An energy in MeV as people write it.

    >>> energy_label(65536), energy_label(500), energy_label(262144)
    ('65.5 GeV', '500 MeV', '262 GeV')
    """
    value, unit = (energy / 1000, "GeV") if energy >= 1000 else (energy, "MeV")
    return f"{value:.3g} {unit}"


def is_barrel(geometry: Geometry) -> bool:
    """Whether a geometry has the layers of the note's barrel, with which its numbers can be compared."""
    return [(layer.name, layer.cells) for layer in geometry.layers] == [
        ("presampler", 21), ("front", 168), ("middle", 49), ("back", 28),
    ]  # fmt: skip


@dataclass(frozen=True)
class EnergyGroup:
    """Showers of one incident energy, or of a bin of energies [``low``, ``high``), in MeV."""

    low: float
    high: float

    @property
    def energy(self) -> float:
        """The energy, or the logarithmic centre of the bin, MeV."""
        return float(np.sqrt(self.low * self.high))

    @property
    def key(self) -> str:
        """The group's name in a score: '65536' for an energy, '1024-2048' for a bin."""
        return f"{self.low:.6g}" if self.low == self.high else f"{self.low:.6g}-{self.high:.6g}"

    @property
    def label(self) -> str:
        """The group's name on a figure."""
        return (
            energy_label(self.low)
            if self.low == self.high
            else f"{energy_label(self.low)} to {energy_label(self.high)}"
        )

    def mask(self, incident: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of the ``incident`` energies (n,) belong to the group, (n,)."""
        incident = np.asarray(incident, dtype=float)
        if self.low == self.high:
            return np.isclose(incident, self.low, rtol=1e-5, atol=0.0)
        return (incident >= self.low) & (incident < self.high)


def energy_groups(incident: NDArray[Any], *, distinct: int = DISTINCT, bins: int = 8) -> list[EnergyGroup]:
    """The incident energies (n,) as groups in rising order.

    Each value is a group where there are at most ``distinct`` of them; else there are ``bins`` logarithmic bins.

    >>> groups = energy_groups(np.array([2048.0, 1024.0, 2048.0]))
    >>> [group.key for group in groups], groups[1].mask(np.array([2048.0, 1024.0])).tolist()
    (['1024', '2048'], [True, False])
    >>> len(energy_groups(np.geomspace(1e3, 1e5, 100)))
    8
    """
    values = np.unique(np.asarray(incident, dtype=float))
    if len(values) <= distinct:
        return [EnergyGroup(value, value) for value in values.tolist()]
    edges = np.geomspace(values[0], np.nextafter(values[-1], np.inf), bins + 1)
    edges[0], edges[-1] = values[0], np.nextafter(values[-1], np.inf)
    return [EnergyGroup(low, high) for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Pair:
    """Reference and generated showers of the same energy group."""

    group: EnergyGroup
    reference: Showers
    generated: Showers

    @property
    def key(self) -> str:
        """The group's name in a score."""
        return self.group.key


def check_cells(geometry: Geometry, samples: Mapping[str, Showers]) -> None:
    """Refuse samples that are not showers of ``geometry``."""
    for name, showers in samples.items():
        if showers.energies.shape[1] != geometry.cells:
            raise DataError(
                f"The {name} showers have {showers.energies.shape[1]} cells, the geometry {type(geometry).__name__} has "
                f"{geometry.cells}: they belong to another geometry and are not judged."
            )


def pairs(reference: Showers, generated: Showers, geometry: Geometry, *, fewest: int = FEWEST) -> list[Pair]:
    """Both samples cut into the reference's energy groups.

    Groups with fewer than ``fewest`` showers on a side are left out. DataError where none is left, where the cells
    are not the geometry's, or where one sample has fixed energies and the other a continuum.
    """
    check_cells(geometry, {"reference": reference, "generated": generated})
    groups = energy_groups(reference.incident_energies)
    fixed, others = (len(np.unique(s.incident_energies)) <= DISTINCT for s in (reference, generated))
    if fixed != others and min(len(reference), len(generated)) > DISTINCT:
        kinds = {True: "a few fixed incident energies", False: "a continuum of incident energies"}
        raise DataError(
            f"The reference has {kinds[fixed]} and the generated showers have {kinds[others]}: generate them at the "
            "reference's energies."
        )
    cut = [
        Pair(
            group,
            reference[group.mask(reference.incident_energies)],
            generated[group.mask(generated.incident_energies)],
        )
        for group in groups
    ]
    kept = [pair for pair in cut if min(len(pair.reference), len(pair.generated)) >= fewest]
    if not kept and not any(len(pair.generated) for pair in cut):
        raise DataError(
            f"The incident energies do not overlap: reference {_range(reference)}, generated {_range(generated)}."
        )
    if not kept:
        most = max(min(len(pair.reference), len(pair.generated)) for pair in cut)
        raise DataError(
            f"At least {fewest} showers at an energy are needed on both sides; the most there are is {most}."
        )
    return kept


def _range(showers: Showers) -> str:
    if not len(showers):
        return "without showers"
    low, high = float(showers.incident_energies.min()), float(showers.incident_energies.max())
    return f"at {energy_label(low)}" if low == high else f"{energy_label(low)} to {energy_label(high)}"


@dataclass(frozen=True, eq=False)
class View:
    """What a figure shows of one energy group: the reference and the labelled samples that have showers there."""

    group: EnergyGroup
    reference: Showers
    generated: Mapping[str, Showers]


def views(
    reference: Showers, generated: Mapping[str, Showers], geometry: Geometry, energies: Sequence[float] | None = None
) -> list[View]:
    """The samples at the energy groups nearest to ``energies`` (MeV); at every group where it is None."""
    check_cells(geometry, {"reference": reference, **generated})
    groups = energy_groups(reference.incident_energies)
    if energies is not None:
        nearest = {min(groups, key=lambda group, wish=wish: abs(np.log(group.energy / wish))) for wish in energies}  # type: ignore[misc]
        groups = [group for group in groups if group in nearest]
    found = []
    for group in groups:
        samples = {name: showers[group.mask(showers.incident_energies)] for name, showers in generated.items()}
        samples = {name: showers for name, showers in samples.items() if len(showers) >= 2}
        view = View(group, reference[group.mask(reference.incident_energies)], samples)
        if len(view.reference) >= 2 and samples:
            found.append(view)
    if not found:
        raise DataError("No incident energy has showers of the reference and of a generated sample: nothing to draw.")
    return found


def representative(incident: NDArray[Any]) -> tuple[float, float, float]:
    """Lowest, typical and highest incident energy, MeV.

    The typical one lies three quarters up the logarithmic range: 65 GeV for 1 to 262 GeV, as the note chose.

    >>> representative(1024.0 * 2.0 ** np.arange(9))
    (1024.0, 65536.0, 262144.0)
    """
    energies = [group.energy for group in energy_groups(incident)]
    return energies[0], energies[round(0.75 * (len(energies) - 1))], energies[-1]
