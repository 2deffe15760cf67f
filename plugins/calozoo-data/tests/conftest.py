"""Files of every layout, made from the 200 Geant4 photons."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

SAMPLE = Path(__file__).parents[2] / "calozoo-atlas" / "tests" / "cells_sample.h5"


@pytest.fixture(scope="session")
def sample() -> dict[str, np.ndarray]:
    with h5py.File(SAMPLE) as file:
        return {name: dataset[:] for name, dataset in file.items()}


@pytest.fixture
def write(tmp_path):
    """Write datasets into a file; returns its path."""

    def write(datasets, name="file.h5", **attributes):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            file.attrs.update(attributes)
            for key, values in datasets.items():
                file[key] = values
        return path

    return write
