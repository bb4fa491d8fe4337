"""Syncing a whole file system at once, where the system says that this is as good as syncing each file.

A thousand new files synced one by one cost the disk a thousand waits. Linux has one call for all of them
(``syncfs``), which since 5.8 also tells of contents that could not be written.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

_TYPES = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""File systems that do it themselves; one of the network or of a program may only hand it on."""
_OLDEST = (5, 8)
_MOUNTS = Path("/proc/self/mountinfo")


def sync_whole(path: Path) -> bool:
    """Sync the file system that a folder lies on.

    Returns:
        False when it has to be done file by file; nothing was promised then.

    Raises:
        OSError: A content could not be written.
    """
    call = _call()
    if call is None:
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if _type_of(os.fstat(descriptor).st_dev) not in _TYPES:
            return False
        if call(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
        return True
    finally:
        os.close(descriptor)


@lru_cache(maxsize=1)
def _call() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    if version is None or (int(version[1]), int(version[2])) < _OLDEST:
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


@lru_cache(maxsize=16)
def _type_of(device: int) -> str:
    """The type of a mounted file system, by its device; empty when it cannot be told."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        for line in _MOUNTS.read_text("utf-8", "replace").splitlines():
            fields, _, rest = line.partition(" - ")
            if fields.split()[2] == wanted:
                return rest.split()[0]
    except (OSError, IndexError):
        pass
    return ""
