"""Walks around other walks: fewer pages, and items that are told whom they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from weft import wire
from weft.client._call import Call
from weft.client._walk import ChronologicalWalk, Walk

if TYPE_CHECKING:
    from weft.wire import Listing

Item = TypeVar("Item")

_NAMES = ("from_end_user_session_id", "from_account_name")
"""What the list of conversations tells of a conversation's people and that of its messages does not."""


class LimitedWalk(Generic[Item]):
    """The first pages of a walk through messages, oldest first.

    Args:
        walk: Through all pages.
        pages: Requests at most.
    """

    def __init__(self, walk: ChronologicalWalk[Item], pages: int) -> None:
        self._walk = walk
        self._left = pages
        self.call: Call[Listing[Item]] | None = walk.call if pages > 0 else None

    def take(self, page: Listing[Item]) -> list[Item]:
        """Nothing, and everything with the last page."""
        self._left -= 1
        fresh = self._walk.take(page)
        if self._left <= 0 and self._walk.call is not None:
            fresh = self._walk.end()
        self.call = self._walk.call
        return fresh

    def step_back(self) -> bool:
        """Go on from the item before the one that is gone."""
        found = self._walk.step_back()
        self.call = self._walk.call
        return found


class _NamingWalk:
    def __init__(self, walk: Walk[wire.console.ChatMessage], names: Mapping[str, object]) -> None:
        self._walk = walk
        self._names = names

    @property
    def call(self) -> Call[Listing[wire.console.ChatMessage]] | None:
        return self._walk.call

    def take(self, page: Listing[wire.console.ChatMessage]) -> list[wire.console.ChatMessage]:
        return [message.model_copy(update=self._missing(message)) for message in self._walk.take(page)]

    def step_back(self) -> bool:
        return self._walk.step_back()

    def _missing(self, message: wire.console.ChatMessage) -> dict[str, object]:
        return {name: text for name, text in self._names.items() if getattr(message, name) is None}


def with_names(
    walk: Walk[wire.console.ChatMessage], conversation: Mapping[str, object]
) -> Walk[wire.console.ChatMessage]:
    """A walk whose messages also have what their conversation tells of the people in it."""
    names = {name: conversation[name] for name in _NAMES if conversation.get(name) is not None}
    return _NamingWalk(walk, names) if names else walk
