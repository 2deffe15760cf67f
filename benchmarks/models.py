"""Prints tables of finished runs: python benchmarks/models.py runs/NAME ...

The runs are those of the commands in docs/models.md; each needs metric=full.
"""

import json
import pathlib
import sys

import numpy as np

NO_LAYERS = {"total", "depth", "overall"}


class Scores:
    """A run's scores by metric and key."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.metrics = json.loads((folder / "scores.json").read_text())["metrics"]
        self.stages = json.loads((folder / "manifest.json").read_text())["stages"]
        self.name = json.loads((folder / "checkpoints" / "simulator.json").read_text())["model"]["name"]

    def values(self, metric: str) -> dict[str, dict]:
        """Values by key."""
        return {value["key"]: value for value in self.metrics.get(metric, {"values": []})["values"]}

    def entry(self, metric: str, key: str, digits: int = 2, *, floor: bool = False) -> str:
        """A value with its error and, in brackets, its floor."""
        value = self.values(metric).get(key)
        if value is None or value["value"] is None:
            return "–"
        text = f"{value['value']:.{digits}f}"
        if value["error"]:
            text += f" ± {value['error']:.{digits}f}"
        if floor and value["floor"] is not None:
            text += f" ({value['floor']:.{digits}f})"
        return text

    def ks(self, energy: str) -> str:
        """The largest KS distance of a layer's energy, and the largest of the floors."""
        layers = [
            value
            for key, value in self.values("ks").items()
            if key.endswith(f"/{energy}") and key.partition("/")[0] not in NO_LAYERS
        ]
        floors = [value["floor"] for value in layers if value["floor"] is not None]
        return f"{max(value['value'] for value in layers):.2f}" + (f" ({max(floors):.2f})" if floors else "")


def row(*cells: object) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def halves() -> float:
    """Mean KS distance of a layer's energy between two random halves of the test showers at 65.536 GeV."""
    from calozoo import Split
    from calozoo.config import create
    from calozoo_metrics.observables import layer_energies
    from calozoo_metrics.statistics import ks_distance

    geometry = create("geometry", {"name": "atlas_barrel"})
    rows = create("data", {"name": "geant4_photons"}, geometry).open(Split.test)
    showers = rows.rows(slice(0, len(rows))).above(1.0)
    energies = layer_energies(showers[showers.incident_energies == 65536], geometry)
    random = np.random.default_rng(0)
    found = []
    for _ in range(200):
        order = random.permutation(len(energies))
        found += [ks_distance(layer[order[::2]], layer[order[1::2]]).value for layer in energies.T]
    return float(np.mean(found))


def main(folders: list[str]) -> None:
    """Print a table by energy and one by run."""
    runs = [Scores(folder) for folder in map(pathlib.Path, folders)]
    heads = (
        "model", "E / GeV", "largest layer-fraction difference, points", "mean response difference, %",
        "resolution ratio, central 68 %", "std / mean, ratio", "largest layer KS", "largest layer correlation difference",
    )  # fmt: skip
    lines = [row(*heads), row(*["---"] * len(heads))]
    for run in runs:
        for energy in sorted((key.rpartition("/")[2] for key in run.values("response") if "bias" in key), key=float):
            entries = [
                run.entry("layer_fractions", f"largest/{energy}", floor=True),
                run.entry("response", f"bias/{energy}"),
                run.entry("resolution", f"central/{energy}"),
                run.entry("resolution", f"deviation/{energy}"),
                run.ks(energy),
                run.entry("layer_correlation", f"largest/{energy}", floor=True),
            ]
            lines.append(row(run.name, f"{float(energy) / 1000:.1f}", *entries))
    heads = (
        "model", "AUC, cells", "AUC, high-level", "nearest training shower", "KS of that", "copies", "training, s",
        "ms per shower, batch 1", "100", "10,000",
    )  # fmt: skip
    lines += ["", row(*heads), row(*["---"] * len(heads))]
    for run in runs:
        times = run.stages["generate"].get("milliseconds_per_shower", {})
        entries = [
            run.entry("classifier", "low", 3, floor=True),
            run.entry("classifier", "high", 3, floor=True),
            run.entry("memorising", "distance", 3, floor=True),
            run.entry("memorising", "ks", floor=True),
            run.entry("memorising", "copies"),
            f"{run.stages['train']['seconds']:.0f}",
            *(f"{times[size]:.3f}" if size in times else "–" for size in ("1", "100", "10000")),
        ]
        lines.append(row(run.name, *entries))
    lines += ["", f"Two random halves of the test showers at 65.5 GeV: KS {halves():.3f} on average over the layers."]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
