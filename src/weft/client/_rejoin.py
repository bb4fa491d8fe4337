"""How a stream that broke off is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from weft import wire
from weft.client._call import Call, get, nothing, path, texts

if TYPE_CHECKING:
    from weft.wire import CursorPage, Message


@dataclass(frozen=True, slots=True)
class Rejoin:
    """What to ask for when a stream breaks off after its run has begun."""

    events: Callable[[str, bool, bool], Call[None]]
    """Of a run: its events, whether with a replay, whether to stay while it is paused."""
    messages: Callable[[str], Call[CursorPage[Message]]]
    """Of a conversation: its newest messages, to make up for what was missed."""

    @classmethod
    def of(cls, user: str) -> Rejoin:
        """For streams of that user."""
        return cls(partial(run_events_call, user), partial(_messages_call, user))


def run_events_call(
    user: str, workflow_run_id: str, include_state_snapshot: bool, continue_on_pause: bool
) -> Call[None]:
    """The events of a run from now on."""
    query = texts(
        user=user,
        include_state_snapshot=include_state_snapshot or None,
        continue_on_pause=continue_on_pause or None,
    )
    return Call("GET", path("workflow", workflow_run_id, "events"), nothing, query)


def _messages_call(user: str, conversation_id: str) -> Call[CursorPage[Message]]:
    return get(wire.MessagePage, "/messages", conversation_id=conversation_id, user=user, limit=20)
