"""How figures are drawn: the note's conventions, on matplotlib figures without global state.

The reference has black markers with statistical error bars, generated samples are coloured lines with hatched
statistical bands; underflow and overflow count in the end bins, and a panel below shows generated over reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from calozoo_metrics.statistics import histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

#: Colours that colour-blind readers can tell apart (Okabe and Ito); the first two are the note's red and blue.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
#: Patterns that differ without colour, too.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)))
HATCHES = ("////", "\\\\\\\\", "||||", "----", "xxxx", "....")
_SMALL = 8.5  # points


@dataclass(frozen=True, eq=False)
class Binned:
    """Values with errors in bins."""

    edges: Floats  # (bins + 1,)
    values: Floats  # (bins,)
    errors: Floats  # (bins,)

    @property
    def centres(self) -> Floats:
        """Middles of the bins, (bins,)."""
        return (self.edges[:-1] + self.edges[1:]) / 2


@dataclass(frozen=True, eq=False)
class Panel:
    """A place to draw in, with the ratio panel that belongs to it."""

    main: Axes
    ratio: Axes | None


def style(index: int) -> dict[str, Any]:
    """Colour and line style of the generated sample ``index``."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": LINES[index % len(LINES)]}


def panels(rows: int, columns: int, *, size: tuple[float, float], ratio: bool = True) -> tuple[Figure, list[Panel]]:
    """A figure of ``size`` (inches) with a grid of panels, row by row."""
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(rows, columns)
    made = []
    for cell in grid:
        if ratio:
            inner = cell.subgridspec(2, 1, height_ratios=(3, 1), hspace=0.0)
            main = figure.add_subplot(inner[0])
            below = figure.add_subplot(inner[1], sharex=main)
            main.tick_params(labelbottom=False)
            made.append(Panel(main, below))
        else:
            made.append(Panel(figure.add_subplot(cell), None))
        for axes in filter(None, (made[-1].main, made[-1].ratio)):
            axes.tick_params(direction="in", which="both", top=True, right=True, labelsize=_SMALL)
    return figure, made


def name_axes(panel: Panel, x: str, y: str, *, title: str = "", energy: str = "") -> None:
    """Label the axes; the title stands above on the left, the energy on the right."""
    (panel.ratio or panel.main).set_xlabel(x, fontsize=_SMALL + 0.5)
    panel.main.set_ylabel(y, fontsize=_SMALL + 0.5)
    panel.main.set_title(title, loc="left", fontsize=_SMALL + 0.5, fontweight="bold")
    panel.main.set_title(energy, loc="right", fontsize=_SMALL + 0.5)
    if panel.ratio is not None:
        panel.ratio.set_ylabel("Ratio", fontsize=_SMALL)


def draw_legend(figure: Figure, reference: str, generated: Sequence[str], *, note: str = "") -> None:
    """One legend for the whole figure, above its panels."""
    handles: list[Any] = [Line2D([], [], color="black", marker="o", markersize=4, linestyle="none", label=reference)]
    handles += [Line2D([], [], label=name, **style(i)) for i, name in enumerate(generated)]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=min(len(handles), 4),
        fontsize=_SMALL,
        frameon=False,
        title=note or None,
        title_fontsize=_SMALL,
    )


def draw_binned(panel: Panel, reference: Binned, generated: Mapping[str, Binned], *, order: Sequence[str] = ()) -> None:
    """Markers with error bars for the reference, lines with hatched bands for the rest, and their ratio.

    ``order`` names every sample of the figure, so that each keeps its colour where some are missing.
    """
    order = list(order or generated)
    edges = reference.edges
    for name, binned in generated.items():
        look, hatch = style(order.index(name)), HATCHES[order.index(name) % len(HATCHES)]
        panel.main.stairs(
            binned.values + binned.errors,
            edges,
            baseline=np.maximum(binned.values - binned.errors, 0.0),
            fill=True,
            facecolor="none",
            edgecolor=look["color"],
            hatch=hatch,
            linewidth=0.0,
            alpha=0.6,
        )
        panel.main.stairs(binned.values, edges, baseline=None, linewidth=1.3, **look)
    panel.main.errorbar(
        reference.centres, reference.values, reference.errors, fmt="o", color="black", markersize=3, elinewidth=0.9
    )
    panel.main.set_xlim(float(edges[0]), float(edges[-1]))
    if panel.ratio is None:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = reference.errors / reference.values
        ratios = {name: (b.values / reference.values, b.errors / reference.values) for name, b in generated.items()}
    spread = np.where(np.isfinite(spread), spread, 0.0)
    panel.ratio.stairs(1 + spread, edges, baseline=1 - spread, fill=True, color="0.85", linewidth=0.0)
    for k, (name, (ratio, error)) in enumerate(ratios.items()):
        offset = (k - (len(ratios) - 1) / 2) * 0.25 * np.diff(edges)
        draw_ratio(panel.ratio, reference.centres + offset, ratio, error, order.index(name))
    frame_ratio(panel.ratio, np.concatenate([ratio for ratio, _ in ratios.values()]) if ratios else np.ones(1))


def draw_ratio(axes: Axes, x: Floats, ratio: Floats, error: Floats, index: int) -> None:
    """Points of generated over reference; those that are not defined are left out."""
    known = np.isfinite(ratio) & np.isfinite(error)
    axes.errorbar(
        x[known], ratio[known], error[known], fmt="o", color=style(index)["color"], markersize=2.5, elinewidth=0.9
    )


def frame_ratio(axes: Axes, ratios: Floats, *, least: float = 0.1) -> None:
    """A range around 1 that holds most ``ratios``; points beyond it are marked by triangles at its edge."""
    known = ratios[np.isfinite(ratios)]
    reach = float(np.quantile(np.abs(known - 1), 0.8)) if len(known) else least
    half = next((step for step in (0.02, 0.05, 0.1, 0.2, 0.5) if step >= max(1.3 * reach, least)), 0.95)
    axes.axhline(1.0, color="black", linewidth=0.7)
    axes.set_ylim(1 - half, 1 + half)
    axes.yaxis.set_major_locator(MaxNLocator(3, prune="both"))
    for line in list(axes.containers):
        marks = line[0]
        x, y = (np.asarray(values, dtype=float) for values in marks.get_data())
        for beyond, edge, marker in ((y > 1 + half, 1 + 0.9 * half, "^"), (y < 1 - half, 1 - 0.9 * half, "v")):
            if beyond.any():
                axes.plot(
                    x[beyond],
                    np.full(int(beyond.sum()), edge),
                    marker,
                    color=marks.get_color(),
                    markersize=3,
                    linestyle="none",
                )


def distribution(values: NDArray[Any], edges: Floats) -> Binned:
    """Share of the showers in each bin with its error sqrt(n_i) / n; undefined values count in no bin."""
    counts = histogram(values, edges)
    return Binned(edges, counts / len(values), np.sqrt(counts) / len(values))


def good_edges(values: NDArray[Any], *, positive: bool = True) -> Floats:
    """Bin edges for a distribution: the central 99 % of the reference with some room, fewer bins for few showers.

    >>> good_edges(np.linspace(0.0, 1.0, 400))[[0, -1]].round(2).tolist(), len(good_edges(np.zeros(9)))
    ([0.0, 1.09], 11)
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return np.linspace(0.0, 1.0, 11)
    low, high = np.quantile(values, (0.005, 0.995)).tolist()
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - room, high + room
    if positive and values.min() >= 0:
        low = max(low, 0.0)
    return np.linspace(low, high, int(np.clip(np.sqrt(len(values)), 10, 30)) + 1)
