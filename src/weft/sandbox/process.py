"""The server's end of the zygote: starting it, giving orders, hearing how calls ended."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from weft.errors import SandboxUnavailableError
from weft.sandbox.inside.messages import PACKET_BYTES, Allowance, Setup

# `inside` is imported as a package of its own: the interpreter must not load the rest of Weft.
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from inside.zygote import main; "
    "sys.path.remove(sys.argv[1]); main(int(sys.argv[2]))"
)
_START_SECONDS = 30.0
_KILL_SECONDS = 10.0
"""A zygote that has not reported a killed child after this long is itself replaced."""


class ZygoteLostError(Exception):
    """The zygote is gone; start another one."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended."""

    status: int = 0
    """As `os.wait` gives it."""
    cpu_seconds: float = 0.0
    error: str = ""
    """Why there was no child at all."""


@dataclass(frozen=True, slots=True)
class Call:
    """A child at work."""

    number: int
    channel: socket.socket
    """Where its request goes and its reply comes from; closed by whoever ordered the call."""
    exit: asyncio.Future[Exit | None]
    """Done when the process is gone; ``None`` when the zygote went before it could say how."""


class ZygoteProcess:
    """A running zygote. Belongs to the event loop that started it."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        assert process.stderr is not None
        self._complaints = process.stderr
        # Reading must not wait for a grandchild that still holds the other end.
        os.set_blocking(self._complaints.fileno(), False)
        self._control = control
        self._ready: asyncio.Future[str | None] = self._loop.create_future()
        self._exits: dict[int, asyncio.Future[Exit | None]] = {}
        self._numbers = count(1)
        self._buried: asyncio.Future[int] | None = None
        self._loop.add_reader(control.fileno(), self._hear)

    @classmethod
    async def start(cls, setup: Setup) -> ZygoteProcess:
        """Start the process and wait until it has proved that it can confine a child.

        Raises:
            SandboxUnavailableError: It cannot; the message says what to change.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            process = _spawn(theirs.fileno())
        except OSError as error:
            ours.close()
            raise SandboxUnavailableError(f"{sys.executable!r} cannot be started: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        zygote = cls(process, ours)
        missing: str | None = "it was not waited for"
        try:
            with suppress(OSError):  # a process that is gone already is noticed by `_hear`
                ours.send(json.dumps(setup._asdict()).encode())
            async with asyncio.timeout(_START_SECONDS):
                missing = await zygote._ready
        except TimeoutError:
            missing = f"the sandbox process was not ready after {_START_SECONDS:g} s"
        finally:
            if missing is not None:
                await zygote.close()
            zygote._complaints.close()
        if missing is not None:
            raise SandboxUnavailableError(f"code cannot be run on this machine: {missing}")
        return zygote

    @property
    def alive(self) -> bool:
        """Whether orders are still taken."""
        return self._buried is None

    def order(self, allowance: Allowance) -> Call:
        """Have a child forked.

        Raises:
            ZygoteLostError: The zygote is gone or stuck.
        """
        number = next(self._numbers)
        packet = json.dumps({"call": number, "allowance": allowance._asdict()}).encode()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        with theirs:
            try:
                socket.send_fds(self._control, [packet], [theirs.fileno()])
            except OSError as error:
                ours.close()
                self._lose()
                raise ZygoteLostError from error
        self._exits[number] = self._loop.create_future()
        return Call(number, ours, self._exits[number])

    def end(self, call: Call, *, grace_seconds: float = 0.0) -> None:
        """See to it that a child ends: kill it, at once or unless it goes by itself within a grace.

        Its `exit` tells when it is gone.
        """
        if call.exit.done():
            return
        if grace_seconds:
            timer = self._loop.call_later(grace_seconds, self.end, call)
            call.exit.add_done_callback(lambda _: timer.cancel())
            return
        try:
            self._control.send(json.dumps({"kill": call.number}).encode())
        except OSError:
            self._lose()
        else:
            self._loop.call_later(_KILL_SECONDS, self._lose_unless, call.exit)

    async def close(self) -> None:
        """Kill the zygote, and with it all its children."""
        self._lose()
        if self._buried is not None:
            await asyncio.shield(self._buried)

    def _hear(self) -> None:
        while True:
            try:
                packet = self._control.recv(PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._lose()
                return
            self._take(json.loads(packet))

    def _take(self, news: dict[str, object]) -> None:
        if "exit" not in news:
            if not self._ready.done():
                self._ready.set_result(None if "ready" in news else str(news["missing"]))
            return
        found = self._exits.pop(int(str(news["exit"])))
        cpu = float(str(news.get("cpu", 0)))
        found.set_result(Exit(int(str(news.get("status", 0))), cpu, str(news.get("error", ""))))

    def _lose_unless(self, done: asyncio.Future[Exit | None]) -> None:
        if not done.done():
            self._lose()

    def _lose(self) -> None:
        if self._buried is not None:
            return
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self._process.kill()
        # In a thread, because even a killed process may take its time to go.
        self._buried = self._loop.run_in_executor(None, self._process.wait)
        for waiting in self._exits.values():
            waiting.set_result(None)
        self._exits.clear()
        if not self._ready.done():
            self._ready.set_result(f"the sandbox process did not start: {self._last_complaint()}")

    def _last_complaint(self) -> str:
        text = (self._complaints.read() or b"").decode("utf-8", "replace").strip()
        return text.splitlines()[-1] if text else "it ended without a word"


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    folder = str(Path(__file__).parent)
    return subprocess.Popen(  # noqa: S603  (our own interpreter, our own file)
        [os.path.abspath(sys.executable), "-I", "-S", "-X", "utf8", "-c", _BOOT, folder, str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        env={},
        pass_fds=(descriptor,),
        start_new_session=True,
    )
