"""The results that the challenge published, and where another result would stand among them.

Source: C. Krause et al., CaloChallenge 2022, arXiv:2410.21611, and its tables of results; shipped as ``published.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from calozoo import ConfigError

#: Numbers that are best where Geant4's are: more is not better, as showers that are all alike have much of them.
_LIKE_GEANT4 = ("precision", "recall", "density", "coverage")


@cache
def table(dataset: str) -> dict[str, dict[str, float]]:
    """The published numbers of a data set: submission to column to number; GEANT4 is Geant4 against itself.

    The names of data sets and columns are those of the file; submissions have the columns that were published for them.
    Raises :class:`~calozoo.ConfigError` for a data set that does not exist.

    >>> table("ds1_photons")["CaloDiffusion"]["FPD_x1e3"]
    0.6497
    """
    with (files("calozoo_calochallenge") / "published.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {
        row["submission_name"]: {
            column: float(number)
            for column, number in row.items()
            if number and column not in ("dataset", "submission_id", "submission_name")
        }
        for row in rows
        if row["dataset"] == dataset
    }
    if not found:
        raise ConfigError(f"There is no data set '{dataset}'. Known: {_list(row['dataset'] for row in rows)}.")
    return found


def rank(dataset: str, column: str, value: float) -> int:
    """Where a value would stand among the published submissions, 1 for the best; ties count in its favour.

    Precision, recall, density and coverage are best nearest to Geant4's own, every other number lowest. Raises
    :class:`~calozoo.ConfigError` for a data set or a column that does not exist.

    >>> rank("ds1_photons", "FPD_x1e3", 0.5), rank("ds1_photons", "FPD_x1e3", 1e6)
    (2, 16)
    """
    rows = table(dataset)
    numbers = [row[column] for name, row in rows.items() if name != "GEANT4" and column in row]
    if not numbers:
        raise ConfigError(
            f"There is no column '{column}'. Known: {_list(name for row in rows.values() for name in row)}."
        )
    best = rows["GEANT4"][column] if column in _LIKE_GEANT4 else None
    return 1 + sum(_worse(value, best) > _worse(number, best) for number in numbers)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


def _worse(value: float, best: float | None) -> float:
    return value if best is None else abs(value - best)
