"""Covariance of the cells, by which the note chose its GAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from calozoo import DataError, Direction, Geometry, Metric, Score, Showers
from calozoo_metrics.energies import pairs, representative
from calozoo_metrics.statistics import Estimate, average, make_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Covariance(Metric):
    """Distance of the cells' covariance matrices, ||C_g - C_r|| / ||C_r|| (Frobenius), at each energy; overall the mean.

    The note evaluates the covariance of its 266 cells to choose hyperparameters and seeds (section 4.2); the relative
    Frobenius norm is ours. The error is a jackknife of ``blocks`` blocks. ``energies`` (MeV) are those that figures show.
    """

    direction = Direction.lower

    def __init__(self, geometry: Geometry, *, blocks: int = 10, energies: tuple[float, ...] = ()) -> None:
        super().__init__(geometry)
        self.blocks, self.energies = max(blocks, 2), tuple(energies)

    def score(self, reference: Showers, generated: Showers) -> Score:
        """The distance for each energy, such as ``cells/65536``."""
        details = {}
        for pair in pairs(reference, generated, self.geometry):
            own, other = (_moments(showers.energies, self.blocks) for showers in (pair.reference, pair.generated))
            value = _distance(own, other, None)
            left_out = np.array([_distance(own, other, block) for block in range(self.blocks)])
            error = np.sqrt((self.blocks - 1) * np.mean((left_out - left_out.mean()) ** 2))
            details[f"cells/{pair.key}"] = Estimate(value, float(error))
        return make_score(average(details), details)

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Correlation matrices of all cells."""
        from calozoo_metrics import figures

        energies = self.energies or representative(reference.incident_energies)[1:2]
        return figures.cell_correlations(reference, generated, self.geometry, energies)


def _moments(energies: np.ndarray, blocks: int) -> list[tuple[int, np.ndarray, np.ndarray]]:  # type: ignore[type-arg]
    """Count, sum and sum of products of each block of showers, from which any union's covariance follows."""
    # Means are taken out first, else the sums of squares would cancel.
    centred = energies.astype(np.float64) - energies.mean(axis=0, dtype=np.float64)
    return [(len(block), block.sum(axis=0), block.T @ block) for block in np.array_split(centred, blocks)]


def _distance(
    reference: list[tuple[int, np.ndarray, np.ndarray]],  # type: ignore[type-arg]
    generated: list[tuple[int, np.ndarray, np.ndarray]],  # type: ignore[type-arg]
    left_out: int | None,
) -> float:
    matrices = []
    for moments in (reference, generated):
        kept = [block for i, block in enumerate(moments) if i != left_out]
        n, total, products = (sum(parts[1:], start=parts[0]) for parts in zip(*kept, strict=True))
        matrices.append((products - np.outer(total, total) / n) / (n - 1))
    scale = float(np.linalg.norm(matrices[0]))
    if scale == 0:
        raise DataError("The reference showers at an energy are all alike: their cells have no covariance.")
    return float(np.linalg.norm(matrices[1] - matrices[0])) / scale
