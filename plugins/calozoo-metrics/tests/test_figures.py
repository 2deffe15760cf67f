"""Every figure of every metric against a picture that was looked at.

A changed figure on purpose: ``python plugins/calozoo-metrics/tests/test_figures.py``, then look at tests/baseline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from calozoo import registry
from calozoo.config import create
from calozoo.testing import ToyGeometry, toy_showers

BASELINE = Path(__file__).parent / "baseline"
METRICS = sorted(
    name for name in registry.available("metric") if registry.find("metric", name).package == "calozoo-metrics"
)
_TOLERANCE = 6.0  # root mean square of grey levels, for fonts that are drawn a little differently


def figures(name: str) -> Iterator[tuple[str, Figure]]:
    """A metric's figures of two samples, by file name."""
    metric = create("metric", {"name": name}, ToyGeometry())
    samples = {"one": toy_showers(600, seed=2), "two": toy_showers(600, seed=3)}
    for title, figure in metric.figures(toy_showers(600, seed=1), samples).items():
        yield f"{name}-{re.sub(r'[^a-z0-9]+', '-', title.lower())}.png", figure


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=35, metadata={"Software": None})


@pytest.mark.parametrize("name", METRICS)
def test_figures_look_as_they_did(name: str, tmp_path: Path) -> None:
    drawn = dict(figures(name))
    assert sorted(drawn) == sorted(path.name for path in BASELINE.glob(f"{name}-*.png"))
    for file, figure in drawn.items():
        save(figure, tmp_path / file)
        difference = compare_images(str(BASELINE / file), str(tmp_path / file), tol=_TOLERANCE)
        assert difference is None, difference


def test_most_metrics_have_figures() -> None:
    assert len({path.name.partition("-")[0] for path in BASELINE.glob("*.png")}) >= 9


if __name__ == "__main__":
    BASELINE.mkdir(exist_ok=True)
    for old in BASELINE.glob("*.png"):
        old.unlink()
    for each in METRICS:
        for file, figure in figures(each):
            save(figure, BASELINE / file)
