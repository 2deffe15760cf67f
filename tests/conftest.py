from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
import torch

from calozoo import cli, registry
from calozoo.config import create
from calozoo.shower_file import write_showers
from calozoo.showers import Showers
from calozoo.simulator import Simulator
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
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put a package with entry points ("group name" -> target) and modules (name -> source) on the path."""
    modules: list[str] = []

    def forget() -> None:
        for cached in (registry.plugins, registry.roots, registry.groups):
            cached.cache_clear()

    def put_there(package: str, entries: Mapping[str, str], **sources: str) -> None:
        site = tmp_path / "site" / package
        about = site / f"{package.replace('-', '_')}-1.5.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
        lines = [f"[calozoo.{key.split()[0]}]\n{key.split()[1]} = {target}" for key, target in entries.items()]
        (about / "entry_points.txt").write_text("\n".join(lines))
        for name, source in sources.items():
            (site / f"{name}.py").write_text(source)
            modules.append(name)
        monkeypatch.syspath_prepend(site)
        forget()

    forget()
    yield put_there
    for name in modules:
        sys.modules.pop(name, None)
    monkeypatch.undo()
    forget()


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


@pytest.fixture(scope="session")
def barrel_file(tmp_path_factory: pytest.TempPathFactory, barrel: Any) -> Path:
    """A small file of random barrel showers, which no test changes."""
    path = tmp_path_factory.mktemp("barrel") / "showers.h5"
    write_showers(path, barrel, [toy_showers(300, geometry=barrel)])
    return path


@pytest.fixture
def shower_path(tmp_path: Path, barrel_file: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(barrel_file, tmp_path / "showers.h5"))


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


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory, barrel_file: Path) -> Path:
    """A run of a few steps on the small file, with two metrics, which no test changes."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    options = (f"data.path={barrel_file}", *QUICK[:2], "metric=[ks,response]", f"hydra.run.dir={folder}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["calozoo", "model=vae", "data=hdf5", *options])
        cli.main()
    return folder


@pytest.fixture
def finished_run(whole_run: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(whole_run, tmp_path / "run"))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


SMALL = {
    "wgan_gp": {"latent_size": 8, "hidden": [16, 16]},
    "vae": {"latent_size": 2, "encoder": [16, 8]},
}


def make_simulator(model: str, showers: Showers, seed: int = 0, **options: Any) -> Simulator:
    """A small untrained simulator of the barrel that knows ``showers``."""
    torch.manual_seed(seed)
    simulator = Simulator(
        {
            "geometry": {"name": "atlas_barrel"},
            "preprocessor": {"name": "fraction"},
            "conditions": {
                "columns": {"incident_energy": [{"name": "log"}]},
                "kinds": {"alignment": [{"name": "one_hot"}]},
            },
            "model": {"name": model, **SMALL[model], **options},
        }
    )
    simulator.fit(showers)
    return simulator


class Memory:
    """Showers in memory as a data source's rows."""

    def __init__(self, showers: Showers) -> None:
        self.showers = showers

    def __len__(self) -> int:
        return len(self.showers)

    def rows(self, index: Any) -> Showers:
        return self.showers[index]


__all__ = ["QUICK", "Memory", "Outcome", "Showers", "make_simulator", "put", "read"]
