"""Lateral shower shapes in every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from calozoo import Direction, Geometry, Metric, Score, Showers
from calozoo_metrics.energies import pairs, representative
from calozoo_metrics.observables import (
    common_conditions,
    lateral_mean_and_width,
    mean_and_error,
    shower_profiles,
    weighted_distance,
)
from calozoo_metrics.statistics import Estimate, average, ks_distance, make_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Profiles(Metric):
    """Share of a layer's energy that lies in the wrong place along an axis, in %; overall the mean of these.

    It is 100 x 1/2 sum |g - r| of the average profiles (figures 11 and 12), each scaled to the sum 1, so that it does not
    judge how much energy a layer has. Beside it are KS distances (in %) of the energy-weighted mean, width (figures 13
    and 14) and distance from the particle of single showers, which an average hides.

    ``aligned`` measures distances from the particle, with those columns that say where the window lies which both samples
    have; without it they are from the window's centre. ``energies`` (MeV) are those that figures show.
    """

    direction = Direction.lower
    unit = "%"

    def __init__(self, geometry: Geometry, *, aligned: bool = True, energies: tuple[float, ...] = ()) -> None:
        super().__init__(geometry)
        self.aligned, self.energies = aligned, tuple(energies)

    def score(self, reference: Showers, generated: Showers) -> Score:
        """Keys such as ``profile/front/eta/65536``, ``mean/front/eta/65536``, ``width/front/eta/65536``, ``distance/front/65536``."""
        reference, generated = common_conditions(reference, generated)
        profiles, details = {}, {}
        for pair in pairs(reference, generated, self.geometry):
            samples = (pair.reference, pair.generated)
            for i, layer in enumerate(self.geometry.layers):
                for axis, name in enumerate(self.geometry.axes):
                    key = f"{layer.name}/{name}/{pair.key}"
                    per_shower = [shower_profiles(s, self.geometry, i, axis, aligned=self.aligned) for s in samples]
                    profiles[f"profile/{key}"] = _misplaced(*per_shower)
                    moments = [lateral_mean_and_width(s, self.geometry, i, axis, aligned=self.aligned) for s in samples]
                    for moment, first, second in zip(("mean", "width"), *moments, strict=True):
                        distance, error = ks_distance(first, second)
                        details[f"{moment}/{key}"] = Estimate(100 * distance, 100 * error)
                distances = [weighted_distance(s, self.geometry, i, aligned=self.aligned) for s in samples]
                distance, error = ks_distance(*distances)
                details[f"distance/{layer.name}/{pair.key}"] = Estimate(100 * distance, 100 * error)
        return make_score(average(profiles), {**profiles, **details})

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Average profiles (figures 11, 12), mean and width in one layer (13, 14), and distances from the particle."""
        from calozoo_metrics import figures

        energies = self.energies or representative(reference.incident_energies)[1:2]
        reference, *others = common_conditions(reference, *generated.values())
        generated = dict(zip(generated, others, strict=True))
        return {
            **figures.lateral_profiles(reference, generated, self.geometry, energies, aligned=self.aligned),
            **figures.lateral_moments(reference, generated, self.geometry, energies, aligned=self.aligned),
            **figures.weighted_distances(reference, generated, self.geometry, energies, aligned=self.aligned),
        }


def _misplaced(reference: np.ndarray, generated: np.ndarray) -> Estimate:  # type: ignore[type-arg]
    """Half the summed difference of two average profiles from (n, bins) and (m, bins), in %."""
    shapes, errors = [], []
    for profiles in (reference, generated):
        mean, error = mean_and_error(profiles)
        # A layer without energy has no shape; against one that has, everything is misplaced.
        scale = mean.sum() or 1.0
        shapes.append(mean / scale)
        errors.append(error / scale)
    if any(shape.sum() == 0 for shape in shapes):
        return Estimate(100.0 * float(any(shape.sum() > 0 for shape in shapes)), 0.0)
    return Estimate(50 * float(np.abs(shapes[1] - shapes[0]).sum()), 50 * float(np.sqrt(np.sum(np.square(errors)))))
