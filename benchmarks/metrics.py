"""Prints how long metric presets take on 10,000 against 10,000 showers, and the memory: python benchmarks/metrics.py.

The showers are gflash's in the barrel at nine energies; each preset runs in a process of its own.
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

N = 10_000
COMMAND = (
    "import resource, sys; from calozoo.cli import main; main(); "
    "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)
SCORES = """
import sys, time
import hydra
from calozoo import open_showers
from calozoo.config import create, set_up_hydra
from calozoo.data import everything
from calozoo.evaluation import evaluate
from calozoo.hooks import Observers
preset, *paths = sys.argv[1:]
set_up_hydra("evaluate")
with hydra.initialize(version_base="1.3", config_path=None):
    config = hydra.compose("evaluate", ["geometry=atlas_barrel", f"metric={preset}"])
geometry = create("geometry", config.geometry)
metrics = {name: create("metric", node, geometry) for name, node in config.metric.items()}
samples = [everything(open_showers(path, geometry)) for path in paths]
begin = time.perf_counter()
evaluate(metrics, *samples, threshold=1.0, hooks=Observers([]))
print(time.perf_counter() - begin)
"""
ENERGIES = [1024 * 2**k for k in range(9)]


def run(*arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in GB of a calozoo command."""
    begin = perf_counter()
    done = subprocess.run([sys.executable, "-c", COMMAND, *arguments], check=True, capture_output=True, text=True)
    return perf_counter() - begin, int(done.stdout.rpartition("peak")[2]) / 1024**2


def main() -> None:
    """Print one row for each preset, all with the same two files."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, seed in (("reference", 1), ("generated", 2)):
            files[name] = Path(folder) / f"{name}.h5"
            run(
                "data", "convert", "data=gflash_atlas", f"data.n={N}", f"data.seed={seed}", f"data.energies={ENERGIES}",
                "geometry=atlas_barrel", f"out={files[name]}",
            )  # fmt: skip
        cores, machine = os.cpu_count(), platform.machine()
        print(f"{N} against {N} barrel showers, {cores} cores, {machine}, Python {platform.python_version()}")
        print("| preset | scores, s | over fast | with report, s | peak memory, GB |\n| --- | --- | --- | --- | --- |")
        first = None
        for preset in ("fast", "note", "full"):
            given = [f"{name}={path}" for name, path in files.items()]
            seconds, peak = run(
                "evaluate", *given, "geometry=atlas_barrel", f"metric={preset}", f"out={folder}/{preset}"
            )
            command = [sys.executable, "-c", SCORES, preset, *map(str, files.values())]
            scores = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            first = first or scores
            print(f"| metric={preset} | {scores:.1f} | {scores / first:.1f} | {seconds:.0f} | {peak:.1f} |", flush=True)


if __name__ == "__main__":
    main()
