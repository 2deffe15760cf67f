"""``data=geant4_photons``: single photons at nine energies, simulated with Geant4 11.4."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from calozoo import DataError, DataSource, Geometry, Rows, ShowerFile, Split, SplitFractions, take_split

_SHA256 = "6081eddbd8163257c8785f6d658a6da514a6bbb9e1cf51fdb0a029d71dde44d2"


class Geant4Photons(DataSource):
    """63,000 single-photon showers in an ATLAS-like electromagnetic barrel, 1,024 x 2^k MeV for k = 0..8.

    266 cells in four layers, for ``geometry=atlas_barrel``. ``split`` divides them by one seeded permutation into
    those that are trained on, tuned on and judged on. Raises :class:`~calozoo.DataError` for another geometry or a
    damaged file.
    """

    def __init__(self, geometry: Geometry, *, split: SplitFractions = SplitFractions()) -> None:  # noqa: B008
        super().__init__(geometry)
        self.split = split
        with as_file(files("calozoo_geant4_photons") / "photons.h5") as path:
            self.file = ShowerFile(Path(path), geometry)
        if self.file.fingerprint != f"sha256:{_SHA256}":
            raise DataError(f"{self.file.path} is damaged: reinstall calozoo-geant4-photons.")

    def open(self, split: Split) -> Rows:
        """The rows of one split."""
        return take_split(self.file, split, self.split)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the packaged file."""
        return f"sha256:{_SHA256}"
