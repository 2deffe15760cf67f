"""From energies to what a network sees, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from calozoo.geometry import Geometry


class Preprocessor(nn.Module, ABC):
    """An invertible map between cell energies and the values that models and critics work on.

    The first argument of a plugin's ``__init__`` is the :class:`~calozoo.Geometry`; its keyword-only arguments
    are the options. What :meth:`fit` learns is kept in buffers, so that it is saved with the weights.
    """

    #: The interval in which every value lies, which output activations are scaled to; None is unbounded.
    range: tuple[float | None, float | None] = (0.0, 1.0)

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry

    @property
    def features(self) -> int:
        """How many values a shower becomes; the number of cells unless a plugin says otherwise."""
        return self.geometry.cells

    def fit(self, energies: Tensor, incident: Tensor) -> None:
        """Learn what has to be learnt from training showers: (n, cells) and (n, 1), MeV."""

    @abstractmethod
    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Values (n, features) of ``energies`` (n, cells), MeV, at ``incident`` energies (n, 1), MeV."""

    @abstractmethod
    def inverse(self, values: Tensor, incident: Tensor) -> Tensor:
        """Energies (n, cells), MeV, of ``values`` (n, features); differentiable, never negative."""
