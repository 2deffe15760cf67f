"""``data=gflash``: an endless source of parametrised showers."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calozoo import ConfigError, DataSource, Geometry, Rows, Showers, Split
from calozoo_gflash.conditions import draw_conditions
from calozoo_gflash.profile import Material
from calozoo_gflash.shower import Calorimeter, draw_showers

_BLOCK = 256  # showers that are drawn together, from one random stream
_CONTAINED = 0.85  # of the energy, below which the layers are hardly a calorimeter
_KEPT = 2**28  # bytes of the blocks that are kept for being asked for again


class Particle(Enum):
    """What makes the shower."""

    electron = "electron"  # showers from the front of the calorimeter
    photon = "photon"  # flies on average 9/7 radiation lengths first


class GFlash(DataSource):
    """Electromagnetic showers after Grindhammer and Peters (hep-ex/0001020), in any geometry.

    Gamma profiles in depth with fluctuating, correlated parameters, sampling fluctuations, and energy spots from
    a radial profile of core and tail. Any row of any split is drawn from its own random stream, so that the sample
    is as large as one asks for and needs no disk. Condition columns that the geometry declares are drawn uniformly.

    Args:
        geometry: the cells.
        n: showers in each split.
        seed: another one gives another sample.
        energies: incident energies, MeV, to draw from; empty means log-uniform from ``low`` to ``high``.
        low: least incident energy, MeV.
        high: largest incident energy, MeV.
        particle: photon or electron.
        resolution: sampling fluctuation; 0.1 is 10 % / sqrt(E / GeV).
        spots: at most this many energy spots in a shower; fewer are faster and coarser.
        material: effective constants of the calorimeter.
        starts: depth in radiation lengths at which each layer starts, counted from where the shower may start.
        ends: depth at which each layer ends; what lies between layers is lost. Where neither is given, layers
            meet half-way between their centres, the first starts at the front face, and the last reaches as far
            behind its centre as before it, all in ``material.radiation_length``.
        radius: mm from the origin to the front face, which makes lengths of angles; unused where a geometry's
            transverse coordinates are in mm.

    """

    def __init__(
        self,
        geometry: Geometry,
        *,
        n: int = 10_000,
        seed: int = 0,
        energies: tuple[float, ...] = (),
        low: float = 1024.0,
        high: float = 262144.0,
        particle: Particle = Particle.photon,
        resolution: float = 0.1,
        spots: int = 5000,
        material: Material = Material(),  # noqa: B008  (never changed)
        starts: tuple[float, ...] = (),
        ends: tuple[float, ...] = (),
        radius: float = 1410.0,
    ) -> None:
        super().__init__(geometry)
        energies = tuple(energies)
        if not (n > 0 and spots > 0 and resolution > 0 and radius > 0 and seed >= 0):
            raise ConfigError("data=gflash needs n, spots, resolution and radius above 0, and a seed of at least 0.")
        if not (0 < low <= high < np.inf and all(0 < energy < np.inf for energy in energies)):
            raise ConfigError(
                f"data=gflash needs 0 < low <= high and positive energies, not {low}, {high}, {energies}."
            )
        self.n, self.seed = n, seed
        self.energies, self.low, self.high = energies, low, high
        self.calorimeter = Calorimeter(
            geometry,
            material,
            resolution=resolution,
            most_spots=spots,
            photon=particle is Particle.photon,
            starts=tuple(starts),
            ends=tuple(ends),
            radius=radius,
        )
        most = max(energies, default=high)
        if (share := self.calorimeter.contained(most)) < _CONTAINED:
            warnings.warn(
                f"data=gflash: the layers of {type(geometry).__name__} hold {100 * share:.0f} % of a shower of {most:g} MeV. "
                "Say with data.material what they are made of (data.material.radiation_length above all), or with "
                "data.starts and data.ends how thick they are.",
                stacklevel=2,
            )

    def open(self, split: Split) -> Rows:
        """The rows of one split, drawn when they are asked for; splits are independent."""
        return DrawnRows(self, list(Split).index(split))

    @property
    def fingerprint(self) -> str:
        """What the sample follows from, beside the options."""
        return "hep-ex/0001020 version 2"

    def draw(self, n: int, random: np.random.Generator) -> Showers:
        """Draw ``n`` showers."""
        if self.energies:
            incident = random.choice(np.array(self.energies), n)
        else:
            incident = np.exp(random.uniform(np.log(self.low), np.log(self.high), n))
        conditions = draw_conditions(self.geometry, n, random)
        shift = self.geometry.shift({"incident_energy": incident, **conditions})
        return Showers(draw_showers(self.calorimeter, incident, shift, random), incident, conditions)


class DrawnRows:
    """Rows that are drawn in blocks, each from the stream (seed, split, block), whatever is asked for."""

    def __init__(self, source: GFlash, split: int) -> None:
        self.source, self.split = source, split
        self.kept: OrderedDict[int, Showers] = OrderedDict()
        self.most = max(1, _KEPT // (_BLOCK * source.geometry.cells * 4))

    def __len__(self) -> int:
        return self.source.n

    def rows(self, index: slice | NDArray[np.int64]) -> Showers:
        """The showers at ``index``, in its order."""
        wanted = np.arange(len(self))[index]
        blocks = np.unique(wanted // _BLOCK) if len(wanted) else np.zeros(1, dtype=np.int64)
        order: list[NDArray[Any]] = []
        parts = []
        for block in blocks:
            mine = np.flatnonzero(wanted // _BLOCK == block)
            order.append(mine)
            parts.append(self._block(int(block))[wanted[mine] % _BLOCK])
        return Showers.concatenate(parts)[np.argsort(np.concatenate(order), kind="stable")]

    def _block(self, block: int) -> Showers:
        if block in self.kept:
            self.kept.move_to_end(block)
        else:
            random = np.random.default_rng([self.source.seed, self.split, block])
            self.kept[block] = self.source.draw(_BLOCK, random)
            if len(self.kept) > self.most:
                self.kept.popitem(last=False)
        return self.kept[block]
