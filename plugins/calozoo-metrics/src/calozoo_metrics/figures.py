"""The figures of the note and the poster, for any geometry, any energies and several samples at once.

Each function returns figures by title. ``generated`` maps labels to samples, ``energies`` (MeV) chooses the energies,
or those nearest to them, that are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calozoo import DataError, Geometry, Showers
from calozoo_metrics import drawing, observables
from calozoo_metrics.drawing import Binned, Panel
from calozoo_metrics.energies import View, views
from calozoo_metrics.fits import fit_resolution, resolutions
from calozoo_metrics.statistics import Estimate

Floats = NDArray[np.float64]
Samples = Mapping[str, Showers]
REFERENCE = "reference"  # Geant4 in the note; a user's may be another simulation
_SHARE = "Fraction of showers"


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:].replace("_", " ")


def _axis(geometry: Geometry, axis: int, *, what: str = "") -> str:
    """Label of a transverse coordinate, such as 'Δφ [rad]'."""
    name, unit = geometry.axes[axis], geometry.units[axis]
    symbol = {"eta": "η", "phi": "φ"}.get(name, name)
    return (f"{what} Δ{symbol}".strip()) + (f" [{unit}]" if unit else "")


def _unit(values: NDArray[Any]) -> tuple[float, str]:
    """Divisor and name of the unit in which energies (MeV) are best read."""
    known = values[np.isfinite(values)]
    return (1000.0, "GeV") if len(known) and np.quantile(known, 0.99) >= 2000 else (1.0, "MeV")


def _grid(count: int) -> tuple[int, int]:
    columns = min(count, 2) if count != 3 else 3
    return -(-count // columns), columns


def _size(rows: int, columns: int) -> tuple[float, float]:
    return {1: 4.6, 2: 7.0, 3: 9.0}[columns], 0.35 + {1: 3.6, 2: 2.9, 3: 3.0}[columns] * rows


# ---- distributions ---------------------------------------------------------------------------------------------------


def draw_distribution(
    panel: Panel, view: View, observe: Callable[[Showers], Floats], order: Sequence[str], *, positive: bool = True
) -> None:
    """The distribution of an observable (n,) in the reference and every sample."""
    values = observe(view.reference)
    edges = drawing.good_edges(values, positive=positive)
    samples = {name: drawing.distribution(observe(showers), edges) for name, showers in view.generated.items()}
    drawing.draw_binned(panel, drawing.distribution(values, edges), samples, order=order)
    panel.main.set_ylim(bottom=0.0)


def by_energy(
    found: Sequence[View],
    order: Sequence[str],
    observe: Callable[[Showers], Floats],
    label: Callable[[View], tuple[Callable[[Showers], Floats], str]] | str,
    title: str,
) -> Figure:
    """Distributions of one observable, a panel for each energy."""
    rows, columns = _grid(len(found))
    figure, made = drawing.panels(rows, columns, size=_size(rows, columns))
    for panel in made[len(found) :]:
        _remove(panel)
    for panel, view in zip(made, found, strict=False):
        own, text = (observe, label) if isinstance(label, str) else label(view)
        draw_distribution(panel, view, own, order)
        drawing.name_axes(panel, text, _SHARE, title=title, energy=view.group.label)
    drawing.draw_legend(figure, REFERENCE, order)
    return figure


def _remove(panel: Panel) -> None:
    for axes in (panel.main, panel.ratio):
        if axes is not None:
            axes.remove()


def layer_energies(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float]
) -> dict[str, Figure]:
    """Energy in each layer (figure 7), a figure for each energy."""
    made = {}
    for view in views(reference, generated, geometry, energies):
        rows, columns = _grid(len(geometry.layers))
        figure, panels = drawing.panels(rows, columns, size=_size(rows, columns))
        for panel in panels[len(geometry.layers) :]:
            _remove(panel)
        for i, (panel, layer) in enumerate(zip(panels, geometry.layers, strict=False)):
            scale, unit = _unit(observables.layer_energies(view.reference, geometry)[:, i])

            def observe(showers: Showers, i: int = i, scale: float = scale) -> Floats:
                return observables.layer_energies(showers, geometry)[:, i] / scale

            draw_distribution(panel, view, observe, list(generated))
            drawing.name_axes(panel, f"Energy [{unit}]", _SHARE, title=_capital(layer.name), energy=view.group.label)
        drawing.draw_legend(figure, REFERENCE, list(generated))
        made[f"Layer energies at {view.group.label}"] = figure
    return made


def total_energies(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float]
) -> dict[str, Figure]:
    """Total energy (figure 9), a panel for each energy."""

    def label(view: View) -> tuple[Callable[[Showers], Floats], str]:
        scale, unit = _unit(view.reference.total)
        return (lambda showers: showers.total / scale), f"Total energy [{unit}]"

    found = views(reference, generated, geometry, energies)
    return {"Total energy": by_energy(found, list(generated), observables.total_energy, label, "Total energy")}


def shower_depths(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float]
) -> dict[str, Figure]:
    """Longitudinal shower centre (figure 8), a panel for each energy."""
    found = views(reference, generated, geometry, energies)

    def observe(showers: Showers) -> Floats:
        return observables.shower_depth(showers, geometry)

    return {"Shower depth": by_energy(found, list(generated), observe, "Shower depth [mm]", "Shower depth")}


def sparsities(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float], *, threshold: float = 1.0
) -> dict[str, Figure]:
    """Share of the cells above ``threshold`` (MeV), a panel for each energy."""
    found = views(reference, generated, geometry, energies)

    def observe(showers: Showers) -> Floats:
        return observables.sparsity(showers, threshold)

    label = f"Fraction of cells ≥ {threshold:g} MeV"
    return {"Active cells": by_energy(found, list(generated), observe, label, "Active cells")}


def lateral_moments(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float], *, aligned: bool = True
) -> dict[str, Figure]:
    """Energy-weighted mean and width in the layer with most energy along each axis (figures 13 and 14)."""
    made = {}
    for view in views(reference, generated, geometry, energies):
        layer = int(np.argmax(observables.layer_energies(view.reference, geometry).mean(axis=0)))
        figure, panels = drawing.panels(2, 2, size=_size(2, 2))
        for k, panel in enumerate(panels):
            axis, moment = divmod(k, 2)

            def observe(showers: Showers, axis: int = axis, moment: int = moment) -> Floats:
                return observables.lateral_mean_and_width(showers, geometry, layer, axis, aligned=aligned)[moment]  # noqa: B023

            draw_distribution(panel, view, observe, list(generated), positive=moment == 1)
            what = ("Mean", "Width of")[moment]
            title = _capital(geometry.layers[layer].name)
            drawing.name_axes(panel, _axis(geometry, axis, what=what), _SHARE, title=title, energy=view.group.label)
        drawing.draw_legend(figure, REFERENCE, list(generated))
        made[f"Lateral mean and width at {view.group.label}"] = figure
    return made


def weighted_distances(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float], *, aligned: bool = True
) -> dict[str, Figure]:
    """Energy-weighted distance of the cells from the particle (as in figure 3b), a panel for each layer."""
    made = {}
    for view in views(reference, generated, geometry, energies):
        rows, columns = _grid(len(geometry.layers))
        figure, panels = drawing.panels(rows, columns, size=_size(rows, columns))
        for i, (panel, layer) in enumerate(zip(panels, geometry.layers, strict=False)):

            def observe(showers: Showers, i: int = i) -> Floats:
                return observables.weighted_distance(showers, geometry, i, aligned=aligned)

            draw_distribution(panel, view, observe, list(generated), positive=True)
            unit = geometry.units[0] or geometry.units[1]
            label = f"Weighted distance{f' [{unit}]' if len(set(geometry.units)) == 1 and unit else ''}"
            drawing.name_axes(panel, label, _SHARE, title=_capital(layer.name), energy=view.group.label)
        for panel in panels[len(geometry.layers) :]:
            _remove(panel)
        drawing.draw_legend(figure, REFERENCE, list(generated))
        made[f"Energy-weighted distance at {view.group.label}"] = figure
    return made


# ---- averages --------------------------------------------------------------------------------------------------------


def lateral_profiles(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float], *, aligned: bool = True
) -> dict[str, Figure]:
    """Average energy against the distance along each axis (figures 11 and 12), a panel for each layer."""
    made = {}
    for view in views(reference, generated, geometry, energies):
        for axis, name in enumerate(geometry.axes):
            rows, columns = _grid(len(geometry.layers))
            figure, panels = drawing.panels(rows, columns, size=_size(rows, columns))
            for panel in panels[len(geometry.layers) :]:
                _remove(panel)
            for i, (panel, layer) in enumerate(zip(panels, geometry.layers, strict=False)):
                edges = observables.profile_edges(layer, axis)

                def profile(showers: Showers, i: int = i, axis: int = axis, edges: Floats = edges) -> Binned:
                    return Binned(edges, *observables.average_profile(showers, geometry, i, axis, aligned=aligned))

                own = profile(view.reference)
                samples = {label: profile(showers) for label, showers in view.generated.items()}
                drawing.draw_binned(panel, own, samples, order=list(generated))
                _log_scale(panel, [own, *samples.values()])
                drawing.name_axes(
                    panel,
                    _axis(geometry, axis),
                    "Mean energy [MeV]",
                    title=_capital(layer.name),
                    energy=view.group.label,
                )
            drawing.draw_legend(figure, REFERENCE, list(generated))
            made[f"Average profile in {name} at {view.group.label}"] = figure
    return made


def cell_spectra(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float], *, threshold: float = 1.0
) -> dict[str, Figure]:
    """Cells per shower against the cell's energy above ``threshold`` (MeV), a panel for each energy."""
    found = views(reference, generated, geometry, energies)
    rows, columns = _grid(len(found))
    figure, panels = drawing.panels(rows, columns, size=_size(rows, columns))
    for panel in panels[len(found) :]:
        _remove(panel)
    for panel, view in zip(panels, found, strict=False):
        edges = np.geomspace(threshold, max(float(view.reference.energies.max()), 10 * threshold), 31)
        own, *samples = (
            Binned(edges, *observables.mean_and_error(observables.cell_spectrum(showers, edges)))
            for showers in (view.reference, *view.generated.values())
        )
        by_name = dict(zip(view.generated, samples, strict=True))
        drawing.draw_binned(panel, own, by_name, order=list(generated))
        panel.main.set_xscale("log")
        _log_scale(panel, [own, *samples])
        drawing.name_axes(panel, "Cell energy [MeV]", "Cells per shower", title="Cells", energy=view.group.label)
    drawing.draw_legend(figure, REFERENCE, list(generated))
    return {"Cell spectrum": figure}


