"""The calorimeter's answer: its mean and its spread against the incident energy."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from calozoo import DataError, Direction, Geometry, Metric, Score, Showers
from calozoo_metrics import observables
from calozoo_metrics.energies import is_barrel, pairs
from calozoo_metrics.fits import fit_resolution, resolutions
from calozoo_metrics.statistics import Estimate, average, magnitudes, make_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Response(Metric):
    """Bias of the mean total energy, 100 (generated / reference - 1), at each energy; overall the mean magnitude."""

    direction = Direction.zero
    unit = "%"

    def score(self, reference: Showers, generated: Showers) -> Score:
        """Signed bias for each energy, such as ``bias/65536``."""
        details = {}
        for pair in pairs(reference, generated, self.geometry):
            mean, error = observables.mean_and_error(observables.response(pair.reference))
            other, other_error = observables.mean_and_error(observables.response(pair.generated))
            if mean <= 0:
                raise DataError(f"The reference showers at {pair.group.label} hold no energy: there is no response.")
            ratio = float(other / mean)
            relative = float(np.hypot(other_error, ratio * error) / mean)
            details[f"bias/{pair.key}"] = Estimate(100 * (ratio - 1), 100 * relative)
        return make_score(average(magnitudes(details)), details)

    @property
    def published(self) -> Mapping[str, Mapping[str, float]]:
        """Magnitudes from the note's figures of 65 GeV photons, each against its own Geant4 showers."""
        return {"bias/65536": {"the note's VAE": 0.3, "the note's GAN": 1.6}} if is_barrel(self.geometry) else {}

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Energy response against the true energy (figure 10)."""
        from calozoo_metrics import figures

        return figures.response(reference, generated, self.geometry)


class Resolution(Metric):
    """Ratio of the generated resolution to the reference's at each energy; overall exp(mean |ln ratio|).

    The resolution is half the width of the central 68 % over the median; std over mean is listed beside it, and so is
    the ratio of the stochastic terms a of fits a / sqrt(E) (+) c where there are three energies. Overall 1.1 means 10 %
    off on average, in either direction. The error is a bootstrap of ``rounds`` rounds.
    """

    direction = Direction.one

    def __init__(self, geometry: Geometry, *, rounds: int = 50) -> None:
        super().__init__(geometry)
        self.rounds = rounds

    def score(self, reference: Showers, generated: Showers) -> Score:
        """``central/65536`` and ``deviation/65536`` for each energy, and ``stochastic``."""
        found = []
        for pair in pairs(reference, generated, self.geometry):
            measured = [
                resolutions(observables.response(showers), rounds=self.rounds)
                for showers in (pair.reference, pair.generated)
            ]
            found.append((pair, *measured))
        central = {f"central/{pair.key}": _ratio(other[0], own[0]) for pair, own, other in found}
        details = {**central, **{f"deviation/{pair.key}": _ratio(other[1], own[1]) for pair, own, other in found}}
        if len(found) >= 3:
            energies = np.array([pair.group.energy for pair, _, _ in found])
            with suppress(DataError):  # a bad generator's resolution may not fall with energy
                measured = [
                    np.array([sample[0] for sample in samples]).T
                    for samples in ([own for _, own, _ in found], [other for _, _, other in found])
                ]
                fits = [fit_resolution(energies, *each) for each in measured]
                if len({fit.constant is None for fit in fits}) > 1:  # like is compared with like
                    fits = [fit_resolution(energies, *each, constant=False) for each in measured]
                details["stochastic"] = _ratio(fits[1].stochastic, fits[0].stochastic)
        off = average({key: Estimate(abs(np.log(e.value)), e.error / e.value) for key, e in central.items()})
        overall = float(np.exp(off.value))
        return make_score(Estimate(overall, overall * off.error), details)

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Resolution against the true energy with its fit (the poster's figure)."""
        from calozoo_metrics import figures

        return figures.resolution(reference, generated, self.geometry)


def _ratio(generated: Estimate, reference: Estimate) -> Estimate:
    if generated.value <= 0 or reference.value <= 0:
        raise DataError("The total energy does not vary from shower to shower at an energy: there is no resolution.")
    ratio = generated.value / reference.value
    return Estimate(
        ratio, ratio * float(np.hypot(generated.error / generated.value, reference.error / reference.value))
    )
