from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from calozoo.errors import RunError
from calozoo.hooks import Observers, hookimpl
from calozoo.run import STAGES, Run
from calozoo.shower_file import write_showers
from calozoo.testing import toy_showers
from conftest import QUICK, Outcome

CONFIG = OmegaConf.create({"model": {"name": "vae", "size": 3}, "seed": 0, "device": {"name": "cpu"}})


def test_a_run_is_written_down_and_found_again(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", CONFIG)
    assert Run.open(tmp_path / "run").config == CONFIG
    assert Run.create(tmp_path / "run", CONFIG).folder == run.folder
    assert not any(run.done(stage) for stage in STAGES)


def test_another_configuration_is_refused_and_another_device_is_not(tmp_path: Path) -> None:
    Run.create(tmp_path, CONFIG)
    Run.create(tmp_path, OmegaConf.merge(CONFIG, {"device": {"name": "gpu"}}))
    for change, key in (({"seed": 1}, "seed"), ({"model": {"size": 4}}, "model"), ({"new": 1}, "new")):
        with pytest.raises(
            RunError, match=rf"another configuration \(other settings of {key}\). Choose another hydra.run.dir"
        ):
            Run.create(tmp_path, OmegaConf.merge(CONFIG, change))
    assert Run.open(tmp_path).config == CONFIG


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!!python/object/apply:pathlib.Path.touch [{trace}]", "Cannot read"),
        ("a: !!python/object/apply:os.system ['touch {trace}']", "Cannot read"),
        ("a: !!python/name:os.system", "Cannot read"),
        ("a: [1", "Cannot read"),
        ("- 1", "does not hold a configuration"),
        ("\x00", "Cannot read"),
    ],
)
def test_a_configuration_from_a_stranger_runs_nothing(tmp_path: Path, text: str, reason: str) -> None:
    trace = tmp_path / "executed"
    (tmp_path / "config.yaml").write_text(text.format(trace=trace))
    with pytest.raises(RunError, match=reason) as caught:
        _ = Run.open(tmp_path).config
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run folder"):
        Run.open(tmp_path)
    (tmp_path / "config.yaml").write_text("a: 1")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(RunError, match=r"Cannot read .*manifest\.json"):
        Run.open(tmp_path).done("train")


class Watch:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    @hookimpl
    def stage_started(self, stage: str) -> None:
        self.calls.append(("started", stage))

    @hookimpl
    def stage_finished(self, stage: str) -> None:
        self.calls.append(("finished", stage))


def test_stages_are_noted_when_they_end_well(tmp_path: Path) -> None:
    hooks, watch = Observers([]), Watch()
    hooks.manager.register(watch)
    run = Run.create(tmp_path, CONFIG)
    for stage in STAGES:
        with run.stage(stage, hooks) as facts:
            facts["n"] = 5
    assert list(run.manifest["stages"]) == list(STAGES)
    assert run.manifest["stages"]["train"]["n"] == 5
    with pytest.raises(ValueError, match="killed"), run.stage("generate", hooks):
        raise ValueError("killed")
    assert run.done("report")
    with run.stage("generate", hooks):
        pass
    assert list(run.manifest["stages"]) == ["train", "generate"]  # what rests on it is to be made again
    assert watch.calls[:2] == [("started", "train"), ("finished", "train")]
    assert watch.calls[-3:] == [("started", "generate"), ("started", "generate"), ("finished", "generate")]


def test_other_data_than_the_run_was_begun_with_are_refused(
    calozoo: Callable[..., Outcome], shower_path: Path, barrel: Any, tmp_path: Path
) -> None:
    arguments = ("model=vae", "data=hdf5", f"data.path={shower_path}", *QUICK, f"hydra.run.dir={tmp_path / 'run'}")
    assert calozoo("train", *arguments).status == 0
    before = json.loads((tmp_path / "run" / "manifest.json").read_text())
    write_showers(shower_path, barrel, [toy_showers(300, seed=9, geometry=barrel)])
    outcome = calozoo(*arguments)
    assert outcome.status == 1
    assert "The data have changed since" in outcome.err
    assert json.loads((tmp_path / "run" / "manifest.json").read_text()) == before


def test_the_run_before_is_the_last_that_was_judged_alike(finished_run: Path) -> None:
    def copy(name: str, age: int, **replaced: str) -> Path:
        folder = Path(shutil.copytree(finished_run, finished_run.parent / name))
        config = (folder / "config.yaml").read_text()
        for old, new in replaced.items():
            config = config.replace(old, new)
        (folder / "config.yaml").write_text(config)
        stamp = (finished_run / "scores.json").stat().st_mtime - age
        os.utime(folder / "scores.json", (stamp, stamp))
        return folder

    assert Run(finished_run).before is None
    copy("older", 100)
    copy("later", -100)
    copy("elsewhere", 5, atlas_barrel="calochallenge_2")
    wanted = copy("old", 50)
    (finished_run.parent / "broken").mkdir()
    (finished_run.parent / "broken" / "scores.json").write_text("")
    found = Run(finished_run).before
    assert found is not None
    assert found.folder == wanted