def _log_scale(panel: Panel, binned: Sequence[Binned]) -> None:
    values = np.concatenate([b.values for b in binned])
    if not (values > 0).any():
        return
    lowest, highest = float(values[values > 0].min()), float(values.max())
    panel.main.set_yscale("log")
    panel.main.set_ylim(max(lowest / 3, highest * 1e-6), highest * 4)


# ---- against the incident energy -------------------------------------------------------------------------------------


def _offsets(count: int) -> list[float]:
    """Factors that set the samples' markers apart on a logarithmic axis."""
    return [float(1.05 ** (k - (count - 1) / 2)) for k in range(count)]


def _against_energy(
    panel: Panel,
    found: Sequence[View],
    order: Sequence[str],
    measure: Callable[[Showers], tuple[float, float, float]],
    *,
    least: float = 0.02,
) -> None:
    """A number against the incident energy; ``measure`` gives the value, its error, and the bar to draw."""
    own = np.array([measure(view.reference) for view in found])
    x = np.array([view.group.energy for view in found]) / 1000
    panel.main.errorbar(
        x, own[:, 0], own[:, 2], fmt="o", color="black", markersize=4, elinewidth=1, capsize=2, zorder=3
    )
    ratios = []
    for k, (name, factor) in enumerate(zip(order, _offsets(len(order)), strict=True)):
        has = np.array([name in view.generated for view in found])
        if not has.any():
            continue
        other = np.array([measure(view.generated[name]) for view in found if name in view.generated])
        look = drawing.style(k)
        panel.main.errorbar(
            factor * x[has],
            other[:, 0],
            other[:, 2],
            marker="s",
            markersize=3,
            elinewidth=1,
            capsize=2,
            linewidth=0.9,
            **look,
        )
        if panel.ratio is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = other[:, 0] / own[has, 0]
                error = np.hypot(other[:, 1], ratio * own[has, 1]) / own[has, 0]
            drawing.draw_ratio(panel.ratio, factor * x[has], ratio, error, k)
            ratios.append(ratio)
    panel.main.set_xscale("log")
    if panel.ratio is not None:
        drawing.frame_ratio(panel.ratio, np.concatenate(ratios), least=least)


