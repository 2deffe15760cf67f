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
from calozoo.showers import Showers

_ROWS, _VALUES = 8192, 2**24  # rows, and values in them, that are read at a time at most
_CHUNK = 2**20  # bytes of an HDF5 chunk, which is always read as a whole
_MUST = ("showers", "incident_energies")


class Unit(Enum):
    """The unit of the energies in a file; in memory they are MeV."""

    MeV = 1.0
    GeV = 1000.0


class ShowerFile:
    """Rows of a shower file that stays on disk; satisfies :class:`calozoo.data.Rows`.

    Opening reads every row once, in blocks, and refuses what is not showers of ``geometry`` in ``unit``, naming
    file, dataset and first bad row. With ``refuse=False`` what can be read at all is opened, and :attr:`problems`
    lists everything else that is wrong.
    """

    cells: int
    _length: int

    def __init__(
        self, path: Path | str, geometry: Geometry | None = None, unit: Unit = Unit.MeV, *, refuse: bool = True
    ) -> None:
        self.path, self.unit = Path(path), unit
        with opened(self.path) as file:
            self._check_shapes(file)
            self._length, self.cells = file["showers"].shape
            self.columns = tuple(
                name
                for name, dataset in file.items()
                if name not in _MUST
                and isinstance(dataset, h5py.Dataset)
                and dataset.shape == (self._length,)
                and dataset.dtype.kind in "fiu"
            )
        problems = self._problems(geometry)
        if refuse and (first := next(problems, None)):
            raise DataError(first)
        self.problems = tuple(problems)

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
        with opened(self.path) as file:
            if isinstance(index, slice):
                return self._showers(file, lambda dataset: dataset[index])
            index = np.asarray(index)
            order = np.argsort(index, kind="stable")
            unique, back = np.unique(index[order], return_inverse=True)

            cuts = np.flatnonzero(np.diff(unique // self._block)) + 1
            parts = np.split(unique, cuts) if len(unique) else []

            def pick(dataset: h5py.Dataset) -> NDArray[Any]:
                out = np.empty((len(index), *dataset.shape[1:]), dataset.dtype)
                rows = np.empty((len(unique), *dataset.shape[1:]), dataset.dtype)
                for part, start in zip(parts, [0, *cuts], strict=False):
                    first, last = part[0], part[-1] + 1
                    # Many scattered rows: reading all between them is far cheaper than HDF5's point selection.
                    many = len(part) > (last - first) // 64
                    rows[start : start + len(part)] = dataset[first:last][part - first] if many else dataset[part]
                out[order] = rows[back]
                return out

            return self._showers(file, pick)

    def blocks(self) -> Iterator[Showers]:
        """All showers in order, a block of rows at a time."""
        for start in range(0, len(self), self._block):
            yield self.rows(slice(start, min(start + self._block, len(self))))

    @property
    def _block(self) -> int:
        """Rows that are read at a time."""
        return max(1, min(_ROWS, _VALUES // self.cells))

    def _showers(self, file: h5py.File, pick: Any) -> Showers:
        energies = pick(file["showers"]).astype(np.float32) * np.float32(self.unit.value)
        incident = pick(file["incident_energies"]).reshape(-1).astype(np.float32) * np.float32(self.unit.value)
        return Showers(energies, incident, {name: pick(file[name]) for name in self.columns})

    def _check_shapes(self, file: h5py.File) -> None:
        """Refuse what cannot be read as showers."""
        if missing := [name for name in _MUST if not isinstance(file.get(name), h5py.Dataset)]:
            found = ", ".join(sorted(file)) or "nothing"
            raise DataError(*(
                f"{self.path} has no dataset '{name}'; it holds {found}. Shower files need {' and '.join(_MUST)}."
                for name in missing
            ))  # fmt: skip
        if texts := [name for name in _MUST if file[name].dtype.kind not in "fiu"]:
            raise DataError(*(
                f"{self.path}, dataset '{name}': numbers are needed, and it holds {file[name].dtype}." for name in texts
            ))  # fmt: skip
        showers, incident = file["showers"], file["incident_energies"]
        if showers.ndim != 2:
            raise DataError(f"{self.path}, dataset 'showers': its shape must be (n, cells), not {showers.shape}.")
        n = len(showers)
        if incident.shape not in ((n,), (n, 1)):
            raise DataError(
                f"{self.path}, dataset 'incident_energies': {n} showers need the shape ({n}, 1), not {incident.shape}."
            )
        if showers.size == 0:
            raise DataError(f"{self.path} holds no showers.")

    def _problems(self, geometry: Geometry | None) -> Iterator[str]:
        """Everything that is wrong with showers that can be read, the most telling first."""
        with opened(self.path) as file:
            layers, unit = file.attrs.get("layers"), file.attrs.get("energy_unit")
            most = np.max(file["incident_energies"][:])
        if geometry is not None and self.cells != geometry.cells:
            hint = " It looks transposed." if len(self) == geometry.cells else ""
            yield (
                f"{self.path}, dataset 'showers': {self.cells} cells in a row, and the geometry has {geometry.cells} "
                f"({', '.join(f'{layer.name} {layer.cells}' for layer in geometry.layers)}).{hint}"
            )
        if unit is not None and str(unit) != self.unit.name:
            yield f"{self.path} states its energies in {unit}, and unit={self.unit.name} was asked for: add unit={unit}."
        if unit is None and self.unit is Unit.MeV and most < 1000:
            yield (
                f"{self.path}, dataset 'incident_energies': none reaches 1000, which looks like GeV where MeV are "
                "expected. Add unit=GeV (data.unit=GeV in a run), or give the file the attribute energy_unit='MeV'."
            )
        if geometry is not None and layers is not None and str(layers) != layer_names(geometry):
            yield f"{self.path} states the layers '{layers}', and the geometry has '{layer_names(geometry)}'."
        found = set()
        for name, row, what in self._bad_values():
            if (name, what) not in found:
                found.add((name, what))
                yield f"{self.path}, dataset '{name}', row {row} {what}."

    def _bad_values(self) -> Iterator[tuple[str, int, str]]:
        """Dataset, first row in the block, and what is wrong with it, for every block of rows."""
        start = 0
        for showers in self.blocks():
            with np.errstate(all="ignore"):
                incident, energies = showers.incident_energies, showers.energies
                response = np.median(energies.sum(axis=1) / incident)
                bad = [
                    ("incident_energies", ~np.isfinite(incident), "is not finite"),
                    ("incident_energies", incident <= 0, "is not positive"),
                    ("showers", ~np.isfinite(energies).all(axis=1), "has an energy that is not finite"),
                    ("showers", (energies < 0).any(axis=1), "has a negative energy"),
                    *((name, ~np.isfinite(values), "is not finite") for name, values in showers.conditions.items()),
                ]
            for name, rows, what in bad:
                if rows.any():
                    yield name, start + int(np.flatnonzero(rows)[0]), what
            # A factor near a thousand either way is a unit; other factors may be a bad generator's, which is no error.
            if 300 < response < 3000 or 0 < response < 1 / 300:
                yield (
                    "showers",
                    start,
                    f"and those after it hold {response:.3g} times their incident energy, as if "
                    "'showers' and 'incident_energies' had different units: give both the same",
                )
            start += len(showers)


def layer_names(geometry: Geometry) -> str:
    """The layers of a geometry and their cells as a file states them: ``presampler:21 front:168 ...``."""
    return " ".join(f"{layer.name}:{layer.cells}" for layer in geometry.layers)


def _text(file: h5py.File, attribute: str) -> str | None:
    value = file.attrs.get(attribute)
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


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


def open_showers(path: Path | str, geometry: Geometry | None = None, unit: Unit = Unit.MeV) -> ShowerFile:
    """Open and validate a shower file.

    Raises :class:`~calozoo.errors.DataError` naming file, dataset and first bad row.
    """
    return ShowerFile(path, geometry, unit)


def stated_unit(path: Path | str) -> Unit | None:
    """The unit that a file states for its energies, or None where it states none."""
    with opened(Path(path)) as file:
        stated = _text(file, "energy_unit")
    return Unit.__members__.get(stated or "")


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
                    chunk = max(1, min(1024, _CHUNK // values[:1].nbytes))
                    file.create_dataset(
                        name, (0, *values.shape[1:]), values.dtype, maxshape=(None, *values.shape[1:]),
                        chunks=(chunk, *values.shape[1:]), compression="gzip", compression_opts=1,
                    )  # fmt: skip
                file[name].resize(n + len(showers), axis=0)
                file[name][n:] = values
            n += len(showers)
    return n
