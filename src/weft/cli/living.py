"""Which servers and workers use a data folder now: each holds a lock there for as long as it lives."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from weft.settings import Settings

_FOLDER = "processes"
_WORKER = "worker-"
"""Begins the names of workers' files; those of servers are bare ids."""


@contextmanager
def living_as_worker(settings: Settings, id: str) -> Iterator[None]:
    """Be found by `list_living` for as long as the context is open, and no longer, however it ends."""
    folder = settings.data / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_WORKER}{id}"
    descriptor = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Whoever looks for the files of the dead takes one away that is not locked yet.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def list_living(settings: Settings) -> list[Literal["server", "worker"]]:
    """What uses the data folder now, on this machine."""
    folder = settings.data / _FOLDER
    found: list[Literal["server", "worker"]] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            continue
        except OSError:
            found.append("worker" if path.name.startswith(_WORKER) else "server")
    return found
