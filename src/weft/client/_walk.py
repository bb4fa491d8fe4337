"""Walking through all pages of a list: which request comes next, and what is new in its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from weft.client._call import Call

if TYPE_CHECKING:
    from weft.wire import CursorPage, Listing, Page

Item = TypeVar("Item")


class Walk(Protocol[Item]):
    """What to ask for next, and what was new in the answer."""

    call: Call[Listing[Item]] | None
    """The next request; ``None`` when the list is at its end."""

    def take(self, page: Listing[Item]) -> list[Item]:
        """The items of the answer to `call`, which becomes the request after it."""
        ...


class ForwardWalk(Generic[Item]):
    """Conversations and variables: the last id of a page is the cursor of the next."""

    def __init__(self, call: Call[CursorPage[Item]]) -> None:
        self.call: Call[Listing[Item]] | None = call

    def take(self, page: Listing[Item]) -> list[Item]:
        """The items of a page, in order; afterwards `call` is the next request, if any."""
        self.call = _continued(self.call, page, "last_id", -1)
        return page.data


class BackwardWalk(Generic[Item]):
    """Messages: the first id of a page is the cursor of the one before it."""

    def __init__(self, call: Call[CursorPage[Item]]) -> None:
        self.call: Call[Listing[Item]] | None = call

    def take(self, page: Listing[Item]) -> list[Item]:
        """The items of a page, newest first; afterwards `call` is the next request, if any."""
        self.call = _continued(self.call, page, "first_id", 0)
        return page.data[::-1]


class NumberedWalk(Generic[Item]):
    """Logs: pages have numbers, so what is added meanwhile shifts items to the next page.

    Items that were seen are left out, which costs their ids in memory.
    """

    def __init__(self, call: Call[Page[Item]]) -> None:
        self.call: Call[Listing[Item]] | None = call
        self._seen: set[object] = set()

    def take(self, page: Listing[Item]) -> list[Item]:
        """The items of a page that are new; afterwards `call` is the next request, if any."""
        call, self.call = self.call, None
        if call is not None and page.has_more and page.data:
            number = int(call.query.get("page", "1")) + 1
            self.call = replace(call, query={**call.query, "page": str(number)})
        fresh = [item for item in page.data if _id(item) not in self._seen]
        self._seen.update(_id(item) for item in fresh)
        return fresh


def _continued(
    call: Call[Listing[Item]] | None, page: Listing[Item], cursor: str, end: int
) -> Call[Listing[Item]] | None:
    if call is None or not page.has_more or not page.data:
        return None
    found = str(_id(page.data[end]))
    if call.query.get(cursor) == found:
        return None  # a server that ignores the cursor would send the same page for ever
    return replace(call, query={**call.query, cursor: found})


def _id(item: object) -> object:
    return getattr(item, "id", None)
