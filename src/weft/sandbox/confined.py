"""The sandbox that Linux allows: every call a forked process behind Landlock, seccomp and resource limits."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Mapping
from contextlib import suppress

from weft.errors import CodeFailedError, SandboxError, SandboxUnavailableError
from weft.sandbox.inside.messages import (
    REPLY_HEAD_BYTES,
    Allowance,
    Setup,
    pack_request,
    unpack_reply_head,
)
from weft.sandbox.limits import SandboxLimits
from weft.sandbox.port import Language
from weft.sandbox.process import Call, ZygoteLostError, ZygoteProcess
from weft.sandbox.verdict import Reply, explain_silence, judge

_CHUNK_BYTES = 1 << 18
_GRACE_SECONDS = 0.25
"""How long a child may take to go after its reply before it is killed."""
_SMALLEST_REPLY_LIMIT = 1 << 16
"""Room for a complaint, however small the limit of the result is."""


class ConfinedSandbox:
    """Runs code in forked children of a clean interpreter, `concurrency` at once; the others wait.

    One child is kept confined and waiting ahead of its call, which takes the cost of forking out of the time
    that a caller waits. Belongs to the event loop it is first used on.
    """

    def __init__(self, setup: Setup, limits: SandboxLimits, concurrency: int) -> None:
        self._setup = setup
        self._limits = limits
        self._slots = asyncio.Semaphore(concurrency)
        self._starting = asyncio.Lock()
        self._zygote: ZygoteProcess | None = None
        self._spare: Call | None = None
        self._closed = False

    async def run(
        self,
        language: Language,
        source: str,
        inputs: Mapping[str, object],
        *,
        limits: SandboxLimits | None = None,
    ) -> dict[str, object]:
        """See `Sandbox.run`."""
        if language == "javascript" and self._setup.quickjs is None:
            raise SandboxUnavailableError("JavaScript cannot be run; install the package quickjs-ng")
        limits = limits or self._limits
        request = pack_request(language, source, inputs)
        # Code can do nothing but compute, so doing it again after the zygote died is harmless.
        for _ in range(2):
            with suppress(ZygoteLostError):
                return judge(await self._call(request, limits))
        raise SandboxError("the sandbox process died twice while running this code; look for lack of memory")

    async def close(self) -> None:
        """See `Sandbox.close`."""
        self._closed = True
        async with self._starting:
            if self._zygote is not None:
                await self._zygote.close()
        if self._spare is not None:
            self._spare.channel.close()

    async def _call(self, request: bytes, limits: SandboxLimits) -> Reply:
        await self._slots.acquire()
        try:
            zygote = await self._living()
            call = self._take_child(zygote, limits)
        except BaseException:
            self._slots.release()
            raise
        # The place is free when the process is gone, which may be after this task has left.
        call.exit.add_done_callback(lambda _: self._slots.release())
        replied = False
        try:
            async with asyncio.timeout(limits.wall_seconds) as watch:
                reply = await _converse(call, request, limits)
            replied = True
            return reply
        except TimeoutError:
            if not watch.expired():
                raise
            raise CodeFailedError(
                f"the code took too long: the limit is {limits.wall_seconds:g} s from start to result"
            ) from None
        finally:
            call.channel.close()
            zygote.end(call, grace_seconds=_GRACE_SECONDS if replied else 0.0)
            self._order_spare(zygote)

    async def _living(self) -> ZygoteProcess:
        async with self._starting:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            if self._zygote is None or not self._zygote.alive:
                self._zygote = await ZygoteProcess.start(self._setup)
            return self._zygote

    def _take_child(self, zygote: ZygoteProcess, limits: SandboxLimits) -> Call:
        allowance = _allowance(limits)
        spare = self._spare
        if spare is None or allowance != _allowance(self._limits):
            return zygote.order(allowance)
        self._spare = None
        if spare.exit.done():
            spare.channel.close()
            return zygote.order(allowance)
        return spare

    def _order_spare(self, zygote: ZygoteProcess) -> None:
        if self._spare is None and zygote.alive and not self._closed:
            with suppress(ZygoteLostError):
                self._spare = zygote.order(_allowance(self._limits))


async def _converse(call: Call, request: bytes, limits: SandboxLimits) -> Reply:
    with suppress(BrokenPipeError, ConnectionResetError):  # the child ended early; its exit says why
        await asyncio.get_running_loop().sock_sendall(call.channel, request)
    reply = await _read(call.channel, limits)
    if reply is not None:
        return reply
    ending = await asyncio.shield(call.exit)
    if ending is None:
        raise ZygoteLostError
    raise explain_silence(ending, limits)


async def _read(channel: socket.socket, limits: SandboxLimits) -> Reply | None:
    """The reply, or ``None`` if the stream ends before it is complete."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    kind, size = b"", 0
    while len(data) < REPLY_HEAD_BYTES + size:
        try:
            part = await loop.sock_recv(channel, _CHUNK_BYTES)
        except ConnectionResetError:
            return None
        if not part:
            return None
        data += part
        if not kind and len(data) >= REPLY_HEAD_BYTES:
            kind, size = unpack_reply_head(bytes(data[:REPLY_HEAD_BYTES]))
            if size > max(limits.output_bytes, _SMALLEST_REPLY_LIMIT):
                raise CodeFailedError(
                    f"the code's result is too large: {size} bytes; the limit is {limits.output_bytes}"
                )
    return Reply(kind, bytes(data[REPLY_HEAD_BYTES : REPLY_HEAD_BYTES + size]))


def _allowance(limits: SandboxLimits) -> Allowance:
    return Allowance(
        cpu_seconds=math.ceil(limits.cpu_seconds),
        memory_bytes=limits.memory_bytes,
        output_bytes=limits.output_bytes,
        processes=limits.processes,
    )
