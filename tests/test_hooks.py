from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from calozoo.hooks import Hooks, Observers

Install = Callable[..., None]
SPECS = [name for name, value in vars(Hooks).items() if inspect.isfunction(value) and not name.startswith("_")]
GOOD = """
from calozoo import hookimpl
calls = []

@hookimpl
def showers_generated(done, total):
    calls.append((done, total))
"""


def test_there_are_hooks_and_each_is_documented() -> None:
    assert len(SPECS) >= 8
    for name in SPECS:
        assert inspect.getdoc(getattr(Hooks, name)), name
        hints = inspect.get_annotations(getattr(Hooks, name))
        assert set(hints) == {*inspect.signature(getattr(Hooks, name)).parameters, "return"} - {"self"}, name


def test_a_plugin_is_called(install: Install) -> None:
    install("calozoo-mine", {"hooks mine": "mine_hooks"}, mine_hooks=GOOD)
    hooks = Observers(["mine"])
    hooks.showers_generated(done=1, total=2)
    assert hooks.manager.get_plugin("calozoo-mine:mine").calls == [(1, 2)]


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("import calozoo_absent", "mine_hooks", "pip install calozoo_absent"),
        ("def (", "mine_hooks", "SyntaxError"),
        (GOOD.replace("showers_generated", "shower_generated"), "mine_hooks", "unknown hook 'shower_generated'"),
        (GOOD.replace("(done, total)", "(done, number)", 1), "mine_hooks", "number"),
        (
            "class Mine:\n    def __init__(self):\n        raise RuntimeError('no terminal')",
            "mine_hooks:Mine",
            "no term",
        ),
    ],
)
def test_a_broken_plugin_is_left_out_with_a_warning(install: Install, source: str, target: str, reason: str) -> None:
    install("calozoo-mine", {"hooks mine": target}, mine_hooks=source)
    install("calozoo-good", {"hooks good": "good_hooks"}, good_hooks=GOOD)
    with pytest.warns(UserWarning, match=rf"'mine' of calozoo-mine is left out: (.|\n)*{reason}"):
        hooks = Observers()
    names = {name for name, _ in hooks.manager.list_name_plugin()}
    assert {"calozoo-good:good", "calozoo-hooks:losses", "calozoo-hooks:progress"} <= names
    hooks.showers_generated(done=1, total=2)
    assert hooks.manager.get_plugin("calozoo-good:good").calls == [(1, 2)]


def test_the_losses_are_noted(tmp_path: Path) -> None:
    hook = Observers(["losses"])
    hook.training_started(folder=tmp_path, step=0, steps=9)
    for step in (3, 6, 9):
        hook.losses_logged(folder=tmp_path, step=step, epoch=step / 3, losses={"one": {"term": step / 7}})
    lines = [json.loads(line) for line in (tmp_path / "losses.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6, 9]
    assert lines[1] == {"step": 6, "epoch": 2.0, "losses": {"one": {"term": 6 / 7}}}


@pytest.mark.parametrize(("step", "kept"), [(0, []), (6, [3, 6]), (7, [3, 6]), (9, [3, 6, 9])])
def test_a_resumed_training_forgets_what_came_after(tmp_path: Path, step: int, kept: list[int]) -> None:
    hook = Observers(["losses"])
    hook.training_started(folder=tmp_path, step=0, steps=9)
    for at in (3, 6, 9):
        hook.losses_logged(folder=tmp_path, step=at, epoch=0.0, losses={})
    with (tmp_path / "losses.jsonl").open("a") as file:
        file.write('{"step": 12, "epo')  # killed in the middle of a line
    hook.training_started(folder=tmp_path, step=step, steps=9)
    lines = (tmp_path / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == kept


@pytest.mark.parametrize("terminal", [False, True])
def test_the_progress_of_a_run_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    hook = Observers(["progress"])
    hook.stage_started(stage="train", folder=tmp_path)
    hook.training_started(folder=tmp_path, step=0, steps=40)
    hook.losses_logged(folder=tmp_path, step=20, epoch=1.0, losses={"critic": {"a": 1.25, "b": 2.0}})
    hook.stage_finished(stage="train", folder=tmp_path, seconds=3.21)
    hook.stage_started(stage="generate", folder=tmp_path)
    hook.showers_generated(done=5, total=9)
    hook.stage_finished(stage="generate", folder=tmp_path, seconds=1.0)
    hook.stage_started(stage="evaluate", folder=tmp_path)
    hook.metric_scored(name="ks", done=1, total=2)
    hook.stage_finished(stage="evaluate", folder=tmp_path, seconds=1.0)
    hook.stage_finished(stage="report", folder=tmp_path, seconds=1.0)
    hook.run_finished(folder=tmp_path, error=None)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(tmp_path / "report.html") in captured.err.replace("\n", "")
    if terminal:
        assert "critic 3.25" in captured.err
        assert "40/40" in captured.err
    else:
        assert "train: done in 3.2 s" in captured.err


def test_a_run_that_dies_leaves_the_terminal_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    hooks = Observers(["progress"])
    hooks.stage_started(stage="train", folder=tmp_path)
    display = hooks.manager.get_plugin("calozoo-hooks:progress")
    assert display.progress is not None
    hooks.run_finished(folder=tmp_path, error=RuntimeError())
    assert display.progress is None
