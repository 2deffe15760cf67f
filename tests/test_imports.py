from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import calozoo
from calozoo.registry import KINDS

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "calozoo").rglob("*.py"))
PROJECTS = {path.parent: tomllib.loads(path.read_text()) for path in (ROOT / "plugins").glob("*/pyproject.toml")}
SOURCES = [path for project in PROJECTS for path in sorted((project / "src").rglob("*.py"))]
PACKAGES = {project.name for project in PROJECTS} | {project.name.replace("-", "_") for project in PROJECTS}
COMPONENTS = {
    name
    for project in PROJECTS.values()
    for group, entries in project["project"].get("entry-points", {}).items()
    if group.removeprefix("calozoo.") in KINDS
    for name in entries
}
#: Components whose names are words of the core too.
WORDS = {"cells", "energy", "fraction", "images", "layers", "log", "nearest", "response", "shower"}
#: Help shows commands that work, which the defaults in conf/config.yaml name too.
EXAMPLES = ("cli.py", "_help")


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes(tree: ast.AST, path: Path) -> Iterator[ast.AST]:
    """Every node but those of the help's examples."""
    if isinstance(tree, ast.FunctionDef) and (path.name, tree.name) == EXAMPLES:
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from nodes(child, path)


def imports(path: Path) -> list[tuple[str, str | None]]:
    """What a module imports: (module, name), name None where the module itself is."""
    found: list[tuple[str, str | None]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where(path)} imports relatively"
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


def test_there_is_something_to_read() -> None:
    assert len(CORE) > 25
    assert len(PROJECTS) > 8
    assert len(SOURCES) > 20
    assert {"wgan_gp", "vae", "atlas_barrel", "ks"} <= COMPONENTS


@pytest.mark.parametrize("path", CORE, ids=where)
def test_the_core_names_no_plugin(path: Path) -> None:
    text = path.read_text()
    assert not [package for package in PACKAGES if re.search(rf"\b{package}\b", text)]
    strings = [
        node.value
        for node in nodes(ast.parse(text), path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = {word for string in strings for word in re.findall(r"\w+", string)} & (COMPONENTS - WORDS)
    assert not named


def test_the_page_names_no_plugin() -> None:
    for path in (ROOT / "calozoo").rglob("*.html"):
        assert not set(re.findall(r"\w+", path.read_text())) & (COMPONENTS - WORDS)


@pytest.mark.parametrize("path", SOURCES, ids=where)
def test_plugins_import_public_names_alone(path: Path) -> None:
    project = next(project for project in PROJECTS if path.is_relative_to(project))
    own = project.name.replace("-", "_")
    needed = {re.split(r"[^\w-]", need)[0].replace("-", "_") for need in PROJECTS[project]["project"]["dependencies"]}
    for module, name in imports(path):
        if module == "calozoo":
            assert name in calozoo.__all__, f"{where(path)} imports {name}, which is not public"
        elif module.startswith("calozoo_"):
            assert module.split(".")[0] in {own, *needed}, (
                f"{where(path)} imports {module}, which its package needs not"
            )
        else:
            assert not module.startswith("calozoo."), f"{where(path)} imports {module}: import from calozoo itself"


@pytest.mark.parametrize("path", CORE, ids=where)
def test_data_go_one_way(path: Path) -> None:
    """A module imports none of those that come after it."""
    order = [
        ["errors", "options"],
        ["files", "showers", "registry"],
        ["geometry", "config", "hooks", "checkpoint", "h5files"],
        ["data", "preprocessor", "conditions", "networks", "metric", "critic", "shower_file", "run", "drawing"],
        ["generator", "evaluation", "inspection"],
        ["simulator"],
        ["generation", "picking"],
        ["training", "report"],
        ["tasks", "testing"],
        ["cli"],
    ]
    level = {name: i for i, names in enumerate(order) for name in names}
    own = path.relative_to(ROOT / "calozoo").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    typing_only = {("critic", "generator")}
    for module, name in imports(path):
        if module.startswith("calozoo"):
            other = name if module == "calozoo" else module.split(".")[1]
            assert other == own or (own, other) in typing_only or level[str(other)] <= level[own], (
                f"{own} imports {other}"
            )


def python(code: str) -> Any:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_calozoo_imports_nothing_heavy() -> None:
    done = python(
        "import sys, calozoo, calozoo.cli, calozoo.registry\n"
        "print(sorted({'torch', 'h5py', 'matplotlib', 'hydra', 'numpy', 'sklearn'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_is_there_and_documented() -> None:
    for name in calozoo.__all__:
        assert getattr(calozoo, name).__doc__ or name == "hookimpl", name
    assert set(calozoo._MODULES) | set(calozoo._WHOLE) == set(calozoo.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Modell'"):
        _ = calozoo.Modell
