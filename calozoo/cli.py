"""The command ``calozoo``: finds the command word, answers help by itself, and hands the rest to Hydra."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import is_dataclass
from difflib import get_close_matches
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from calozoo import registry
from calozoo.errors import CalozooError, ConfigError, Stopped, unknown

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig

#: Commands that Hydra composes a configuration for, each with the name of its root config.
COMMANDS = {
    "run": ("config", "train, generate, evaluate and report (the default)"),
    "train": ("config", "train alone; run=FOLDER goes on with a killed one"),
    "generate": ("generate", "showers from a trained run: run=FOLDER energy=65536 n=1000 out=FILE.h5"),
    "evaluate": ("evaluate", "score run=FOLDER, or reference=FILE.h5 generated=FILE.h5 geometry=NAME out=FOLDER"),
    "report": ("report", "figures and report.html of run=FOLDER again"),
    "compare": ("compare", "several runs side by side, from best to worst: calozoo compare RUN RUN ... out=FOLDER"),
    "convert": ("convert", "calozoo data convert data=NAME geometry=NAME out=FILE.h5: any source as a shower file"),
    "inspect": (
        "inspect",
        "calozoo data inspect FILE.h5 geometry=NAME: what is in a file of showers and what is wrong with it",
    ),
    "picture": ("picture", "pictures of a geometry's cells: geometry=NAME out=FOLDER"),
}
_FLAGS = {"-h", "--help"}


def main() -> None:
    """Run the command line; the exit status is 0, 1 after a failure and 2 after a bad command."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    with contextlib.suppress(BrokenPipeError):
        try:
            _dispatch(sys.argv[1:])
        except ConfigError as error:
            _leave(str(error), 2)
        except CalozooError as error:
            _leave(str(error), 1)
        except OSError as error:
            _leave(f"Cannot use {error.filename or 'a file'}: {error.strerror or error}.", 1)
        except KeyboardInterrupt:
            _leave("interrupted", 130)


def _terminate(*_: Any) -> None:
    """Leave by an exception, so that unfinished files are removed on the way."""
    raise KeyboardInterrupt


def _leave(message: str, status: int) -> None:
    sys.stderr.write(f"calozoo: {message}\n")
    sys.exit(status)


def _dispatch(arguments: list[str]) -> None:
    if "COMP_LINE" in os.environ and _complete(os.environ["COMP_LINE"]):
        return
    command = "run"
    if arguments and not arguments[0].startswith("-") and "=" not in arguments[0]:
        command, *arguments = arguments
    if command == "data":
        command, *arguments = arguments or ["inspect"]
        if command not in ("inspect", "convert"):
            raise ConfigError(unknown("command of calozoo data", command, ["inspect", "convert"]))
    if command in ("inspect", "compare") and not _FLAGS & set(arguments):
        arguments = _named(command, arguments)
    if command == "plugins":
        _plugins(arguments)
    elif command not in COMMANDS:
        raise ConfigError(unknown("command", command, [*COMMANDS, "data", "plugins"]))
    elif _FLAGS & set(arguments) or (command == "run" and not arguments):
        _help(command, [argument for argument in arguments if argument not in _FLAGS])
    else:
        _hydra(command, arguments)


