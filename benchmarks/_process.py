"""A server in a process of its own: started, pinned, asked what it used, stopped. Needs Linux's `/proc`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

PROC = Path("/proc")
ADDRESS = r"(?P<url>http://[^\s/]+)"


class ServerFailedError(Exception):
    """The server did not start, or ended by itself; the message has what it said last."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process and its descendants hold, in bytes."""

    rss: int
    """Resident pages; those that processes share count once for each."""
    pss: int
    """Resident pages; those that processes share are divided among them."""


class ServerProcess:
    """A server that runs while the context is entered.

    Args:
        command: Program and arguments.
        ready: Pattern of the line that says that it accepts connections; the group `url` is the address.
        core: Processor that it is pinned to, with all its threads and children; `None` leaves it alone.
        environ: Added to this process's environment.
        timeout: Seconds that the start may take.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        ready: str = ADDRESS,
        core: int | None = None,
        environ: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.command = list(command)
        self.startup = 0.0
        """Seconds from the start of the process to the line that said it was ready."""
        self.host, self.port = "", 0
        self._ready = re.compile(ready)
        self._core = core
        self._environ = {**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})}
        self._timeout = timeout
        self._said: deque[str] = deque(maxlen=20)

    async def __aenter__(self) -> Self:
        if not PROC.joinpath("self", "stat").exists():
            raise ServerFailedError("measuring a process needs /proc, which this system does not have")
        began = time.perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environ,
            start_new_session=True,
            preexec_fn=self._pin,
        )
        try:
            async with asyncio.timeout(self._timeout):
                await self._wait_until_ready()
        except TimeoutError:
            await self._stop()
            raise ServerFailedError(self._failure(f"not ready after {self._timeout:g} s")) from None
        except BaseException:
            await self._stop()
            raise
        self.startup = time.perf_counter() - began
        self._drain = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = self._process.returncode
        await self._stop()
        await self._drain
        if code is not None and error is None:
            raise ServerFailedError(self._failure(f"ended by itself with code {code}"))

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_seconds(self) -> float:
        """User and system time of the process and its descendants so far, in clock ticks of 10 ms."""
        ticks = 0
        for pid in self._family():
            with contextlib.suppress(OSError):
                ticks += sum(int(field) for field in _stat(pid)[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> Memory:
        """What the process and its descendants hold now."""
        totals = {"Rss:": 0, "Pss:": 0}
        for pid in self._family():
            with contextlib.suppress(OSError):
                for line in PROC.joinpath(str(pid), "smaps_rollup").read_text().splitlines():
                    name, _, rest = line.partition(" ")
                    if name in totals:
                        totals[name] += int(rest.split()[0]) * 1024
        return Memory(rss=totals["Rss:"], pss=totals["Pss:"])

    def _pin(self) -> None:
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})

    async def _wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip()
            self._said.append(text)
            if found := self._ready.search(text):
                address = urlsplit(found["url"])
                self.host, self.port = address.hostname or "127.0.0.1", address.port or 80
                return
        raise ServerFailedError(self._failure(f"ended with code {await self._process.wait()}"))

    async def _listen(self) -> None:
        """Take what it says, for nobody to read unless it fails, so that it never waits for a reader."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._said.append(line.decode(errors="replace").rstrip())

    async def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await self._process.wait()
                    break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # descendants that outlived it would hold the pipe open

    def _family(self) -> Iterator[int]:
        """The process and all its descendants that are alive."""
        children: dict[int, list[int]] = {}
        for entry in PROC.iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
        family = [self.pid]
        for pid in family:
            family += children.get(pid, [])
            yield pid

    def _failure(self, what: str) -> str:
        return "\n".join([f"{' '.join(self.command)}: {what}", *self._said])


def python(*arguments: str) -> list[str]:
    """A command that runs this Python, e.g. ``python("-m", "benchmarks.floor")``."""
    return [sys.executable, *arguments]


def _stat(pid: int) -> list[str]:
    """The fields of `/proc/<pid>/stat` after the program's name, which may hold blanks and brackets.

    Index 0 is the state, 1 the parent, 11 to 14 the ticks used: user, system, and both again for children
    that ended and were waited for.
    """
    return PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
