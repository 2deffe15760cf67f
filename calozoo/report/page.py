"""Writes figures/ and report.html: one self-contained page from the metrics' scores and figures."""

from __future__ import annotations

import base64
import io
import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from calozoo.errors import DataError
from calozoo.files import replacing, write_text
from calozoo.metric import Direction, Metric
from calozoo.run import Run
from calozoo.showers import Showers


@dataclass(frozen=True, eq=False)
class Sample:
    """Generated showers with their scores (what :func:`calozoo.evaluation.evaluate` returns) and, if any, their run."""

    showers: Showers
    scores: Mapping[str, Any]
    run: Run | None


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
        losses = sample.run and _losses(sample.run.losses)
        if losses:
            pictures[f"training of {label}"] = [
                _save(folder / "figures", f"losses-{label}-{player}", f"Losses: {player}", figure)
                for player, figure in losses.items()
            ]
    page = Environment(
        loader=PackageLoader("calozoo.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page.filters["number"] = _number
    html = page.get_template("page.html").render(
        title=", ".join(samples),
        samples=samples,
        metrics=list(metrics),
        directions={direction.name: direction.value for direction in Direction},
        pictures=pictures,
        runs={label: _facts(sample.run) for label, sample in samples.items() if sample.run},
    )
    write_text(folder / "report.html", html)


def _save(folder: Path, stem: str, title: str, figure: Figure) -> Picture:
    """Write one figure as PNG and PDF, and give the PNG to the page."""
    for suffix in ("pdf", "png"):
        with replacing(folder / f"{stem}.{suffix}") as temporary:
            figure.savefig(
                temporary, format=suffix, dpi=130, metadata={"CreationDate": None} if suffix == "pdf" else None
            )
    return Picture(title, stem, base64.b64encode((folder / f"{stem}.png").read_bytes()).decode())


def _losses(path: Path) -> dict[str, Figure]:
    """Loss curves from ``losses.jsonl``, one figure per player with a line per term."""
    if not path.exists():
        return {}
    entries = [json.loads(line) for line in io.StringIO(path.read_text(encoding="utf-8"))]
    figures = {}
    for player in entries[0]["losses"] if entries else ():
        figure = Figure(figsize=(6.5, 3.6), layout="constrained")
        axes = figure.add_subplot(xlabel="step", ylabel="loss term")
        terms = {term: [entry["losses"][player][term] for entry in entries] for term in entries[0]["losses"][player]}
        for term, values in terms.items():
            axes.plot([entry["step"] for entry in entries], values, lw=1, label=term)
        spread = max(abs(value) for values in terms.values() for value in values)
        axes.set_yscale("symlog", linthresh=max(spread * 1e-3, 1e-9))
        axes.legend(frameon=False, fontsize="small", ncols=3)
        figures[player] = figure
    return figures


def _facts(run: Run) -> dict[str, Any]:
    """What the page tells of a run beside its scores."""
    manifest = run.manifest
    config = run.config
    return {
        "manifest": manifest,
        "note": config.trainer.note,
        "config": (run.folder / "config.yaml").read_text(encoding="utf-8"),
        "command": f"calozoo {_choices(config)} seed={config.seed}",
        "training": manifest["stages"].get("train", {}),
    }


def _choices(config: Any) -> str:
    single = [f"{group}={config[group].name}" for group in ("model", "geometry", "data", "preprocessor")]
    several = [f"{group}=[{','.join(config[group])}]" for group in ("critic", "metric") if config[group]]
    return " ".join([*single, *several])


def _number(value: float | None, digits: int = 3) -> str:
    """A number with ``digits`` significant digits, for a table.

    >>> _number(0.012345), _number(None)
    ('0.0123', '–')
    """
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:.{digits}g}"
