"""``data=cells``: raw cell lists, made into windows by the geometry."""

from __future__ import annotations

from calozoo import ConfigError, DataSource, Geometry, Rows, Split, SplitFractions, Unit, take_split
from calozoo_data.cell_file import CellFile


class CellLists(DataSource):
    """Every cell with energy of every shower as one list in an HDF5 file; the geometry selects the windows.

    Datasets with a number per deposit, ordered by event: ``event`` (the row of its shower), ``layer``, ``eta`` and
    ``phi`` of the cell's centre, ``energy``. With a number per shower: ``incident_energies`` and the particle's
    direction, and any further condition columns. The file stays on disk: it may be larger than memory.

    Args:
        geometry: what the windows must be; it needs a window selection.
        path: the file.
        unit: of the energies in a file that does not state it, MeV or GeV.
        particle_eta: name of the dataset that holds the particles' pseudorapidity.
        particle_phi: name of the dataset that holds the particles' azimuth, rad.
        split: the fractions that are trained on and tuned on, and the seed of the permutation that divides them.

    Raises :class:`~calozoo.DataError` naming file, dataset and first bad row.

    """

    def __init__(
        self,
        geometry: Geometry,
        *,
        path: str = "",
        unit: Unit | None = None,
        particle_eta: str = "photon_eta",
        particle_phi: str = "photon_phi",
        split: SplitFractions = SplitFractions(),  # noqa: B008  (never changed)
    ) -> None:
        super().__init__(geometry)
        if not path:
            raise ConfigError("data=cells reads a file of yours: say which with data.path=FILE.")
        self.file = CellFile(path, geometry, unit, (particle_eta, particle_phi))
        self.split = split

    def open(self, split: Split) -> Rows:
        """The rows of one split, read and selected when they are asked for."""
        return take_split(self.file, split, self.split)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return self.file.fingerprint
