"""Files of raw cell lists: validated and streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from calozoo import Cells, DataError, Geometry, Showers, Unit

_DEPOSIT = ("event", "layer", "eta", "phi", "energy")
_INCIDENT = "incident_energies"
_BLOCK = 2**20  # deposits that are read at a time
_EVENTS = 2048  # showers that are selected at a time


class CellFile:
    """Showers selected by ``geometry`` from a file of cell lists that stays on disk; satisfies calozoo's Rows.

    Opening reads everything once, in blocks, and refuses what is wrong, with all of it in the error's ``problems``.
    ``particle`` names the datasets with the particles' pseudorapidity and azimuth.
    """

    def __init__(self, path: Path | str, geometry: Geometry, unit: Unit, particle: tuple[str, str]) -> None:
        self.path, self.geometry, self.unit, self.particle = Path(path), geometry, unit, particle
        with self._opened() as file:
            self._check_shapes(file)
            self._length = len(file[_INCIDENT])
            self.columns = tuple(
                name
                for name, dataset in file.items()
                if name not in (*_DEPOSIT, _INCIDENT, *particle)
                and isinstance(dataset, h5py.Dataset)
                and dataset.shape == (self._length,)
                and dataset.dtype.kind in "fiu"
            )
            self._found: dict[tuple[str, str], str] = {}  # the first of every kind of problem
            self._check_unit(file)
            self._check_showers(file)
            self.starts = self._check_deposits(file)  # (n + 1,), where each event's deposits start
            if self._found:
                raise DataError(*self._found.values())
        try:
            self.rows(slice(0, _EVENTS))  # a geometry without a selection, or with other cells, says so now
        except DataError as cause:
            raise DataError(f"{self.path}: {cause}") from cause

    def __len__(self) -> int:
        return self._length

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        with self.path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"

    def rows(self, index: slice | NDArray[np.int64]) -> Showers:
        """The windows of the showers at ``index``, in its order; no more than their neighbourhood is read."""
        wanted = np.arange(len(self))[index]
        events, back = np.unique(wanted, return_inverse=True)
        with self._opened() as file:
            blocks = [self._select(file, events[i : i + _EVENTS]) for i in range(0, max(len(events), 1), _EVENTS)]
        return Showers.concatenate(blocks)[back]

    def _select(self, file: h5py.File, events: NDArray[np.int64]) -> Showers:
        """Windows of the increasing ``events``."""
        deposits = {name: self._deposits(file[name], events) for name in _DEPOSIT}
        scale = np.float32(self.unit.value)
        per_event = {name: _pick(file[name], events) for name in (_INCIDENT, *self.particle, *self.columns)}
        cells = Cells(
            np.searchsorted(events, deposits["event"]),
            deposits["layer"].astype(np.int64),
            deposits["eta"].astype(np.float64),
            deposits["phi"].astype(np.float64),
            deposits["energy"].astype(np.float32) * scale,
            per_event.pop(_INCIDENT).reshape(-1).astype(np.float32) * scale,
        )
        eta, phi = (per_event.pop(name).astype(np.float64) for name in self.particle)
        showers = self.geometry.select(cells, eta, phi)
        # What the selection finds out stands above what the file says.
        return Showers(showers.energies, showers.incident_energies, {**per_event, **showers.conditions})

    def _deposits(self, dataset: h5py.Dataset, events: NDArray[np.int64]) -> NDArray[Any]:
        """The deposits of the increasing ``events``, from as few reads as runs of neighbouring events need."""
        if not len(events):
            return dataset[:0]  # type: ignore[no-any-return]
        # A gap that is smaller than a few hundred deposits is read over faster than a second read starts.
        gaps = self.starts[events[1:]] - self.starts[events[:-1] + 1]
        cuts = np.flatnonzero(gaps > 1000) + 1
        parts = []
        for run in np.split(events, cuts):
            first = self.starts[run[0]]
            block = dataset[first : self.starts[run[-1] + 1]]
            keep = np.zeros(len(block) + 1, dtype=np.int8)
            np.add.at(keep, self.starts[run] - first, 1)
            np.add.at(keep, self.starts[run + 1] - first, -1)
            parts.append(block[np.cumsum(keep[:-1]) > 0])
        return np.concatenate(parts)

    def _check_shapes(self, file: h5py.File) -> None:
        names = (*_DEPOSIT, _INCIDENT, *self.particle)
        found = ", ".join(sorted(file)) or "nothing"
        self._all(
            f"{self.path} has no dataset '{name}'; it holds {found}. Cell lists need {', '.join(_DEPOSIT)}, {_INCIDENT}, "
            f"{' and '.join(self.particle)}; data.particle_eta and data.particle_phi name the last two."
            for name in names
            if not isinstance(file.get(name), h5py.Dataset)
        )
        self._all(
            f"{self.path}, dataset '{name}': numbers are needed, and it holds {file[name].dtype}."
            for name in names
            if file[name].dtype.kind not in "fiu"
        )
        n, m = (file[name].shape[0] if file[name].shape else 0 for name in (_INCIDENT, "event"))
        allowed = {_INCIDENT: ((n,), (n, 1))} | dict.fromkeys(self.particle, ((n,),)) | dict.fromkeys(_DEPOSIT, ((m,),))
        self._all(
            f"{self.path}, dataset '{name}': its shape must be {shapes[-1]}, not {file[name].shape}."
            for name, shapes in allowed.items()
            if file[name].shape not in shapes
        )
        self._all([f"{self.path} holds no showers."] if n == 0 else [])

    def _check_unit(self, file: h5py.File) -> None:
        stated = file.attrs.get("energy_unit")
        if stated is not None and str(stated) != self.unit.name:
            self._found["", "stated"] = (
                f"{self.path} states its energies in {stated}, and unit={self.unit.name} was asked for: "
                f"add data.unit={stated}."
            )
        if stated is None and self.unit is Unit.MeV and np.max(file[_INCIDENT][:]) < 1000:
            self._found["", "GeV"] = (
                f"{self.path}, dataset '{_INCIDENT}': none reaches 1000, which looks like GeV where MeV are expected. "
                "Add data.unit=GeV, or give the file the attribute energy_unit='MeV'."
            )

    def _check_showers(self, file: h5py.File) -> None:
        incident = file[_INCIDENT][:].reshape(-1)
        self._note(_INCIDENT, 0, ~(np.isfinite(incident) & (incident > 0)), "is not a positive number")
        for name in (*self.particle, *self.columns):
            self._note(name, 0, ~np.isfinite(file[name][:]), "is not finite")

    def _check_deposits(self, file: h5py.File) -> NDArray[np.int64]:
        """Read all deposits once; return where each event's start."""
        counts, totals = np.zeros(len(self), dtype=np.int64), np.zeros(len(self))
        last, layers = 0, len(self.geometry.layers)
        for start in range(0, len(file["event"]), _BLOCK):
            event, layer, eta, phi, energy = (file[name][start : start + _BLOCK] for name in _DEPOSIT)
            with np.errstate(invalid="ignore"):
                whole = np.equal(np.mod(event, 1), 0)
            self._note(
                "event", start, ~(whole & (event >= 0) & (event < len(self))), f"is none of the {len(self)} showers"
            )
            before = np.concatenate([[last], event[:-1]])
            self._note("event", start, event < before, "comes after a later event: the list must be ordered by event")
            known = np.isin(layer, np.arange(layers))
            self._note("layer", start, ~known, f"is none of the layers 0 to {layers - 1}")
            self._note("eta", start, ~np.isfinite(eta), "is not finite")
            self._note("phi", start, ~np.isfinite(phi), "is not finite")
            self._note(
                "energy", start, ~np.isfinite(energy), "is not finite. Cell energies are required to be positive"
            )
            self._note("energy", start, energy < 0, "is negative. Cell energies are required to be positive")
            if not self._found:
                counts += np.bincount(event.astype(np.int64), minlength=len(self))
                totals += np.bincount(event.astype(np.int64), weights=energy, minlength=len(self))
            last = event[-1]
        if not self._found and (response := np.median(totals / file[_INCIDENT][:].reshape(-1))) > 5:
            self._found["", "units"] = (
                f"{self.path}: the deposits hold {response:.3g} times their incident energy, as if 'energy' and "
                f"'{_INCIDENT}' had different units. Give both the same."
            )
        return np.concatenate([[0], np.cumsum(counts)])

    def _note(self, name: str, start: int, bad: NDArray[np.bool_], what: str) -> None:
        if bad.any() and (name, what) not in self._found:
            row = start + np.flatnonzero(bad)[0]
            self._found[name, what] = f"{self.path}, dataset '{name}', row {row} {what}."

    @staticmethod
    def _all(problems: Iterable[str]) -> None:
        if problems := list(problems):
            raise DataError(*problems)

    @contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        if not self.path.is_file():
            raise DataError(f"There is no file {self.path}.")
        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except (OSError, RuntimeError, KeyError) as cause:
            what = (
                "cannot be read; it may be truncated or damaged"
                if h5py.is_hdf5(self.path)
                else "is not HDF5 or is damaged"
            )
            raise DataError(f"{self.path} {what} ({str(cause).splitlines()[0]}).") from cause


def _pick(dataset: h5py.Dataset, rows: NDArray[np.int64]) -> NDArray[Any]:
    """The increasing ``rows`` of a dataset with a value per shower."""
    if not len(rows):
        return dataset[:0]  # type: ignore[no-any-return]
    return dataset[rows[0] : rows[-1] + 1][rows - rows[0]]  # type: ignore[no-any-return]
