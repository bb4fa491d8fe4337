"""A stored conversation in pieces, and the port through which a session reads it.

Whoever has conversations can be read as sessions: a server's store, an archive. A reader gives records of
`weft.store`; what becomes of them is decided in `weft.sessions.view`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weft.store import (
        App,
        Conversation,
        ConversationVariable,
        EndUser,
        Message,
        MessageFile,
        NodeExecution,
        Run,
        Workflow,
    )

_NO_PARENT = (None, "", "00000000-0000-0000-0000-000000000000")
"""What callers that know no branches say instead of a parent message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHead:
    """A conversation without its turns."""

    app: App
    conversation: Conversation | None = None
    """`None` for the run of an app without conversations."""
    end_user: EndUser | None = None
    variables: Sequence[ConversationVariable] = ()
    workflow: Workflow | None = None
    """The version of the newest run."""
    session_id: str | None = None
    """Given by the caller, for an app without conversations."""
    run: Run | None = None
    """The only run of a session without a conversation, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A message with its run; one of the two may be absent."""

    message: Message | None = None
    run: Run | None = None
    """Absent for messages from elsewhere."""
    executions: Sequence[NodeExecution] = ()
    files: Sequence[MessageFile] = ()
    annotations: Mapping[str, object] = field(default_factory=dict)
    """What else is known of it, such as ``feedback``; goes into the run's metadata."""
    events: Sequence[dict[str, object]] | None = None
    """The events of the run, where somebody has recorded them."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Under which it can be asked for; the run's first."""
        message_ids = () if self.message is None else (self.message.run_id, self.message.id)
        run_id = None if self.run is None else self.run.id
        return tuple(dict.fromkeys(id for id in (run_id, *message_ids) if id))

    @property
    def parent(self) -> str | None:
        """The message that it answers to, where the caller said so."""
        parent = None if self.message is None else self.message.parent_message_id
        return None if parent in _NO_PARENT else parent


@dataclass(frozen=True, slots=True)
class TurnPage:
    """Turns that follow each other, oldest first."""

    turns: tuple[Turn, ...]
    has_more: bool
    """There are older ones."""


class SessionReader(Protocol):
    """Where a session over a stored conversation gets its rows from."""

    async def head(self, session_id: str, *, user_id: str | None) -> SessionHead:
        """The conversation without its turns.

        Args:
            session_id: Id of the conversation.
            user_id: Whose it must be; `None` for anybody's.

        Raises:
            NotFoundError: There is none, or it belongs to somebody else.
        """
        ...

    async def turns(self, session_id: str, *, before: str | None, limit: int, detail: bool) -> TurnPage:
        """The newest turns, or the newest before one of them.

        Args:
            session_id: Id of the conversation.
            before: Id of the message of the first turn of the page after.
            limit: At most so many, 1 to 200.
            detail: With node executions, files and annotations.

        Raises:
            NotFoundError: `before` is no message of this conversation.
        """
        ...

    async def find_turn(self, session_id: str, id: str) -> Turn | None:
        """The turn of a run or a message, with all detail; `None` if the conversation has none of that id."""
        ...


def turns_of(
    messages: Iterable[Message],
    runs: Iterable[Run],
    executions: Iterable[NodeExecution] = (),
    files: Iterable[MessageFile] = (),
) -> list[Turn]:
    """Rows put together: a turn for each message, oldest first, then one for each run without a message."""
    by_run: dict[str, list[NodeExecution]] = {}
    for execution in executions:
        by_run.setdefault(execution.run_id, []).append(execution)
    by_message: dict[str, list[MessageFile]] = {}
    for file in files:
        by_message.setdefault(file.message_id, []).append(file)
    left = {run.id: run for run in runs}
    found = []
    for message in sorted(messages, key=lambda message: (message.created_at, message.id)):
        run = left.pop(message.run_id, None) if message.run_id else None
        run_id = message.run_id or ""
        found.append(
            Turn(
                message=message,
                run=run,
                executions=sorted(by_run.get(run_id, ()), key=_place),
                files=by_message.get(message.id, ()),
            )
        )
    alone = sorted(left.values(), key=lambda run: (run.created_at, run.id))
    return [
        *found,
        *(Turn(run=run, executions=sorted(by_run.get(run.id, ()), key=_place)) for run in alone),
    ]


def _place(execution: NodeExecution) -> tuple[int, str]:
    return execution.index, execution.id


def mark_replaced(
    newest_first: Iterable[Turn], answered: set[str] | None = None
) -> Iterator[tuple[Turn, bool]]:
    """Whether the answer of each turn was replaced by that of a newer one to the same parent message.

    Args:
        newest_first: Turns.
        answered: Parents of turns that are newer still; grows.
    """
    seen: set[str] = set() if answered is None else answered
    for turn in newest_first:
        parent = turn.parent
        yield turn, parent in seen
        if parent is not None:
            seen.add(parent)
