"""How showers are judged against a reference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from calozoo.geometry import Geometry
from calozoo.options import Split
from calozoo.showers import Showers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Direction(Enum):
    """Which values of a metric are good."""

    lower = "lower is better"
    higher = "higher is better"
    zero = "nearest 0 is best"
    one = "nearest 1 is best"
    half = "nearest 0.5 is best"

    def cost(self, value: float) -> float:
        """How far ``value`` is from the best: of two, the smaller cost is better.

        >>> Direction.higher.cost(0.9) < Direction.higher.cost(0.8), Direction.one.cost(0.8)
        (True, 0.19999999999999996)
        """
        return {"lower": value, "higher": -value, "zero": abs(value), "one": abs(value - 1), "half": abs(value - 0.5)}[
            self.name
        ]


@dataclass(frozen=True)
class Value:
    """One number of a score, such as the KS distance of one observable at one energy."""

    key: str  # parts separated by '/', the general one first: "layer/front/65536"
    value: float
    error: float | None = None  # one standard deviation
    floor: float | None = None  # what other showers of the simulation score
    floor_error: float | None = None  # one standard deviation


@dataclass(frozen=True)
class Score:
    """What a metric found, the overall number first."""

    values: tuple[Value, ...]


class Metric(ABC):
    """Compares generated showers with reference showers of the same geometry.

    The first argument of a plugin's ``__init__`` is the :class:`~calozoo.Geometry`; its keyword-only arguments
    are the options.
    """

    direction: ClassVar[Direction] = Direction.lower
    unit: ClassVar[str] = ""
    #: Which showers are the reference: those held out, or those trained on, against which held-out ones give the floor.
    against: ClassVar[Split] = Split.test

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    @abstractmethod
    def score(self, reference: Showers, generated: Showers) -> Score:
        """Judge ``generated`` against ``reference``; refuse with a reason what cannot be judged."""

    @property
    def published(self) -> Mapping[str, Mapping[str, float]]:
        """Numbers that others published for this metric's values: value's key to source to number; none by default."""
        return {}

    def figures(self, reference: Showers, generated: Mapping[str, Showers]) -> Mapping[str, Figure]:
        """Figures by title that show what the metric judges, one line for each labelled sample; none by default."""
        return {}
