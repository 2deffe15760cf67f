"""Where showers come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calozoo.errors import ConfigError, DataError
from calozoo.geometry import Geometry
from calozoo.options import Split
from calozoo.showers import Showers


@dataclass
class SplitFractions:
    """How a sample is split, by one permutation drawn from ``seed``; test gets the rest."""

    train: float = 0.7
    validation: float = 0.1
    seed: int = 0


class Rows(Protocol):
    """One split of a sample: showers by their position in it."""

    def __len__(self) -> int:
        """How many showers there are."""
        ...

    def rows(self, index: slice | NDArray[np.int64]) -> Showers:
        """The showers at ``index``, in its order; reads no more than those where they are on disk."""
        ...


class DataSource(ABC):
    """A sample of showers for a geometry.

    The first argument of a plugin's ``__init__`` is the :class:`~calozoo.Geometry`; its keyword-only arguments
    are the options.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    @abstractmethod
    def open(self, split: Split) -> Rows:
        """Open one split for reading, or raise :class:`~calozoo.errors.DataError`."""

    @property
    def fingerprint(self) -> str:
        """A text that changes when the sample does; the run's manifest keeps it."""
        return type(self).__name__


@dataclass(frozen=True, eq=False)
class Part:
    """The rows ``index`` of a larger sample, which may stay on disk."""

    whole: Rows
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, index: slice | NDArray[np.int64]) -> Showers:
        """The showers at ``index`` of this part."""
        return self.whole.rows(self.index[index])


def take_split(whole: Rows, split: Split, fractions: SplitFractions) -> Part:
    """One split of ``whole``: the same rows for the same length and the same ``fractions``.

    Raises :class:`~calozoo.errors.DataError` where the split would be empty.
    """
    if not (fractions.train > 0 and fractions.validation >= 0 and fractions.train + fractions.validation <= 1):
        raise ConfigError(
            f"A split needs train > 0, validation >= 0 and a sum of at most 1, not train={fractions.train} and "
            f"validation={fractions.validation}."
        )
    n = len(whole)
    order = np.random.default_rng(fractions.seed).permutation(n)
    first, second = round(n * fractions.train), round(n * (fractions.train + fractions.validation))
    index = {Split.train: order[:first], Split.validation: order[first:second], Split.test: order[second:]}[split]
    if not len(index):
        raise DataError(
            f"The {split.value} split of {n} showers is empty with train={fractions.train} and "
            f"validation={fractions.validation}: change data.split or bring more showers."
        )
    return Part(whole, np.sort(index))  # in the order of the file, which makes reading fast


def block_size(cells: int) -> int:
    """How many showers of so many cells are read, or worked on, at a time: 64 MiB of them at most.

    >>> block_size(266), block_size(40500)
    (8192, 414)
    """
    return max(1, min(8192, 2**24 // cells))


def some(rows: Rows, n: int) -> Rows:
    """At most ``n`` of the rows, drawn evenly and in order, since files may be sorted by energy."""
    if len(rows) <= n:
        return rows
    return Part(rows, np.sort(np.random.default_rng(0).permutation(len(rows))[:n]))


def everything(rows: Rows) -> Showers:
    """All showers of a split at once."""
    return rows.rows(slice(0, len(rows)))
