"""Writing files so that a name never holds half of its content."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calozoo.errors import RunError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it takes the name ``path`` when the block ends well.

    On any failure the temporary file goes and what ``path`` held stays. Failures of the file system become
    :class:`~calozoo.errors.RunError`.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as cause:
        raise RunError(
            f"Cannot write {path}: {cause.strerror or cause}. Choose another folder or free some space."
        ) from cause
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` at once."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON to ``path`` at once; NaN is refused, as JSON has none."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file, or raise :class:`~calozoo.errors.RunError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise RunError(f"There is no file {path}.") from cause
    except (OSError, ValueError) as cause:
        raise RunError(f"Cannot read {path}: {cause}.") from cause


def refuse_interpolation(content: Any, path: Path) -> None:
    """Raise :class:`~calozoo.errors.RunError` if a text in ``content`` would be resolved, to an environment variable say.

    What calozoo writes never has such texts; a file from a stranger could read with them what is not meant for it.
    """
    if "${" in json.dumps(content, default=str):
        raise RunError(f"{path} holds an interpolation, '${{...}}', which calozoo does not write and will not follow.")
