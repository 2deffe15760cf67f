"""What each command does with its configuration; imported when a job runs."""

from __future__ import annotations

import platform
import shlex
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from calozoo import checkpoint, generation
from calozoo.config import create, options, plain
from calozoo.critic import Critic
from calozoo.data import DataSource, Rows, everything, some
from calozoo.errors import ConfigError, DataError, RunError, unknown
from calozoo.evaluation import evaluate as score
from calozoo.files import read_json, replacing, write_json
from calozoo.geometry import Geometry
from calozoo.h5files import Unit, states_unit
from calozoo.hooks import Observers
from calozoo.metric import Metric
from calozoo.options import Device, Evaluation, Layout, Split, Trainer
from calozoo.picking import Picker
from calozoo.report.leaderboard import print_leaderboard
from calozoo.report.page import Sample, write_report
from calozoo.run import STAGES, Run
from calozoo.shower_file import open_showers
from calozoo.showers import Showers
from calozoo.simulator import Simulator, find_device
from calozoo.training import check, chosen_rows
from calozoo.training import train as train_players

_MEMORY = 1 << 28  # bytes


class Job:
    """One run: its components, made and checked before anything is written."""

    def __init__(self, config: DictConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.device = _device(config)
        torch.manual_seed(_seed(config.seed))
        self.simulator = Simulator(config).to(self.device)
        self.geometry = self.simulator.geometry
        self.source: DataSource = create("data", config.data, self.geometry)
        self.critics: dict[str, Critic] = {
            name: create("critic", node, self.simulator.space).to(self.device) for name, node in config.critic.items()
        }
        self.metrics = _metrics(config.metric, self.geometry)
        self.trainer: Trainer = options(config.trainer, Trainer, "trainer")
        self.evaluation: Evaluation = options(config.evaluation, Evaluation, "evaluation")
        if self.evaluation.split is Split.train:
            raise ConfigError(
                "evaluation.split=train would judge showers by what they were trained on; use test or validation."
            )
        check(self.simulator.generator.players(self.critics), self.trainer)
        self.hooks = Observers()
        self.picker: Picker | None = None

    def carry_out(self, stages: tuple[str, ...]) -> None:
        """Do those of ``stages`` that have not left their result yet."""
        training = self._training
        if not ((self.folder / "manifest.json").exists() and Run(self.folder).done("train")):
            self.picker = self._picker()
        for rows in (training, self.source.open(self.evaluation.split)):
            self.simulator.conditions(rows.rows(slice(0, 1)).columns)  # refuses data without the columns it needs
        run = Run.create(self.folder, self.config)
        self._work(run, tuple(stage for stage in stages if not run.done(stage)), training)

    def again(self, run: Run, stage: str) -> None:
        """Do one stage again, from what the stage before it left."""
        self._work(run, (stage,), None)

    def _work(self, run: Run, stages: tuple[str, ...], training: Rows | None) -> None:
        error: BaseException | None = None
        with run.locked():
            try:
                self._note(run)
                for stage in stages:
                    getattr(self, f"_{stage}")(run, *([training] if stage == "train" else []))
            except BaseException as cause:
                error = cause
                raise
            finally:
                self.hooks.run_finished(folder=run.folder, error=error)

    def _note(self, run: Run) -> None:
        """Write down what the run rests on; refuse to go on with other data."""
        manifest, fingerprint = run.manifest, self.source.fingerprint
        if manifest.setdefault("data", fingerprint) != fingerprint:
            raise RunError(
                f"The data have changed since {run.folder} was begun. Choose another hydra.run.dir or delete it."
            )
        if HydraConfig.initialized() and "command" not in manifest:
            manifest["command"] = shlex.join(["calozoo", *HydraConfig.get().overrides.task])
        write_json(run.folder / "manifest.json", manifest)

    @property
    def _where(self) -> dict[str, Any]:
        """What a stage computes on, for the manifest."""
        name = (
            torch.cuda.get_device_name() if self.device.type == "cuda" else platform.processor() or platform.machine()
        )
        return {"device": f"{self.device.type} ({name})", "threads": torch.get_num_threads()}

    def _train(self, run: Run, rows: Rows) -> None:
        with run.stage("train", self.hooks) as facts:
            self.simulator.fit(_sample(rows, self.geometry))
            result = train_players(
                self.simulator,
                self.critics,
                rows,
                self.trainer,
                run=run,
                hooks=self.hooks,
                seed=self.config.seed,
                picker=self.picker,
            )
            self.simulator.save(run.checkpoints)
            facts |= asdict(result) | self._where
        checkpoint.clear(run.checkpoints)

    def _picker(self) -> Picker | None:
        """What picks the best weights, if any is asked for."""
        name = self.trainer.pick.metric
        if name is None:
            return None
        metric = self.metrics.get(name) or create("metric", {"name": name}, self.geometry)
        validation = chosen_rows(self.source.open(Split.validation), replace(self.trainer, fraction=1.0), 0)
        showers = everything(some(validation, self.trainer.pick.showers))
        return Picker(metric, showers, threshold=self.evaluation.threshold, seed=self.config.seed)

    def _generate(self, run: Run) -> None:
        with run.stage("generate", self.hooks) as facts:
            simulator = Simulator.load(run.checkpoints, self.device)
            columns = generation.held_out(self.held_out, simulator.columns, self.config.generation.per_energy)
            facts["showers"] = generation.generate(
                simulator,
                len(columns["incident_energy"]),
                columns,
                run.showers,
                hooks=self.hooks,
                seed=self.config.seed,
                threshold=self.config.generation.threshold,
            )
            facts |= {"milliseconds_per_shower": generation.timing(simulator)} | self._where

    def _evaluate(self, run: Run) -> None:
        with run.stage("evaluate", self.hooks):
            threshold = self.evaluation.threshold
            scores = score(
                self.metrics,
                self.held_out,
                self.generated(run),
                threshold=threshold,
                hooks=self.hooks,
                training=self._compared(self._training),
                others=self._compared(self.source.open(Split.train)),
            )
            write_json(run.scores, {**scores, "config": plain(self.config.metric)})
            _say_refusals(scores)

    def _report(self, run: Run) -> None:
        with run.stage("report", self.hooks):
            scores = read_json(run.scores)
            threshold = scores["threshold"]
            metrics = _metrics(scores.get("config", {}), self.geometry)
            generated = self.generated(run).above(threshold)
            sample = Sample(generated, scores, run, before=run.before)
            write_report(run.folder, metrics, self.held_out.above(threshold), {self.config.model.name: sample})

    @property
    def _training(self) -> Rows:
        return chosen_rows(self.source.open(Split.train), self.trainer, self.config.seed)

    @property
    def held_out(self) -> Showers:
        """The showers that the run is judged by."""
        return self._compared(self.source.open(self.evaluation.split))

    def generated(self, run: Run) -> Showers:
        """The showers that a run left."""
        return self._compared(open_showers(run.showers, self.geometry))

    def _compared(self, rows: Rows) -> Showers:
        return _sample(rows, self.geometry, self.evaluation.most)


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
        _unused(
            config,
            "generate",
            ("energy", "n", "conditions", "unit", "seed", "threshold"),
            "add out=FILE.h5 for other showers",
        )
        _again(config, "generate", device=config.device)
        return
    n, columns = generation.from_options(plain(config.energy), config.n, config.conditions, _unit(config))
    simulator = Simulator.load(run.checkpoints, _device(config))
    n = generation.generate(
        simulator,
        n,
        columns,
        Path(config.out),
        hooks=Observers(),
        seed=_seed(config.seed or 0),
        threshold=config.threshold or 0.0,
    )
    sys.stdout.write(f"{n} showers: {config.out}\n")


def evaluate(config: DictConfig) -> None:
    """``calozoo evaluate``: a run's showers again, or any two shower files."""
    if config.run is not None:
        _unused(
            config, "evaluate", ("reference", "generated", "geometry", "unit", "out"), "leave out run= for two files"
        )
        own = Run.open(config.run).config
        chosen = any(override.lstrip("+~").startswith("metric") for override in HydraConfig.get().overrides.task)
        threshold = own.evaluation.threshold if config.threshold is None else config.threshold
        _again(
            config,
            "evaluate",
            metric=config.metric if chosen else own.metric,
            evaluation={
                **own.evaluation,
                "threshold": threshold,
                **({} if config.most is None else {"most": config.most}),
            },
        )
        return
    missing = [key for key in ("reference", "generated", "geometry", "out") if not config.get(key)]
    if missing:
        raise ConfigError(
            f"calozoo evaluate lacks {', '.join(f'{key}=' for key in missing)}. Give run=FOLDER, or reference=FILE.h5 "
            "generated=FILE.h5 geometry=NAME out=FOLDER."
        )
    unit = _unit(config)
    geometry: Geometry = create("geometry", config.geometry)
    metrics = _metrics(config.metric, geometry)
    out, threshold = Path(config.out), 1.0 if config.threshold is None else config.threshold
    reference, generated = (
        _sample(open_showers(path, geometry, None if states_unit(Path(path)) else unit), geometry, config.most)
        for path in (config.reference, config.generated)
    )
    scores = score(metrics, reference, generated, threshold=threshold, hooks=Observers())
    write_json(out / "scores.json", scores)
    _say_refusals(scores)
    sample = Sample(generated.above(threshold), scores, None)
    label = Path(config.generated).stem
    write_report(out, metrics, reference.above(threshold), {label: sample})
    print_leaderboard({label: scores})
    sys.stdout.write(f"report: {out / 'report.html'}\n")


def report(config: DictConfig) -> None:
    """``calozoo report``: figures and report.html of a run, made again."""
    _again(config, "report")


def compare(config: DictConfig) -> None:
    """``calozoo compare``: several runs in one report and one table."""
    runs = [Run.open(folder) for folder in config.runs]
    first = runs[0]
    for run in runs:
        if not run.done("evaluate"):
            raise RunError(f"{run.folder} has no scores yet. Go on with: calozoo evaluate run={run.folder}")
        for key in ("geometry", "data", "evaluation"):
            if run.config[key] != first.config[key]:
                raise ConfigError(
                    f"{first.folder} and {run.folder} were judged with another {key}: they cannot be compared."
                )
        if run.manifest["data"] != first.manifest["data"]:
            raise ConfigError(f"{first.folder} and {run.folder} were judged by other showers: they cannot be compared.")
    scores = {run.folder: read_json(run.scores) for run in runs}
    threshold = scores[first.folder]["threshold"]
    names: dict[str, Any] = {}
    for folder, found in scores.items():
        if found["threshold"] != threshold:
            raise ConfigError(
                f"{first.folder} and {folder} were scored with another threshold: they cannot be compared."
            )
        for name, node in found.get("config", {}).items():
            if names.setdefault(name, node) != node:
                raise ConfigError(f"{folder} has scores of the metric '{name}' with other options: score it again.")
    job = Job(first.config, first.folder)
    labels = _labels(runs)
    samples = {}
    for run in runs:
        samples[labels[run.folder]] = Sample(job.generated(run).above(threshold), scores[run.folder], run)
    out = Path(config.out)
    write_report(out, _metrics(names, job.geometry), job.held_out.above(threshold), samples)
    print_leaderboard({label: sample.scores for label, sample in samples.items()})
    sys.stdout.write(f"report: {out / 'report.html'}\n")


def _labels(runs: list[Run]) -> dict[Path, str]:
    """A name for each run: its model where they differ, else its folder's."""
    models = [str(run.config.model.name) for run in runs]
    names = models if len(set(models)) == len(runs) else [run.folder.name for run in runs]
    if len(set(names)) < len(runs):
        names = [str(run.folder) for run in runs]
    return {run.folder: name for run, name in zip(runs, names, strict=True)}


def picture(config: DictConfig) -> None:
    """``calozoo picture``: a geometry's cells in space, layer by layer, and what its alignments move."""
    from calozoo import drawing

    geometry: Geometry = create("geometry", config.geometry)
    figures = {"cells": drawing.in_space(geometry), "layers": drawing.by_layer(geometry)}
    figures |= drawing.alignments(geometry)
    for name, figure in figures.items():
        with replacing(Path(config.out) / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=110)
        sys.stdout.write(f"{Path(config.out) / f'{name}.png'}\n")


def convert(config: DictConfig) -> None:
    """``calozoo data convert``: the showers of any data source, as a shower file."""
    from calozoo.inspection import WHOLE
    from calozoo.inspection import convert as write

    geometry: Geometry = create("geometry", config.geometry)
    node = plain(config.data)
    source: DataSource = create("data", node | (WHOLE if "split" in node else {}), geometry)
    out = Path(config.out)
    if node.get("path") and Path(node["path"]).resolve() == out.resolve():
        raise ConfigError(f"out={out} is the file that is read: choose another name.")
    n = write(source.open(Split.train), geometry, out, config.layout is Layout.calozoo)
    sys.stdout.write(f"{n} showers: {out}\n")


def inspect(config: DictConfig) -> None:
    """``calozoo data inspect``: what is in a file of showers, and what is wrong with it."""
    from calozoo.inspection import inspect as look

    data, window = (plain(config[key]) if key in config else None for key in ("data", "geometry"))
    if data is not None and window is None:
        raise ConfigError(f"data={data['name']} makes showers for a geometry: add geometry=NAME.")
    geometry = create("geometry", window) if window is not None else None
    picture = Path(config.out or f"{Path(config.file).stem}.png")
    if problems := look(Path(config.file), geometry, _unit(config), picture, data):
        raise DataError(f"{config.file} has {problems} {'problem' if problems == 1 else 'problems'}, listed above.")


def _again(config: DictConfig, stage: str, **instead: Any) -> None:
    """Do one stage of a run folder again, from what the stage before it left."""
    run = Run.open(config.run)
    before = STAGES[STAGES.index(stage) - 1]
    if not run.done(before):
        raise RunError(
            f"The run {config.run} has not done '{before}' yet. Go on with: calozoo {before} run={config.run}"
        )
    Job(OmegaConf.create(dict(run.config) | instead), run.folder).again(run, stage)


def _unused(config: DictConfig, command: str, keys: tuple[str, ...], remedy: str) -> None:
    """Refuse options that would have no effect."""
    given = [key for key in keys if config.get(key) is not None]
    if given:
        raise ConfigError(
            f"calozoo {command} run={config.run} has no use for {', '.join(f'{k}=' for k in given)}: {remedy}."
        )


def _sample(rows: Rows, geometry: Geometry, most: int | None = None) -> Showers:
    """The showers, or ``most`` of them, drawn evenly; by default as many as fit into the memory of a comparison."""
    if most is not None and most < 1:
        raise ConfigError(f"evaluation.most must be at least 1, not {most}.")
    return everything(some(rows, most or max(1000, _MEMORY // (4 * geometry.cells))))


def _metrics(nodes: Mapping[str, Any], geometry: Geometry) -> dict[str, Metric]:
    return {str(name): create("metric", node, geometry) for name, node in nodes.items()}


def _say_refusals(scores: Mapping[str, Any]) -> None:
    """Tell where no metric at all could judge."""
    entries = scores["metrics"]
    if entries and not any(entry["values"] for entry in entries.values()):
        reasons = dict.fromkeys(f"{entry['refused']}" for entry in entries.values())
        warnings.warn(f"No metric gives a score. {' '.join(reasons)}", stacklevel=2)


def _unit(config: DictConfig) -> Unit | None:
    if config.unit is not None and config.unit not in Unit.__members__:
        raise ConfigError(unknown("unit", config.unit, Unit.__members__))
    return None if config.unit is None else Unit[config.unit]


def _seed(seed: int | None) -> int:
    if seed is None or seed < 0:
        raise ConfigError(f"seed must be 0 or a positive number, not {seed}.")
    return seed


def _device(config: DictConfig) -> torch.device:
    device: Device = options(config.device, Device, "device")
    torch.set_num_threads(device.threads)
    return find_device(device.name.name)


def folder() -> Path:
    """The folder that Hydra made for this job."""
    return Path(HydraConfig.get().runtime.output_dir)
