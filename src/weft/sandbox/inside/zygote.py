"""The process that children are forked from.

It is started by exec with an empty environment and one open descriptor, so there is nothing of the server in
it. It never reads a request or a reply: those travel between the server and the child.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
from contextlib import suppress
from types import ModuleType
from typing import NamedTuple, NoReturn

from .child import live
from .confinement import CHANNEL, Walls, enter
from .ground import load_engine, prepare
from .kernel import open_process
from .messages import PACKET_BYTES, Allowance, Setup
from .refusal import UnconfinableError, explain
from .trial import escapes

_CONTROL = 100
_TRIAL = Allowance(cpu_seconds=10, memory_bytes=256 * 1024 * 1024, output_bytes=4096, processes=1)


class _Child(NamedTuple):
    call: int
    process_id: int
    user_id: int | None


def main(descriptor: int) -> NoReturn:
    """Prepare, report, then serve orders until the server closes the control socket."""
    # Out of the way of the low numbers, which mean something in a child.
    control = socket.socket(fileno=fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _CONTROL))
    os.close(descriptor)
    setup = json.loads(control.recv(PACKET_BYTES))
    try:
        zygote = Zygote(control, Setup(**setup))
        zygote.rehearse()
    except UnconfinableError as error:
        control.send(json.dumps({"missing": str(error)}).encode())
    else:
        control.send(json.dumps({"ready": True}).encode())
        _silence()
        zygote.serve()
    os._exit(0)


class Zygote:
    """Forks one child per order and tells how each ended."""

    def __init__(self, control: socket.socket, setup: Setup) -> None:
        self._control = control
        self._engine: ModuleType | None = load_engine(setup.quickjs)
        self._user_ids = _user_ids(*setup.user_ids)
        self._walls: Walls = prepare(setup)
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def rehearse(self) -> None:
        """Confine one child and let it try to get out.

        Raises:
            UnconfinableError: It could not be confined, or it got out.
        """
        ours, theirs = os.pipe()
        parent = os.getpid()
        process_id = os.fork()
        if process_id == 0:
            self._try_to_escape(theirs, parent)
        os.close(theirs)
        with open(ours, "rb") as file:
            report = file.read().decode()
        _, status = os.waitpid(process_id, 0)
        if report != "confined" or status != 0:
            raise UnconfinableError(report or f"a confined process cannot live here (wait status {status})")

    def serve(self) -> None:
        """Take orders and bury children until the server is gone."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._bury(descriptor)
                elif not self._take_order():
                    self._kill_all()
                    return

    def _take_order(self) -> bool:
        packet, descriptors, _, _ = socket.recv_fds(self._control, PACKET_BYTES, 1)
        if not packet:
            return False
        order = json.loads(packet)
        if "kill" in order:
            self._kill(order["kill"])
        else:
            self._fork(order["call"], descriptors[0], Allowance(**order["allowance"]))
        return True

    def _fork(self, call: int, channel: int, allowance: Allowance) -> None:
        user_id = self._user_ids.pop() if self._user_ids else None
        parent = os.getpid()
        try:
            process_id = os.fork()
            if process_id == 0:
                live(channel, allowance, self._walls, user_id, parent, self._engine)
        except OSError as error:
            self._report({"exit": call, "error": f"no process could be started ({explain(error)})"})
            return
        finally:
            os.close(channel)
        descriptor = open_process(process_id)
        self._children[descriptor] = _Child(call, process_id, user_id)
        self._poll.register(descriptor, select.POLLIN)

    def _bury(self, descriptor: int) -> None:
        child = self._children.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        _, status, usage = os.wait4(child.process_id, 0)
        if child.user_id is not None:
            self._user_ids.append(child.user_id)
        self._report({"exit": child.call, "status": status, "cpu": usage.ru_utime + usage.ru_stime})

    def _kill(self, call: int) -> None:
        # A child keeps its id until it is buried, so this can hit nobody else.
        for child in self._children.values():
            if child.call == call:
                os.kill(child.process_id, signal.SIGKILL)

    def _kill_all(self) -> None:
        for child in self._children.values():
            os.kill(child.process_id, signal.SIGKILL)

    def _report(self, news: dict[str, object]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(json.dumps(news).encode())

    def _try_to_escape(self, report: int, parent: int) -> NoReturn:
        status = 1
        try:
            os.dup2(report, CHANNEL)
            try:
                enter(self._walls, _TRIAL, self._user_ids[-1] if self._user_ids else None, parent)
                found = escapes()
                text = (
                    f"the confinement does not hold; code could {', '.join(found)}" if found else "confined"
                )
            except UnconfinableError as error:
                text = str(error)
            except OSError as error:
                text = f"a step of the confinement failed ({explain(error)})"
            os.write(CHANNEL, text.encode())
            status = 0
        finally:
            os._exit(status)


def _user_ids(first: int, end: int) -> list[int]:
    """The ids that children may take in turn, another one first in each zygote; none for an ordinary user."""
    if os.geteuid() != 0:
        return []
    everybody = list(range(first, end))
    start = os.getpid() % len(everybody)
    return everybody[start:] + everybody[:start]


def _silence() -> None:
    """Let go of the pipe for complaints about a failed start, and be the first to go when memory runs out."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
