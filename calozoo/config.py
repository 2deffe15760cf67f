"""Composes configurations: component signatures become typed config groups that Hydra finds under calozoo://."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Mapping
from enum import Enum
from functools import cache, partial
from importlib.metadata import version
from importlib.resources.abc import Traversable
from typing import Any, get_type_hints

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from calozoo import registry
from calozoo.errors import ConfigError, PluginError
from calozoo.options import Device, Root, Trainer

#: Groups of which several may be chosen; each choice gets a key of its own under the group.
SEVERAL = ("critic", "metric")
#: Groups that the core defines itself and whose YAML files are checked against these options.
SCHEMAS: Mapping[str, type] = {"trainer": Trainer, "device": Device}


# ---- signatures to schemas ------------------------------------------------------------------------------------------


def schema(cls: type[Any], name: str) -> type[Any]:
    """The dataclass of a component's options: its keyword-only parameters with their types and defaults.

    >>> class Halver:
    ...     def __init__(self, space, *, factor: float = 0.5): ...
    >>> [(field.name, field.type) for field in dataclasses.fields(schema(Halver, "halver"))]
    [('name', <class 'str'>), ('factor', <class 'float'>)]
    """
    hints = get_type_hints(cls.__init__)
    fields: list[Any] = [("name", str, name)]
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise PluginError(
                f"{cls.__name__} of '{name}' takes *{parameter.name}: every option needs a name and a type of its own."
            )
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        hint, default = hints.get(parameter.name, Any), parameter.default
        if default is parameter.empty:
            fields.append((parameter.name, _supported(hint), dataclasses.field(default="???")))
        else:
            value = list(default) if isinstance(default, tuple) else default
            make = dataclasses.field(default_factory=partial(_copy, value))
            fields.append((parameter.name, _supported(hint), make))
    return dataclasses.make_dataclass(cls.__name__, fields)


def _copy(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value)
    return value.copy() if isinstance(value, (list, dict)) else value


@cache
def _supported(hint: Any) -> Any:
    """``hint`` where OmegaConf can check it, else Any."""
    try:
        OmegaConf.structured(dataclasses.make_dataclass("Probe", [("option", hint)]))
    except (OmegaConfBaseException, ValueError):
        return Any
    return hint


def options(config: Any, cls: type[Any], path: str) -> Any:
    """Turn the config node at ``path`` into the option dataclass ``cls``, checked; ConfigError names key and reason."""
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), plain(config)))
    except (OmegaConfBaseException, ValueError) as cause:
        key = ".".join(filter(None, [path, getattr(cause, "full_key", None)]))
        raise ConfigError(f"{key}: {str(cause).splitlines()[0]}") from cause


def create(kind: str, config: Any, *supplied: Any) -> Any:
    """Build the component that ``config`` (a mapping with a name and options) asks for.

    ``supplied`` are the positional arguments that the framework hands every component of the kind.
    """
    name = config["name"]
    cls = registry.load(kind, name)
    checked = options(config, schema(cls, name), f"{kind}.{name}" if kind in SEVERAL else kind)
    given = {f.name: getattr(checked, f.name) for f in dataclasses.fields(checked) if f.name != "name"}
    try:
        return cls(*supplied, **given)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as cause:
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise ConfigError(f"The {kind} '{name}' cannot be made with these options: {reason}") from cause


def plain(value: Any) -> Any:
    """A JSON-ready copy of a config node or of nested dataclasses, Enums as their names."""
    if isinstance(value, DictConfig) or OmegaConf.is_list(value):
        value = OmegaConf.to_container(value, resolve=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.name if isinstance(value, Enum) else value


# ---- what Hydra sees ------------------------------------------------------------------------------------------------


def _typed(root: Any) -> DictConfig:
    """A root config whose keys have the types of :class:`calozoo.options.Root`, so that overrides are checked."""
    types = OmegaConf.structured(Root)
    given = [key for key in root if key in types and not OmegaConf.is_missing(root, key)]
    types = OmegaConf.merge(types, {key: root[key] for key in given})
    known = {key: (types if key in given else root)._get_node(key) for key in root}
    return OmegaConf.create(known)


class CalozooSource(ConfigSource):
    """Serves components as structured configs and the YAML files of the core and of plugins' config packages.

    The path is the command: ``calozoo://run`` has every group, others only those of :data:`calozoo.registry.GROUPS`.
    """

    @staticmethod
    def scheme() -> str:
        """The scheme of search paths that this source answers."""
        return "calozoo"

    def available(self) -> bool:
        """Always there."""
        return True

    def load_config(self, config_path: str) -> ConfigResult:
        """Load one option of a group, or a root config."""
        config_path = config_path.removesuffix(".yaml")
        group, _, name = config_path.rpartition("/")
        found = self._yaml(config_path)
        if found is not None:
            text = found.read_text(encoding="utf-8")
            header = self._get_header_dict(text)
            loaded = OmegaConf.create(text)
            if group in SCHEMAS and "defaults" not in loaded:  # what a preset is based on has the schema already
                loaded = OmegaConf.merge(OmegaConf.structured(SCHEMAS[group]), loaded)
            elif not group:
                loaded = _typed(loaded)
        elif self._visible(group) and name in registry.plugins(group):
            cls = registry.load(group, name)
            loaded = OmegaConf.structured(_with_defaults(group, cls, schema(cls, name)))
            header = {"package": f"_global_.{group}.{name}" if group in SEVERAL else group}
        else:
            raise ConfigLoadError(f"No config {config_path}")
        return ConfigResult(config=loaded, path=f"{self.scheme()}://{self.path}", provider=self.provider, header=header)

    def is_group(self, config_path: str) -> bool:
        """Whether there are options under this name."""
        return config_path in self._groups()

    def is_config(self, config_path: str) -> bool:
        """Whether this option exists; nothing is imported."""
        config_path = config_path.removesuffix(".yaml")
        group, _, name = config_path.rpartition("/")
        return self._yaml(config_path) is not None or (self._visible(group) and name in registry.plugins(group))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The groups or options under a path."""
        config_path = config_path.strip("/")
        found: set[str] = set()
        if results_filter is not ObjectType.CONFIG and not config_path:
            found |= self._groups()
        if results_filter is not ObjectType.GROUP:
            found |= set(registry.choices(config_path)) if self._visible(config_path) else set()
        return sorted(found)

    def _groups(self) -> frozenset[str]:
        return registry.GROUPS.get(self.path, registry.groups())

    def _visible(self, group: str) -> bool:
        return group in self._groups()

    def _yaml(self, config_path: str) -> Traversable | None:
        group = config_path.rpartition("/")[0]
        if group and not self._visible(group):
            return None
        found = {
            package: candidate
            for package, root in registry.roots().items()
            if (candidate := root.joinpath(f"{config_path}.yaml")).is_file()
        }
        name = config_path.rpartition("/")[2]
        packages = (
            [*found, *(plugin.package for plugin in registry.plugins(group).get(name, ()))] if group else [*found]
        )
        if found and len(packages) > 1:
            raise PluginError(
                f"The {group or 'config'} '{name}' is brought by {' and '.join(packages)}. Uninstall one of them."
            )
        return next(iter(found.values()), None)


