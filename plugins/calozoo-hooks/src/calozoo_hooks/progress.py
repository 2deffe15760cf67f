"""Shows a run's progress on the terminal: rate, time left and losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from calozoo import hookimpl


class _Rate(ProgressColumn):
    """Steps or showers per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class ProgressDisplay:
    """A progress bar for each stage on standard error; plain lines where that is no terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.progress: Progress | None = None
        self.task = TaskID(0)
        self.steps = 0
        self.worked = False

    @hookimpl
    def stage_started(self, stage: str, folder: Path) -> None:
        """Open the stage's bar."""
        self.worked = True
        self._close()
        if not self.console.is_terminal:
            self.console.print(f"{stage}: {folder}", soft_wrap=True)
            return
        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            _Rate(),
        )
        times = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[losses]}", style="dim"))
        self.progress = Progress(*columns, *times, console=self.console)
        self.progress.start()
        self.task = self.progress.add_task(stage, total=1, losses="")

    @hookimpl
    def training_started(self, step: int, steps: int) -> None:
        """Learn how many steps there are."""
        self.steps = steps
        self._update(step, steps)

    @hookimpl
    def losses_logged(self, step: int, losses: Mapping[str, Mapping[str, float]]) -> None:
        """Move on, and show each player's loss."""
        text = "  ".join(f"{player} {sum(terms.values()):.3g}" for player, terms in losses.items())
        self._update(step, self.steps, losses=text)

    @hookimpl
    def showers_generated(self, done: int, total: int) -> None:
        """Move on."""
        self._update(done, total)

    @hookimpl
    def metric_scored(self, name: str, done: int, total: int) -> None:
        """Move on, and show which metric is done."""
        self._update(done, total, losses=name)

    @hookimpl
    def stage_finished(self, stage: str, folder: Path, seconds: float) -> None:
        """Close the stage's bar; after the report say where it is."""
        if self.progress is not None:
            task = self.progress.tasks[0]
            self.progress.update(self.task, total=task.total, completed=task.total)
        self._close()
        if not self.console.is_terminal:
            self.console.print(f"{stage}: done in {seconds:.1f} s")
        if stage == "report":
            self.console.print(f"report: {folder / 'report.html'}", soft_wrap=True)

    @hookimpl
    def run_finished(self, folder: Path, error: BaseException | None) -> None:
        """Leave the terminal as it was; say so where nothing was left to do."""
        self._close()
        if error is None and not self.worked:
            self.console.print(f"already done: {folder}", soft_wrap=True)

    def _update(self, done: int, total: int, **fields: str) -> None:
        if self.progress is not None:
            self.progress.update(self.task, completed=done, total=total, **fields)

    def _close(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
