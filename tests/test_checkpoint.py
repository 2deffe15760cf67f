from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from calozoo import checkpoint

CPU = torch.device("cpu")


def save(folder: Path, *steps: int) -> None:
    for step in steps:
        checkpoint.save(folder, step, {"step": step, "weights": {"a": torch.full((3,), float(step))}})


def test_the_last_two_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    save(tmp_path, 5, 10, 1000)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"state-{step:09d}.{suffix}" for step in (10, 1000) for suffix in ("json", "pt")
    ]
    state = checkpoint.load(tmp_path, CPU)
    assert state is not None
    assert state["step"] == 1000
    assert torch.equal(state["weights"]["a"], torch.full((3,), 1000.0))


def test_there_may_be_none(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path, CPU) is None
    assert checkpoint.load(tmp_path / "nowhere", CPU) is None


def test_a_damaged_one_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    path = tmp_path / "state-000000002.pt"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.warns(UserWarning, match=r"state-000000002.pt is damaged \(its checksum does not match\)"):
        state = checkpoint.load(tmp_path, CPU)
    assert state is not None
    assert state["step"] == 1
    (tmp_path / "state-000000001.json").unlink()
    with pytest.warns(UserWarning, match="is damaged"):
        assert checkpoint.load(tmp_path, CPU) is None


class Bomb:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))])
def test_a_pickle_from_a_stranger_is_not_executed(tmp_path: Path, write: Any) -> None:
    path, trace = tmp_path / "state-000000009.pt", tmp_path / "executed"
    write({"step": 9, "weights": Bomb(trace)}, path)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps({"step": 9, "sha256": checksum}))
    with pytest.warns(UserWarning, match="is damaged"):
        assert checkpoint.load(tmp_path, CPU) is None
    assert not trace.exists()


def test_clear_removes_checkpoints_alone(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    (tmp_path / "simulator.json").write_text("{}")
    checkpoint.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["simulator.json"]
