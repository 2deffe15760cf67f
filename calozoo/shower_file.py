"""Shower files: HDF5 with the datasets of CaloChallenge, validated and streamed.

``showers`` (n, cells) and ``incident_energies`` (n, 1) are required; every further dataset of shape (n,) is a
condition column. The attribute ``energy_unit`` states the unit of a file's energies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from calozoo import h5files
from calozoo.data import block_size
from calozoo.errors import DataError
from calozoo.files import replacing
from calozoo.geometry import Geometry
from calozoo.h5files import Unit
from calozoo.showers import Showers

_CHUNK = 2**20  # bytes of an HDF5 chunk, which is always read as a whole
_MUST = ("showers", "incident_energies")


class ShowerFile:
    """Rows of a shower file that stays on disk; satisfies :class:`calozoo.data.Rows`.

    Opening reads every row once, in blocks, and refuses what is not showers of ``geometry``, naming file, dataset and
    first bad row. Energies are in the ``unit`` that is given or the file states, else in MeV. With ``refuse=False``
    what can be read at all is opened, and :attr:`problems` lists everything else that is wrong.
    """

    cells: int
    _length: int

    def __init__(
        self, path: Path | str, geometry: Geometry | None = None, unit: Unit | None = None, *, refuse: bool = True
    ) -> None:
        self.path, self.unit = Path(path), unit or Unit.MeV
        with h5files.opened(self.path) as file:
            found = h5files.datasets(file)
            self._check_shapes(found)
            self._length, self.cells = found["showers"].shape
            self.columns = h5files.columns(found, self._length, beside=_MUST)
        problems = self._problems(geometry, unit)
        if refuse and (first := next(problems, None)):
            raise DataError(first)
        self.problems = tuple(problems)

    def __len__(self) -> int:
        return self._length

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        return h5files.fingerprint(self.path)

    def rows(self, index: slice | NDArray[np.int64] | Sequence[int]) -> Showers:
        """The showers at ``index``, in its order; only the rows' neighbourhood is read, a block at a time."""
        wanted = np.arange(len(self))[index]
        order = np.argsort(wanted, kind="stable")
        ordered = wanted[order]
        cuts = np.flatnonzero(np.diff(ordered // block_size(self.cells))) + 1
        parts = [part for part in np.split(order, cuts) if len(part)]

        def pick(dataset: h5py.Dataset, dtype: DTypeLike) -> NDArray[Any]:
            out = np.empty((len(wanted), *dataset.shape[1:]), dtype)
            for part in parts:
                unique, back = np.unique(wanted[part], return_inverse=True)
                first, last = unique[0], unique[-1] + 1
                # Many scattered rows: reading all between them is far cheaper than HDF5's point selection.
                many = len(unique) > (last - first) // 64
                out[part] = (dataset[first:last][unique - first] if many else dataset[unique])[back]
            return out

        with h5files.opened(self.path) as file:
            energies, incident = (pick(file[name], np.float32) * np.float32(self.unit.value) for name in _MUST)
            conditions = {name: pick(file[name], file[name].dtype) for name in self.columns}
        return Showers(energies, incident.reshape(-1), conditions)

    def blocks(self) -> Iterator[Showers]:
        """All showers in order, a block of rows at a time."""
        for start in range(0, len(self), block_size(self.cells)):
            yield self.rows(slice(start, min(start + block_size(self.cells), len(self))))

    def _check_shapes(self, found: dict[str, h5py.Dataset]) -> None:
        """Refuse what cannot be read as showers."""
        if missing := [name for name in _MUST if name not in found]:
            names = ", ".join(sorted(found)) or "nothing"
            raise DataError(*(
                f"{self.path} has no dataset '{name}'; it holds {names}. Shower files need {' and '.join(_MUST)}."
                for name in missing
            ))  # fmt: skip
        if texts := [name for name in _MUST if found[name].dtype.kind not in "fiu"]:
            raise DataError(*(
                f"{self.path}, dataset '{name}': numbers are needed, and it holds {found[name].dtype}." for name in texts
            ))  # fmt: skip
        showers, incident = found["showers"], found["incident_energies"]
        if showers.ndim != 2:
            raise DataError(f"{self.path}, dataset 'showers': its shape must be (n, cells), not {showers.shape}.")
        n = len(showers)
        if incident.shape and incident.shape[0] == showers.shape[1] != n:
            raise DataError(
                f"{self.path}, dataset 'showers': its shape {showers.shape} looks transposed, since there are "
                f"{incident.shape[0]} incident energies."
            )
        if incident.shape not in ((n,), (n, 1)):
            raise DataError(
                f"{self.path}, dataset 'incident_energies': {n} showers need the shape ({n}, 1), not {incident.shape}."
            )
        if showers.size == 0:
            raise DataError(f"{self.path} holds no showers.")

    def _problems(self, geometry: Geometry | None, unit: Unit | None) -> Iterator[str]:
        """Everything that is wrong with showers that can be read, the most telling first."""
        with h5files.opened(self.path) as file:
            layers, generator = h5files.text(file, "layers"), h5files.text(file, "generator")
            if geometry is not None and self.cells != geometry.cells:
                hint = " It looks transposed." if len(self) == geometry.cells else ""
                yield (
                    f"{self.path}, dataset 'showers': {self.cells} cells in a row, and the geometry has "
                    f"{geometry.cells} ({', '.join(f'{layer.name} {layer.cells}' for layer in geometry.layers)}).{hint}"
                )
            try:
                self.unit = h5files.unit_of(file, unit, file["incident_energies"][:])
            except DataError as problem:
                yield str(problem)
        if geometry is not None and layers is not None and layers != layer_names(geometry):
            yield f"{self.path} states the layers '{layers}', and the geometry has '{layer_names(geometry)}'."
        # Odd energies of showers that calozoo generated are a bad model's.
        yield from self._bad_values(mixed=generator is None)

    def _bad_values(self, *, mixed: bool) -> Iterator[str]:
        """The first row of everything that is wrong with the values, two units ``mixed`` if that may be."""
        start, found, responses = 0, set(), []
        for showers in self.blocks():
            with np.errstate(all="ignore"):
                incident, energies = showers.incident_energies, showers.energies
                responses.append((showers.total / incident)[:: max(1, len(self) // 10_000)])
                bad = [
                    ("incident_energies", ~np.isfinite(incident), "is not finite"),
                    ("incident_energies", incident <= 0, "is not positive"),
                    ("showers", ~np.isfinite(energies).all(axis=1), "has an energy that is not finite"),
                    ("showers", (energies < 0).any(axis=1), "has a negative energy"),
                    *((name, ~np.isfinite(values), "is not finite") for name, values in showers.conditions.items()),
                ]
            for name, rows, what in bad:
                if rows.any() and (name, what) not in found:
                    found.add((name, what))
                    yield f"{self.path}, dataset '{name}', row {start + int(np.flatnonzero(rows)[0])} {what}."
            start += len(showers)
        if mixed and (wrong := h5files.mismatch(np.concatenate(responses))):
            yield f"{self.path}: the showers {wrong}."


def layer_names(geometry: Geometry) -> str:
    """The layers of a geometry and their cells as a file states them: ``presampler:21 front:168 ...``."""
    return " ".join(f"{layer.name}:{layer.cells}" for layer in geometry.layers)


def open_showers(path: Path | str, geometry: Geometry | None = None, unit: Unit | None = None) -> ShowerFile:
    """Open and validate a shower file.

    Raises :class:`~calozoo.errors.DataError` naming file, dataset and first bad row.
    """
    return ShowerFile(path, geometry, unit)


def write_showers(path: Path | str, geometry: Geometry, blocks: Iterable[Showers], **attributes: str) -> int:
    """Stream blocks of showers into a new file and return how many there were; ``path`` appears when it is whole.

    Raises :class:`~calozoo.errors.DataError` for no showers at all, and for blocks with other condition columns, or other
    types of them, than the first.
    """
    path = Path(path)
    n = 0
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"energy_unit": "MeV", "layers": layer_names(geometry), **attributes})
        for showers in blocks:
            if taken := set(_MUST) & set(showers.conditions):
                raise DataError(
                    f"A condition column cannot be called '{min(taken)}': shower files have that themselves."
                )
            columns = {
                "showers": showers.energies,
                "incident_energies": showers.incident_energies[:, None],
                **showers.conditions,
            }
            if not n:
                for name, values in columns.items():
                    chunk = max(1, min(1024, _CHUNK // max(1, values.dtype.itemsize * int(np.prod(values.shape[1:])))))
                    file.create_dataset(
                        name, (0, *values.shape[1:]), values.dtype, maxshape=(None, *values.shape[1:]),
                        chunks=(chunk, *values.shape[1:]), compression="gzip", compression_opts=1,
                    )  # fmt: skip
            types, wanted = ({k: v.dtype for k, v in kind.items()} for kind in (columns, file))
            if types != wanted:
                other = sorted(k for k in types | wanted if types.get(k) != wanted.get(k))
                raise DataError(f"Showers {n} and those after it have another column or type: {', '.join(other)}.")
            for name, values in columns.items():
                file[name].resize(n + len(showers), axis=0)
                file[name][n:] = values
            n += len(showers)
        if not n:
            raise DataError(f"There are no showers to write into {path}.")
    return n