def response(reference: Showers, generated: Samples, geometry: Geometry) -> dict[str, Figure]:
    """Energy response against the true energy (figures 6 and 10); bars are the resolution, in the ratio errors."""
    found = views(reference, generated, geometry)

    def measure(showers: Showers) -> tuple[float, float, float]:
        values = observables.response(showers)
        deviation = float(values.std(ddof=1))
        return float(values.mean()), deviation / float(np.sqrt(len(values))), deviation

    figure, (panel,) = drawing.panels(1, 1, size=(6.2, 4.6))
    _against_energy(panel, found, list(generated), measure)
    drawing.name_axes(panel, "True energy [GeV]", "Total energy / true energy", title="Energy response")
    drawing.draw_legend(figure, REFERENCE, list(generated), note="bars: resolution; in the ratio: statistical errors")
    return {"Energy response": figure}


def resolution(reference: Showers, generated: Samples, geometry: Geometry) -> dict[str, Figure]:
    """Resolution against the true energy with fits a / sqrt(E) (+) c where there are three energies (the poster's)."""
    found = views(reference, generated, geometry)
    energies = np.array([view.group.energy for view in found])
    known: dict[int, Estimate] = {}

    def measure(showers: Showers) -> tuple[float, float, float]:
        if id(showers) not in known:
            known[id(showers)] = resolutions(observables.response(showers), rounds=30)[0]
        value, error = known[id(showers)]
        return value, error, error

    figure, (panel,) = drawing.panels(1, 1, size=(6.2, 4.6))
    _against_energy(panel, found, list(generated), measure, least=0.1)
    dense = np.geomspace(energies[0], energies[-1], 100)
    for k, name in enumerate((REFERENCE, *generated)):
        points = [
            (view.group.energy, *measure(view.reference if k == 0 else view.generated[name])[:2])
            for view in found
            if k == 0 or name in view.generated
        ]
        if len(points) >= 3:
            try:
                fit = fit_resolution(*np.array(points).T)
            except DataError:  # does not fall with energy: points without a line
                continue
            look: dict[str, Any] = {"color": "black", "linestyle": "-"} if k == 0 else drawing.style(k - 1)
            panel.main.plot(dense / 1000, fit(dense), linewidth=1.0, alpha=0.7, label=f"{name}: {fit}", **look)
    panel.main.set_ylim(bottom=0.0)
    if panel.main.get_legend_handles_labels()[1]:
        panel.main.legend(fontsize=8, frameon=False, title="Fits, E in GeV", title_fontsize=8)
    drawing.name_axes(panel, "True energy [GeV]", "σ(E) / E (central 68 %)", title="Energy resolution")
    drawing.draw_legend(figure, REFERENCE, list(generated))
    return {"Energy resolution": figure}


