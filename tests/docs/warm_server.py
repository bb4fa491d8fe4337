"""A process that has imported everything and forks, so that a command does not spend a second on that.

A client sends its arguments, environment, folder and standard streams; the fork becomes that command: `weft`,
`pytest`, or the interpreter for a page's Python.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module

import pytest

_IMPORTED = (
    "alembic.command",
    "weft.cli.commands",
    "weft.cli.demonstration",
    "weft.cli.hosting",
    "weft.cli.single_run",
    "weft.client._async.connection",
    "weft.client._sync.connection",
    "weft.providers.openai_compatible",
    "weft.store.migrations",
    "weft.testing.node_harness",
    "weft.wire",
    "uvicorn.protocols.http.httptools_impl",
)
_MAX_REQUEST = 1 << 20


def serve(path: str) -> None:
    """Fork for whoever connects, until the standard input ends."""
    for name in _IMPORTED:
        import_module(name)
    from tests.docs import interpreter
    from weft.cli import main as weft

    programs: dict[str, Callable[[list[str]], int]] = {
        "weft": weft,
        "interpreter": interpreter.main,
        "pytest": _pytest,
    }
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                os._exit(_become(connection, programs))
            connection.close()


def _become(connection: socket.socket, programs: dict[str, Callable[[list[str]], int]]) -> int:
    """Be the program that the client asks for; returns its exit code after telling it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    code = 1
    try:
        request, descriptors, _, _ = socket.recv_fds(connection, _MAX_REQUEST, 3)
        asked = json.loads(request)
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
            os.close(descriptor)
        # The old objects know things about the old streams, such as where in a file they were.
        sys.stdin, sys.stdout, sys.stderr = _text(0, "r"), _text(1, "w"), _text(2, "w")
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        connection.sendall(f"{os.getpid()}\n".encode())
        warnings.simplefilter("error")
        name, *arguments = asked["command"]
        code = programs[name](arguments)
    except BaseException:  # the border around a whole program
        traceback.print_exc()
    with contextlib.suppress(OSError):  # whoever asked may be gone
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(f"{code}\n".encode())
    return code


def _text(descriptor: int, mode: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, mode, closefd=False)
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, encoding="utf-8", line_buffering=True)


def _pytest(arguments: list[str]) -> int:
    # A plugin that is imported already cannot be rewritten any more, and pytest would warn of it.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return int(pytest.main(arguments))


if __name__ == "__main__":
    serve(sys.argv[1])
