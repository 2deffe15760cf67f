"""A run folder: what a run leaves behind, and what a later stage finds there."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from calozoo.config import plain, versions
from calozoo.errors import RunError
from calozoo.files import read_json, refuse_interpolation, write_json, write_text

STAGES = ("train", "generate", "evaluate", "report")


class Run:
    """A run folder that exists: its configuration, its manifest and the places of its results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints = folder / "checkpoints"
        self.losses = folder / "losses.jsonl"
        self.showers = folder / "showers.h5"
        self.scores = folder / "scores.json"
        self.figures = folder / "figures"
        self.report = folder / "report.html"

    @staticmethod
    def create(folder: Path, config: DictConfig) -> Run:
        """Start a run in ``folder``, or go on with one of the same configuration; refuse a folder of another."""
        run = Run(folder)
        wanted = {key: value for key, value in plain(config).items() if key != "device"}
        path = folder / "config.yaml"
        if path.exists():
            found = {key: value for key, value in plain(run.config).items() if key != "device"}
            if found != wanted:
                different = sorted(key for key in found | wanted if found.get(key) != wanted.get(key))
                raise RunError(
                    f"{folder} holds a run of another configuration (other settings of {', '.join(different)}). Choose another "
                    "hydra.run.dir, or delete the folder."
                )
        else:
            write_text(path, OmegaConf.to_yaml(OmegaConf.create(plain(config))))
        return run

    @staticmethod
    def open(folder: Path | str) -> Run:
        """The run in a folder that holds one."""
        run = Run(Path(folder))
        if not (run.folder / "config.yaml").is_file():
            raise RunError(f"{folder} is no run folder: it has no config.yaml.")
        return run

    @property
    def config(self) -> DictConfig:
        """The run's configuration; plain values only, since YAML tags are not followed."""
        try:
            config = OmegaConf.load(self.folder / "config.yaml")
        except (OSError, YAMLError, UnicodeDecodeError, OmegaConfBaseException) as cause:
            raise RunError(f"Cannot read {self.folder / 'config.yaml'}: {str(cause).splitlines()[0]}") from cause
        if not isinstance(config, DictConfig):
            raise RunError(f"{self.folder / 'config.yaml'} does not hold a configuration.")
        refuse_interpolation(OmegaConf.to_container(config, resolve=False), self.folder / "config.yaml")
        return config

    @property
    def manifest(self) -> dict[str, Any]:
        """Versions, platform, data and what each stage left."""
        path = self.folder / "manifest.json"
        if not path.exists():
            return {
                "versions": versions(),
                "python": platform.python_version(),
                "platform": platform.platform(),
                "stages": {},
            }
        manifest = read_json(path)
        if not (isinstance(manifest, dict) and isinstance(manifest.get("stages"), dict)):
            raise RunError(f"{path} is damaged: it does not say which stages are done.")
        return manifest

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working in this folder meanwhile; RunError if one does."""
        try:
            import fcntl
        except ImportError:  # Windows: no such lock
            yield
            return
        with (self.folder / "config.yaml").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                raise RunError(
                    f"Another process works in {self.folder}; wait for it or choose another folder."
                ) from cause
            yield

    @property
    def before(self) -> Run | None:
        """The last run of this model beside this one that was judged before it by the same showers, if there is one."""
        found = []
        for scores in self.folder.parent.glob("*/scores.json"):
            other = Run(scores.parent)
            if other.folder.name == self.folder.name or scores.stat().st_mtime > self.scores.stat().st_mtime:
                continue
            with suppress(RunError, KeyError, AttributeError):
                judged = ("geometry", "data", "evaluation")
                same = all(other.config[key] == self.config[key] for key in judged)
                if same and (other.config.model.name, other.manifest["data"]) == (
                    self.config.model.name,
                    self.manifest["data"],
                ):
                    found.append((scores.stat().st_mtime, other))
        return max(found, key=lambda item: item[0])[1] if found else None

    def done(self, stage: str) -> bool:
        """Whether a stage has left its result."""
        return stage in self.manifest["stages"]

    @contextmanager
    def stage(self, stage: str, hooks: Any) -> Iterator[dict[str, Any]]:
        """Time a stage and note it in the manifest when it ends well, with the facts put into the yielded dict.

        Later stages count as not done from then on, since they rest on this one.
        """
        hooks.stage_started(stage=stage, folder=self.folder)
        start, facts = time.perf_counter(), dict[str, Any]()
        yield facts
        seconds = time.perf_counter() - start
        manifest = self.manifest
        kept = {name: manifest["stages"][name] for name in STAGES[: STAGES.index(stage)] if name in manifest["stages"]}
        manifest["stages"] = {**kept, stage: {"seconds": round(seconds, 2), **facts}}
        write_json(self.folder / "manifest.json", manifest)
        hooks.stage_finished(stage=stage, folder=self.folder, seconds=seconds)
