"""Generates showers with a trained run and prints their mean layer fractions: python examples/layer_fractions.py runs/NAME 65536."""

import sys

from calozoo import Showers, Simulator


def main(run: str, energy: float) -> None:
    """Print each layer's mean share of the incident energy (MeV), in percent."""
    simulator = Simulator.load(f"{run}/checkpoints")
    showers = Showers.concatenate(simulator.generate(2000, {"incident_energy": energy}, seed=1))
    for layer, cells in zip(simulator.geometry.layers, simulator.geometry.slices, strict=True):
        print(f"{layer.name}: {100 * showers.energies[:, cells].sum(axis=1).mean() / energy:.2f} %")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
