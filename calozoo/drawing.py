"""Pictures of a geometry: its cells in space, its layers one by one, and what its alignments move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from numpy.typing import NDArray

from calozoo.geometry import Geometry, Layer
from calozoo.showers import ColumnKind

_EDGES = 1000  # cells above which their borders would hide them


def in_space(geometry: Geometry) -> Figure:
    """All cells at the depths of their layers, seen from the side."""
    figure = Figure(figsize=(8, 5.2))
    axes: Any = figure.add_axes((-0.06, 0, 1.06, 1.04), projection="3d")
    layers, colours = geometry.layers, _colours(len(geometry.layers))
    for layer, colour in zip(layers, colours, strict=True):
        depth = np.full((*layer.outlines.shape[:2], 1), layer.depth)
        cells = Poly3DCollection(
            np.concatenate([depth, layer.outlines], axis=2),
            facecolor=(*colour[:3], 0.45),
            edgecolor=(*(0.6 * np.array(colour[:3])), 0.9),
            lw=0.5 if layer.cells < _EDGES else 0.1,
            label=f"{layer.name}, {layer.cells} cells",
        )
        axes.add_collection3d(cells)
    limits = [(min(values), max(values)) for values in _extent(layers)]
    axes.set(xlim=limits[0], ylim=limits[1], zlim=limits[2], xlabel="depth / mm")
    axes.set(ylabel=_axis(geometry, 0), zlabel=_axis(geometry, 1))
    axes.set_box_aspect((2.2, 1, 1), zoom=1.15)
    axes.view_init(elev=18, azim=-62)
    if len(layers) <= 8:
        figure.legend(loc="upper left", frameon=False, fontsize="small")
    return figure


def by_layer(
    geometry: Geometry, values: NDArray[np.float64] | None = None, label: str = "", titles: Sequence[str] = ()
) -> Figure:
    """Every layer seen along the particle's path; ``values`` (cells,) colour the cells on a common logarithmic scale."""
    layers = geometry.layers
    columns = min(len(layers), 4) if len(layers) <= 8 else math.ceil(math.sqrt(1.5 * len(layers)))
    rows = math.ceil(len(layers) / columns)
    side = 2.6 if len(layers) <= 8 else 1.2
    figure = Figure(figsize=(side * columns + 0.8, (side + 0.3) * rows + 0.2), layout="constrained")
    axes: Any = figure.subplots(rows, columns, squeeze=False).ravel()
    norm = None
    if values is not None and (values > 0).any():
        most = values[values > 0].max()
        norm = LogNorm(max(values[values > 0].min(), most * 1e-6), most, clip=True)
    for k, (layer, part) in enumerate(zip(layers, geometry.slices, strict=True)):
        ax = axes[k]
        face: Any = "#e8eef5"
        if values is not None and norm is not None:
            face = colormaps["viridis"](norm(values[part]))
            face[~(values[part] > 0)] = 1.0
        _cells(ax, layer, facecolor=face, edgecolor="black", lw=0.3 if values is None and layer.cells < _EDGES else 0.0)
        ax.autoscale_view()
        ax.margins(0.02)
        ax.set_title(titles[k] if titles else f"{layer.name}, {layer.cells}", fontsize="small")
        if len(layers) <= 8:
            ax.tick_params(labelsize="x-small")
            ax.locator_params(nbins=4)
        else:
            ax.set(xticks=[], yticks=[])
        if geometry.units[0] == geometry.units[1]:
            ax.set_aspect("equal")
    for ax in axes[len(layers) :]:
        ax.set_visible(False)
    figure.supxlabel(_axis(geometry, 0), fontsize="small")
    figure.supylabel(_axis(geometry, 1), fontsize="small")
    if norm is not None:
        bar = figure.colorbar(ScalarMappable(norm, "viridis"), ax=axes.tolist(), label=label, fraction=0.05)
        bar.ax.tick_params(labelsize="x-small")
    return figure


def alignments(geometry: Geometry) -> dict[str, Figure]:
    """For every alignment column a picture: a row per layer that it moves, a panel per value, over a layer that stays."""
    columns = [column for column in geometry.columns if column.kind is ColumnKind.alignment and column.categories > 1]
    shifts = {column: geometry.shift({column.name: np.arange(column.categories)}) for column in columns}
    moves = {column: np.ptp(shift, axis=0).any(axis=1) for column, shift in shifts.items()}  # (layers,)
    figures = {}
    for column, shift in shifts.items():
        if not moves[column].any() or moves[column].all():
            continue
        moving = np.flatnonzero(moves[column]).tolist()
        # Drawn over a layer that stays, if there is one under every alignment.
        often = sum(moved.astype(int) for moved in moves.values())
        still = min(np.flatnonzero(~moves[column]), key=lambda k: (often[k], -geometry.layers[k].cells))
        figures[column.name] = _alignment(geometry, column.name, shift, moving, int(still))
    return figures


def _alignment(geometry: Geometry, name: str, shift: NDArray[np.float64], moving: list[int], still: int) -> Figure:
    values = len(shift)
    figure = Figure(figsize=(2.5 * values + 0.6, 2.6 * len(moving) + 0.7), layout="constrained")
    grid: Any = figure.subplots(len(moving), values, squeeze=False, sharex=True, sharey=True)
    fixed = geometry.layers[still]
    impact = int(np.argmin(np.hypot(fixed.x, fixed.y)))
    colours = _colours(len(geometry.layers))
    for k, row in zip(moving, grid, strict=True):
        layer, colour = geometry.layers[k], colours[k]
        for value, ax in enumerate(row):
            _cells(ax, fixed, facecolor="#f2f2f2", edgecolor="#9a9a9a", lw=0.5)
            _cells(
                ax, layer, shift[value, k], facecolor=(*colour[:3], 0.25), edgecolor=0.7 * np.array(colour[:3]), lw=1.0
            )
            ax.add_collection(PolyCollection([fixed.outlines[impact]], facecolor="#d62728", alpha=0.8, zorder=3))
            ax.autoscale_view()
            ax.margins(0.04)
            ax.tick_params(labelsize="x-small")
            ax.locator_params(nbins=4)
            ax.set_title(f"{layer.name}, {name} = {value}", fontsize="small")
    figure.supxlabel(f"{_axis(geometry, 0)}     (red: impact cell, grey: {fixed.name} cells)", fontsize="small")
    figure.supylabel(_axis(geometry, 1), fontsize="small")
    return figure


def _cells(axes: Any, layer: Layer, shift: Any = (0.0, 0.0), **style: Any) -> None:
    axes.add_collection(PolyCollection(layer.outlines + np.asarray(shift), **style))


def _axis(geometry: Geometry, axis: int) -> str:
    unit = geometry.units[axis]
    return f"{geometry.axes[axis]} from the impact" + (f" / {unit}" if unit else "")


def _extent(layers: tuple[Layer, ...]) -> list[list[float]]:
    """Least and largest depth and transverse coordinates."""
    low, high = (np.array([function(layer.outlines, axis=(0, 1)) for layer in layers]) for function in (np.min, np.max))
    depths = [layer.depth for layer in layers]
    return [depths, [*low[:, 0], *high[:, 0]], [*low[:, 1], *high[:, 1]]]


def _colours(n: int) -> list[Any]:
    return list(colormaps["turbo"](np.linspace(0.08, 0.9, n)))