def _named(command: str, arguments: list[str]) -> list[str]:
    """Make the paths among the arguments overrides that Hydra reads as they are."""
    flags = next((k for k, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    paths = [argument for argument in arguments[:flags] if "=" not in argument]
    rest = [argument for argument in arguments[:flags] if "=" in argument] + arguments[flags:]
    quoted = ["'" + path.replace("'", "\\'") + "'" for path in paths]
    if command == "inspect" and len(paths) == 1:
        return [f"file={quoted[0]}", *rest]
    if command == "compare" and paths:
        return [f"runs=[{','.join(quoted)}]", *rest]
    raise ConfigError(
        "Type: calozoo data inspect FILE.h5 [geometry=NAME] [unit=GeV] [data=NAME] [out=PICTURE.png]"
        if command == "inspect"
        else "Type: calozoo compare RUN RUN ... [out=FOLDER]"
    )


# ---- Hydra ----------------------------------------------------------------------------------------------------------


def _hydra(command: str, arguments: list[str]) -> None:
    import hydra

    from calozoo.config import set_up_hydra

    resumed = command == "train" and any(argument.startswith("run=") for argument in arguments)
    root = "resume" if resumed else COMMANDS[command][0]
    failures: list[BaseException] = []
    process = os.getpid()

    def task(config: DictConfig) -> Any:
        import calozoo.tasks

        warnings.showwarning = _show_warning
        try:
            return getattr(calozoo.tasks, command)(config)
        except BaseException as error:
            if os.getpid() != process or not isinstance(error, CalozooError | KeyboardInterrupt):
                raise
            if failures:  # of an earlier job of a multirun, which goes on
                sys.stderr.write(f"calozoo: {failures[-1]}\n")
            failures.append(error)
            if root == "config":  # the folder was made for this job
                _forget(calozoo.tasks.folder())
            if isinstance(error, KeyboardInterrupt | Stopped):  # the jobs that would follow are not meant to run
                raise KeyboardInterrupt from error

    set_up_hydra(command)
    sys.argv = ["calozoo", *arguments]
    # Hydra would print and leave; this makes it raise, so that every failure becomes one line of ours.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    with contextlib.suppress(KeyboardInterrupt), _one_line():
        hydra.main(version_base="1.3", config_path=None, config_name=root)(task)()
    if failures:
        raise failures[-1]


def _forget(folder: Path) -> None:
    """Remove the run folder that Hydra made if the failed job left nothing in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"calozoo: warning: {message}\n")


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise into one line that says what exists."""
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

    try:
        yield
    except CalozooError:
        raise
    except MissingConfigException as error:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        if not group:
            raise ConfigError(str(error).splitlines()[0]) from error
        raise ConfigError(unknown(group, name, registry.choices(group))) from error
    except (HydraException, OmegaConfBaseException) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (OmegaConfBaseException, CalozooError)):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, CalozooError):
            raise cause from error
        first = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
            parent = cause.parent_node
            prefix = "".join((cause.full_key or "").rpartition(".")[:2])
            names = [f"{prefix}{key}" for key in parent]
            # What no dataclass types is a table of names that may grow, such as conditions.columns.
            grows = prefix.count(".") > 1 and not is_dataclass(OmegaConf.get_type(parent))
            hint = " To add one, put a + before the option." if grows else ""
            raise ConfigError(unknown("option", cause.full_key, names) + hint) from error
        if first.startswith("You must specify"):
            group = first.split("'")[1]
            for key in (argument.partition("=")[0].lstrip("+~") for argument in sys.argv[1:]):
                if get_close_matches(key, [group]) and key != group:
                    raise ConfigError(unknown("option", key, registry.groups())) from error
            raise ConfigError(
                f"Choose a {group}: {group}=NAME with one of {', '.join(registry.choices(group))}."
            ) from error
        if isinstance(cause, OmegaConfBaseException):
            key = f"{cause.full_key}: " if cause.full_key else ""
            hint = (
                f". It has options of its own: type {cause.full_key}.name=..." if "not a subclass" in str(cause) else ""
            )
            raise ConfigError(f"{key}{str(cause).splitlines()[0]}{hint}") from error
        raise ConfigError(first) from error


# ---- help, completion, plugins: nothing here imports torch ----------------------------------------------------------


def _complete(line: str) -> bool:
    """Answer the completion of commands, group names and their options; leave option keys to Hydra."""
    words = line[: int(os.environ.get("COMP_POINT", len(line)))].split(" ")[1:]
    word = words[-1] if words else ""
    if words and words[0] in COMMANDS and len(words) > 1:
        os.environ["COMP_LINE"] = " ".join(["calozoo", *words[1:]])  # Hydra knows no command words
    if "." in word or word.startswith("-"):
        return False
    command = words[0] if len(words) > 1 and words[0] in COMMANDS else "run"
    group, equals, _ = word.partition("=")
    known = registry.GROUPS.get(command, registry.groups())
    if equals and group not in known:
        return False
    if equals:
        found = [f"{group}={choice}" for choice in registry.choices(group)]
    else:
        found = [f"{group}=" for group in sorted(known)]
        if len(words) <= 1:
            found += [*COMMANDS, "data", "plugins"]
    sys.stdout.write("\n".join(choice for choice in found if choice.startswith(word)) + "\n")
    return True


