"""Writes figures/ and report.html: one self-contained page from the metrics' scores and figures."""

from __future__ import annotations

import base64
import inspect
import json
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from calozoo.errors import DataError, RunError
from calozoo.files import read_json, replacing, write_text
from calozoo.metric import Direction, Metric
from calozoo.report import verdict
from calozoo.run import Run
from calozoo.showers import Showers


@dataclass(frozen=True, eq=False)
class Sample:
    """Generated showers with their scores (what :func:`calozoo.evaluation.evaluate` returns) and, if any, their run.

    ``before`` is an earlier run that was judged by the same showers, to compare with.
    """

    showers: Showers
    scores: Mapping[str, Any]
    run: Run | None
    before: Run | None = None


@dataclass(frozen=True)
class Picture:
    """A figure as the page holds it."""

    title: str
    anchor: str
    data: str  # base64 of a PNG


def write_report(
    folder: Path, metrics: Mapping[str, Metric], reference: Showers, samples: Mapping[str, Sample]
) -> None:
    """Draw every metric's figures (PNG and PDF under ``figures/``) and write ``report.html`` into ``folder``."""
    generated = {label: sample.showers for label, sample in samples.items()}
    pictures: dict[str, list[Picture]] = {}
    for name, metric in metrics.items():
        try:
            figures = metric.figures(reference, generated)
        except DataError as reason:  # the scores say the same
            warnings.warn(f"The metric '{name}' has no figures: {reason}", stacklevel=2)
            continue
        if figures:
            pictures[name] = [
                _save(folder / "figures", f"{name}-{i}", title, f) for i, (title, f) in enumerate(figures.items())
            ]
    for label, sample in samples.items():
        if sample.run and (curves := _losses(sample.run.losses) | _scores(sample.run.manifest)):
            pictures[f"training of {label}"] = [
                _save(folder / "figures", f"losses-{label}-{i}", title, figure)
                for i, (title, figure) in enumerate(curves.items())
            ]
    page = Environment(
        loader=PackageLoader("calozoo.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page.filters["number"] = _number
    html = page.get_template("page.html").render(
        title=", ".join(samples),
        samples=samples,
        metrics=list(metrics),
        summaries={name: (inspect.getdoc(type(metric)) or "").partition("\n")[0] for name, metric in metrics.items()},
        directions={direction.name: direction.value for direction in Direction},
        arrows={direction.name: arrow for direction, arrow in verdict.ARROWS.items()},
        pictures=pictures,
        summary={label: verdict.summary(sample.scores) for label, sample in samples.items()},
        verdicts={label: verdict.verdicts(sample.scores) for label, sample in samples.items()},
        published={label: list(verdict.published(sample.scores)) for label, sample in samples.items()},
        before={
            label: (sample.before.folder.name, verdict.verdicts(read_json(sample.before.scores)))
            for label, sample in samples.items()
            if sample.before
        },
        ranking=verdict.ranking({label: sample.scores for label, sample in samples.items()}),
        runs={label: _facts(sample.run) for label, sample in samples.items() if sample.run},
    )
    write_text(folder / "report.html", html)


def _save(folder: Path, stem: str, title: str, figure: Figure) -> Picture:
    """Write one figure as PNG and PDF, and give the PNG to the page."""
    stem = re.sub(r"[^\w.-]", "_", stem)  # names may come from a stranger's files
    for suffix in ("pdf", "png"):
        with replacing(folder / f"{stem}.{suffix}") as temporary:
            figure.savefig(
                temporary, format=suffix, dpi=130, metadata={"CreationDate": None} if suffix == "pdf" else None
            )
        figure.set_layout_engine("none")  # the layout is found, and finding it takes as long as drawing
    return Picture(title, stem, base64.b64encode((folder / f"{stem}.png").read_bytes()).decode())


def _losses(path: Path) -> dict[str, Figure]:
    """Loss curves from ``losses.jsonl``, one figure per player with a line per term."""
    if not path.exists():
        return {}
    try:
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        steps = [int(entry["step"]) for entry in entries]
        terms = {player: list(entries[0]["losses"][player]) for player in entries[0]["losses"]} if entries else {}
        curves = {
            player: {term: [float(entry["losses"][player][term]) for entry in entries] for term in names}
            for player, names in terms.items()
        }
    except (KeyError, TypeError, ValueError) as cause:
        raise RunError(
            f"{path} is damaged ({type(cause).__name__}: {cause}); delete it to have a report without it."
        ) from cause
    figures = {}
    for player, drawn in curves.items():
        figure = Figure(figsize=(6.5, 3.6), layout="constrained")
        axes = figure.add_subplot(xlabel="step", ylabel="loss term")
        for term, values in drawn.items():
            axes.plot(steps, values, lw=1, label=term)
        spread = max(abs(value) for values in drawn.values() for value in values)
        axes.set_yscale("symlog", linthresh=max(spread * 1e-3, 1e-9))
        axes.legend(frameon=False, fontsize="small", ncols=3)
        figures[f"Losses: {player}"] = figure
    return figures


def _scores(manifest: Mapping[str, Any]) -> dict[str, Figure]:
    """The scores that weights were picked by, if they were, as one figure."""
    trained = manifest["stages"].get("train", {})
    if not trained.get("scores"):
        return {}
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="score on validation showers")
    axes.plot(*zip(*[pair for pair in trained["scores"] if pair[1] is not None], strict=True), marker=".", lw=1)
    axes.axvline(trained["picked"], ls=":", lw=1, color="0.5")
    axes.annotate("picked", (trained["picked"], 1), xycoords=("data", "axes fraction"), fontsize="small", va="top")
    return {"Scores that weights were picked by": figure}


def _facts(run: Run) -> dict[str, Any]:
    """What the page tells of a run beside its scores."""
    manifest = run.manifest
    config = run.config
    return {
        "manifest": manifest,
        "remark": config.trainer.remark,
        "config": (run.folder / "config.yaml").read_text(encoding="utf-8"),
        "command": manifest.get("command"),
        "training": manifest["stages"].get("train", {}),
    }


def _number(value: float | None, digits: int = 3) -> str:
    """A number with ``digits`` significant digits, for a table.

    >>> _number(0.012345), _number(None)
    ('0.0123', '–')
    """
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:.{digits}g}"
