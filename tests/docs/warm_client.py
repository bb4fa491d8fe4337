"""Asks the warm server to be a command, with this process's arguments, environment, folder and streams.

Imports next to nothing, because it is started for every command of every page.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> int:
    """Be there for as long as the command runs; its exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["DOCS_WARM_SERVER"])
        request = {
            "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
            "environment": dict(os.environ),
            "folder": os.getcwd(),
        }
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        replies = connection.makefile()
        process = int(replies.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(process, number))
        return int(replies.readline() or 1)


if __name__ == "__main__":
    sys.exit(main())
