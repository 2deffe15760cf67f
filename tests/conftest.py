from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest

from calozoo import cli
from calozoo.config import create
from calozoo.shower_file import write_showers
from calozoo.showers import Showers
from calozoo.testing import toy_showers


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _no_global_traces() -> Iterator[None]:
    show = warnings.showwarning
    yield
    warnings.showwarning = show


@pytest.fixture
def calozoo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """The command line, run in this process."""

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["calozoo", *arguments])
        status: Any = 0
        try:
            cli.main()
        except SystemExit as leave:
            status = leave.code or 0
        captured = capsys.readouterr()
        return Outcome(int(status), captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def barrel() -> Any:
    return create("geometry", {"name": "atlas_barrel"})


@pytest.fixture
def shower_path(tmp_path: Path, barrel: Any) -> Path:
    """A small file of random barrel showers."""
    path = tmp_path / "showers.h5"
    write_showers(path, barrel, [toy_showers(300, geometry=barrel)])
    return path


@pytest.fixture
def spoil(shower_path: Path) -> Callable[..., Path]:
    """Change the file's datasets by functions of (values), then give its path; None removes a dataset."""

    def change(**datasets: Callable[[Any], Any] | None) -> Path:
        with h5py.File(shower_path, "a") as file:
            for name, function in datasets.items():
                values = file[name][:]
                del file[name]
                if function is not None:
                    file[name] = function(values)
        return shower_path

    return change


def put(row: int, value: float, column: int = 0) -> Callable[[Any], Any]:
    """A change that writes one value into a two-dimensional dataset."""

    def change(values: Any) -> Any:
        values = np.array(values)
        values[row, column] = value
        return values

    return change


QUICK = ("trainer.max_steps=3", "generation.per_energy=1", "metric=[]")


@pytest.fixture
def finished_run(calozoo: Callable[..., Outcome], shower_path: Path, tmp_path: Path) -> Path:
    """A run of a few steps on the small file, with two metrics."""
    folder = tmp_path / "run"
    outcome = calozoo(
        "model=vae", "data=hdf5", f"data.path={shower_path}", *QUICK[:2], "metric=[ks,response]", f"hydra.run.dir={folder}"
    )
    assert outcome.status == 0, outcome.err
    return folder


def read(path: Path) -> Any:
    return json.loads(path.read_text())


__all__ = ["QUICK", "Outcome", "Showers", "put", "read"]
