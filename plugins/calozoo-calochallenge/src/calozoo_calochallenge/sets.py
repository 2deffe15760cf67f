"""The geometries of the CaloChallenge, and any other that a binning file describes.

Source: C. Krause et al., CaloChallenge 2022, arXiv:2410.21611, and its published binning files.
"""

from __future__ import annotations

from calozoo import ConfigError
from calozoo_calochallenge.binning import read_binning
from calozoo_calochallenge.cylinder import Cylinder, Rings

# mm from the presampler's inner face at r = 1410 mm, along the radius at eta = 0.2: the electromagnetic layers as in
# ATLAS's barrel, the tile calorimeter's three (12, 13, 14) at about r = 2450, 3020 and 3630 mm.
_DEPTHS = {0: 5.5, 1: 133.5, 2: 348.0, 3: 534.5, 12: 1040.0, 13: 1610.0, 14: 2220.0}
_SAMPLING_DEPTH = 3.4  # mm, two plates of 1.4 mm tungsten and 0.3 mm silicon


class CaloChallengePhotons(Cylinder):
    """Data set 1, photons: 368 voxels in the layers 0, 1, 2, 3 and 12 of ATLAS at 0.20 < eta < 0.25.

    >>> CaloChallengePhotons().cells
    368
    """

    @property
    def rings(self) -> tuple[Rings, ...]:
        """As published."""
        return (
            _rings(0, 1, "0,5,10,30,50,100,200,400,600"),
            _rings(1, 10, "0,2,4,6,8,10,12,15,20,30,40,50,70,90,120,150,200"),
            _rings(2, 10, "0,2,5,10,15,20,25,30,40,50,60,80,100,130,160,200,250,300,350,400"),
            _rings(3, 1, "0,50,100,200,400,600"),
            _rings(12, 1, "0,100,200,400,1000,2000"),
        )


class CaloChallengePions(Cylinder):
    """Data set 1, charged pions: 533 voxels in the layers 0, 1, 2, 3, 12, 13 and 14 of ATLAS at 0.20 < eta < 0.25.

    >>> CaloChallengePions().cells
    533
    """

    @property
    def rings(self) -> tuple[Rings, ...]:
        """As published."""
        return (
            _rings(0, 1, "0,5,10,30,50,100,200,400,600"),
            _rings(1, 10, "0,1,4,7,10,15,30,50,90,150,200"),
            _rings(2, 10, "0,5,10,20,30,50,80,130,200,300,400"),
            _rings(3, 1, "0,50,100,200,400,600"),
            _rings(12, 10, "0,10,20,30,50,80,100,130,160,200,250,300,350,400,1000,2000"),
            _rings(13, 10, "0,10,20,30,50,80,100,130,160,200,250,300,350,400,600,1000,2000"),
            _rings(14, 1, "0,50,100,150,200,250,300,400,600,1000,2000"),
        )


class CaloChallenge2(Cylinder):
    """Data set 2, electrons: 45 layers of 16 sectors x 9 rings of 4.65 mm, 6,480 voxels.

    >>> CaloChallenge2().cells
    6480
    """

    @property
    def rings(self) -> tuple[Rings, ...]:
        """As published."""
        return _regular(sectors=16, rings=9, width=4.65)


class CaloChallenge3(Cylinder):
    """Data set 3, electrons: 45 layers of 50 sectors x 18 rings of 2.325 mm, 40,500 voxels.

    >>> CaloChallenge3().cells
    40500
    """

    @property
    def rings(self) -> tuple[Rings, ...]:
        """As published."""
        return _regular(sectors=50, rings=18, width=2.325)


class Binning(Cylinder):
    """Whatever a binning file of the CaloChallenge's form describes.

    Args:
        path: the XML file.
        particle: name of the ``Bin`` to take, where the file has several.
        spacing: mm between the centres of layers with neighbouring ids, which the file does not say.

    Raises :class:`~calozoo.DataError` for a file that is not of that form.

    """

    def __init__(self, *, path: str = "", particle: str = "", spacing: float = 10.0) -> None:
        if not path:
            raise ConfigError("geometry=binning reads a binning file of yours: say which with geometry.path=FILE.")
        if not spacing > 0:
            raise ConfigError(f"geometry.spacing is a length in mm above 0, not {spacing}.")
        self._rings = tuple(
            Rings(layer.id, layer.edges, layer.sectors, (layer.id + 0.5) * spacing)
            for layer in read_binning(path, particle)
        )

    @property
    def rings(self) -> tuple[Rings, ...]:
        """As in the file."""
        return self._rings


def _rings(id: int, sectors: int, edges: str) -> Rings:
    return Rings(id, tuple(float(edge) for edge in edges.split(",")), sectors, _DEPTHS[id])


def _regular(sectors: int, rings: int, width: float) -> tuple[Rings, ...]:
    edges = tuple(width * k for k in range(rings + 1))
    return tuple(Rings(k, edges, sectors, (k + 0.5) * _SAMPLING_DEPTH) for k in range(45))
