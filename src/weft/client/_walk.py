"""Walking through all pages of a list: which request comes next, and what is new in its answer.

Lists change while they are read. Every walk leaves out items that it has given out before, which costs
their ids in memory, and each kind of list has its own way of not losing any:

* by number, new rows push others to later pages, where they are met again; deleted rows pull others to
  earlier pages, which shows in a smaller total, and so the walk steps back;
* by cursor, a cursor that has been deleted is replaced by the item before it;
* newest change first, a row that changes moves to the front, out of the walk's way; so at its end the walk
  reads from the front again, as far as anything has changed since it began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from weft.client._call import Call

if TYPE_CHECKING:
    from weft.wire import CursorPage, Listing, Page

Item = TypeVar("Item")

NEWEST_CHANGE_FIRST = "-updated_at"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a walk is."""

    items: int
    """Items read so far."""
    pages: int
    """Requests made so far."""
    total: int | None
    """Items that there are, as the last page told; ``None`` where the server does not count them."""


OnProgress = Callable[[Progress], None]
"""Told after every page."""


class Walk(Protocol[Item]):
    """What to ask for next, and what was new in the answer."""

    @property
    def call(self) -> Call[Listing[Item]] | None:
        """The next request; ``None`` when the list is at its end."""
        ...

    def take(self, page: Listing[Item]) -> list[Item]:
        """The new items of the answer to `call`, which becomes the request after it."""
        ...

    def step_back(self) -> bool:
        """The place to go on from is gone; whether `call` now starts from another."""
        ...


class _Walk(Generic[Item]):
    """What all walks share: no item twice, and the way back to the front."""

    def __init__(self, call: Call[Listing[Item]], *, moves: bool) -> None:
        self.call: Call[Listing[Item]] | None = call
        self._first = call
        self._moves = moves
        self._seen: set[object] = set()
        self._pages = 0
        """Of this pass."""
        self._mark: int | None = None
        """Unix seconds of the newest change when this pass began."""
        self._until: int | None = None
        """Unix seconds of the newest change when the pass before began; ``None`` in the first pass."""
        self._found = False
        """Whether this pass has found anything new."""

    def take(self, page: Listing[Item]) -> list[Item]:
        """The new items of a page, in order; afterwards `call` is the next request, if any."""
        fresh = [item for item in page.data if _id(item) is None or _id(item) not in self._seen]
        self._seen.update(_id(item) for item in fresh)
        self._found = self._found or bool(fresh)
        self._pages += 1
        if self._pages == 1:
            self._mark = _changed(page.data[0]) if page.data else None
        following = self._following(page)
        if self._until is not None and any((_changed(item) or 0) < self._until for item in page.data):
            following = None
        self.call = following or self._again()
        return fresh

    def step_back(self) -> bool:
        """There is no other place to go on from."""
        return False

    def _following(self, page: Listing[Item]) -> Call[Listing[Item]] | None:
        raise NotImplementedError

    def _again(self) -> Call[Listing[Item]] | None:
        """The beginning of another pass, if rows may have moved to the front during this one."""
        was_one_page = self._pages == 1 and self._until is None
        if not self._moves or was_one_page or not self._found or self._mark is None:
            return None
        self._until, self._mark, self._pages, self._found = self._mark, None, 0, False
        return self._first


class CursorWalk(_Walk[Item]):
    """Pages that go on from an item.

    Args:
        call: The first request.
        cursor: Name of the query key.
        end: Which item of a page it names: -1 the last, 0 the first.
        moves: Whether rows that change move to the front.
    """

    def __init__(self, call: Call[CursorPage[Item]], *, cursor: str, end: int, moves: bool = False) -> None:
        super().__init__(call, moves=moves)
        self._cursor = cursor
        self._end = end
        self._places: list[str] = []
        """Ids of the last page, the best place to go on from last."""

    def step_back(self) -> bool:
        """Go on from the item before the one that is gone."""
        if self.call is None or self._cursor not in self.call.query or len(self._places) < 2:
            return False
        self._places.pop()
        self.call = self._from(self._places[-1])
        return True

    def _following(self, page: Listing[Item]) -> Call[Listing[Item]] | None:
        if not page.has_more or not page.data:
            return None
        ids = [str(_id(item)) for item in page.data]
        self._places = ids if self._end else ids[::-1]
        if self.call is not None and self.call.query.get(self._cursor) == self._places[-1]:
            return None  # a server that ignores the cursor would send the same page for ever
        return self._from(self._places[-1])

    def _from(self, place: str) -> Call[Listing[Item]]:
        return replace(self._first, query={**self._first.query, self._cursor: place})


class ForwardWalk(CursorWalk[Item]):
    """Conversations, variables, runs: the last id of a page is the cursor of the next."""

    def __init__(self, call: Call[CursorPage[Item]]) -> None:
        moves = call.query.get("sort_by") == NEWEST_CHANGE_FIRST
        super().__init__(call, cursor="last_id", end=-1, moves=moves)


class BackwardWalk(CursorWalk[Item]):
    """Messages, newest first: the first id of a page is the cursor of the one before it."""

    def __init__(self, call: Call[CursorPage[Item]]) -> None:
        super().__init__(call, cursor="first_id", end=0)

    def take(self, page: Listing[Item]) -> list[Item]:
        """The items of a page, newest first; afterwards `call` is the next request, if any."""
        return super().take(page)[::-1]


class ChronologicalWalk(BackwardWalk[Item]):
    """Messages, oldest first: nothing is given out before all pages are read."""

    def __init__(self, call: Call[CursorPage[Item]]) -> None:
        super().__init__(call)
        self._held: list[Item] = []

    def take(self, page: Listing[Item]) -> list[Item]:
        """Nothing, and everything with the last page."""
        self._held += super().take(page)
        return [] if self.call is not None else self.end()

    def end(self) -> list[Item]:
        """Everything that was read so far; there is no next request."""
        self.call = None
        held, self._held = self._held, []
        return held[::-1]


class NumberedWalk(_Walk[Item]):
    """Logs: pages have numbers."""

    def __init__(self, call: Call[Page[Item]], *, moves: bool = False) -> None:
        super().__init__(call, moves=moves)
        self._total: int | None = None

    def _following(self, page: Listing[Item]) -> Call[Listing[Item]] | None:
        if self.call is None:
            return None
        number = int(self.call.query.get("page", "1"))
        total: int | None = getattr(page, "total", None)
        gone = 0 if total is None or self._total is None else self._total - total
        self._total = total
        if gone > 0:
            number = max(number - ceil(gone / max(page.limit, 1)), 1)
        elif page.has_more and page.data:
            number += 1
        else:
            return None
        return replace(self.call, query={**self.call.query, "page": str(number)})


def _id(item: object) -> object:
    return getattr(item, "id", None)


def _changed(item: object) -> int | None:
    found = getattr(item, "updated_at", None)
    return found if isinstance(found, int) else None
