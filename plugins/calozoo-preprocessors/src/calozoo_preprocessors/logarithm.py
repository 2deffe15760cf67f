"""Logarithms of cell energies over the incident energy."""

from __future__ import annotations

import math
import struct

import torch
from torch import Tensor

from calozoo import ConfigError, Geometry, Preprocessor


class Log(Preprocessor):
    r"""The logarithm :math:`\log_{10}(E_\mathrm{cell} / E)`, in [log10(``floor``), 0].

    The logarithm of nothing does not exist: a cell with at most the fraction ``floor`` of the incident energy gets
    the lower end of the range, and that end becomes exactly zero energy again.

    Args:
        geometry: the cells.
        floor: fraction of the incident energy up to which a cell counts as empty; 1e-10 is the scale of the note.

    Source: ATL-SOFT-PUB-2018-001, table 2.

    >>> log = Log(None)
    >>> values = log(torch.tensor([[0.0, 10.0]]), torch.tensor([[1000.0]]))
    >>> values.tolist(), log.inverse(values, torch.tensor([[1000.0]])).tolist()
    ([[-10.0, -2.0]], [[0.0, 10.0]])

    """

    def __init__(self, geometry: Geometry, *, floor: float = 1e-10) -> None:
        super().__init__(geometry)
        if not 0 < floor < 1:
            raise ConfigError(f"preprocessor.floor is a fraction between 0 and 1, not {floor}.")
        self.floor = floor
        self.low = _single(math.log10(floor))
        self.range = (self.low, 0.0)

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Logarithms (n, cells) of ``energies`` (n, cells), MeV, over ``incident`` energies (n, 1), MeV."""
        return _log10(energies / incident, self.floor, self.low)

    def inverse(self, values: Tensor, incident: Tensor) -> Tensor:
        """Energies (n, cells), MeV; zero at the lower end of the range and below."""
        return torch.where(values > self.low, _power(values), 0.0) * incident


class LogScaled(Preprocessor):
    r"""The logarithm :math:`\log_{10}(E_\mathrm{cell} / E \times s)` of scaled fractions, in [0, log10(``scale``)].

    A cell with at most the fraction 1/``scale`` of the incident energy gets 0, and 0 becomes exactly zero energy again.

    Args:
        geometry: the cells.
        scale: factor before the logarithm; 1e10 in the note.

    Source: ATL-SOFT-PUB-2018-001, table 2.

    >>> log = LogScaled(None)
    >>> values = log(torch.tensor([[0.0, 10.0]]), torch.tensor([[1000.0]]))
    >>> values.tolist(), log.inverse(values, torch.tensor([[1000.0]])).tolist()
    ([[0.0, 8.0]], [[0.0, 10.0]])

    """

    def __init__(self, geometry: Geometry, *, scale: float = 1e10) -> None:
        super().__init__(geometry)
        if not 1 < scale < math.inf:
            raise ConfigError(f"preprocessor.scale is a number above 1, not {scale}.")
        self.scale = scale
        self.range = (0.0, _single(math.log10(scale)))

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Logarithms (n, cells) of ``energies`` (n, cells), MeV, over ``incident`` energies (n, 1), MeV."""
        return _log10(energies / incident * self.scale, 1.0, 0.0)

    def inverse(self, values: Tensor, incident: Tensor) -> Tensor:
        """Energies (n, cells), MeV; zero at 0 and below."""
        return torch.where(values > 0, _power(values - math.log10(self.scale)), 0.0) * incident


def _log10(x: Tensor, floor: float, low: float) -> Tensor:
    """Take the logarithm of what exceeds ``floor``, and exactly ``low`` of all else."""
    return torch.where(x > floor, x.clamp(min=floor).log10(), low)


def _power(x: Tensor) -> Tensor:
    return (x * math.log(10)).exp()


def _single(x: float) -> float:
    """Round to single precision, so that a comparison with the number is exact on every device."""
    return float(struct.unpack("f", struct.pack("f", x))[0])
