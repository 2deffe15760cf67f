"""Shower files: HDF5 with the datasets of CaloChallenge, validated and streamed.

``showers`` (n, cells) and ``incident_energies`` (n, 1) are required; every further dataset of shape (n,) is a
condition column. The attribute ``energy_unit`` states the unit of a file's energies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from calozoo.errors import DataError
from calozoo.files import replacing
from calozoo.geometry import Geometry
from calozoo.showers import INCIDENT_ENERGY, Showers

_BLOCK = 8192  # rows that are read at a time
#: Names that files use for columns of ours.
_ALIASES = {"incident_energies": INCIDENT_ENERGY}
_MUST = ("showers", "incident_energies")


class Unit(Enum):
    """The unit of the energies in a file; in memory they are MeV."""

    MeV = 1.0
    GeV = 1000.0


class ShowerFile:
    """Rows of a shower file that stays on disk; satisfies :class:`calozoo.data.Rows`.

    Opening reads every row once, in blocks, and refuses what is not showers of ``geometry`` in ``unit``, naming
    file, dataset and first bad row.
    """

    def __init__(self, path: Path | str, geometry: Geometry | None = None, unit: Unit = Unit.MeV) -> None:
        self.path, self.unit = Path(path), unit
        with _opened(self.path) as file:
            for name in _MUST:
                if not isinstance(file.get(name), h5py.Dataset):
                    found = ", ".join(sorted(file)) or "nothing"
                    raise DataError(
                        f"{self.path} has no dataset '{name}'; it holds {found}. Shower files need {' and '.join(_MUST)}."
                    )
            self._check_shapes(file, geometry)
            self._check_unit(file)
            self._check_layers(file, geometry)
            self._length, self.cells = file["showers"].shape
            self.columns = tuple(
                name
                for name, dataset in file.items()
                if name not in _MUST
                and isinstance(dataset, h5py.Dataset)
                and dataset.shape == (self._length,)
                and dataset.dtype.kind in "fiu"
            )
        self._check_values()

    def __len__(self) -> int:
        return self._length

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return f"sha256:{digest.hexdigest()}"

    def rows(self, index: slice | NDArray[np.int64] | Sequence[int]) -> Showers:
        """The showers at ``index``, in its order; only the rows' neighbourhood is read."""
        with _opened(self.path) as file:
            if isinstance(index, slice):
                return self._showers(file, lambda dataset: dataset[index])
            index = np.asarray(index)
            order = np.argsort(index, kind="stable")
            unique, back = np.unique(index[order], return_inverse=True)

            def pick(dataset: h5py.Dataset) -> NDArray[Any]:
                # Many scattered rows: reading the whole span is far cheaper than HDF5's point selection.
                if len(unique) and len(unique) > (unique[-1] - unique[0] + 1) // 64:
                    rows = dataset[unique[0] : unique[-1] + 1][unique - unique[0]]
                else:
                    rows = dataset[unique]
                out = np.empty((len(index), *dataset.shape[1:]), dataset.dtype)
                out[order] = rows[back]
                return out

            return self._showers(file, pick)

    def blocks(self) -> Iterator[Showers]:
        """All showers in order, a block of rows at a time."""
        for start in range(0, len(self), _BLOCK):
            yield self.rows(slice(start, min(start + _BLOCK, len(self))))

    def _showers(self, file: h5py.File, pick: Any) -> Showers:
        energies = pick(file["showers"]).astype(np.float32) * np.float32(self.unit.value)
        incident = pick(file["incident_energies"]).reshape(-1).astype(np.float32) * np.float32(self.unit.value)
        return Showers(energies, incident, {name: pick(file[name]) for name in self.columns})

    def _check_shapes(self, file: h5py.File, geometry: Geometry | None) -> None:
        showers, incident = file["showers"], file["incident_energies"]
        for name, dataset in (("showers", showers), ("incident_energies", incident)):
            if dataset.dtype.kind not in "fiu":
                raise DataError(f"{self.path}, dataset '{name}': numbers are needed, and it holds {dataset.dtype}.")
        if showers.ndim != 2:
            raise DataError(f"{self.path}, dataset 'showers': its shape must be (n, cells), not {showers.shape}.")
        n, cells = showers.shape
        if incident.shape not in ((n,), (n, 1)):
            raise DataError(
                f"{self.path}, dataset 'incident_energies': {n} showers need the shape ({n}, 1), not {incident.shape}."
            )
        if geometry is not None and cells != geometry.cells:
            layers = ", ".join(f"{layer.name} {layer.cells}" for layer in geometry.layers)
            hint = " It looks transposed." if n == geometry.cells else ""
            raise DataError(
                f"{self.path}, dataset 'showers': {cells} cells in a row, and the geometry has {geometry.cells} "
                f"({layers}).{hint}"
            )
        if n == 0:
            raise DataError(f"{self.path} holds no showers.")

    def _check_unit(self, file: h5py.File) -> None:
        stated = file.attrs.get("energy_unit")
        if stated is not None and str(stated) != self.unit.name:
            raise DataError(
                f"{self.path} states its energies in {stated}, and unit={self.unit.name} was asked for: add unit={stated}."
            )
        if stated is None and self.unit is Unit.MeV and np.max(file["incident_energies"][:]) < 1000:
            raise DataError(
                f"{self.path}, dataset 'incident_energies': none reaches 1000, which looks like GeV where MeV are "
                "expected. Add unit=GeV (data.unit=GeV in a run), or give the file the attribute energy_unit='MeV'."
            )

    def _check_layers(self, file: h5py.File, geometry: Geometry | None) -> None:
        stated = file.attrs.get("layers")
        if geometry is not None and stated is not None and str(stated) != layer_names(geometry):
            raise DataError(
                f"{self.path} states the layers '{stated}', and the geometry has '{layer_names(geometry)}'."
            )

    def _check_values(self) -> None:
        with np.errstate(all="ignore"):
            start = 0
            for showers in self.blocks():
                incident, energies = showers.incident_energies, showers.energies
                total = energies.sum(axis=1)
                for name, bad, what in (
                    ("incident_energies", ~np.isfinite(incident), "is not finite"),
                    ("incident_energies", incident <= 0, "is not positive"),
                    ("showers", ~np.isfinite(energies).all(axis=1), "has an energy that is not finite"),
                    ("showers", (energies < 0).any(axis=1), "has a negative energy"),
                ):
                    if bad.any():
                        rows = np.flatnonzero(bad)
                        raise DataError(f"{self.path}, dataset '{name}', row {start + rows[0]} {what}.")
                if np.median(total / incident) > 5:
                    raise DataError(
                        f"{self.path}: the showers hold {np.median(total / incident):.3g} times their incident energy, as if "
                        "'showers' and 'incident_energies' had different units. Give both the same."
                    )
                for name, values in showers.conditions.items():
                    if not np.isfinite(values).all():
                        raise DataError(
                            f"{self.path}, dataset '{name}', row {start + np.flatnonzero(~np.isfinite(values))[0]} is not finite."
                        )
                start += len(showers)


