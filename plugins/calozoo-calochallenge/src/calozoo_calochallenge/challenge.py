"""What the challenge's metrics have in common: thresholds, refusals and ranks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from calozoo import DataError, Geometry, Metric, Score, Showers, Value
from calozoo_calochallenge.cylinder import Cylinder
from calozoo_calochallenge.dataset import OFFICIAL_ROWS, find_dataset
from calozoo_calochallenge.published import rank
from calozoo_metrics.energies import check_cells


class ChallengeMetric(Metric):
    """Judges showers in cylindrical voxels as the challenge did; a metric of this kind implements :meth:`judge`.

    Voxels below the data set's threshold are set to zero in both samples. ConfigError for other geometries; DataError
    for samples of other voxels, of fewer than ``fewest`` showers, at energies that do not overlap, or of which a higher
    threshold has left too little.
    """

    fewest: ClassVar[int] = 1000
    geometry: Cylinder

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        self.dataset = find_dataset(geometry)

    def score(self, reference: Showers, generated: Showers) -> Score:
        """Refuse what cannot be judged, cut at the threshold, and judge."""
        check_cells(self.geometry, {"reference": reference, "generated": generated})
        self._check(reference, generated)
        # The least number in single precision that is not below the threshold: as if compared in double precision.
        limit = np.float32(self.dataset.threshold)
        if float(limit) < self.dataset.threshold:
            limit = np.nextafter(limit, np.float32(np.inf))
        return Score(tuple(self.judge(reference.above(float(limit)), generated.above(float(limit)))))

    @abstractmethod
    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        """The values for samples that are cut at the threshold, the overall one first."""

    def ranks(self, values: Iterable[Value], columns: Mapping[str, str], rows: int) -> Iterable[Value]:
        """The values, each followed by its rank where its key has a column in the published table.

        None is ranked where a sample has fewer ``rows`` than official results have.
        """
        for value in values:
            yield value
            if self.dataset.published and rows >= OFFICIAL_ROWS and value.key in columns:
                yield Value(f"{value.key}/rank", float(rank(self.dataset.name, columns[value.key], value.value)))

    def _check(self, reference: Showers, generated: Showers) -> None:
        few = min(len(reference), len(generated))
        if few < self.fewest:
            raise DataError(
                f"The CaloChallenge's metrics need at least {self.fewest} showers of each sample, not {few}."
            )
        ranges = [(s.incident_energies.min(), s.incident_energies.max()) for s in (reference, generated)]
        if ranges[0][0] > ranges[1][1] or ranges[1][0] > ranges[0][1]:
            raise DataError(
                "The incident energies do not overlap: "
                + ", ".join(
                    f"{name} {low:.6g} to {high:.6g} MeV"
                    for name, (low, high) in zip(("reference", "generated"), ranges, strict=True)
                )
                + "."
            )
        least = float(np.min(reference.energies, where=reference.energies > 0, initial=np.inf))
        if least > 10 * self.dataset.threshold:
            raise DataError(
                f"No voxel of the reference has less than {least:.3g} MeV and the threshold of {self.dataset.name} is "
                f"{self.dataset.threshold:.3g} MeV: the showers were cut before, so type evaluation.threshold=0 "
                "(threshold=0 with calozoo evaluate)."
            )
