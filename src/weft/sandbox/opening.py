"""Choosing a sandbox for this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from weft.sandbox.confined import ConfinedSandbox
from weft.sandbox.inside.messages import Setup
from weft.sandbox.limits import SandboxLimits
from weft.sandbox.port import Sandbox
from weft.sandbox.refusing import RefusingSandbox

USER_IDS = range(60578, 61184)
"""User ids that nobody else uses. Source: systemd, "Users, Groups, UIDs and GIDs"."""


def open_sandbox(
    *,
    limits: SandboxLimits | None = None,
    concurrency: int | None = None,
    packages: Sequence[Path] = (),
    user_ids: range = USER_IDS,
) -> Sandbox:
    """A sandbox as good as this machine allows. Starts nothing and never fails: trouble shows in `run`.

    Args:
        limits: For calls that bring none; ``None`` means the defaults of `SandboxLimits`.
        concurrency: Calls at once, fewer than there are `user_ids`; the others wait. ``None`` means two
            for each processor.
        packages: Folders whose modules code may import besides the standard library, e.g. the
            ``site-packages`` of an environment made for this. Code can read all that lies in them; with any
            given it can also read the shared libraries of the system.
        user_ids: Whom children become when the server runs as root, each call another one; two or more.
            Unused otherwise.

    Returns:
        A sandbox to be closed after use.
    """
    if sys.platform != "linux":
        return RefusingSandbox(
            f"code cannot be confined on {sys.platform}, so none is run; use Linux 5.13 or newer"
        )
    if len(user_ids) < 2 or 0 in user_ids:
        return RefusingSandbox(
            f"no code is run as {user_ids}; give a range of two user ids or more, without 0"
        )
    found = find_spec("_quickjs")
    setup = Setup(
        packages=tuple(str(folder.absolute()) for folder in packages),
        quickjs=None if found is None else found.origin,
        user_ids=(user_ids.start, user_ids.stop),
    )
    places = 2 * len(os.sched_getaffinity(0)) if concurrency is None else concurrency
    return ConfinedSandbox(setup, limits or SandboxLimits(), max(1, min(places, len(user_ids) - 1)))
