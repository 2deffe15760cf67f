from __future__ import annotations

from typing import Any

import pytest

from calozoo.report.leaderboard import print_leaderboard
from calozoo.report.verdict import published, ranking, summary, verdicts


def entry(
    value: float | None, floor: float | None = None, error: float = 0.0, direction: str = "lower"
) -> dict[str, Any]:
    values = [{"key": "overall", "value": value, "error": error, "floor": floor, "floor_error": None}]
    return {"direction": direction, "unit": "%", "values": values, "published": {}}


def scores(**metrics: Any) -> dict[str, Any]:
    return {"metrics": metrics}


@pytest.mark.parametrize(
    ("given", "good", "text"),
    [
        (entry(0.10, 0.05, 0.01), False, "2 times the floor"),
        (entry(0.10, 0.05, 0.03), True, "as the simulation"),
        (entry(0.04, 0.05), True, "as the simulation"),
        (entry(-0.3, 0.1, direction="zero"), False, "3 times the floor"),
        (entry(0.9, 0.97, 0.01, direction="higher"), False, "0.07 off the floor"),
        (entry(0.99, 0.97, direction="higher"), True, "as the simulation"),
        (entry(1.3, 1.02, 0.01, direction="one"), False, "0.28 off the floor"),
        (entry(0.97, 1.02, direction="one"), False, "0.05 off the floor"),
        (entry(0.99, 1.02, direction="one"), True, "as the simulation"),
        (entry(0.3), None, "no floor"),
    ],
)
def test_a_value_stands_by_its_floor_and_error(given: dict[str, Any], good: bool | None, text: str) -> None:
    found = verdicts(scores(one=given))["one"]
    assert (found.good, found.text) == (good, text)


def test_metrics_without_a_number_have_no_verdict() -> None:
    refused = {"direction": "lower", "unit": "", "values": [], "refused": "Too few."}
    assert verdicts(scores(one=refused, two=entry(None))) == {}
    assert summary(scores(one=refused)) == "No metric has a floor to be judged by."


def test_the_summary_names_what_is_farthest_off() -> None:
    text = summary(scores(one=entry(0.1, 0.05), two=entry(0.4, 0.1), three=entry(0.1, 0.1)))
    assert text == (
        "Of 3 metrics with a floor, 1 find no difference from the simulation. Farthest off: two, 4 times the floor."
    )
    assert summary(scores(one=entry(0.1, 0.1))).endswith("1 find no difference from the simulation.")


def test_published_numbers_stand_beside_ours() -> None:
    one = entry(0.1) | {"published": {"overall": {"them": 0.5, "others": 0.7}, "absent": {"them": 1.0}}}
    found = list(published(scores(one=one)))
    assert [(each.source, each.value, each.published) for each in found] == [("them", 0.1, 0.5), ("others", 0.1, 0.7)]


def test_the_best_mean_place_comes_first() -> None:
    runs = {
        "a": scores(one=entry(0.3), two=entry(0.9, direction="higher"), only=entry(0.0)),
        "b": scores(one=entry(0.2), two=entry(0.8, direction="higher")),
        "c": scores(one=entry(0.1), two=entry(0.8, direction="higher")),
    }
    assert ranking(runs) == [("c", 1.75), ("a", 2.0), ("b", 2.25)]


def test_the_leaderboard_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_leaderboard({"a": scores(one=entry(0.3, 0.1), two=entry(1.0)), "b": scores(one=entry(0.1, 0.1))})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["metric", "1.", "b", "2.", "a", "floor"]
    assert lines[1].split() == ["one", "↓", "0.1", "±", "0", "✓", "0.3", "±", "0", "0.1"]
    assert "two" in lines[2]
    assert lines[-1].split() == ["mean", "place", "1.00", "2.00"]
