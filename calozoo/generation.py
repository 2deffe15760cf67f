"""Generates showers under given conditions, or under those of held-out showers."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from calozoo import h5files
from calozoo.errors import ConfigError, DataError
from calozoo.h5files import Unit
from calozoo.shower_file import write_showers
from calozoo.showers import INCIDENT_ENERGY, Showers
from calozoo.simulator import Simulator

_BATCHES, _REPETITIONS, _PATIENCE = (1, 100, 10_000), 10, 2.0  # seconds
_DISCRETE = 64  # a sample of at most so many different energies is taken as one of discrete energies


def held_out(showers: Showers, columns: tuple[str, ...], per_energy: int) -> dict[str, Any]:
    """The conditions of ``showers``, repeated until each discrete energy comes at least ``per_energy`` times."""
    found = showers.columns
    energies, which, counts = np.unique(found[INCIDENT_ENERGY], return_inverse=True, return_counts=True)
    if len(energies) > _DISCRETE:
        counts[:] = len(showers)
    times = np.maximum(1, -(-per_energy // counts))[which]
    index = np.repeat(np.arange(len(showers)), times)
    return {name: found[name][index] for name in columns if name in found}


def from_options(
    energy: Any, n: int | None, conditions: str | None, unit: Unit | None = None
) -> tuple[int, dict[str, Any]]:
    """How many showers, and under which conditions, the options of ``calozoo generate`` mean.

    ``energy`` is in MeV; ``unit`` is that of a file of ``conditions`` which states none.
    """
    if conditions is not None:
        columns = open_conditions(Path(conditions), unit)
        if n is not None:
            raise ConfigError("Give either n= or conditions=, not both: a file of conditions says how many.")
        if energy is not None:
            raise ConfigError("Give either energy= or conditions=, not both: a file of conditions brings the energies.")
        return len(columns[INCIDENT_ENERGY]), columns
    n = 1000 if n is None else n
    if n < 1:
        raise ConfigError(f"n must be at least 1, not {n}.")
    if energy is None:
        return n, {}
    try:
        values = np.atleast_1d(np.asarray(energy, dtype=float))
    except (TypeError, ValueError) as cause:
        raise ConfigError(f"energy must be a number or a list of numbers in MeV, not {energy}.") from cause
    if len(values) > n:
        raise ConfigError(f"n={n} showers cannot have {len(values)} energies; give n={len(values)} or more.")
    return n, {INCIDENT_ENERGY: np.resize(values, n)}


def open_conditions(path: Path, unit: Unit | None) -> dict[str, Any]:
    """Every condition column of a file, row by row, energies in MeV.

    A CSV file names its columns in its first line. In an HDF5 file they are the datasets of shape (n,) beside
    ``incident_energies``, as in a shower file, whose showers need not be there.
    """
    return _csv_columns(path, unit) if path.suffix.lower() == ".csv" else _hdf5_columns(path, unit)


def _csv_columns(path: Path, unit: Unit | None) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names, *lines = csv.reader(file)
        table = np.array(lines, dtype=np.float64).reshape(len(lines), len(names))
    except FileNotFoundError as cause:
        raise DataError(f"There is no file {path}.") from cause
    except (OSError, ValueError, csv.Error) as cause:
        raise DataError(f"{path} is not a CSV table of numbers below a line of names ({cause}).") from cause
    names = [name.strip() for name in names]
    if INCIDENT_ENERGY not in names:
        raise DataError(f"{path} has no column '{INCIDENT_ENERGY}' (MeV); it has {', '.join(names)}.")
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns of the same name among {', '.join(names)}.")
    columns = dict(zip(names, table.T, strict=True))
    return columns | {INCIDENT_ENERGY: columns[INCIDENT_ENERGY] * (unit or Unit.MeV).value}


def _hdf5_columns(path: Path, unit: Unit | None) -> dict[str, Any]:
    with h5files.opened(path) as file:
        found = h5files.datasets(file)
        energies = found.get("incident_energies")
        if energies is None or energies.shape not in ((energies.size,), (energies.size, 1)):
            raise DataError(f"{path} has no dataset 'incident_energies' with a number per row.")
        incident = energies[:].reshape(-1)
        columns = {INCIDENT_ENERGY: incident * h5files.unit_of(file, unit, incident).value}
        names = h5files.columns(found, len(incident), beside=("incident_energies",))
        return columns | {name: found[name][:] for name in names}


def timing(simulator: Simulator) -> dict[str, float]:
    """Milliseconds per shower in batches of 1, 100 and 10,000, median of up to ten repetitions.

    From conditions to cell energies in memory, as the CaloChallenge times generators; the batch size is the key.
    """
    found = {}
    for batch in _BATCHES:
        columns = {
            name: np.resize(row, batch)
            for name, row in zip(simulator.columns, simulator.table.cpu().numpy(), strict=True)
        }
        random = torch.Generator(simulator.table.device).manual_seed(0)
        simulator.eval().draw(columns, random)  # what is set up once does not count
        seconds: list[float] = []
        while len(seconds) < _REPETITIONS and sum(seconds) < _PATIENCE:
            begin = perf_counter()
            simulator.draw(columns, random)
            seconds.append(perf_counter() - begin)
        found[str(batch)] = round(1000 * float(np.median(seconds)) / batch, 6)
    return found


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
    """Generate ``n`` showers into the file ``path``; unknown condition columns are left out with a warning."""

    def watched() -> Iterator[Any]:
        done = 0
        for showers in simulator.generate(n, known, seed=seed, threshold=threshold):
            done += len(showers)
            hooks.showers_generated(done=done, total=n)
            yield showers

    known = {name: values for name, values in columns.items() if name in simulator.columns}
    if unused := sorted(set(columns) - set(known)):
        warnings.warn(
            f"This simulator has no use for the columns {', '.join(unused)}; its own are {', '.join(simulator.columns)}.",
            stacklevel=2,
        )
    return write_showers(
        path, simulator.geometry, watched(), generator=simulator.config["model"]["name"], seed=str(seed)
    )
