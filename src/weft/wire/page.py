"""Lists that arrive in pages: by cursor or by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from weft.wire._model import WireModel

T = TypeVar("T")


class Listing(WireModel, Generic[T]):
    """A part of a longer list; iterates over its items and is always true, even when empty."""

    limit: int = 20
    """Items asked for, as the request said."""
    has_more: bool = False
    """Whether items follow in the direction of paging."""
    data: list[T]

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]  # items, not pairs of field name and value
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return True


class CursorPage(Listing[T], Generic[T]):
    """A page that is continued from one of its items' ids."""

    @property
    def first_id(self) -> str | None:
        """Id of the first item: the cursor of messages, which page backwards."""
        return _id_of(self.data[0]) if self.data else None

    @property
    def last_id(self) -> str | None:
        """Id of the last item: the cursor of conversations and their variables."""
        return _id_of(self.data[-1]) if self.data else None


class Page(Listing[T], Generic[T]):
    """A page that is found by its number."""

    page: int = 1
    """Number of this page, from 1."""
    total: int | None = None
    """Items on all pages together; ``None`` where the server does not count them."""


def _id_of(item: object) -> str | None:
    found = getattr(item, "id", None)
    return found if isinstance(found, str) else None
