from __future__ import annotations

import re
import runpy
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from calozoo.hooks import Hooks
from calozoo.options import OptimizerName, ScheduleName, Trainer
from calozoo.testing import ModelContract
from conftest import Outcome

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> Iterator[str]:
    """Every calozoo command in a shell block of any page."""
    for page in PAGES:
        for language, text in BLOCK.findall(page.read_text()):
            if language in {"sh", "console"}:
                for line in text.splitlines():
                    found = re.search(r"(?:^|\$ |&& )(calozoo( .*)?)$", line.partition("  #")[0].rstrip())
                    if found:
                        yield found[1]


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_every_command_in_the_docs_composes(
    calozoo: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)[1:]
    if arguments[:2] == ["data", "inspect"]:
        assert (
            {"geometry=atlas_barrel"} <= set(arguments[3:]) <= {"geometry=atlas_barrel", "data=cells"}
        )  # what it does is tested where it is tested
        return
    if "--help" in arguments or arguments[:1] == ["plugins"]:
        outcome = calozoo(*arguments)
    else:
        model = (
            []
            if any(a.startswith(("model=", "experiment=", "run=", "reference=")) for a in arguments)
            else ["model=vae"]
        )
        if arguments[0] in {"picture", "evaluate", "generate", "data", "compare"}:
            model = []
        single = [a if "[" in a else a.partition(",")[0] for a in arguments if a != "-m"]  # the first job of a multirun
        outcome = calozoo(*single, *model, "--cfg", "job")
    assert outcome.status == 0, outcome.err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_readme_runs_in_python(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [text for language, text in BLOCK.findall((ROOT / "README.md").read_text()) if language == "python"]
    assert blocks
    for text in blocks:
        exec(text.replace("runs/NAME", str(finished_run)), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines() == ["(1024, 266)", "(976, 266)"]


def test_the_plugin_of_the_docs_passes_its_contract(install: Callable[..., None]) -> None:
    blocks = [text for language, text in BLOCK.findall((ROOT / "docs/plugins.md").read_text()) if language == "python"]
    install("calozoo-mine", {"model mine": "mine:Mine"}, mine=blocks[0])

    class Mine(ModelContract):
        name = "mine"

    contract: Any = Mine()
    contract.test_is_found_and_has_a_schema()
    contract.test_describes_itself_and_its_options()
    contract.test_every_loss_reaches_every_parameter()
    contract.test_losses_are_pure()
    contract.test_sample_is_a_function_of_condition_and_latent()
    contract.test_is_saved_and_loaded()
    for n in (0, 1, 64):
        contract.test_samples_have_the_shape_of_the_space(n)


def test_every_option_of_the_trainer_is_documented() -> None:
    text = (ROOT / "docs/training.md").read_text()
    for field in fields(Trainer):
        assert f"`trainer.{field.name}" in text, field.name
    for name in (*OptimizerName.__members__, *ScheduleName.__members__):
        assert f"`{name}`" in text, name


def test_every_hook_is_documented() -> None:
    text = (ROOT / "docs/plugins.md").read_text()
    assert all(f"`{name}(" in text for name in vars(Hooks) if not name.startswith("_"))


def test_the_example_runs(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = ROOT / "examples" / "layer_fractions.py"
    monkeypatch.setattr(sys, "argv", [str(example), str(finished_run), "65536"])
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == ["presampler", "front", "middle", "back"]
    assert all(float(line.split()[1]) >= 0 for line in printed)
