"""Prints a table of finished runs at every incident energy: python benchmarks/models.py runs/NAME ...

The runs are those of the commands in docs/models.md; each needs the metrics layer_fractions, response, resolution, ks and
classifier, which metric=full has.
"""

import json
import pathlib
import sys

COLUMNS = {
    "largest layer-fraction difference, points": ("layer_fractions", None),
    "mean response difference, %": ("response", "bias"),
    "resolution, central 68 %": ("resolution", "central"),
    "std / mean": ("resolution", "deviation"),
    "largest layer KS (floor)": ("ks", None),
}
NO_LAYERS = {"total", "depth", "overall"}


def values(scores: dict, metric: str) -> dict[tuple[str, str], dict]:
    """The values of one metric by (what, energy)."""
    found = {}
    for value in scores["metrics"].get(metric, {"values": []})["values"]:
        what, _, energy = value["key"].rpartition("/")
        found[what, energy] = value
    return found


def cell(scores: dict, metric: str, what: str | None, energy: str) -> str:
    """One entry of the table."""
    found = values(scores, metric)
    if what is not None:
        value = found.get((what, energy))
        return f"{value['value']:.3g}" if value else "–"
    layers = [v for (name, e), v in found.items() if e == energy and name not in NO_LAYERS]
    worst = max(layers, key=lambda value: abs(value["value"]))
    floor = f" ({worst['floor']:.2f})" if metric == "ks" and worst["floor"] is not None else ""
    return f"{abs(worst['value']):.2f}{floor}"


def main(folders: list[str]) -> None:
    """Print the table as Markdown."""
    lines = [f"| run | E / GeV | {' | '.join(COLUMNS)} |", "| --- " * (2 + len(COLUMNS)) + "|"]
    for folder in map(pathlib.Path, folders):
        scores = json.loads((folder / "scores.json").read_text())
        name = json.loads((folder / "checkpoints" / "simulator.json").read_text())["model"]["name"]
        energies = sorted({e for what, e in values(scores, "response") if what == "bias"}, key=float)
        for energy in energies:
            entries = [cell(scores, metric, what, energy) for metric, what in COLUMNS.values()]
            lines.append(f"| {name} | {float(energy) / 1000:.1f} | {' | '.join(entries)} |")
    lines += [
        "",
        "| run | classifier AUC, cells (floor) | classifier AUC, high-level features | training, s |",
        "| --- " * 4 + "|",
    ]
    for folder in map(pathlib.Path, folders):
        scores = json.loads((folder / "scores.json").read_text())
        name = json.loads((folder / "checkpoints" / "simulator.json").read_text())["model"]["name"]
        seconds = json.loads((folder / "manifest.json").read_text())["stages"]["train"]["seconds"]
        auc = {v["key"]: v for v in scores["metrics"].get("classifier", {"values": []})["values"]}
        shown = [f"{auc[k]['value']:.3f}" if k in auc else "–" for k in ("low", "high")]
        floor = f" ({auc['low']['floor']:.3f})" if "low" in auc else ""
        lines.append(f"| {name} | {shown[0]}{floor} | {shown[1]} | {seconds:.0f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
