"""The state of a training on disk, from which a killed run goes on."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch

from calozoo.files import read_json, replacing, write_json

_KEPT = 2


def save(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, texts, lists and dicts of them) as the checkpoint of ``step``.

    The last two checkpoints are kept, each with a checksum.
    """
    path = folder / f"state-{step:09d}.pt"
    with replacing(path) as temporary:
        torch.save(state, temporary)
        checksum = _checksum(temporary)
    write_json(path.with_suffix(".json"), {"step": step, "sha256": checksum})
    for old in _saved(folder)[:-_KEPT]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)


def load(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The newest whole checkpoint, or None; a damaged one is passed over with a warning.

    Read with ``weights_only``, so a file from a stranger cannot run code.
    """
    for path in reversed(_saved(folder)):
        try:
            if read_json(path.with_suffix(".json"))["sha256"] != _checksum(path):
                raise ValueError("its checksum does not match")
            return dict(torch.load(path, map_location=device, weights_only=True))
        except Exception as cause:
            warnings.warn(f"The checkpoint {path} is damaged ({cause}); the one before is used.", stacklevel=2)
    return None


def clear(folder: Path) -> None:
    """Remove the checkpoints of a training that is over."""
    for path in _saved(folder):
        path.unlink()
        path.with_suffix(".json").unlink(missing_ok=True)


def _saved(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.pt"))


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
