"""Notes the losses in ``losses.jsonl``, one JSON object a line: step, epoch and the mean of each player's terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from calozoo import hookimpl

_NAME = "losses.jsonl"


@hookimpl
def training_started(folder: Path, step: int) -> None:
    """Forget what lies after the checkpoint that a resumed training goes on from."""
    path = folder / _NAME
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    path.write_text("".join(kept), encoding="utf-8")


@hookimpl
def losses_logged(folder: Path, step: int, epoch: float, losses: Mapping[str, Mapping[str, float]]) -> None:
    """Append one line."""
    with (folder / _NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "epoch": round(epoch, 4), "losses": losses}) + "\n")
