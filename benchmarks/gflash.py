"""Prints how long gflash takes for barrel showers, beside reading them from a file: python benchmarks/gflash.py [n]."""

import os
import platform
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from omegaconf import OmegaConf

from calozoo import Rows, Split, open_showers, write_showers
from calozoo.config import CalozooSource, create

BLOCK = 10_000


def seconds(rows: Rows) -> float:
    """How long it takes to go through all rows, block by block."""
    begin = perf_counter()
    for start in range(0, len(rows), BLOCK):
        rows.rows(slice(start, min(start + BLOCK, len(rows))))
    return perf_counter() - begin


def main(n: int) -> None:
    """Print seconds, microseconds per shower and the ratio."""
    geometry = create("geometry", {"name": "atlas_barrel"})
    preset = CalozooSource("benchmark", "calozoo://run").load_config("data/gflash_atlas").config
    options = {key: value for key, value in OmegaConf.to_container(preset).items() if key != "defaults"}
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


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
