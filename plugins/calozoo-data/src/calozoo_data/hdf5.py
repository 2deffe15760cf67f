"""``data=hdf5``: showers in a file of your own."""

from __future__ import annotations

from calozoo import (
    ConfigError,
    DataSource,
    Geometry,
    Rows,
    ShowerFile,
    Split,
    SplitFractions,
    Unit,
    open_showers,
    take_split,
)


class HDF5(DataSource):
    """Showers in an HDF5 file with the datasets ``showers`` and ``incident_energies``, as CaloChallenge has them.

    Every further dataset with a number per shower is a condition column. The file stays on disk: it may be larger
    than memory. Nothing is guessed: a file in GeV states it, or needs ``unit=GeV``.

    Args:
        geometry: what the file's cells must be.
        path: the file.
        unit: of the energies in a file that does not state it, MeV or GeV.
        split: the fractions that are trained on and tuned on, and the seed of the permutation that divides them.

    Raises :class:`~calozoo.DataError` naming file, dataset and first bad row.

    """

    def __init__(
        self,
        geometry: Geometry,
        *,
        path: str = "",
        unit: Unit | None = None,
        split: SplitFractions = SplitFractions(),  # noqa: B008  (never changed)
    ) -> None:
        super().__init__(geometry)
        if not path:
            raise ConfigError("data=hdf5 reads a file of yours: say which with data.path=FILE.")
        self.file: ShowerFile = open_showers(path, geometry, unit)
        self.split = split

    def open(self, split: Split) -> Rows:
        """The rows of one split, read when they are asked for."""
        return take_split(self.file, split, self.split)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return self.file.fingerprint
