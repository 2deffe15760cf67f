"""Files of raw cell lists: validated and streamed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from calozoo import Cells, DataError, Geometry, Showers, Unit, h5files

_DEPOSIT = ("event", "layer", "eta", "phi", "energy")
_INCIDENT = "incident_energies"
_BLOCK = 2**20  # deposits that are read at a time
_EVENTS = 2048  # showers that are selected at a time


class CellFile:
    """Showers selected by ``geometry`` from a file of cell lists that stays on disk; satisfies calozoo's Rows.

    Opening reads everything once, in blocks, and refuses what is wrong, with all of it in the error's ``problems``.
    ``particle`` names the datasets with the particles' pseudorapidity and azimuth.
    """

    def __init__(self, path: Path | str, geometry: Geometry, unit: Unit | None, particle: tuple[str, str]) -> None:
        self.path, self.geometry, self.particle = Path(path), geometry, particle
        with h5files.opened(self.path) as file:
            found = h5files.datasets(file)
            self._check_shapes(found)
            self._length = len(found[_INCIDENT])
            self.columns = h5files.columns(found, self._length, beside=(*_DEPOSIT, _INCIDENT, *particle))
            self.unit = h5files.unit_of(file, unit, found[_INCIDENT][:])
            self._found: dict[tuple[str, str], str] = {}  # the first of every kind of problem
            self._check_showers(file)
            self.starts = self._check_deposits(file)  # (n + 1,), where each event's deposits start
            if self._found:
                raise DataError(*self._found.values())
        for start in range(0, len(self), _EVENTS):  # what the geometry finds wrong is said now
            self.rows(slice(start, start + _EVENTS))

    def __len__(self) -> int:
        return self._length

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        return h5files.fingerprint(self.path)

    def rows(self, index: slice | NDArray[np.int64]) -> Showers:
        """The windows of the showers at ``index``, in its order; no more than their neighbourhood is read."""
        wanted = np.arange(len(self))[index]
        events, back = np.unique(wanted, return_inverse=True)
        with h5files.opened(self.path) as file:
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
        try:
            showers = self.geometry.select(cells, eta, phi)
        except DataError as cause:
            first = self.starts[events[0]] if len(events) else 0
            raise DataError(f"{self.path}, deposits counted from row {first} on: {cause}") from cause
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

    def _check_shapes(self, found: dict[str, h5py.Dataset]) -> None:
        names = (*_DEPOSIT, _INCIDENT, *self.particle)
        listed = ", ".join(sorted(found)) or "nothing"
        self._all(
            f"{self.path} has no dataset '{name}'; it holds {listed}. Cell lists need {', '.join(_DEPOSIT)}, {_INCIDENT}, "
            f"{' and '.join(self.particle)}; data.particle_eta and data.particle_phi name the last two."
            for name in names
            if name not in found
        )
        self._all(
            f"{self.path}, dataset '{name}': numbers are needed, and it holds {found[name].dtype}."
            for name in names
            if found[name].dtype.kind not in "fiu"
        )
        n, m = (found[name].shape[0] if found[name].shape else 0 for name in (_INCIDENT, "event"))
        allowed = {_INCIDENT: ((n,), (n, 1))} | dict.fromkeys(self.particle, ((n,),)) | dict.fromkeys(_DEPOSIT, ((m,),))
        self._all(
            f"{self.path}, dataset '{name}': its shape must be {shapes[-1]}, not {found[name].shape}."
            for name, shapes in allowed.items()
            if found[name].shape not in shapes
        )
        self._all([f"{self.path} holds no showers."] if n == 0 else [])

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
            if not self._found:  # the events of a block are neighbours
                first, here = int(event[0]), event.astype(np.int64) - int(event[0])
                counts[first : first + here[-1] + 1] += np.bincount(here)
                totals[first : first + here[-1] + 1] += np.bincount(here, weights=energy)
            last = event[-1]
        if not self._found and (wrong := h5files.mismatch(totals / file[_INCIDENT][:].reshape(-1))):
            self._found["", "units"] = f"{self.path}: the deposits {wrong}."
        return np.concatenate([[0], np.cumsum(counts)])

    def _note(self, name: str, start: int, bad: NDArray[np.bool_], what: str) -> None:
        if bad.any() and (name, what) not in self._found:
            row = start + np.flatnonzero(bad)[0]
            self._found[name, what] = f"{self.path}, dataset '{name}', row {row} {what}."

    @staticmethod
    def _all(problems: Iterable[str]) -> None:
        if problems := list(problems):
            raise DataError(*problems)


def _pick(dataset: h5py.Dataset, rows: NDArray[np.int64]) -> NDArray[Any]:
    """The increasing ``rows`` of a dataset with a value per shower."""
    if not len(rows):
        return dataset[:0]  # type: ignore[no-any-return]
    return dataset[rows[0] : rows[-1] + 1][rows - rows[0]]  # type: ignore[no-any-return]
