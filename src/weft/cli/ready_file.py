"""A file that appears when the server accepts requests, for whoever has started it."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from weft.cli.failure import BadCallError


def remove_ready_file(path: Path) -> None:
    """Take away what an earlier server left, so that nobody reads its address.

    Raises:
        BadCallError: The place can hold no file.
    """
    if not path.parent.is_dir():
        raise BadCallError(f"--ready-file {path}: there is no folder {path.parent}; make it first")
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise BadCallError(f"--ready-file {path}: {error.strerror}; name another file") from error


def write_ready_file(path: Path, content: Mapping[str, object]) -> None:
    """Put the whole file there at once, readable by its owner alone: it holds keys.

    Raises:
        BadCallError: It cannot be written.
    """
    draft = ""
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _sync_folder(path.parent)
    except OSError as error:
        if draft:
            with contextlib.suppress(OSError):
                os.unlink(draft)
        raise BadCallError(f"--ready-file {path}: {error.strerror}; name another file") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
