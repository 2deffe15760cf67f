"""Hook specifications of a run's life, and the manager that calls the installed hook plugins.

A hook plugin is a module or object named by an entry point of the group ``calozoo.hooks``; it implements any of the
functions below, marked with :data:`hookimpl`. Hooks observe: they never change what a run computes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pluggy

from calozoo import registry

_spec = pluggy.HookspecMarker("calozoo")
hookimpl = pluggy.HookimplMarker("calozoo")


class Hooks:
    """What a hook plugin can implement; every function is optional, as is each of its arguments."""

    @_spec
    def stage_started(self, stage: str, folder: Path) -> None:
        """A stage (train, generate, evaluate, report) begins in the run folder."""

    @_spec
    def training_started(self, folder: Path, step: int, steps: int) -> None:
        """Training begins at ``step`` (not 0 where it resumes) and will end at ``steps``."""

    @_spec
    def losses_logged(self, folder: Path, step: int, epoch: float, losses: Mapping[str, Mapping[str, float]]) -> None:
        """Mean losses since the last call, by player and term."""

    @_spec
    def checkpoint_saved(self, folder: Path, step: int) -> None:
        """The state after ``step`` is on disk, and a killed run would go on from there."""

    @_spec
    def showers_generated(self, done: int, total: int) -> None:
        """``done`` of ``total`` showers have been generated."""

    @_spec
    def metric_scored(self, name: str, done: int, total: int) -> None:
        """The metric ``name`` is done, as the ``done``-th of ``total``."""

    @_spec
    def stage_finished(self, stage: str, folder: Path, seconds: float) -> None:
        """A stage has left its results."""

    @_spec
    def run_finished(self, folder: Path, error: BaseException | None) -> None:
        """The run is over, well or with ``error``."""


class Observers:
    """The installed hook plugins, or those ``names``: ``observers.stage_started(...)`` calls each that implements it.

    A plugin that is broken is left out with a warning; one that fails when it is called is named in a warning, once, and
    changes nothing else.
    """

    def __init__(self, names: Collection[str] | None = None) -> None:
        self.manager = pluggy.PluginManager("calozoo")
        self.manager.add_hookspecs(Hooks)
        self._failed: set[str] = set()
        for name, candidates in registry.plugins("hooks").items():
            for plugin in candidates if names is None or name in names else ():
                key = f"{plugin.package}:{name}"
                try:
                    loaded = plugin.load()
                    self.manager.register(loaded() if isinstance(loaded, type) else loaded, name=key)
                    self.manager.check_pending()
                except Exception as cause:
                    if self.manager.has_plugin(key):
                        self.manager.unregister(name=key)
                    warnings.warn(f"The hook plugin '{name}' of {plugin.package} is left out: {cause}", stacklevel=2)

    def __getattr__(self, hook: str) -> Callable[..., None]:
        def call(**arguments: Any) -> None:
            for implementation in getattr(self.manager.hook, hook).get_hookimpls():
                name = implementation.plugin_name
                try:
                    implementation.function(*(arguments[argument] for argument in implementation.argnames))
                except Exception as cause:
                    if name not in self._failed:
                        warnings.warn(f"The hook plugin {name} failed in {hook}: {cause!r}", stacklevel=2)
                    self._failed.add(name)

        return call
