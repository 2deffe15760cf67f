"""The scores of several runs as a table on the terminal, from best to worst."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from calozoo.metric import Direction
from calozoo.report.verdict import ARROWS, Scores, ranking, verdicts


def print_leaderboard(scores: Mapping[str, Scores]) -> None:
    """Print runs as columns and metrics as rows; the best value of a row is bold, and a tick is as good as the floor."""
    console = Console(highlight=False)
    order = ranking(scores)
    found = {label: verdicts(scores[label]) for label, _ in order}
    several = len(order) > 1
    heads = [f"{place}. {escape(label)}" if several else escape(label) for place, (label, _) in enumerate(order, 1)]
    table = Table("metric", *heads, "floor", box=None, pad_edge=False, header_style="bold")
    for name in dict.fromkeys(name for each in found.values() for name in each):
        here = {label: each[name] for label, each in found.items() if name in each}
        direction = Direction[next(scores[label]["metrics"][name]["direction"] for label in here)]
        best = min(direction.cost(verdict.value) for verdict in here.values())
        cells = []
        for label, _ in order:
            if label not in here:
                cells.append("\N{EN DASH}")
                continue
            verdict = here[label]
            error = "" if verdict.error is None else f" ± {verdict.error:.2g}"
            text = f"{verdict.value:.3g}{error}{' ✓' if verdict.good else ''}"
            cells.append(f"[bold]{text}[/]" if direction.cost(verdict.value) == best else text)
        one = next(iter(here.values()))
        floor = "\N{EN DASH}" if one.floor is None else f"{one.floor:.3g}"
        table.add_row(f"{escape(name)} {ARROWS[direction]}", *cells, floor)
    if several:
        table.add_row("mean place", *(f"{place:.2f}" for _, place in order))
    console.print(table)