def _with_defaults(group: str, cls: type[Any], options: type[Any]) -> type[Any]:
    """A component's options; a model's bring the conditions, critics and trainer that suit it."""
    if group != "model":
        return options
    brought = {
        "conditions": cls.default_conditions,
        "critic": list(cls.default_critics),
        "trainer": cls.default_trainer,
    }
    defaults = [{f"override /{name}@_global_.{name}": choice} for name, choice in brought.items()] + ["_self_"]
    return dataclasses.make_dataclass(
        options.__name__,
        [("defaults", list[Any], dataclasses.field(default_factory=lambda: defaults))],
        bases=(options,),
    )


class CalozooSearchPath(SearchPathPlugin):
    """Puts calozoo:// on Hydra's search path; ``command`` says which root's groups are seen."""

    command = "run"

    def manipulate_search_path(self, search_path: Any) -> None:
        """Append the one source of configs that calozoo has."""
        search_path.append(provider="calozoo", path=f"calozoo://{self.command}")


# ---- run folders' names ---------------------------------------------------------------------------------------------

#: Keys that do not change what a run computes.
_IRRELEVANT = frozenset({"hydra", "device"})


def run_folder(root: DictConfig) -> str:
    """Where a run goes: its model, geometry, seed and a hash of its configuration and of the versions of the
    packages whose components it uses.
    """
    content = {str(key): plain(root[key]) for key in root if str(key) not in _IRRELEVANT}
    chosen = [(kind, str(root[kind].name)) for kind in registry.KINDS if "name" in (root.get(kind) or {})]
    chosen += [(kind, str(name)) for kind in SEVERAL for name in root.get(kind) or {}]
    packages = {registry.find(kind, name).package for kind, name in chosen}
    content["versions"] = {package: version(package) for package in sorted(packages | {"calozoo", "torch"})}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:8]
    names = [OmegaConf.select(root, key) for key in ("model.name", "geometry.name", "seed")]
    return "{}-{}-seed{}-{}".format(*names, digest)


OmegaConf.register_new_resolver("calozoo.run", lambda *, _root_: run_folder(_root_), replace=True)


def versions() -> dict[str, str]:
    """Versions of the core and of every package that brings plugins."""
    packages = {
        p.package for kind in (*registry.KINDS, *registry.OTHERS) for ps in registry.plugins(kind).values() for p in ps
    }
    return {package: version(package) for package in sorted(packages | {"calozoo"})}


def set_up_hydra(command: str) -> None:
    """Make Hydra know this package; call it before ``hydra.main``."""
    from hydra.core.plugins import Plugins

    CalozooSearchPath.command = command
    Plugins.instance().register(CalozooSource)
    Plugins.instance().register(CalozooSearchPath)
