"""What every operation goes through: one request, all pages of a list, a stream, or a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from weft.client._async.items import AsyncItems
from weft.client._call import Call, base_address
from weft.client._core import Reply, is_stream, read_reply, refused_stream
from weft.client._network import Network
from weft.client._retry import NEVER, AsyncSleep, RetryPolicy, Timeouts, system_now
from weft.client._secret import ApiKey, Secret
from weft.client._walk import OnProgress, Walk
from weft.errors import TransportError

if TYPE_CHECKING:
    import httpx2

    from weft.client._async.connection import Answer
    from weft.wire import WireModel

T = TypeVar("T")
Item = TypeVar("Item", bound="WireModel")


class Session:
    """Carries requests to one server; who asks is the business of those that derive from it."""

    def __init__(
        self,
        base_url: str,
        *,
        timeouts: Timeouts | None,
        retry: RetryPolicy | None,
        network: Network | None,
        transport: httpx2.AsyncBaseTransport | None,
        sleep: AsyncSleep | None,
        now: Callable[[], datetime],
        headers: Mapping[str, str],
        secrets: Callable[[], Sequence[Secret]],
    ) -> None:
        # The HTTP library takes as long to import as the rest of this room, so it waits for its first use.
        from weft.client._async.connection import Connection, pause

        self.base_url = base_url
        """Address that all paths are appended to."""
        self._retry = retry or NEVER
        self._sleep = sleep or pause
        self._now = now
        self._connection = Connection(
            base_url,
            timeouts=timeouts or Timeouts(),
            network=network or Network(),
            transport=transport,
            now=now,
            headers=headers,
            secrets=secrets,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the client cannot be used any more."""
        await self._connection.aclose()

    async def _fetch(self, call: Call[object]) -> Reply:
        return await self._connection.send(call)

    async def _begin(self, call: Call[object], accept: str) -> Answer:
        return await self._connection.open(call, accept=accept)

    async def _send(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                reply = await self._fetch(call)
            except TransportError:
                delay = self._retry.delay(call, tried, None)
                if delay is None:
                    raise
            else:
                delay = self._retry.delay(call, tried, reply)
                if delay is None:
                    return read_reply(call, reply)
            await self._sleep(delay)

    async def _open(
        self,
        call: Call[None],
        *,
        wanted: str = "an event stream",
        accept: str = "text/event-stream",
        is_wanted: Callable[[int, Mapping[str, str]], bool] = is_stream,
    ) -> Answer:
        tried = 0
        while True:
            tried += 1
            try:
                answer = await self._begin(call, accept)
            except TransportError:
                delay = self._retry.delay(call, tried, None)
                if delay is None:
                    raise
            else:
                if is_wanted(answer.status, answer.headers):
                    return answer
                try:
                    reply = await answer.read_all()
                finally:
                    await answer.aclose()
                delay = self._retry.delay(call, tried, reply)
                if delay is None:
                    raise refused_stream(call, reply, wanted)
            await self._sleep(delay)

    def _walk(
        self, walk: Walk[Item], *, max_items: int | None = None, progress: OnProgress | None = None
    ) -> AsyncItems[Item]:
        return AsyncItems(self, walk, max_items=max_items, progress=progress)


class AppSession(Session):
    """Carries requests with one app key.

    Args:
        base_url: The server's root or its ``/v1``, with or without a final slash.
        api_key: App key; it appears in no message, log or `repr`.
        timeouts: Seconds to wait in each phase.
        retry: How reading is tried again after 429, 502, 503, 504 and failed connections; writing
            only if the policy says so. ``None`` tries once.
        network: Proxy, certificates and connections.
        transport: Replaces the network, e.g. by an app in this process.
        sleep: Waits between tries; ``None`` really waits.
        now: Tells the time, for dates in Retry-After headers.

    Raises:
        ConfigError: The address, the key, the proxy or the certificates cannot be right.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        network: Network | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: AsyncSleep | None = None,
        now: Callable[[], datetime] = system_now,
    ) -> None:
        key = ApiKey(api_key)
        super().__init__(
            base_address(base_url),
            timeouts=timeouts,
            retry=retry,
            network=network,
            transport=transport,
            sleep=sleep,
            now=now,
            headers={"Authorization": key.header()},
            secrets=lambda: (key,),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r}, api_key='***')"