def _help(command: str, arguments: list[str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    console.print("[bold]calozoo [COMMAND] group=option key=value ...[/]   for example")
    console.print("  calozoo model=wgan_gp geometry=atlas_barrel\n  calozoo -m model=vae,wgan_gp seed=0,1,2,3")
    if command == "run" and not arguments:
        table = Table("command", "what it does", box=None, pad_edge=False, header_style="bold", title_justify="left")
        for name, (_, text) in COMMANDS.items():
            table.add_row(name, text)
        table.add_row(
            "plugins", "what is installed, from which package; plugins --check imports each and says what is broken"
        )
        console.print("", table)
    if command != "run":
        root, text = COMMANDS[command]
        console.print(f"\n{text}")
        for line in files("calozoo.conf").joinpath(f"{root}.yaml").read_text(encoding="utf-8").splitlines():
            if re.match(r"(?!hydra)\w+:.*#", line):
                console.print(f"  {escape(line)}")
    table = Table("group", "options", box=None, pad_edge=False, header_style="bold")
    for group in sorted(registry.GROUPS.get(command, registry.groups())):
        table.add_row(group, ", ".join(registry.choices(group)) or "none installed")
    console.print("", table)
    for argument in arguments:
        group, _, name = argument.partition("=")
        if group in registry.groups() and name:
            _help_component(console, group, name)
    if not arguments:
        console.print(
            "\nOptions of a component: calozoo model=wgan_gp --help. Everything a run would use: calozoo model=wgan_gp --cfg job"
            '\nOthers: -m (multirun), hydra.run.dir=FOLDER, and completion by: eval "$(calozoo -sc install=bash)"'
        )


def _help_component(console: Any, group: str, name: str) -> None:
    from dataclasses import MISSING, fields, is_dataclass
    from enum import Enum
    from inspect import getdoc

    from rich.markup import escape
    from rich.table import Table

    from calozoo.config import SCHEMAS, SEVERAL, plain, schema

    if group not in SCHEMAS and name not in registry.plugins(group):
        return  # a preset, whose YAML file says what it sets
    cls = SCHEMAS[group] if group in SCHEMAS else registry.load(group, name)
    console.print(f"\n[bold]{group}={name}[/]: {escape((getdoc(cls) or '').strip())}")
    table = Table("option", "default", "choices", box=None, pad_edge=False, header_style="bold")
    prefix = f"{group}.{name}" if group in SEVERAL else group

    def add(path: str, options: Any) -> None:
        for field in fields(options):
            default = field.default if field.default_factory is MISSING else field.default_factory()
            if field.name == "name" and path == prefix:
                continue
            if is_dataclass(default):
                add(f"{path}.{field.name}", type(default))
                continue
            members = type(default).__members__ if isinstance(default, Enum) else ()
            table.add_row(f"{path}.{field.name}", escape(str(plain(default))), ", ".join(members))

    add(prefix, cls if group in SCHEMAS else schema(cls, name))
    console.print(table)


def _plugins(arguments: list[str]) -> None:
    """List every installed plugin; with --check import each and say what is broken."""
    if unexpected := set(arguments) - {"--check"}:
        raise ConfigError(f"calozoo plugins takes --check alone, not {' '.join(sorted(unexpected))}.")
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("kind", "name", "package", "version", "state", box=None, pad_edge=False, header_style="bold")
    broken = 0
    for kind in (*registry.KINDS, *registry.OTHERS):
        for name, candidates in registry.plugins(kind).items():
            for plugin in candidates:
                state = "ok" if "--check" in arguments else ""
                try:
                    if "--check" in arguments and kind in registry.KINDS:
                        _check(kind, name)
                    elif "--check" in arguments and kind == "hooks":
                        plugin.load()
                    elif "--check" in arguments:
                        registry.files_of(plugin)
                    elif len(candidates) > 1:
                        registry.find(kind, name)
                except CalozooError as error:
                    state, broken = f"[red]{escape(str(error))}[/]", broken + 1
                table.add_row(kind, name, plugin.package, plugin.version, state)
    Console(highlight=False).print(table)
    if off := registry.disabled():
        sys.stdout.write(f"Switched off by CALOZOO_DISABLE_PLUGINS: {', '.join(sorted(off))}\n")
    if broken:
        sys.exit(1)


def _check(kind: str, name: str) -> None:
    from calozoo.config import schema

    schema(registry.load(kind, name), name)
