from __future__ import annotations

import numpy as np
import pytest

from calozoo import ConfigError, DataError, Showers, Split, SplitFractions, take_split


class Memory:
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def rows(self, index: object) -> Showers:
        picked = np.arange(self.n)[index]  # type: ignore[call-overload]
        return Showers(np.ones((len(picked), 2)), picked + 1.0)


def rows(split: Split, n: int = 100, fractions: SplitFractions | None = None) -> set[float]:
    chosen = take_split(Memory(n), split, fractions or SplitFractions())
    return set(chosen.rows(slice(0, len(chosen))).incident_energies.tolist())


def test_splits_are_disjoint_and_complete() -> None:
    parts = [rows(split) for split in Split]
    assert [len(p) for p in parts] == [70, 10, 20]
    assert set.union(*parts) == set(range(1, 101))


def test_a_split_depends_on_its_seed_alone() -> None:
    assert rows(Split.test) == rows(Split.test)
    assert rows(Split.test) != rows(Split.test, fractions=SplitFractions(seed=1))


def test_rows_come_in_the_order_of_the_file() -> None:
    chosen = take_split(Memory(50), Split.train, SplitFractions())
    assert (np.diff(chosen.rows(slice(0, 35)).incident_energies) > 0).all()


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DataError, match="validation split of 4 showers is empty"):
        take_split(Memory(4), Split.validation, SplitFractions(train=0.9, validation=0.0))


@pytest.mark.parametrize(("train", "validation"), [(0.0, 0.5), (0.9, 0.2), (0.5, -0.1)])
def test_impossible_fractions_are_refused(train: float, validation: float) -> None:
    with pytest.raises(ConfigError, match="A split needs"):
        take_split(Memory(4), Split.train, SplitFractions(train, validation))
