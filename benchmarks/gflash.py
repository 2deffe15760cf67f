"""Prints how long gflash takes for barrel showers, beside reading them from a file, and how it compares with Geant4.

python benchmarks/gflash.py [n]
"""

import os
import platform
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from calozoo import Geometry, Rows, Split, open_showers, write_showers
from calozoo.config import CalozooSource, create

BLOCK = 10_000


def seconds(rows: Rows) -> float:
    """How long it takes to go through all rows, block by block."""
    begin = perf_counter()
    for start in range(0, len(rows), BLOCK):
        rows.rows(slice(start, min(start + BLOCK, len(rows))))
    return perf_counter() - begin


def speed(n: int, geometry: Geometry, options: dict[str, Any]) -> None:
    """Print seconds, microseconds per shower and the ratio."""
    drawn = create("data", {"name": "gflash", "n": n, **options}, geometry).open(Split.train)
    taken = seconds(drawn)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "showers.h5"
        write_showers(path, geometry, (drawn.rows(slice(i, i + BLOCK)) for i in range(0, n, BLOCK)))
        read = seconds(open_showers(path, geometry))
    energies = np.unique(drawn.rows(slice(0, 1000)).incident_energies)
    print(f"{n} barrel showers of {energies[0]:.0f} to {energies[-1]:.0f} MeV on one of {os.cpu_count()} cores, "
          f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")  # fmt: skip
    print("| rows | s | us per shower | ratio |\n| --- | --- | --- | --- |")
    for name, time in (("data=gflash_atlas", taken), ("the same from a gzip file", read)):
        print(f"| {name} | {time:.1f} | {time / n * 1e6:.0f} | {time / read:.1f} |")


def physics(geometry: Geometry, options: dict[str, Any], n: int = 5000) -> None:
    """Print mean layer fractions, %, and the resolution times the root of the energy, %, beside held-out Geant4."""
    test = create("data", {"name": "geant4_photons"}, geometry).open(Split.test)
    geant4 = test.rows(slice(0, len(test)))
    names = " | ".join(layer.name for layer in geometry.layers)
    print(f"\n| E / GeV | | {names} | sum | resolution | cells above 1 MeV |" + "\n|" + " --- |" * 9)
    for energy in (1024.0, 16384.0, 65536.0, 262144.0):
        source = create("data", {"name": "gflash", "n": n, **options, "energies": [energy]}, geometry)
        drawn = source.open(Split.train).rows(slice(0, n))
        for name, showers in (("Geant4", geant4[geant4.incident_energies == energy]), ("gflash_atlas", drawn)):
            fractions = [100 * showers.energies[:, cells].sum(axis=1).mean() / energy for cells in geometry.slices]
            low, middle, high = np.quantile(showers.total / energy, [0.1587, 0.5, 0.8413])
            width = 100 * (high - low) / 2 / middle * np.sqrt(energy / 1000)
            shown = " | ".join(f"{value:.2f}" for value in (*fractions, sum(fractions)))
            print(
                f"| {energy / 1000:.0f} | {name} | {shown} | {width:.1f} | {100 * (showers.energies > 1).mean():.0f} |"
            )


def main(n: int) -> None:
    """Print both tables."""
    geometry = create("geometry", {"name": "atlas_barrel"})
    preset = CalozooSource("benchmark", "calozoo://run").load_config("data/gflash_atlas").config
    options = {key: value for key, value in OmegaConf.to_container(preset).items() if key != "defaults"}
    speed(n, geometry, options)
    physics(geometry, options)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
