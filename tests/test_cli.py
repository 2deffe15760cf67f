from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from calozoo import open_showers
from conftest import QUICK, Outcome, put, read

Call = Callable[..., Outcome]


def one_line(outcome: Outcome) -> str:
    lines = outcome.err.strip().splitlines()
    assert len(lines) == 1, outcome.err
    assert "Traceback" not in outcome.err
    return lines[0]


# ---- the run -------------------------------------------------------------------------------------------------------


def test_the_default_command_leaves_a_whole_run_folder(finished_run: Path) -> None:
    left = {path.name for path in finished_run.iterdir()}
    assert left == {
        "config.yaml",
        "manifest.json",
        "checkpoints",
        "losses.jsonl",
        "showers.h5",
        "scores.json",
        "figures",
        "report.html",
    }
    assert list(read(finished_run / "manifest.json")["stages"]) == ["train", "generate", "evaluate", "report"]
    assert {path.name for path in (finished_run / "checkpoints").iterdir()} == {
        "simulator.json",
        "simulator.safetensors",
    }


def test_a_finished_run_does_nothing_twice(calozoo: Call, shower_path: Path, tmp_path: Path) -> None:
    arguments = ("model=vae", "data=hdf5", f"data.path={shower_path}", *QUICK, f"hydra.run.dir={tmp_path / 'run'}")
    assert calozoo(*arguments).status == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.name != "manifest.json"}
    assert calozoo(*arguments).status == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_folder_of_another_configuration_is_refused(calozoo: Call, finished_run: Path, shower_path: Path) -> None:
    outcome = calozoo(
        "model=vae", "data=hdf5", f"data.path={shower_path}", "trainer.max_steps=4", f"hydra.run.dir={finished_run}"
    )
    assert outcome.status == 1
    assert re.search(r"another configuration \(other settings of .*trainer.*\)", one_line(outcome))


def test_multirun_makes_one_folder_each_and_repeats_nothing(
    calozoo: Call, shower_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("-m", "model=vae,wgan_gp", "seed=0,1", "data=hdf5", f"data.path={shower_path}", *QUICK)
    assert calozoo(*arguments).status == 0
    weights = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/checkpoints/simulator.safetensors")
    }
    assert len(weights) == 4
    assert calozoo(*arguments).status == 0
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    assert len(list((tmp_path / "runs").iterdir())) == 4 + (tmp_path / "runs" / "multirun.yaml").exists()


