"""Picks the weights that generate by a score on validation showers."""

from __future__ import annotations

import math

from calozoo.errors import ConfigError, DataError
from calozoo.metric import Metric
from calozoo.options import Split
from calozoo.showers import Showers
from calozoo.simulator import Simulator


class Picker:
    """Scores a simulator that is being trained under the conditions of ``validation`` showers.

    Cells below ``threshold`` (MeV) count as zero. The same random numbers serve every time, so that scores differ by the
    weights alone. Raises :class:`~calozoo.errors.ConfigError` where the metric cannot judge so few showers.
    """

    def __init__(self, metric: Metric, validation: Showers, *, threshold: float, seed: int) -> None:
        self.metric, self.seed, self.threshold = metric, seed, threshold
        self.validation = validation.above(threshold)
        if metric.against is not Split.test:
            raise ConfigError("trainer.pick.metric cannot be one that compares with training showers.")
        try:
            metric.score(self.validation, self.validation)
        except DataError as cause:
            raise ConfigError(
                f"trainer.pick.metric cannot judge {len(validation)} validation showers ({cause}) Choose another, or "
                "raise trainer.pick.showers or data.split.validation."
            ) from cause

    def score(self, simulator: Simulator) -> float:
        """The metric's overall value; NaN where the showers do not define it, as early ones may not."""
        given = {name: values for name, values in self.validation.columns.items() if name in simulator.columns}
        blocks = simulator.generate(len(self.validation), given, seed=self.seed, threshold=self.threshold)
        try:
            return self.metric.score(self.validation, Showers.concatenate(blocks)).values[0].value
        except DataError:
            return math.nan

    def cost(self, score: float) -> float:
        """How bad a score is; what is not finite is worst."""
        return self.metric.direction.cost(score) if math.isfinite(score) else math.inf
