"""Finds components by kind and name through entry points; imports one only when it is asked for."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from calozoo.errors import PluginError, unknown

#: Each kind of component, the name it has in the configuration too, and the interface that its plugins implement.
KINDS: Mapping[str, str] = {
    "geometry": "calozoo.geometry:Geometry",
    "data": "calozoo.data:DataSource",
    "preprocessor": "calozoo.preprocessor:Preprocessor",
    "model": "calozoo.generator:Generator",
    "critic": "calozoo.critic:Critic",
    "metric": "calozoo.metric:Metric",
}
#: Groups whose entry points are no components: observers of a run, and packages of YAML files.
OTHERS = ("hooks", "configs")
#: Groups that a command's root config has, where it has fewer than all: there the words are ordinary keys.
GROUPS: Mapping[str, frozenset[str]] = {
    "generate": frozenset({"device"}),
    "evaluate": frozenset({"geometry", "metric"}),
    "report": frozenset(),
    "compare": frozenset(),
    "inspect": frozenset({"geometry", "data"}),
    "picture": frozenset({"geometry"}),
    "convert": frozenset({"geometry", "data"}),
}


@dataclass(frozen=True)
class Plugin:
    """One entry point: what it is called, where it points, and which package brought it."""

    kind: str
    name: str
    target: str  # module:attribute
    package: str
    version: str
    entry_point: EntryPoint

    def load(self) -> Any:
        """Import what the entry point names; any failure becomes a PluginError that names the package."""
        try:
            return self.entry_point.load()
        except Exception as cause:
            missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
            remedy = f"pip install {missing.split('.')[0]}" if missing else f"mend or uninstall {self.package}"
            raise PluginError(
                f"The {self.kind} '{self.name}' of package {self.package} {self.version} cannot be imported: "
                f"{type(cause).__name__}: {cause}. To go on: {remedy}, or choose another {self.kind}."
            ) from cause


def disabled() -> frozenset[str]:
    """Names of plugins or packages that the environment variable CALOZOO_DISABLE_PLUGINS switches off."""
    return frozenset(filter(None, os.environ.get("CALOZOO_DISABLE_PLUGINS", "").replace(",", " ").split()))


@cache
def plugins(kind: str) -> Mapping[str, tuple[Plugin, ...]]:
    """Every installed plugin of a kind by name, without importing any; several under a name that is taken twice."""
    found: dict[str, list[Plugin]] = defaultdict(list)
    seen = set()
    for entry in entry_points(group=f"calozoo.{kind}"):
        package = entry.dist.name if entry.dist else "unknown"
        if (entry.name, package) in seen or {entry.name, package} & disabled():
            continue
        seen.add((entry.name, package))
        version = entry.dist.version if entry.dist else "?"
        found[entry.name].append(Plugin(kind, entry.name, entry.value, package, version, entry))
    return {name: tuple(found[name]) for name in sorted(found)}


def available(kind: str) -> list[str]:
    """The names of a kind that can be chosen.

    >>> available("colour")
    Traceback (most recent call last):
    calozoo.errors.PluginError: There is no kind of plugin 'colour'. Known: critic, data, geometry, metric, model, preprocessor.
    """
    if kind not in KINDS:
        raise PluginError(unknown("kind of plugin", kind, KINDS))
    return list(plugins(kind))


def find(kind: str, name: str) -> Plugin:
    """The one plugin of that kind and name; PluginError if there is none, or more than one."""
    available(kind)
    candidates = plugins(kind).get(name, ())
    if not candidates:
        hint = " 'calozoo plugins' lists what is installed."
        if not plugins(kind):
            hint = " Install some, for example with: pip install 'calozoo[atlas]'."
        raise PluginError(unknown(kind, name, plugins(kind)) + hint)
    if len(candidates) > 1:
        packages = " and ".join(plugin.package for plugin in candidates)
        raise PluginError(
            f"The {kind} '{name}' is brought by {packages}. Uninstall one of them, or set "
            f"CALOZOO_DISABLE_PLUGINS={candidates[-1].package} to choose the other."
        )
    return candidates[0]


def load(kind: str, name: str) -> type[Any]:
    """Import the class of a kind and name, and check that it implements the kind's interface."""
    plugin = find(kind, name)
    loaded = plugin.load()
    module, attribute = KINDS[kind].split(":")
    interface = getattr(import_module(module), attribute)
    if not (isinstance(loaded, type) and issubclass(loaded, interface)):
        raise PluginError(
            f"The {kind} '{name}' of package {plugin.package} is {plugin.target}, which is not a class derived from "
            f"calozoo.{attribute}."
        )
    return loaded


def files_of(plugin: Plugin) -> Traversable:
    """The folder of a config package; PluginError where the package cannot be imported."""
    try:
        return files(plugin.target)
    except Exception as cause:
        raise PluginError(
            f"The config package '{plugin.target}' of {plugin.package} {plugin.version} cannot be imported: "
            f"{type(cause).__name__}: {cause}. To go on: mend or uninstall {plugin.package}."
        ) from cause


@cache
def roots() -> Mapping[str, Traversable]:
    """The core's conf/ and every config package of the group ``calozoo.configs`` by its package's name.

    A package that cannot be imported is left out with a warning.
    """
    found = {"calozoo": files("calozoo.conf")}
    for candidates in plugins("configs").values():
        for plugin in candidates:
            try:
                found[plugin.package] = files_of(plugin)
            except PluginError as error:
                warnings.warn(str(error), stacklevel=2)
    return found


@cache
def groups() -> frozenset[str]:
    """Every config group there is."""
    folders = {
        item.name
        for root in roots().values()
        for item in root.iterdir()
        if item.is_dir() and not item.name.startswith("_")
    }
    return frozenset(folders | set(KINDS))


def choices(group: str) -> list[str]:
    """The options of a group, from plugins and YAML files; nothing is imported."""
    found = set(plugins(group)) if group in KINDS else set()
    for root in roots().values():
        folder = root.joinpath(group) if group else root
        if folder.is_dir():
            found |= {item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")}
    return sorted(found)