def layer_fractions(reference: Showers, generated: Samples, geometry: Geometry) -> dict[str, Figure]:
    """Mean share of the true energy in each layer against the true energy, a panel for each layer."""
    found = views(reference, generated, geometry)
    rows, columns = _grid(len(geometry.layers))
    figure, panels = drawing.panels(rows, columns, size=_size(rows, columns))
    for panel in panels[len(geometry.layers) :]:
        _remove(panel)
    for i, (panel, layer) in enumerate(zip(panels, geometry.layers, strict=False)):

        def measure(showers: Showers, i: int = i) -> tuple[float, float, float]:
            mean, error = observables.mean_and_error(100 * observables.fractions_of_incident(showers, geometry)[:, i])
            return float(mean), float(error), float(error)

        _against_energy(panel, found, list(generated), measure, least=0.05)
        panel.main.set_ylim(bottom=0.0)
        drawing.name_axes(panel, "True energy [GeV]", "Share of true energy [%]", title=_capital(layer.name))
    drawing.draw_legend(figure, REFERENCE, list(generated))
    return {"Layer fractions": figure}


# ---- images ----------------------------------------------------------------------------------------------------------


def _draw_images(figure: Figure, geometry: Geometry, images: Sequence[tuple[str, Floats]]) -> None:
    """A row of layers for each labelled image (cells,), every layer with one logarithmic colour scale, MeV."""
    grid = figure.subplots(len(images), len(geometry.layers), squeeze=False)
    for column, (layer, inside) in enumerate(zip(geometry.layers, geometry.slices, strict=True)):
        stacked = np.stack([image[inside] for _, image in images])
        highest = float(stacked.max()) or 1.0
        positive = stacked[stacked > 0]
        lowest = float(positive.min()) if len(positive) else highest / 10
        norm = LogNorm(max(lowest, highest * 1e-4) if lowest < highest else highest / 10, highest)
        for row, (name, image) in enumerate(images):
            axes = grid[row, column]
            axes.set_facecolor("white")
            cells = PolyCollection(list(layer.outlines), norm=norm, cmap="viridis", edgecolors="0.8", linewidths=0.15)
            # Cells without energy stay white rather than taking the lowest colour.
            cells.set_array(np.ma.masked_less_equal(image[inside], 0.0))
            axes.add_collection(cells)
            corners = layer.outlines.reshape(-1, 2)
            axes.set_xlim(corners[:, 0].min(), corners[:, 0].max())
            axes.set_ylim(corners[:, 1].min(), corners[:, 1].max())
            axes.tick_params(labelsize=7, labelleft=column == 0, labelbottom=row == len(images) - 1)
            if row == 0:
                axes.set_title(_capital(layer.name), fontsize=9)
            if row == len(images) - 1:
                axes.set_xlabel(_axis(geometry, 0), fontsize=8)
            if column == 0:
                axes.set_ylabel(f"{name}\n{_axis(geometry, 1)}", fontsize=8)
        bar = figure.colorbar(cells, ax=list(grid[:, column]), location="bottom", shrink=0.95, aspect=15, pad=0.01)
        bar.set_label("E [MeV]", fontsize=8)
        bar.ax.tick_params(labelsize=7)