def test_stages_run_alone(calozoo: Call, shower_path: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out.h5"
    assert (
        calozoo("train", "model=vae", "data=hdf5", f"data.path={shower_path}", *QUICK, f"hydra.run.dir={run}").status
        == 0
    )
    assert list(read(run / "manifest.json")["stages"]) == ["train"]
    assert calozoo("generate", f"run={run}", "energy=65536", "n=30", f"out={out}").status == 0
    showers = open_showers(out).rows(slice(0, 30))
    assert len(showers) == 30
    assert (showers.incident_energies == 65536).all()
    assert calozoo("generate", f"run={run}").status == 0
    assert calozoo("evaluate", f"run={run}", "metric=[response]").status == 0
    assert list(read(run / "scores.json")["metrics"]) == ["response"]
    assert calozoo("report", f"run={run}").status == 0
    assert (run / "report.html").stat().st_size > 1000


def test_conditions_are_followed_row_by_row(
    calozoo: Call, finished_run: Path, shower_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.h5"
    assert calozoo("generate", f"run={finished_run}", f"conditions={shower_path}", f"out={out}").status == 0
    wanted, got = (open_showers(path).rows(slice(0, 300)) for path in (shower_path, out))
    assert np.array_equal(wanted.incident_energies, got.incident_energies)
    assert np.array_equal(wanted.conditions["phi_alignment"], got.conditions["phi_alignment"])


def test_any_two_files_are_compared(calozoo: Call, shower_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "comparison"
    outcome = calozoo(
        "evaluate",
        f"reference={shower_path}",
        f"generated={shower_path}",
        "geometry=atlas_barrel",
        "metric=[ks]",
        f"out={out}",
    )
    assert outcome.status == 0, outcome.err
    assert read(out / "scores.json")["metrics"]["ks"]["values"][0]["value"] == 0
    assert (out / "report.html").exists()


def test_train_goes_on_in_a_folder(calozoo: Call, finished_run: Path) -> None:
    weights = finished_run / "checkpoints" / "simulator.safetensors"
    before = weights.read_bytes()
    assert calozoo("train", f"run={finished_run}").status == 0
    assert weights.read_bytes() == before


# ---- bad input: one clear line each, and nothing half-written ------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("model=wgan",), 2, r"no model 'wgan'. Did you mean 'wgan_gp'\? Known: .*vae"),
        (("geometry=atlas_barel", "model=vae"), 2, "no geometry 'atlas_barel'. Did you mean 'atlas_barrel'"),
        (("modle=vae",), 2, "no option 'modle'. Did you mean 'model'"),
        (("model=vae", "model.latent_sise=3"), 2, "no option 'model.latent_sise'. Did you mean 'model.latent_size'"),
        (
            ("model=vae", "trainer.optimizer.lrr=1"),
            2,
            "no option 'trainer.optimizer.lrr'. Did you mean 'trainer.optimizer.lr'",
        ),
        (("model=vae", "trainer.optimizer.lr=abc"), 2, "trainer.optimizer.lr.*abc.*could not be converted to Float"),
        (("model=wgan_gp", "model.output=sigmoidd"), 2, "model.output.*sigmoidd.*sigmoid"),
        (
            ("model=wgan_gp", "critic.shower.penlty=1"),
            2,
            "no option 'critic.shower.penlty'. Did you mean 'critic.shower.penalty'",
        ),
        (("seed=1",), 2, "Choose a model: model=NAME with one of .*vae"),
        (("model=vae", "critic=[shower]"), 2, "not adversarial"),
        (("model=wgan_gp", "critic=[]"), 2, "needs a critic"),
        (("model=vae", "data=hdf5"), 2, "data.path=FILE"),
        (("model=vae", "data=hdf5", "data.path=none.h5"), 1, "There is no file none.h5"),
        (("trian", "model=vae"), 2, "no command 'trian'. Did you mean 'train'"),
        (("model=vae", "trainer.max_steps=0"), 2, "needs an end"),
        (("model=vae", "trainer.energies=[5]"), 2, "No training shower has"),
        (("model=vae", "data.split.train=2"), 2, "A split needs train > 0"),
        (("generate", "run=nowhere", "out=x.h5"), 1, "nowhere is no run folder"),
        (("evaluate", "reference=a.h5"), 2, "lacks generated=, geometry=, out="),
        (("evaluate", "reference=a", "generated=b", "geometry=atlas_barrel", "out=c", "unit=eV"), 2, "no unit 'eV'"),
        (("report", "run=nowhere"), 1, "nowhere is no run folder"),
        (("plugins", "--chekc"), 2, "--check"),
    ],
)
def test_bad_commands(
    calozoo: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = calozoo(*arguments)
    assert re.search(reason, one_line(outcome)), outcome.err
    assert outcome.status == status
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not list(tmp_path.glob("runs/*"))


def test_gpu_without_one_is_an_error(calozoo: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert "device=gpu was asked for" in one_line(calozoo("model=vae", "device=gpu"))
    assert "device=mps does not work" in one_line(calozoo("model=vae", "device=mps"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"showers": put(7, np.nan)}, "row 7 has an energy that is not finite"),
        ({"showers": put(9, -1.0)}, "row 9 has a negative energy"),
        ({"incident_energies": put(3, 0.0)}, "row 3 is not positive"),
        ({"showers": lambda v: v[:, :100]}, "100 cells in a row, and the geometry has 266"),
    ],
)
def test_bad_files_leave_nothing(
    calozoo: Call,
    spoil: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict,
    reason: str,  # type: ignore[type-arg]
) -> None:
    path = spoil(**changes)
    monkeypatch.chdir(tmp_path)
    outcome = calozoo("model=vae", "data=hdf5", f"data.path={path}", *QUICK)
    assert outcome.status == 1
    assert reason in one_line(outcome)
    assert not list(tmp_path.glob("runs/*"))


def test_a_folder_that_cannot_be_written(calozoo: Call, shower_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = calozoo(
        "model=vae", "data=hdf5", f"data.path={shower_path}", *QUICK, f"hydra.run.dir={tmp_path / 'file' / 'run'}"
    )
    assert outcome.status != 0
    assert "file" in one_line(outcome)
    out = tmp_path / "file" / "out.h5"
    outcome = calozoo(
        "evaluate",
        f"reference={shower_path}",
        f"generated={shower_path}",
        "geometry=atlas_barrel",
        f"out={out}",
        "metric=[response]",
    )
    assert "Cannot write" in one_line(outcome)


# ---- help, completion, plugins -------------------------------------------------------------------------------------


def shell(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys, calozoo.cli\n"
        "try:\n    calozoo.cli.main()\nfinally:\n"
        "    assert not {'torch', 'matplotlib', 'sklearn'} & set(sys.modules), 'imported too much'"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "line", "answer"),
    [
        (("--help",), None, "wgan_gp"),
        (("train", "--help"), None, "geometry"),
        (("plugins",), None, "calozoo-atlas"),
        ((), "calozoo mod", "model="),
        ((), "calozoo model=w", "model=wgan_gp"),
        ((), "calozoo train model=va", "model=vae"),
        ((), "calozoo gen", "generate"),
    ],
)
def test_help_plugins_and_completion_import_nothing_heavy(
    arguments: tuple[str, ...], line: str | None, answer: str
) -> None:
    done = shell(*arguments, **({"COMP_LINE": line} if line else {}))
    assert done.returncode == 0, done.stderr
    assert answer in done.stdout


def test_help_of_a_component_names_its_options(calozoo: Call) -> None:
    outcome = calozoo("model=wgan_gp", "--help")
    assert "model.latent_size" in outcome.out
    assert "clipped_relu" in outcome.out
    assert "penalty" in calozoo("critic=shower", "--help").out


def test_plugins_can_be_checked(calozoo: Call) -> None:
    outcome = calozoo("plugins", "--check")
    assert outcome.status == 0, outcome.out
    assert "wgan_gp" in outcome.out


def test_every_choice_can_be_shown_as_config(calozoo: Call) -> None:
    outcome = calozoo(
        "model=wgan_gp", "critic=[shower,energy]", "critic.energy.penalty=1e-4", "metric=[ks,response]", "--cfg", "job"
    )
    assert outcome.status == 0, outcome.err
    assert "penalty: 0.0001" in outcome.out
    assert "conditions" in outcome.out


# ---- what a review found -------------------------------------------------------------------------------------------


def test_a_failed_command_leaves_the_working_folder(
    calozoo: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert calozoo("generate", "run=nowhere").status == 1
    assert tmp_path.is_dir()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("model=vae", "experiment=nope"), "no experiment 'nope'"),
        (("model=vae", "seed=abc"), "seed.*abc"),
        (("model=vae", "seed=-1"), "seed must be 0 or a positive number"),
        (("model=vae", "generation.per_energy=abc"), "generation.per_energy.*abc"),
        (("model=vae", "trainer.optimizer.lr=-1"), "optimizer of player 'vae' cannot be made.*learning rate"),
        (("model=vae", "trainer.ema=2"), "trainer.ema must lie in"),
        (("model=vae", "model.latent_size=-3"), "model 'vae' cannot be made"),
        (("model=vae", "trainer.optimizer=nadam"), r"type trainer.optimizer.name=\.\.\."),
        (("model=wgan_gp", "model.ratio=0"), "updated 0 times in a step"),
        (("model=vae", "trainer.players.vae.lr=1"), r"To add one, put a \+ before the option"),
        (("model=vae", "+trainer.players.vea.lr=1"), "no player of this model 'vea'. Did you mean 'vae'"),
        (("generate", "run=x", "n=abc"), "n: .*abc"),
    ],
)
def test_more_bad_commands(
    calozoo: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = calozoo(*arguments)
    assert re.search(reason, one_line(outcome)), outcome.err
    assert outcome.status == 2


def test_options_without_effect_are_refused(calozoo: Call, finished_run: Path) -> None:
    assert "has no use for energy=, n=" in one_line(calozoo("generate", f"run={finished_run}", "energy=65536", "n=10"))
    assert "has no use for out=" in one_line(calozoo("evaluate", f"run={finished_run}", "out=there"))


def test_evaluate_keeps_the_metrics_of_the_run_unless_told(calozoo: Call, finished_run: Path) -> None:
    assert calozoo("evaluate", f"run={finished_run}").status == 0
    assert list(read(finished_run / "scores.json")["metrics"]) == ["ks", "response"]
    assert calozoo("evaluate", f"run={finished_run}", "metric=[wasserstein]").status == 0
    assert calozoo("report", f"run={finished_run}").status == 0
    assert "wasserstein" in (finished_run / "report.html").read_text()


def test_other_data_are_refused_at_every_stage(calozoo: Call, shower_path: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert calozoo("model=vae", "data=hdf5", f"data.path={shower_path}", *QUICK, f"hydra.run.dir={run}").status == 0
    from calozoo import open_showers as reopened
    from calozoo import write_showers
    from calozoo.config import create

    write_showers(
        shower_path, create("geometry", {"name": "atlas_barrel"}), [reopened(shower_path).rows(slice(0, 200))]
    )
    assert "data have changed" in one_line(calozoo("evaluate", f"run={run}", "metric=[response]"))


def test_a_strangers_run_folder_reads_and_writes_nothing_outside(calozoo: Call, finished_run: Path) -> None:
    losses = finished_run / "losses.jsonl"
    losses.write_text(losses.read_text().replace('"vae"', '"x/../../../pwned"'))
    assert calozoo("report", f"run={finished_run}").status == 0
    assert not list(finished_run.parent.parent.rglob("pwned*"))
    config = finished_run / "config.yaml"
    config.write_text(config.read_text().replace("remark: quick", "remark: ${oc.env:HOME} quick"))
    assert "holds an interpolation" in one_line(calozoo("report", f"run={finished_run}"))


def test_a_single_players_optimizer_can_be_changed(calozoo: Call) -> None:
    outcome = calozoo("model=wgan_gp", "+trainer.players.critics.lr=1e-4", "--cfg", "job")
    assert outcome.status == 0, outcome.err


def test_runs_are_compared_side_by_side(calozoo: Call, finished_run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(finished_run, tmp_path / "it's another (1)"))
    changed = read(other / "scores.json")
    changed["metrics"]["ks"]["values"][0]["value"] = 9.0
    (other / "scores.json").write_text(json.dumps(changed))
    outcome = calozoo("compare", str(other), str(finished_run), f"out={tmp_path / 'side by side'}")
    assert outcome.status == 0, outcome.err
    assert outcome.out.splitlines()[0].split()[:3] == ["metric", "1.", "run"]
    page = (tmp_path / "side by side" / "report.html").read_text()
    assert "From best to worst" in page
    assert "it&#39;s another (1)" in page


def test_what_cannot_be_compared_is_refused(calozoo: Call, finished_run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(finished_run, tmp_path / "other"))
    config = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(config.replace("threshold: 1.0", "threshold: 2.0"))
    assert "judged with another evaluation" in one_line(calozoo("compare", str(finished_run), str(other)))
    assert "Type: calozoo compare RUN RUN" in one_line(calozoo("compare"))
    manifest = read(other / "manifest.json")
    del manifest["stages"]["evaluate"], manifest["stages"]["report"]
    (other / "manifest.json").write_text(json.dumps(manifest))
    assert "has no scores yet. Go on with: calozoo evaluate run=" in one_line(calozoo("compare", str(other)))


@pytest.mark.slow
def test_a_file_larger_than_memory_goes_through_the_default_command(barrel_file: Path, tmp_path: Path) -> None:
    n = 5_000_000  # 5.3 GB of showers
    large = tmp_path / "large.h5"
    with h5py.File(barrel_file) as small, h5py.File(large, "w") as file:
        file.attrs["energy_unit"] = "MeV"
        for name, dataset in small.items():
            values = np.concatenate([dataset[:]] * 40)
            whole = file.create_dataset(name, (n, *values.shape[1:]), values.dtype, chunks=(500, *values.shape[1:]))
            for start in range(0, n, len(values)):
                whole[start : start + len(values)] = values[: n - start]
    script = (
        "import resource, sys; from calozoo.cli import main; main(); "
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = ["model=wgan_gp", "data=hdf5", f"data.path={large}", "trainer.max_steps=200", "generation.per_energy=1"]
    outcome = subprocess.run(
        [sys.executable, "-c", script, *command, "metric=[ks]", f"hydra.run.dir={tmp_path}/run"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peak = int(outcome.stdout.rpartition("peak")[2]) * 1024
    assert (tmp_path / "run" / "report.html").is_file()
    assert peak < large.stat().st_size / 2
