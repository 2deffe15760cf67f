from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from calozoo.errors import RunError
from calozoo.files import read_json, replacing, write_json, write_text


def test_the_name_appears_when_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["file.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "text")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(failure):
        write()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["file"]


def refuse(number: int) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("function", "number", "reason"),
    [
        ("os.fsync", errno.ENOSPC, "No space left on device. Choose another folder or free some space"),
        ("os.fsync", errno.EDQUOT, "quota"),
        ("tempfile.mkstemp", errno.EACCES, "Permission denied"),
        ("pathlib.Path.replace", errno.EROFS, "Read-only file system"),
        ("pathlib.Path.mkdir", errno.EACCES, "Permission denied"),
    ],
)
def test_a_full_or_forbidden_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, reason: str
) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    monkeypatch.setattr(function, refuse(number))
    with pytest.raises(RunError, match=f"Cannot write {path}: .*{reason}"):
        write_text(path, "after")
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_text() == "before"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            write_text(tmp_path / "file", "text")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="Cannot write"):
        write_text(tmp_path / "file" / "inside", "text")


def test_json_has_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "file.json", {"a": [1, None]})
    assert read_json(tmp_path / "file.json") == {"a": [1, None]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "file.json", {"a": float("nan")})
    assert read_json(tmp_path / "file.json") == {"a": [1, None]}


def test_reading_json_fails_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no file"):
        read_json(tmp_path / "none.json")
    for content in (b"{", b"\xff\xfe"):
        (tmp_path / "bad.json").write_bytes(content)
        with pytest.raises(RunError, match=r"Cannot read .*bad\.json"):
            read_json(tmp_path / "bad.json")
    with pytest.raises(RunError, match="Cannot read"):
        read_json(tmp_path)
