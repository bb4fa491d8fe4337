"""What a message and its run amount to: the one place that says which turns of a conversation count.

Models that remember, variables that tell a flow of earlier runs, and sessions all ask here, so that what a
model was told is what the session of its conversation says.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from weft.store.records import MessageStatus, RunStatus

NO_PARENT = (None, "", "00000000-0000-0000-0000-000000000000")
"""What callers that know no branches say instead of a parent message."""
_OF_MESSAGE: dict[MessageStatus, RunStatus] = {"normal": "succeeded", "error": "failed", "paused": "paused"}
_COMPLETED = ("succeeded", "partial-succeeded")
_REMEMBERED = (*_COMPLETED, "stopped")


class Link(msgspec.Struct, frozen=True):
    """The place of a message in its conversation."""

    message_id: str
    parent: str | None = None
    """What its caller said that it answers to; `None` where the caller knew no branches."""
    follows: str | None = None
    """The same, where that is an earlier message of the conversation."""


class Exchange(msgspec.Struct, frozen=True):
    """A turn of a conversation in short: what was asked, what came of it, and how it ended."""

    link: Link
    status: RunStatus
    query: str
    answer: str
    given: object
    """The query, or else the inputs."""
    made: object
    """The answer, or else the outputs."""

    @property
    def is_completed(self) -> bool:
        """It came to a good end: later runs of the workflow are told of it."""
        return self.status in _COMPLETED

    @property
    def is_remembered(self) -> bool:
        """A person has read an answer: models are told of it, also where somebody stopped in the middle."""
        return self.status in _REMEMBERED and bool(self.answer)


class Thread:
    """Goes through a conversation from its newest message back, along those that the answers build on.

    An answer that was made anew takes the place of the one before, with all that was built on that. Messages
    of callers that know no branches build on all that came before them.
    """

    def __init__(self) -> None:
        self._wanted: str | None = None
        """The message that the last one builds on, where it says so."""
        self._answered: set[str] = set()
        """What newer messages answer to."""

    def goes_through(self, link: Link) -> bool:
        """Whether a message is part of it; to be asked for every message, the newest first."""
        if self._wanted is not None:
            is_part = link.message_id == self._wanted
        else:
            is_part = link.parent not in self._answered
        if link.parent is not None:
            self._answered.add(link.parent)
        if is_part:
            self._wanted = link.follows
        return is_part


def link_of(message_id: str, parent_message_id: str | None, follows: str | None) -> Link:
    """The place of a message; `follows` is its parent if that is an earlier message of the conversation."""
    return Link(message_id, None if parent_message_id in NO_PARENT else parent_message_id, follows)


def status_of(run_status: RunStatus | None, message_status: MessageStatus | None) -> RunStatus:
    """How a turn ended; messages from elsewhere have no run."""
    if run_status is not None:
        return run_status
    return "scheduled" if message_status is None else _OF_MESSAGE[message_status]


def given_of(query: str, inputs: Mapping[str, object]) -> object:
    """What went into a turn: the query, or else the inputs without the system's."""
    return query or {name: value for name, value in inputs.items() if not name.startswith("sys.")}


def made_of(answer: str, outputs: Mapping[str, object] | None, status: RunStatus) -> object:
    """What came out of a turn: the answer, or else the outputs; nothing of a failed one without an answer."""
    if answer or status == "failed" or not outputs or (len(outputs) == 1 and outputs.get("answer") == ""):
        return answer or None
    return outputs
