"""The published data sets: which one a geometry belongs to, and what the challenge fixed for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calozoo import ConfigError, Geometry
from calozoo_calochallenge.cylinder import Cylinder
from calozoo_calochallenge.sets import CaloChallenge2, CaloChallenge3, CaloChallengePhotons, CaloChallengePions

#: Of the definitions that the metrics of this package hold: the challenge's year and our revision of them.
VERSION = "2022.1"
#: Showers of each sample that a result needs to stand beside the published ones.
OFFICIAL_ROWS = 50_000


@dataclass(frozen=True)
class DataSet:
    """A set of showers and the threshold below which its voxels count as empty."""

    name: str  # as in the published table
    threshold: float  # MeV

    @property
    def published(self) -> bool:
        """Whether there are edges of histograms and published results for it."""
        return self != OTHER


PHOTONS, PIONS = DataSet("ds1_photons", 1.0), DataSet("ds1_pions", 1.0)
SET_2, SET_3 = DataSet("ds2", 0.5e-3 / 0.033), DataSet("ds3", 0.5e-3 / 0.033)
#: Any other binning, treated as data set 1.
OTHER = DataSet("binning", 1.0)

_GEOMETRIES = {PHOTONS: CaloChallengePhotons, PIONS: CaloChallengePions, SET_2: CaloChallenge2, SET_3: CaloChallenge3}


def find_dataset(geometry: Geometry) -> DataSet:
    """The set whose voxels ``geometry`` has, also where they come from a binning file; OTHER where there is none.

    Raises :class:`~calozoo.ConfigError` for voxels that are not cylindrical.

    >>> find_dataset(CaloChallengePions()).name
    'ds1_pions'
    """
    if not isinstance(geometry, Cylinder):
        raise ConfigError(
            f"The CaloChallenge's metrics judge cylindrical voxels and {type(geometry).__name__} has none: type "
            "geometry=calochallenge_photons, calochallenge_pions, calochallenge_2, calochallenge_3 or binning, "
            "or take other metrics, such as metric=fast."
        )
    for dataset, kind in _GEOMETRIES.items():
        if _same(geometry, kind()):
            return dataset
    return OTHER


def _same(first: Cylinder, second: Cylinder) -> bool:
    if [(r.id, r.sectors, len(r.edges)) for r in first.rings] != [
        (r.id, r.sectors, len(r.edges)) for r in second.rings
    ]:
        return False
    return all(np.allclose(a.edges, b.edges, rtol=1e-9) for a, b in zip(first.rings, second.rings, strict=True))
