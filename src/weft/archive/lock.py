"""One writer at a time: a lock file that the operating system lets go of when its process ends."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import msgspec

from weft.archive.errors import ArchiveLockedError, from_os_error
from weft.archive.json_text import encode

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class WriterLock:
    """Held from `acquire` to `release`, at the latest to the end of the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, since: str) -> None:
        """Take the lock without waiting.

        Args:
            since: The present instant, for people who meet the lock.

        Raises:
            ArchiveLockedError: Somebody has it; the message names process and machine.
            ArchiveReadOnlyError: The file cannot be made.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as error:
            raise from_os_error(error, f"locking {self._path}") from error
        try:
            _take(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise ArchiveLockedError(
                f"{self._path.parent.parent}: {self._holder()} writes to this archive; "
                "wait until it is done, or open with read_only=True"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, encode({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; without effect when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _holder(self) -> str:
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=dict[str, object])
            return f"process {found['pid']} on {found['host']} (since {found['since']})"
        except (OSError, msgspec.DecodeError, KeyError):
            return "another process"


def _take(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
