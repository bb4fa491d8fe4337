"""A rehearsal: is what should be impossible really so? Run once in a confined child before any call."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from importlib import import_module


def escapes() -> list[str]:
    """What this process can do and should not, or cannot do and should; empty if all is well."""
    attempts: dict[str, Callable[[], object]] = {
        "read /etc/passwd": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "list the root folder": lambda: os.listdir("/"),
        "write to /tmp": lambda: os.open("/tmp/weft-trial", os.O_WRONLY | os.O_CREAT),  # noqa: S108  (must fail)
        "open a socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "start a process": os.fork,
        "signal the parent process": lambda: os.kill(os.getppid(), 0),
    }
    found = [name for name, attempt in attempts.items() if _works(attempt)]
    if not _works(lambda: import_module("colorsys")):
        found.append("not import from the standard library")
    return found


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ImportError):
        return False
    return True
