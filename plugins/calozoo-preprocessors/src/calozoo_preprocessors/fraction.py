"""Cell energies over the incident energy."""

from __future__ import annotations

from torch import Tensor

from calozoo import Preprocessor


class Fraction(Preprocessor):
    r"""The fraction :math:`E_\mathrm{cell} / E` of the incident energy that each cell holds, in [0, 1].

    Source: ATL-SOFT-PUB-2018-001, table 2.

    >>> import torch
    >>> fraction = Fraction(None)
    >>> values = fraction(torch.tensor([[0.0, 250.0]]), torch.tensor([[1000.0]]))
    >>> values.tolist(), fraction.inverse(values, torch.tensor([[1000.0]])).tolist()
    ([[0.0, 0.25]], [[0.0, 250.0]])
    """

    range = (0.0, 1.0)

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Fractions (n, cells) of ``energies`` (n, cells), MeV, at ``incident`` energies (n, 1), MeV."""
        return energies / incident

    def inverse(self, values: Tensor, incident: Tensor) -> Tensor:
        """Energies (n, cells), MeV; negative fractions count as zero."""
        return values.clamp(min=0) * incident
