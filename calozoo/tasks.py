"""What each command does with its configuration; imported when a job runs."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from calozoo import checkpoint, generation, hooks
from calozoo.config import create, options, plain
from calozoo.critic import Critic
from calozoo.data import DataSource, Rows, Split, everything
from calozoo.errors import ConfigError, RunError, unknown
from calozoo.evaluation import evaluate as score
from calozoo.files import read_json, write_json
from calozoo.geometry import Geometry
from calozoo.metric import Metric
from calozoo.options import Device, Trainer
from calozoo.report.page import Sample, write_report
from calozoo.run import STAGES, Run
from calozoo.shower_file import Unit, open_showers
from calozoo.showers import Showers
from calozoo.simulator import Simulator, find_device
from calozoo.training import check, chosen_rows
from calozoo.training import train as train_players

_MOST = 200_000  # held-out showers that a run is judged on at most, which bounds its memory


class Job:
    """One run: its components, made and checked before anything is written."""

    def __init__(self, config: DictConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.device = _device(config)
        torch.manual_seed(config.seed)
        self.simulator = Simulator(config).to(self.device)
        self.geometry = self.simulator.geometry
        self.source: DataSource = create("data", config.data, self.geometry)
        self.critics: dict[str, Critic] = {
            name: create("critic", node, self.simulator.space).to(self.device) for name, node in config.critic.items()
        }
        self.metrics = _metrics(config.metric, self.geometry)
        self.trainer: Trainer = options(config.trainer, Trainer, "trainer")
        check(self.simulator.generator.players(self.critics), self.trainer)
        self.hooks = hooks.manager()

    def carry_out(self, stages: tuple[str, ...]) -> None:
        """Do those of ``stages`` that have not left their result yet."""
        training = chosen_rows(self.source.open(Split.train), self.trainer, self.config.seed)
        self.source.open(Split.test)
        run = Run.create(self.folder, self.config)
        self.note(run)
        error: BaseException | None = None
        try:
            for stage in stages:
                if not run.done(stage):
                    getattr(self, f"_{stage}")(run, *([training] if stage == "train" else []))
        except BaseException as cause:
            error = cause
            raise
        finally:
            self.hooks.hook.run_finished(folder=self.folder, error=error)

    def note(self, run: Run) -> None:
        """Write down what the run rests on; refuse to go on with other data."""
        manifest, fingerprint = run.manifest, self.source.fingerprint
        if manifest.setdefault("data", fingerprint) != fingerprint:
            raise RunError(
                f"The data have changed since {run.folder} was begun. Choose another hydra.run.dir or delete it."
            )
        manifest["device"] = (
            torch.cuda.get_device_name() if self.device.type == "cuda" else platform.processor() or "cpu"
        )
        manifest["threads"], manifest["seed"] = torch.get_num_threads(), self.config.seed
        write_json(run.folder / "manifest.json", manifest)

    def _train(self, run: Run, rows: Rows) -> None:
        with run.stage("train", self.hooks.hook) as facts:
            self.simulator.fit(rows.rows(slice(0, min(len(rows), _MOST))))
            result = train_players(
                self.simulator, self.critics, rows, self.trainer, run=run, hooks=self.hooks.hook, seed=self.config.seed
            )
            self.simulator.save(run.checkpoints)
            facts |= asdict(result)
        checkpoint.clear(run.checkpoints)

    def _generate(self, run: Run) -> None:
        with run.stage("generate", self.hooks.hook) as facts:
            simulator = Simulator.load(run.checkpoints, self.device)
            columns = generation.held_out(self.reference, simulator.columns, self.config.generation.per_energy)
            facts["showers"] = generation.generate(
                simulator,
                len(columns["incident_energy"]),
                columns,
                run.showers,
                hooks=self.hooks.hook,
                seed=self.config.seed,
                threshold=self.config.generation.threshold,
            )

    def _evaluate(self, run: Run) -> None:
        with run.stage("evaluate", self.hooks.hook):
            threshold = self.config.evaluation.threshold
            scores = score(
                self.metrics, self._held_out, self._generated(run), threshold=threshold, hooks=self.hooks.hook
            )
            write_json(run.scores, scores)

    def _report(self, run: Run) -> None:
        with run.stage("report", self.hooks.hook):
            threshold = self.config.evaluation.threshold
            generated = {
                self.config.model.name: Sample(self._generated(run).above(threshold), read_json(run.scores), run)
            }
            write_report(run.folder, self.metrics, self._held_out.above(threshold), generated)

    @property
    def reference(self) -> Rows:
        """The held-out showers, or the first of them where there are very many."""
        rows = self.source.open(Split.test)
        return rows if len(rows) <= _MOST else _First(rows)

    @property
    def _held_out(self) -> Showers:
        return everything(self.reference)

    def _generated(self, run: Run) -> Showers:
        return everything(open_showers(run.showers, self.geometry))


class _First:
    """The first rows of a large sample."""

    def __init__(self, whole: Rows) -> None:
        self.whole = whole

    def __len__(self) -> int:
        return _MOST

    def rows(self, index: Any) -> Showers:
        return self.whole.rows(np.arange(_MOST)[index])


def run(config: DictConfig) -> None:
    """``calozoo``: train, generate, evaluate and report."""
    Job(config, folder()).carry_out(STAGES)


def train(config: DictConfig) -> None:
    """``calozoo train``: the first stage, in a new folder or, with ``run``, in one that exists."""
    if "run" in config:
        job = Job(OmegaConf.create({**Run.open(config.run).config, "device": config.device}), Path(config.run))
    else:
        job = Job(config, folder())
    job.carry_out(("train",))


def generate(config: DictConfig) -> None:
    """``calozoo generate``: showers of a trained run, into ``out`` or its own showers.h5."""
    run = Run.open(config.run)
    if not run.done("train"):
        raise RunError(f"The run {config.run} is not trained. Go on with: calozoo train run={config.run}")
    if config.out is None:
        _again(config, "generate", device=config.device)
        return
    n, columns = generation.from_options(plain(config.energy), config.n, config.conditions)
    simulator = Simulator.load(run.checkpoints, _device(config))
    generation.generate(
        simulator,
        n,
        columns,
        Path(config.out),
        hooks=hooks.manager().hook,
        seed=config.seed,
        threshold=config.threshold,
    )


def evaluate(config: DictConfig) -> None:
    """``calozoo evaluate``: a run's showers again, or any two shower files."""
    if config.run is not None:
        _again(config, "evaluate", metric=config.metric)
        return
    missing = [key for key in ("reference", "generated", "geometry", "out") if not config.get(key)]
    if missing:
        raise ConfigError(
            f"calozoo evaluate lacks {', '.join(f'{key}=' for key in missing)}. Give run=FOLDER, or reference=FILE.h5 "
            "generated=FILE.h5 geometry=NAME out=FOLDER."
        )
    if config.unit not in Unit.__members__:
        raise ConfigError(unknown("unit", config.unit, Unit.__members__))
    geometry: Geometry = create("geometry", config.geometry)
    metrics = _metrics(config.metric, geometry)
    unit, out = Unit[config.unit], Path(config.out)
    reference = everything(open_showers(config.reference, geometry, unit))
    generated = everything(open_showers(config.generated, geometry, unit))
    scores = score(metrics, reference, generated, threshold=config.threshold, hooks=hooks.manager().hook)
    write_json(out / "scores.json", scores)
    sample = Sample(generated.above(config.threshold), scores, None)
    write_report(out, metrics, reference.above(config.threshold), {Path(config.generated).stem: sample})


def report(config: DictConfig) -> None:
    """``calozoo report``: figures and report.html of a run, made again."""
    _again(config, "report")


def _again(config: DictConfig, stage: str, **instead: DictConfig) -> None:
    """Do one stage of a run folder again, from what the stage before it left."""
    run = Run.open(config.run)
    before = STAGES[STAGES.index(stage) - 1]
    if not run.done(before):
        raise RunError(
            f"The run {config.run} has not done '{before}' yet. Go on with: calozoo {before} run={config.run}"
        )
    job = Job(OmegaConf.create(dict(run.config) | instead), run.folder)
    getattr(job, f"_{stage}")(run)


def _metrics(nodes: Mapping[str, Any], geometry: Geometry) -> dict[str, Metric]:
    return {str(name): create("metric", node, geometry) for name, node in nodes.items()}


def _device(config: DictConfig) -> torch.device:
    device: Device = options(config.device, Device, "device")
    torch.set_num_threads(device.threads)
    return find_device(device.name.name)


def folder() -> Path:
    """The folder that Hydra made for this job."""
    return Path(HydraConfig.get().runtime.output_dir)
