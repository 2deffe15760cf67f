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
        print("| preset | s | over fast | peak memory, GB |\n| --- | --- | --- | --- |")
        first = None
        for preset in ("fast", "note", "full"):
            given = [f"{name}={path}" for name, path in files.items()]
            seconds, peak = run(
                "evaluate", *given, "geometry=atlas_barrel", f"metric={preset}", f"out={folder}/{preset}"
            )
            first = first or seconds
            print(f"| metric={preset} | {seconds:.0f} | {seconds / first:.1f} | {peak:.1f} |", flush=True)


if __name__ == "__main__":
    main()
