"""How a child gives up everything before it looks at strangers' code."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Sequence
from typing import NamedTuple

from . import kernel, landlock, seccomp
from .messages import Allowance
from .refusal import UnconfinableError, explain

CHANNEL = 3
"""The descriptor of the call's channel in the child."""
_OPEN_FILES = 64
_NICENESS = 5
_LAST_DESCRIPTOR = 0xFFFFFFFF


class Walls(NamedTuple):
    """What the zygote prepares once so that each child only has to step behind it."""

    rules: int
    """Descriptor of the Landlock ruleset."""
    folders: Sequence[int]
    """Descriptors of the folders to import from, `O_PATH`, kept open."""
    filter: seccomp.Filter
    base_bytes: int
    """Address space of the idle interpreter."""


def enter(walls: Walls, allowance: Allowance, user_id: int | None, zygote: int) -> None:
    """Confine this process for good. Afterwards only what the walls leave open works.

    Args:
        walls: Prepared by the zygote.
        allowance: Limits for this call.
        user_id: Whom to become; ``None`` when the zygote is an ordinary user already.
        zygote: Process id of the parent, whose death ends this process.

    Raises:
        UnconfinableError: A part of the confinement failed; the process must end without running anything.
    """
    os.setsid()
    os.nice(_NICENESS)
    _set_limits(walls, allowance, exclusive=user_id is not None)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    landlock.enforce(walls.rules)
    close_all_but({0, 1, 2, CHANNEL, *walls.folders})
    _become(user_id)
    # Changing the user id forgets the death signal, so this comes after it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote:
        # It died before the signal was set. The server knows already and will start the call anew.
        os._exit(1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    walls.filter.install(os.getpid())


def close_all_but(kept: set[int]) -> None:
    """Close every descriptor that is not listed."""
    previous = -1
    for descriptor in [*sorted(kept), _LAST_DESCRIPTOR + 1]:
        if descriptor > previous + 1:
            kernel.close_range(previous + 1, descriptor - 1)
        previous = descriptor


def _set_limits(walls: Walls, allowance: Allowance, *, exclusive: bool) -> None:
    memory = walls.base_bytes + allowance.memory_bytes
    tasks = allowance.processes if exclusive else allowance.processes + _tasks_on_machine()
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        # The hard limit a second later ends code that catches the signal of the soft one.
        (resource.RLIMIT_CPU, allowance.cpu_seconds, allowance.cpu_seconds + 1),
        (resource.RLIMIT_NPROC, tasks, tasks),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
    ):
        _, ceiling = resource.getrlimit(kind)
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


def _tasks_on_machine() -> int:
    with open("/proc/loadavg") as file:
        return int(file.read().split()[3].partition("/")[2])


def _become(user_id: int | None) -> None:
    try:
        if user_id is not None:
            os.setgroups([])
            os.setresgid(user_id, user_id, user_id)
            os.setresuid(user_id, user_id, user_id)
        else:
            os.setresgid(*[os.getgid()] * 3)
            os.setresuid(*[os.getuid()] * 3)
        kernel.drop_capabilities()
    except OSError as error:
        raise UnconfinableError(
            f"the process runs as root and cannot become an ordinary user ({explain(error)}); "
            "run the server as an ordinary user, or leave it the capabilities SETUID and SETGID"
        ) from error
    if 0 in os.getresuid() or kernel.has_capabilities():
        raise UnconfinableError(
            "the process keeps privileges that it cannot drop; run the server as an ordinary user"
        )
