"""What every operation goes through: one request, all pages of a list, or an event stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from weft.client._call import ApiKey, Call, base_address
from weft.client._core import is_stream, read_reply, refused_stream
from weft.client._retry import NEVER, AsyncSleep, RetryPolicy, Timeouts, system_now
from weft.client._walk import Walk
from weft.errors import TransportError

if TYPE_CHECKING:
    import httpx2

    from weft.client._async.connection import Answer

T = TypeVar("T")
Item = TypeVar("Item")


class Session:
    """Carries requests to one server with one app key.

    Args:
        base_url: The server's root or its ``/v1``, with or without a final slash.
        api_key: App key; it appears in no message, log or `repr`.
        timeouts: Seconds to wait in each phase.
        retry: How reading is tried again after 429, 502, 503, 504 and failed connections; writing
            never is. ``None`` tries once.
        transport: Replaces the network, e.g. by an app in this process.
        sleep: Waits between tries; ``None`` really waits.
        now: Tells the time, for dates in Retry-After headers.

    Raises:
        ConfigError: The address or the key cannot be right.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: AsyncSleep | None = None,
        now: Callable[[], datetime] = system_now,
    ) -> None:
        # The HTTP library takes as long to import as the rest of this room, so it waits for its first use.
        from weft.client._async.connection import Connection, pause

        self.base_url = base_address(base_url)
        """Address that all paths are appended to."""
        self._retry = retry or NEVER
        self._sleep = sleep or pause
        self._connection = Connection(
            self.base_url, ApiKey(api_key), timeouts=timeouts or Timeouts(), transport=transport, now=now
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r}, api_key='***')"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the client cannot be used any more."""
        await self._connection.aclose()

    async def _send(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                reply = await self._connection.send(call)
            except TransportError:
                delay = self._retry.delay(call, tried, None)
                if delay is None:
                    raise
            else:
                delay = self._retry.delay(call, tried, reply)
                if delay is None:
                    return read_reply(call, reply)
            await self._sleep(delay)

    async def _walk(self, walk: Walk[Item]) -> AsyncIterator[Item]:
        while walk.call is not None:
            for item in walk.take(await self._send(walk.call)):
                yield item

    async def _open(self, call: Call[None]) -> Answer:
        answer = await self._connection.open(call, accept="text/event-stream")
        if is_stream(answer.status, answer.headers):
            return answer
        try:
            raise refused_stream(call, await answer.read_all())
        finally:
            await answer.aclose()
