"""Average shower images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from calozoo import DataError, Direction, Geometry, Metric, Score, Showers
from calozoo_metrics.energies import pairs, representative
from calozoo_metrics.observables import mean_image
from calozoo_metrics.statistics import Estimate, average, make_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Images(Metric):
    """Difference of the average images, 100 sum |g - r| / sum r over the cells, at each energy; overall the mean.

    ``energies`` (MeV) are those that figures show; ``singles`` is how many single showers are drawn.
    """

    direction = Direction.lower
    unit = "%"

    def __init__(self, geometry: Geometry, *, energies: tuple[float, ...] = (), singles: int = 1) -> None:
        super().__init__(geometry)
        self.energies, self.singles = tuple(energies), singles

    def score(self, reference: Showers, generated: Showers) -> Score:
        """For each energy, of all cells (``cells/65536``) and of each layer's (``front/65536``)."""
        cells, layers = {}, {}
        for pair in pairs(reference, generated, self.geometry):
            images = mean_image(pair.reference), mean_image(pair.generated)
            if not images[0][0].any():
                raise DataError(f"The reference showers at {pair.group.label} hold no energy.")
            cells[f"cells/{pair.key}"] = _difference(*images, slice(None))
            for layer, inside in zip(self.geometry.layers, self.geometry.slices, strict=True):
                if images[0][0][inside].any():
                    layers[f"{layer.name}/{pair.key}"] = _difference(*images, inside)
        return make_score(average(cells), {**cells, **layers})

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Average images of every layer, and a few single showers."""
        from calozoo_metrics import figures

        energies = self.energies or representative(reference.incident_energies)[1:2]
        return {
            **figures.average_images(reference, generated, self.geometry, energies),
            **figures.single_showers(reference, generated, self.geometry, energies, count=self.singles),
        }


def _difference(
    reference: tuple[np.ndarray, np.ndarray],
    generated: tuple[np.ndarray, np.ndarray],
    cells: slice,  # type: ignore[type-arg]
) -> Estimate:
    (image, error), (other, other_error) = (
        (mean[cells], deviation[cells]) for mean, deviation in (reference, generated)
    )
    scale = 100 / image.sum()
    return Estimate(
        scale * float(np.abs(other - image).sum()), scale * float(np.sqrt(np.sum(error**2 + other_error**2)))
    )
