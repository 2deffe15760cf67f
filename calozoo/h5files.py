"""Reading HDF5 files that strangers wrote: what is stored in the file itself, in numbers, in a known unit."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from calozoo.errors import DataError

_RATIO = 1100  # gzip makes nothing smaller than a 1032th
_CHUNK = 2**28  # bytes of a chunk at most, which HDF5 always reads as a whole


class Unit(Enum):
    """The unit of the energies in a file; in memory they are MeV."""

    MeV = 1.0
    GeV = 1000.0


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading, with :class:`~calozoo.errors.DataError` for one that is missing or damaged."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError) as cause:
        what = (
            "is not HDF5 or is damaged" if not h5py.is_hdf5(path) else "cannot be read; it may be truncated or damaged"
        )
        raise DataError(f"{path} {what} ({str(cause).splitlines()[0]}).") from cause


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The file's datasets by name, without links to elsewhere.

    Raises :class:`~calozoo.errors.DataError` for one whose values lie in another file, or that claims to hold more than
    the file can.
    """
    found = {
        name: file[name]
        for name in file
        if isinstance(file.get(name, getlink=True), h5py.HardLink) and file.get(name, getclass=True) is h5py.Dataset
    }
    for name, dataset in found.items():
        where = f"{file.filename}, dataset '{name}'"
        if dataset.external or dataset.is_virtual:
            raise DataError(f"{where}: its values lie in another file, which is not followed.")
        chunk = int(np.prod(dataset.chunks or (0,), dtype=object)) * dataset.dtype.itemsize
        if dataset.nbytes > _RATIO * dataset.id.get_storage_size() + _CHUNK or chunk > _CHUNK:
            raise DataError(f"{where}: it claims {dataset.nbytes} bytes, more than the file can hold.")
    return found


def columns(found: dict[str, h5py.Dataset], n: int, *, beside: Collection[str]) -> tuple[str, ...]:
    """Names of the datasets with one number for each of ``n`` showers, ``beside`` those that have another meaning."""
    return tuple(
        name
        for name, dataset in found.items()
        if name not in beside and dataset.shape == (n,) and dataset.dtype.kind in "fiu"
    )


def text(file: h5py.File, attribute: str) -> str | None:
    """An attribute as text, however it is stored; None where there is none."""
    value = file.attrs.get(attribute)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


def states_unit(path: Path) -> bool:
    """Whether a file states the unit of its energies."""
    with opened(path) as file:
        return text(file, "energy_unit") is not None


def unit_of(file: h5py.File, asked: Unit | None, energies: NDArray[Any]) -> Unit:
    """The unit that the file states or the user asks for, else MeV; nothing is guessed.

    Raises :class:`~calozoo.errors.DataError` where the two contradict each other, and where neither says anything and
    none of the incident ``energies`` reaches 1000.
    """
    stated = text(file, "energy_unit")
    if stated is not None and stated not in Unit.__members__:
        raise DataError(
            f"{file.filename} states the energy_unit '{stated}', and known are {', '.join(Unit.__members__)}."
        )
    if stated is not None and asked is not None and asked.name != stated:
        raise DataError(f"{file.filename} states its energies in {stated}, and unit={asked.name} was asked for.")
    if stated is None and asked is None and energies.size and np.nanmax(energies) < 1000:
        raise DataError(
            f"{file.filename}, dataset 'incident_energies': none reaches 1000, which looks like GeV where MeV are "
            "expected. Add unit=GeV or unit=MeV (data.unit=... in a run), or give the file the attribute energy_unit."
        )
    return asked or Unit[stated or "MeV"]


def mismatch(responses: NDArray[Any]) -> str | None:
    """What is wrong where the sums of showers over their incident energies, (n,), tell of two units, else None.

    A factor near a thousand either way is a unit; others may be a bad generator's, which is no error.
    """
    seen = responses[np.isfinite(responses)]
    middle = float(np.median(seen)) if len(seen) else 1.0
    if not (300 < middle < 3000 or 0 < middle < 1 / 300):
        return None
    return f"hold {middle:.3g} times their incident energy, as if both had different units: give both the same"


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
