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

_ENERGY = {"incident_energy": INCIDENT_ENERGY, "incident_energies": INCIDENT_ENERGY}
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
            if INCIDENT_ENERGY in columns:
                raise ConfigError(f"Give either energy= or conditions=, not both: {conditions} brings the energies.")
            columns[INCIDENT_ENERGY] = np.resize(_energies(energy), len(next(iter(columns.values()))))
        return len(next(iter(columns.values()))), columns
    n = 1000 if n is None else n
    if n < 1:
        raise ConfigError(f"n must be at least 1, not {n}.")
    if energy is None:
        return n, {}
    values = _energies(energy)
    if len(values) > n:
        raise ConfigError(f"n={n} showers cannot have {len(values)} energies; give n={len(values)} or more.")
    return n, {INCIDENT_ENERGY: np.resize(values, n)}


def _energies(energy: Any) -> Any:
    try:
        return np.atleast_1d(np.asarray(energy, dtype=float))
    except (TypeError, ValueError) as cause:
        raise ConfigError(f"energy must be a number or a list of numbers in MeV, not {energy}.") from cause


def open_conditions(path: Path, unit: Unit | None) -> dict[str, Any]:
    """Every condition column of a file, row by row, energies in MeV.

    A CSV file names its columns in its first line. In an HDF5 file they are the datasets of shape (n,), as in a shower
    file, whose showers need not be there. The energy may be called incident_energy or incident_energies, or be absent.
    """
    return _csv_columns(path, unit) if path.suffix.lower() == ".csv" else _hdf5_columns(path, unit)


def _csv_columns(path: Path, unit: Unit | None) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if line]
    except FileNotFoundError as cause:
        raise DataError(f"There is no file {path}.") from cause
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DataError(f"{path} is not a CSV table ({cause}).") from cause
    if len(lines) < 2:
        raise DataError(f"{path} needs a line with the names of its columns and at least one line of numbers.")
    names, table = [_ENERGY.get(name.strip(), name.strip()) for name in lines[0]], []
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(names):
            raise DataError(
                f"{path}, line {number} has {len(line)} values, and the first line names {len(names)} columns."
            )
        try:
            table.append([float(text) for text in line])
        except ValueError as cause:
            raise DataError(f"{path}, line {number} holds something that is not a number ({cause}).") from cause
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns of the same name among {', '.join(names)}.")
    return _in_mev(dict(zip(names, np.array(table).T, strict=True)), (unit or Unit.MeV).value)


def _hdf5_columns(path: Path, unit: Unit | None) -> dict[str, Any]:
    with h5files.opened(path) as file:
        found = h5files.datasets(file)
        energies = next((found[name] for name in _ENERGY if name in found), None)
        lengths = [dataset.shape[0] for dataset in found.values() if dataset.ndim == 1]
        n = energies.shape[0] if energies is not None and energies.ndim else next(iter(lengths), 0)
        names = h5files.columns(found, n, beside=tuple(_ENERGY))
        columns = {name: found[name][:] for name in names}
        if energies is None:
            if not columns:
                raise DataError(
                    f"{path} has no dataset with a number for each shower; it holds {', '.join(found) or 'nothing'}."
                )
            return columns
        if energies.shape not in ((n,), (n, 1)):
            raise DataError(
                f"{path}, dataset '{energies.name.strip('/')}': its shape must be ({n},), not {energies.shape}."
            )
        incident = energies[:].reshape(-1)
        return _in_mev({INCIDENT_ENERGY: incident, **columns}, h5files.unit_of(file, unit, incident).value)


def _in_mev(columns: dict[str, Any], scale: float) -> dict[str, Any]:
    if INCIDENT_ENERGY in columns:
        columns[INCIDENT_ENERGY] = columns[INCIDENT_ENERGY] * scale
    return columns


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
