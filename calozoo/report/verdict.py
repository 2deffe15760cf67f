"""What scores say in a word: against the floor, against what was published, against an earlier run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from calozoo.metric import Direction

Scores = Mapping[str, Any]  # what scores.json holds
#: Directions as signs.
ARROWS = {Direction.lower: "↓", Direction.higher: "↑", Direction.zero: "→0", Direction.one: "→1", Direction.half: "→½"}


@dataclass(frozen=True)
class Verdict:
    """One metric's overall value, and how it stands."""

    metric: str
    value: float
    error: float | None
    floor: float | None
    floor_error: float | None
    unit: str
    good: bool | None  # no worse than other showers of the simulation; None where there is no floor
    text: str


@dataclass(frozen=True)
class Published:
    """A value beside a number that somebody published for the same."""

    metric: str
    key: str
    value: float
    source: str
    published: float
    unit: str


def verdicts(scores: Scores) -> dict[str, Verdict]:
    """The verdict on every metric that gave a number, by its name."""
    found = {}
    for name, entry in scores["metrics"].items():
        overall = entry["values"][0] if entry["values"] else None
        if overall is None or overall["value"] is None:
            continue
        value, error, floor, floor_error = (overall.get(key) for key in ("value", "error", "floor", "floor_error"))
        good, text = _stands(Direction[entry["direction"]], value, math.hypot(error or 0.0, floor_error or 0.0), floor)
        found[name] = Verdict(name, value, error, floor, floor_error, entry["unit"], good, text)
    return found


def summary(scores: Scores) -> str:
    """The verdicts in a sentence.

    >>> entry = {"direction": "lower", "unit": "", "values": [{"value": 0.1, "error": 0.01, "floor": 0.05}]}
    >>> summary({"metrics": {"one": entry}})
    'Of 1 metrics with a floor, 0 find no difference from the simulation. Farthest off: one, 2 times the floor.'
    """
    judged = [verdict for verdict in verdicts(scores).values() if verdict.good is not None]
    if not judged:
        return "No metric has a floor to be judged by."
    text = f"Of {len(judged)} metrics with a floor, {sum(bool(v.good) for v in judged)} find no difference from the simulation."
    bad = [verdict for verdict in judged if not verdict.good]
    if not bad:
        return text

    def excess(verdict: Verdict) -> float:
        cost = Direction[scores["metrics"][verdict.metric]["direction"]].cost
        off, least = cost(verdict.value), cost(verdict.floor or 0.0)
        return (off - least) / (abs(least) + (verdict.error or 0.0) + 1e-12)

    worst = max(bad, key=excess)
    return f"{text} Farthest off: {worst.metric}, {worst.text}."


def published(scores: Scores) -> Iterator[Published]:
    """Values of which somebody published a number."""
    for name, entry in scores["metrics"].items():
        values = {value["key"]: value["value"] for value in entry["values"]}
        for key, sources in entry.get("published", {}).items():
            if values.get(key) is not None:
                for source, number in sources.items():
                    yield Published(name, key, values[key], source, number, entry["unit"])


def ranking(scores: Mapping[str, Scores]) -> list[tuple[str, float]]:
    """Labels from best to worst with their mean place among the metrics that all of them have a number of."""
    found = {label: verdicts(each) for label, each in scores.items()}
    common = [name for name in next(iter(found.values()), {}) if all(name in each for each in found.values())]
    if not common:
        return [(label, math.nan) for label in found]
    places = dict.fromkeys(found, 0.0)
    for name in common:
        direction = Direction[next(iter(scores.values()))["metrics"][name]["direction"]]
        costs = {label: direction.cost(each[name].value) for label, each in found.items()}
        for label, cost in costs.items():
            better, same = sum(c < cost for c in costs.values()), sum(c == cost for c in costs.values())
            places[label] += better + (same + 1) / 2
    return sorted(((label, place / len(common)) for label, place in places.items()), key=lambda item: item[1])


def _stands(direction: Direction, value: float, error: float, floor: float | None) -> tuple[bool | None, str]:
    """Whether a value is as good as its floor within two standard deviations of their difference, and a few words."""
    if floor is None:
        return None, "no floor"
    cost, least = direction.cost(value), direction.cost(floor)
    if cost <= least + 2 * error:
        return True, "as the simulation"
    if direction in (Direction.lower, Direction.zero) and least > 0:
        return False, f"{_short(cost / least)} times the floor"
    return False, f"{_short(abs(value - floor))} off the floor"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.2g}"
