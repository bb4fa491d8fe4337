"""A stored conversation in pieces, and the port through which a session reads it.

Whoever has conversations can be read as sessions: a server's store, an archive. A reader gives records of
`weft.store`; what becomes of them is decided in `weft.sessions.view`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from weft.sessions.change import SessionChange
from weft.store import (
    Annotation,
    App,
    Conversation,
    ConversationVariable,
    EndUser,
    Feedback,
    Form,
    Link,
    Message,
    MessageFile,
    NodeExecution,
    Run,
    Thread,
    Workflow,
    link_of,
)


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
    link: Link | None = None
    """Which message it builds on, as far as it is known."""
    executions: Sequence[NodeExecution] = ()
    files: Sequence[MessageFile] = ()
    forms: Sequence[Form] = ()
    """What it has asked people, oldest first."""
    feedback: Sequence[Feedback] = ()
    """What people think of the answer."""
    annotation: Annotation | None = None
    """What the answer should have been."""
    opinions: Mapping[str, object] = field(default_factory=dict)
    """Both as the run's metadata tells them, ``feedback`` and ``annotation``, also without their rows."""
    events: Sequence[dict[str, object]] | None = None
    """The events of the run, where somebody has recorded them."""

    @property
    def id(self) -> str | None:
        """That of its run, or else of its message."""
        if self.run is not None:
            return self.run.id
        return None if self.message is None else self.message.run_id or self.message.id

    @property
    def ids(self) -> tuple[str, ...]:
        """Under which it can be asked for; the run's first."""
        message_ids = () if self.message is None else (self.message.run_id, self.message.id)
        run_id = None if self.run is None else self.run.id
        return tuple(dict.fromkeys(id for id in (run_id, *message_ids) if id))


@dataclass(frozen=True, slots=True)
class TurnPage:
    """Turns that follow each other, oldest first."""

    turns: tuple[Turn, ...]
    has_more: bool
    """There are older ones."""


class SessionReader(Protocol):
    """Where a session over a stored conversation gets its rows from."""

    async def head(self, session_id: str, *, user_id: str | None, detail: bool = True) -> SessionHead:
        """The conversation without its turns.

        Args:
            session_id: Id of the conversation.
            user_id: Whose it must be; `None` for anybody's.
            detail: With variables and the version of the newest run.

        Raises:
            NotFoundError: There is none, or it belongs to somebody else.
        """
        ...

    async def turns(self, session_id: str, *, before: str | None, limit: int, detail: bool) -> TurnPage:
        """The newest turns, or the newest before one of them.

        Args:
            session_id: Id of the conversation.
            before: Id of the message of the first turn of the page after.
            limit: At most so many, 1 to 500.
            detail: With node executions, files, forms, feedback and annotations.

        Raises:
            NotFoundError: `before` is no message of this conversation.
        """
        ...

    async def find_turn(self, session_id: str, id: str) -> Turn | None:
        """The turn of a run or a message, with all detail; `None` if the conversation has none of that id."""
        ...

    async def links(self, session_id: str) -> Sequence[Link]:
        """Which message builds on which, newest first; may be empty where none says so."""
        ...

    async def change(self, session_id: str, change: SessionChange) -> None:
        """Give the conversation another name, and its variables other values.

        Raises:
            NotFoundError: There is none.
            InvalidRequestError: This cannot be changed, here or at all.
            ConflictError: Somebody else has changed the same thing meanwhile.
        """
        ...


def turns_of(
    messages: Iterable[Message],
    runs: Iterable[Run],
    executions: Iterable[NodeExecution] = (),
    files: Iterable[MessageFile] = (),
    forms: Iterable[Form] = (),
) -> list[Turn]:
    """Rows put together: a turn for each message, oldest first, then one for each run without a message."""
    by_run: dict[str, list[NodeExecution]] = {}
    for execution in executions:
        by_run.setdefault(execution.run_id, []).append(execution)
    by_message: dict[str, list[MessageFile]] = {}
    for file in files:
        by_message.setdefault(file.message_id, []).append(file)
    asked: dict[str, list[Form]] = {}
    for form in forms:
        asked.setdefault(form.run_id, []).append(form)
    left = {run.id: run for run in runs}
    found = []
    ordered = sorted(messages, key=lambda message: (message.created_at, message.id))
    for message, link in zip(ordered, links_of(ordered), strict=True):
        run = left.pop(message.run_id, None) if message.run_id else None
        run_id = message.run_id or ""
        found.append(
            Turn(
                message=message,
                run=run,
                link=link,
                executions=sorted(by_run.get(run_id, ()), key=_place),
                files=by_message.get(message.id, ()),
                forms=asked.get(run_id, ()),
            )
        )
    alone = sorted(left.values(), key=lambda run: (run.created_at, run.id))
    return [
        *found,
        *(
            Turn(run=run, executions=sorted(by_run.get(run.id, ()), key=_place), forms=asked.get(run.id, ()))
            for run in alone
        ),
    ]


def _place(execution: NodeExecution) -> tuple[int, str]:
    return execution.index, execution.id


def links_of(oldest_first: Iterable[Message]) -> Iterator[Link]:
    """Which message of a whole conversation builds on which."""
    seen: set[str] = set()
    for message in oldest_first:
        parent = message.parent_message_id
        yield link_of(message.id, parent, parent if parent in seen else None)
        seen.add(message.id)


def mark_replaced(newest_first: Iterable[Turn], thread: Thread | None = None) -> Iterator[tuple[Turn, bool]]:
    """Whether the answer of each turn was made anew, or it builds on one that was.

    Args:
        newest_first: Turns.
        thread: Where the conversation goes on from these; moves along.
    """
    thread = Thread() if thread is None else thread
    for turn in newest_first:
        yield turn, turn.link is not None and not thread.goes_through(turn.link)
