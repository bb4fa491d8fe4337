"""All items of a list, page by page, as the caller holds them."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from weft.client._call import Call
from weft.client._rows import to_arrow, to_pandas
from weft.client._walk import OnProgress, Progress, Walk
from weft.errors import NotFoundError

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]  # both come without types
    import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]

    from weft.wire import Listing, WireModel

T = TypeVar("T")
Item = TypeVar("Item", bound="WireModel")


class Sends(Protocol):
    """Carries a request to the server."""

    async def _send(self, call: Call[T]) -> T: ...


class AsyncItems(Generic[Item]):
    """The items of a list, read page by page when they are asked for, none lost and none twice.

    ::

        async with client.iter_conversations(user="u1") as conversations:
            async for conversation in conversations:
                ...

    An error leaves it where it was: asking for the next item tries the same page again.
    """

    def __init__(
        self,
        session: Sends,
        walk: Walk[Item],
        *,
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> None:
        self._session = session
        self._walk = walk
        self._left = max_items
        self._tell = progress
        self._ready: deque[Item] = deque()
        self.progress = Progress(items=0, pages=0, total=None)
        """How far it is."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """The next item.

        Raises:
            WeftError: Its page could not be read.
        """
        while not self._ready:
            if self._walk.call is None or self._left == 0:
                raise StopAsyncIteration
            await self._read_page(self._walk.call)
        if self._left == 0:
            raise StopAsyncIteration
        if self._left is not None:
            self._left -= 1
        return self._ready.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give out nothing more; no connection is held between two pages."""
        self._left = 0
        self._ready.clear()

    async def collect(self) -> list[Item]:
        """All items that are left."""
        found: list[Item] = []
        async for item in self:
            found.append(item)
        return found

    async def to_arrow(self) -> pyarrow.Table:
        """All items that are left as a table; see `weft.client.to_arrow`.

        Raises:
            ConfigError: pyarrow is not installed.
        """
        return to_arrow(await self.collect())

    async def to_pandas(self) -> pandas.DataFrame:
        """All items that are left as a data frame; see `weft.client.to_pandas`.

        Raises:
            ConfigError: pandas is not installed.
        """
        return to_pandas(await self.collect())

    async def _read_page(self, call: Call[Listing[Item]]) -> None:
        try:
            page = await self._session._send(call)
        except NotFoundError:
            if not self._walk.step_back():
                raise
            return
        fresh = self._walk.take(page)
        self._ready.extend(fresh)
        total: int | None = getattr(page, "total", None)
        self.progress = Progress(self.progress.items + len(fresh), self.progress.pages + 1, total)
        if self._tell is not None:
            self._tell(self.progress)
