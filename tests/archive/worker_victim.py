"""`weft` as a process that is made to be killed: what it held is somebody else's a second later."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module

from weft.archive import store_retention
from weft.cli import main
from weft.server import make_desk

LEASE_SECONDS = 1.0
THINNED_AT_ONCE = 4
"""Conversations in one transaction, so that there are many."""


def run() -> None:
    """The command of the arguments."""
    for name in ("weft.cli.working", "weft.server.serving"):
        vars(import_module(name))["make_desk"] = partial(make_desk, lease_seconds=LEASE_SECONDS)
    vars(store_retention)["AT_ONCE"] = THINNED_AT_ONCE
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
