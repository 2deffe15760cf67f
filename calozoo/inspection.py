"""Looks into shower files, and turns what any data source gives into one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from calozoo import h5files
from calozoo.config import create
from calozoo.data import DataSource, Rows, block_size, everything, some
from calozoo.errors import DataError
from calozoo.files import replacing
from calozoo.geometry import Geometry
from calozoo.h5files import Unit
from calozoo.options import Split
from calozoo.shower_file import ShowerFile, write_showers
from calozoo.showers import Showers

_SEEN = 20_000  # showers that the summary is made from at most, drawn evenly
#: Options of a source that make its training split all rows, in their order.
WHOLE = {"split": {"train": 1.0, "validation": 0.0}}


def inspect(path: Path, geometry: Geometry | None, unit: Unit | None, picture: Path, data: Any) -> int:
    """Print what is in a file of showers and what is wrong with it; return how many problems there are.

    With a ``geometry``, layer fractions are told and the mean shower is drawn into ``picture``. ``data`` is the
    configuration of the source that reads the file, where it is no shower file.
    """
    console = Console(highlight=False)
    _contents(console, path)
    rows: Rows | None = None
    try:
        if data is None:
            rows = file = ShowerFile(path, geometry, unit, refuse=False)
            problems = file.problems
        else:
            given = {"path": str(path)} if unit is None else {"path": str(path), "unit": unit.name}
            source: DataSource = create("data", {**data, **given, **WHOLE}, geometry)
            rows, problems = source.open(Split.train), ()
    except DataError as error:
        problems = error.problems
    for problem in problems:
        console.print(f"[red]wrong:[/] {escape(problem)}", soft_wrap=True)
    if rows is None and data is None:
        console.print("A file in another layout: calozoo data inspect FILE data=NAME geometry=NAME")
    if rows is None or problems:
        return len(problems)
    cells = rows.rows(slice(0, 1)).energies.shape[1]
    showers = everything(some(rows, min(_SEEN, 4 * block_size(cells))))
    _energies(console, showers, geometry)
    for name, values in showers.conditions.items():
        console.print(f"condition {name}: {values.min():.6g} to {values.max():.6g}")
    odd = [*_odd(showers, geometry), *(_unused(path, file) if data is None else ())]
    for remark in odd:
        console.print(f"[yellow]odd:[/] {escape(remark)}", soft_wrap=True)
    if geometry is not None:
        from calozoo import drawing

        mean = showers.energies.mean(axis=0, dtype=np.float64)
        with replacing(picture) as temporary:
            drawing.by_layer(geometry, mean, "mean energy / MeV").savefig(temporary, format="png", dpi=110)
        console.print(f"picture of the mean shower: {picture}")
    console.print("nothing is wrong with it" if not odd else "nothing is wrong with its form")
    return 0


def _odd(showers: Showers, geometry: Geometry | None) -> Iterator[str]:
    """What can be read and is hardly meant."""
    empty = float(np.mean(showers.total == 0))
    if empty > 0.5:
        yield f"{100 * empty:.0f} % of the showers hold no energy"
    response = float(np.median(showers.total / showers.incident_energies))
    if response > 1.5 or 0 < response < 0.02:
        yield f"the showers hold {response:.3g} times their incident energy"
    for column in geometry.columns if geometry else ():
        values = showers.conditions.get(column.name)
        if values is None:
            continue
        low, high = (0, column.categories - 1) if column.categories else (column.low, column.high)
        margin = 1e-3 * (high - low) if np.isfinite(high - low) else 0.0
        if values.min() < low - margin or values.max() > high + margin:
            yield (
                f"condition {column.name} goes from {values.min():.6g} to {values.max():.6g}, and the geometry has it "
                f"from {low:.6g} to {high:.6g}"
            )


def _unused(path: Path, file: ShowerFile) -> Iterator[str]:
    """Datasets of a shower file that are neither showers nor conditions."""
    with h5files.opened(path) as opened:
        for name in h5files.datasets(opened):
            if name not in (*file.columns, "showers", "incident_energies"):
                yield f"dataset '{name}' is not read: it is no number for each of {len(file)} showers"


def _contents(console: Console, path: Path) -> None:
    table = Table("dataset", "shape", "type", box=None, pad_edge=False, header_style="bold")
    with h5files.opened(path) as file:
        for name, item in h5files.datasets(file).items():
            table.add_row(escape(name), str(item.shape), str(item.dtype))
        others = sorted(set(file) - set(h5files.datasets(file)))
        attributes = {name: str(value) for name, value in file.attrs.items()}
    console.print(table)
    if others:
        console.print(f"groups and links, which are not read: {escape(', '.join(others))}")
    for name, text in attributes.items():
        console.print(f"attribute {escape(name)}: {escape(text)}", soft_wrap=True)


def _energies(console: Console, showers: Showers, geometry: Geometry | None) -> None:
    names = [layer.name for layer in geometry.layers] if geometry else []
    heads = ["incident energy / MeV", "showers", "response", "cells with energy, %", *(f"{n}, %" for n in names)]
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    energies = np.unique(showers.incident_energies)
    edges = energies if len(energies) <= 16 else np.geomspace(energies[0], energies[-1] * 1.0001, 9)
    for k, low in enumerate(edges if len(energies) <= 16 else edges[:-1]):
        incident = showers.incident_energies
        here = incident == low if len(energies) <= 16 else (incident >= low) & (incident < edges[k + 1])
        if not here.any():
            continue
        part = showers[here]
        layers = [
            part.energies[:, s].sum(axis=1) / part.incident_energies for s in (geometry.slices if geometry else ())
        ]
        table.add_row(
            f"{low:.6g}" if len(energies) <= 16 else f"{low:.4g} to {edges[k + 1]:.4g}",
            str(len(part)),
            f"{np.mean(part.total / part.incident_energies):.4f}",
            f"{100 * np.mean(part.energies > 0):.1f}",
            *(f"{100 * fraction.mean():.2f}" for fraction in layers),
        )
    console.print(table)


def convert(rows: Rows, geometry: Geometry, path: Path, conditions: bool) -> int:
    """Write all ``rows`` into a shower file, with their condition columns or, as CaloChallenge has it, without."""

    def blocks() -> Iterator[Showers]:
        for start in range(0, len(rows), block_size(geometry.cells)):
            showers = rows.rows(slice(start, min(start + block_size(geometry.cells), len(rows))))
            yield showers if conditions else Showers(showers.energies, showers.incident_energies)

    return write_showers(path, geometry, blocks())
