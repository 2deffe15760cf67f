"""Generates showers under given conditions, or under those of held-out showers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from calozoo.data import Rows
from calozoo.errors import ConfigError
from calozoo.shower_file import open_showers, write_showers
from calozoo.showers import INCIDENT_ENERGY
from calozoo.simulator import Simulator

_DISCRETE = 64  # a sample of at most so many different energies is taken as one of discrete energies


def held_out(rows: Rows, columns: tuple[str, ...], per_energy: int) -> dict[str, Any]:
    """The conditions of ``rows``, repeated until each discrete energy comes at least ``per_energy`` times."""
    found = rows.rows(slice(0, len(rows))).columns
    energies, which, counts = np.unique(found[INCIDENT_ENERGY], return_inverse=True, return_counts=True)
    if len(energies) > _DISCRETE:
        counts[:] = len(rows)
    times = np.maximum(1, -(-per_energy // counts))[which]
    index = np.repeat(np.arange(len(rows)), times)
    return {name: found[name][index] for name in columns if name in found}


def from_options(energy: Any, n: int, conditions: str | None) -> tuple[int, dict[str, Any]]:
    """How many showers, and under which conditions, the options of ``calozoo generate`` mean."""
    if conditions is not None:
        columns = open_conditions(Path(conditions))
        if energy is not None:
            raise ConfigError("Give either energy= or conditions=, not both: a file of conditions brings the energies.")
        return len(columns[INCIDENT_ENERGY]), columns
    if n < 1:
        raise ConfigError(f"n must be at least 1, not {n}.")
    if energy is None:
        return n, {}
    try:
        values = np.atleast_1d(np.asarray(energy, dtype=float))
    except (TypeError, ValueError) as cause:
        raise ConfigError(f"energy must be a number or a list of numbers in MeV, not {energy}.") from cause
    return n, {INCIDENT_ENERGY: np.resize(values, n)}


def open_conditions(path: Path) -> dict[str, Any]:
    """Every condition column of a shower file, row by row."""
    file = open_showers(path)
    blocks = [showers.columns for showers in file.blocks()]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def generate(
    simulator: Simulator,
    n: int,
    columns: Mapping[str, Any],
    path: Path,
    *,
    hooks: Any,
    seed: int = 0,
    threshold: float = 0.0,
) -> int:
    """Generate ``n`` showers into the file ``path``; unknown condition columns are left out."""

    def watched() -> Iterator[Any]:
        done = 0
        for showers in simulator.generate(n, known, seed=seed, threshold=threshold):
            done += len(showers)
            hooks.showers_generated(done=done, total=n)
            yield showers

    known = {name: values for name, values in columns.items() if name in simulator.columns}
    return write_showers(
        path, simulator.geometry, watched(), generator=simulator.config["model"]["name"], seed=str(seed)
    )