def _image_size(rows: int, columns: int) -> tuple[float, float]:
    return max(4.0, 1.85 * columns), 1.0 + 1.65 * rows


def average_images(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float]
) -> dict[str, Figure]:
    """Average energy of every cell, a row for each sample and a column for each layer."""
    made = {}
    for view in views(reference, generated, geometry, energies):
        samples = {REFERENCE: view.reference, **view.generated}
        figure = Figure(figsize=_image_size(len(samples), len(geometry.layers)), layout="constrained")
        _draw_images(figure, geometry, [(name, observables.mean_image(s)[0]) for name, s in samples.items()])
        figure.suptitle(f"Average shower, {view.group.label}", fontsize=10)
        made[f"Average image at {view.group.label}"] = figure
    return made


def single_showers(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float], *, count: int = 1
) -> dict[str, Figure]:
    """The first ``count`` showers of every sample as images."""
    made: dict[str, Figure] = {}
    for view in views(reference, generated, geometry, energies) if count > 0 else []:
        samples = {REFERENCE: view.reference, **view.generated}
        rows = [
            (name, s.energies[k].astype(np.float64)) for name, s in samples.items() for k in range(min(count, len(s)))
        ]
        figure = Figure(figsize=_image_size(len(rows), len(geometry.layers)), layout="constrained")
        _draw_images(figure, geometry, rows)
        figure.suptitle(f"Single showers, {view.group.label}", fontsize=10)
        made[f"Single showers at {view.group.label}"] = figure
    return made


def _matrices(matrices: Mapping[str, Floats], geometry: Geometry, *, numbers: bool, title: str) -> Figure:
    """Correlation matrices side by side; their rows and columns are layers, or cells with the layers' borders."""
    columns = min(len(matrices), 3)
    rows = -(-len(matrices) // columns)
    figure = Figure(figsize=(max(4.5, 3.2 * columns), 0.9 + 2.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    names = [_capital(layer.name) for layer in geometry.layers]
    middles = list(range(len(names))) if numbers else [(s.start + s.stop - 1) / 2 for s in geometry.slices]
    for axes in grid[len(matrices) :]:
        axes.remove()
    for k, (axes, (name, matrix)) in enumerate(zip(grid, matrices.items(), strict=False)):
        image = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest")
        axes.set_title(name, fontsize=9)
        axes.set_xticks(middles, names, fontsize=7, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(middles, names if k % columns == 0 else [""] * len(names), fontsize=7)
        if numbers and len(names) <= 8:
            for (i, j), value in np.ndenumerate(matrix):
                colour = "white" if abs(value) > 0.6 else "black"
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        if not numbers:
            for inside in geometry.slices[1:]:
                axes.axhline(inside.start - 0.5, color="black", linewidth=0.4)
                axes.axvline(inside.start - 0.5, color="black", linewidth=0.4)
    bar = figure.colorbar(image, ax=list(grid[: len(matrices)]), shrink=0.8, aspect=20)
    bar.set_label("Correlation", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=10)
    return figure


def cell_correlations(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float]
) -> dict[str, Figure]:
    """Correlation matrices of all cells, for the reference and every sample."""
    made = {}
    for view in views(reference, generated, geometry, energies):
        samples = {REFERENCE: view.reference, **view.generated}
        matrices = {n: observables.correlation(observables.cell_covariance(s)) for n, s in samples.items()}
        title = f"Correlation of cells, {view.group.label}"
        made[f"Cell correlations at {view.group.label}"] = _matrices(matrices, geometry, numbers=False, title=title)
    return made


def layer_correlations(
    reference: Showers, generated: Samples, geometry: Geometry, energies: Sequence[float]
) -> dict[str, Figure]:
    """Correlation matrices of the layers' energies, for the reference and every sample."""
    made = {}
    for view in views(reference, generated, geometry, energies):
        samples = {REFERENCE: view.reference, **view.generated}
        matrices = {name: observables.layer_correlation(s, geometry) for name, s in samples.items()}
        title = f"Correlation of layer energies, {view.group.label}"
        made[f"Layer correlations at {view.group.label}"] = _matrices(matrices, geometry, numbers=True, title=title)
    return made