def layer_names(geometry: Geometry) -> str:
    """The layers of a geometry and their cells as a file states them: ``presampler:21 front:168 ...``."""
    return " ".join(f"{layer.name}:{layer.cells}" for layer in geometry.layers)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
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


def open_showers(path: Path | str, geometry: Geometry | None = None, unit: Unit = Unit.MeV) -> ShowerFile:
    """Open and validate a shower file.

    Raises :class:`~calozoo.errors.DataError` naming file, dataset and first bad row.
    """
    return ShowerFile(path, geometry, unit)


def write_showers(path: Path | str, geometry: Geometry, blocks: Iterable[Showers], **attributes: str) -> int:
    """Stream blocks of showers into a new file and return how many there were; ``path`` appears when it is whole."""
    path = Path(path)
    n = 0
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"energy_unit": "MeV", "layers": layer_names(geometry), **attributes})
        for showers in blocks:
            columns = {
                "showers": showers.energies,
                "incident_energies": showers.incident_energies[:, None],
                **showers.conditions,
            }
            for name, values in columns.items():
                if n == 0:
                    file.create_dataset(
                        name, (0, *values.shape[1:]), values.dtype, maxshape=(None, *values.shape[1:]),
                        chunks=(1024, *values.shape[1:]), compression="gzip", compression_opts=1,
                    )  # fmt: skip
                file[name].resize(n + len(showers), axis=0)
                file[name][n:] = values
            n += len(showers)
    return n
