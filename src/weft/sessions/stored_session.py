"""A session over a stored conversation whose runs are read when they are asked for, and no more of them."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

from msgspec import structs

from weft.errors import InvalidRequestError, NotFoundError
from weft.sessions import transcript
from weft.sessions.change import SessionChange, change_of
from weft.sessions.history import completed, history_context, history_pairs
from weft.sessions.message import Message
from weft.sessions.plain import JsonObject, plain_object
from weft.sessions.query import RunPage
from weft.sessions.session import WorkflowChatInteraction, WorkflowSession
from weft.sessions.session_text import SessionText
from weft.sessions.turn import SessionHead, SessionReader, Turn, mark_replaced
from weft.sessions.view import session_from, session_head
from weft.sessions.view_run import prune, run_of, session_id_of
from weft.sessions.workflow_run import WorkflowRunOutput
from weft.store import Thread

_PAGE = 200
_LARGE_PAGE = 500
"""Of those who want all turns anyway."""
_FIRST_PAGE = 8


class StoredSession:
    """A stored conversation as a session.

    Has the methods of `WorkflowSession` for reading, as coroutines, and gives the same answers as the session
    that `load` makes of the whole conversation. Each call reads what the store has then.

    Args:
        head: The conversation without its turns; `open` reads it.
        reader: Where turns come from.
    """

    def __init__(self, head: SessionHead, reader: SessionReader) -> None:
        self._head = head
        self._reader = reader
        self._id = session_id_of(head)

    @classmethod
    async def open(
        cls, reader: SessionReader, session_id: str, *, user_id: str | None = None, detail: bool = True
    ) -> StoredSession:
        """The session of a conversation.

        Args:
            reader: Where it lies.
            session_id: Id of the conversation.
            user_id: Whose it must be; `None` for anybody's.
            detail: With its state and what its workflow is, which histories do without.

        Raises:
            NotFoundError: There is none, or it belongs to somebody else.
        """
        return cls(await reader.head(session_id, user_id=user_id, detail=detail), reader)

    @property
    def head(self) -> WorkflowSession:
        """The session without its runs, and without the metrics and files that are computed from them."""
        session = session_head(self._head)
        session._as_it_was = _Rows(self._head, (), whole=False, steps=False, messages=False)
        return session

    async def load(
        self, last_n_runs: int | None = None, *, steps: bool = True, messages: bool = True
    ) -> WorkflowSession:
        """The session with its runs.

        Args:
            last_n_runs: Only the last so many, none for zero and less; `None` for all of them. Metrics and
                files of the session are those of all runs, and so only there with all of them.
            steps: With what each step did.
            messages: With the runs of agents and teams and their messages. With neither, the files of runs
                are left out too, and only the conversation itself is read.
        """
        wanted = None if last_n_runs is None else operator.index(last_n_runs)
        turns: list[tuple[Turn, bool]] = []
        async for page in self._pages(wanted, detail=steps or messages):
            turns += page
        rows = _Rows(self._head, turns, whole=wanted is None, steps=steps, messages=messages)
        # A long conversation takes seconds to put together, in which others want to be answered.
        session = await asyncio.to_thread(rows) if len(turns) > _PAGE else rows()
        session._as_it_was = rows
        return session

    async def save(self, session: WorkflowSession) -> WorkflowSession:
        """Write what has changed in a session that `load` gave, or `head`, since then.

        The name of the session can change, which is that of the conversation, and the values in its
        ``session_state``, which are those of the conversation's variables.

        Returns:
            The same session, with `updated_at` and what others have changed in its name and state.

        Raises:
            InvalidRequestError: Something else was changed; a variable does not exist or cannot hold the
                value; or the conversation lies in an archive. Nothing was written.
            ConflictError: Somebody else has changed the same thing meanwhile. Nothing was written.
            NotFoundError: The conversation is gone.
        """
        change = change_of(session)
        if session.session_id != self._id:
            raise InvalidRequestError(f"session {session.session_id!r} is not {self._id!r}")
        if not change:
            return session
        await self._change(change)
        now, was = self.head, session._as_it_was
        session.session_data.update(now.session_data)
        session.updated_at = now.updated_at
        if isinstance(was, _Rows):
            session._as_it_was = was.with_state_of(self._head)
        return session

    async def set_session_name(self, name: str) -> None:
        """Give the session another name.

        Raises:
            InvalidRequestError: It is empty or too long, or the session cannot be changed.
            NotFoundError: The conversation is gone.
        """
        await self._change(SessionChange(session_name=name))

    async def update_session_state(self, updates: Mapping[str, object]) -> JsonObject:
        """Give variables of the conversation other values, whatever they have now; the others stay.

        Returns:
            All of its variables by name.

        Raises:
            InvalidRequestError: A variable does not exist or cannot hold the value, or the session cannot be
                changed.
            NotFoundError: The conversation is gone.
        """
        await self._change(SessionChange(session_state=updates))
        return plain_object({variable.name: variable.value for variable in self._head.variables})

    async def _change(self, change: SessionChange) -> None:
        await self._reader.change(self._id, change)
        self._head = await self._reader.head(self._id, user_id=None)

    async def dump(
        self, last_n_runs: int | None = None, *, steps: bool = True, messages: bool = True
    ) -> bytes:
        """What `load` gives, in its plain form as JSON, for less time and memory.

        Args:
            last_n_runs: As in `load`.
            steps: As in `load`.
            messages: As in `load`.
        """
        wanted = None if last_n_runs is None else operator.index(last_n_runs)
        text = SessionText(self._head, whole=wanted is None, steps=steps, messages=messages)
        async for page in self._pages(wanted, detail=steps or messages):
            if len(page) > _FIRST_PAGE:
                await asyncio.to_thread(text.add, page)
            else:
                text.add(page)
        return text.dump()

    async def _pages(self, wanted: int | None, *, detail: bool) -> AsyncIterator[list[tuple[Turn, bool]]]:
        """The last so many turns page by page, each with whether it was replaced, newest first."""
        if wanted is not None and wanted <= 0:
            return
        thread, left = Thread(), wanted
        before: str | None = None
        while True:
            limit = _LARGE_PAGE if left is None else min(left, _LARGE_PAGE)
            page = await self._reader.turns(self._id, before=before, limit=limit, detail=detail)
            yield list(mark_replaced(reversed(page.turns), thread))
            left = None if left is None else left - len(page.turns)
            first = page.turns[0].message if page.turns else None
            if not page.has_more or first is None or left == 0:
                return
            before = first.id

    async def get_runs(
        self, before: str | None = None, limit: int = 20, *, steps: bool = True, messages: bool = True
    ) -> RunPage:
        """The newest runs, or the newest before one of them, oldest first.

        Args:
            before: Id of the first run of the page after, or of its message.
            limit: At most so many, 1 to 200.
            steps: As in `load`.
            messages: As in `load`.

        Raises:
            NotFoundError: `before` is no run of this session.
        """
        place: str | None = None
        if before is not None:
            after = await self._reader.find_turn(self._id, before)
            if after is None:
                raise NotFoundError("Workflow run not found.", kind="run", id=before)
            if after.message is None:
                return RunPage((), has_more=False)
            place = after.message.id
        page = await self._reader.turns(self._id, before=place, limit=limit, detail=steps or messages)
        if place is None:
            marked = list(mark_replaced(reversed(page.turns)))[::-1]
        else:
            aside = await self._replaced()
            marked = [(turn, _is_in(turn, aside)) for turn in page.turns]
        runs = [run_of(self._head, turn, replaced=replaced) for turn, replaced in marked]
        for run in runs:
            prune(run, steps=steps, messages=messages)
        return RunPage(tuple(runs), page.has_more)

    async def get_run(self, run_id: str) -> WorkflowRunOutput | None:
        """The run of that id, or that of the message of that id."""
        turn = await self._reader.find_turn(self._id, run_id)
        if turn is None:
            return None
        return run_of(self._head, turn, replaced=_is_in(turn, await self._replaced()))

    async def _replaced(self) -> set[str]:
        """Messages that the conversation has gone on without; only what came after tells of any of them."""
        thread = Thread()
        return {
            link.message_id for link in await self._reader.links(self._id) if not thread.goes_through(link)
        }

    async def get_workflow_history(self, num_runs: int | None = None) -> list[tuple[str, str]]:
        """As `WorkflowSession.get_workflow_history`; reads only the newest turns."""
        wanted = None if num_runs is None else operator.index(num_runs)
        found: list[WorkflowRunOutput] = []
        if wanted is None or wanted > 0:
            begin = _PAGE if wanted is None else wanted + _FIRST_PAGE
            async for turn, replaced in self._newest_first(begin, detail=False):
                found += completed([run_of(self._head, turn, replaced=replaced)])
                if len(found) == wanted:
                    break
        return history_pairs(found[::-1])

    async def get_workflow_history_context(
        self, num_runs: int | None = None, *, escape: bool = False
    ) -> str | None:
        """As `WorkflowSession.get_workflow_history_context`; reads only the newest turns."""
        return history_context(await self.get_workflow_history(num_runs), escape=escape)

    async def get_chat_history(self, last_n_runs: int | None = None) -> list[WorkflowChatInteraction]:
        """As `WorkflowSession.get_chat_history`; reads only the newest turns."""
        wanted = None if last_n_runs is None else operator.index(last_n_runs)
        found: list[WorkflowRunOutput] = []
        if wanted is None or wanted > 0:
            async for turn, replaced in self._newest_first(wanted or _PAGE, detail=False):
                found.append(run_of(self._head, turn, replaced=replaced))
                if len(found) == wanted:
                    break
        return self._session(found).get_chat_history()

    async def get_messages(
        self,
        agent_id: str | None = None,
        team_id: str | None = None,
        last_n_runs: int | None = None,
        limit: int | None = None,
        skip_roles: Collection[str] | None = None,
        skip_statuses: Collection[str] | None = None,
        skip_history_messages: bool = True,
        skip_member_messages: bool = True,
    ) -> list[Message]:
        """As `WorkflowSession.get_messages`; with `last_n_runs` reads only the newest turns."""
        wanted = None if last_n_runs is None else operator.index(last_n_runs)
        if bool(agent_id) == bool(team_id):
            wanted = 0  # which is refused, unless there are no turns at all
        begin = _PAGE if wanted is None else max(wanted, 1) + _FIRST_PAGE
        found: list[WorkflowRunOutput] = []
        count = 0
        async for turn, replaced in self._newest_first(begin, detail=True):
            run = run_of(self._head, turn, replaced=replaced)
            found.append(run)
            if agent_id:
                executed = transcript.agent_runs([run], agent_id)
            else:
                members = not skip_member_messages
                executed = transcript.team_runs([run], team_id or "", with_members=members)
            count += sum(item.status not in (skip_statuses or ()) for item in executed)
            if wanted is not None and count >= wanted:
                break
        session = self._session(found)
        return session.get_messages(
            agent_id,
            team_id,
            last_n_runs,
            limit,
            skip_roles,
            skip_statuses,
            skip_history_messages,
            skip_member_messages,
        )

    def _session(self, newest_first: list[WorkflowRunOutput]) -> WorkflowSession:
        session = self.head
        session.runs = newest_first[::-1]
        return session

    async def _newest_first(self, first_page: int, *, detail: bool) -> AsyncIterator[tuple[Turn, bool]]:
        """Turns, each with whether its answer was replaced."""
        thread = Thread()
        before: str | None = None
        limit = min(first_page, _PAGE)
        while True:
            page = await self._reader.turns(self._id, before=before, limit=limit, detail=detail)
            for marked in mark_replaced(reversed(page.turns), thread):
                yield marked
            first = page.turns[0].message if page.turns else None
            if not page.has_more or first is None:
                return
            before, limit = first.id, _PAGE


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that a session was made of, which can be made of them once more."""

    head: SessionHead
    newest_first: Sequence[tuple[Turn, bool]]
    _: KW_ONLY
    whole: bool
    steps: bool
    messages: bool

    def __call__(self) -> WorkflowSession:
        if self.whole:
            session = session_from(self.head, [turn for turn, _ in reversed(self.newest_first)])
        else:
            session = session_head(self.head)
            session.runs = [
                run_of(self.head, turn, replaced=replaced) for turn, replaced in reversed(self.newest_first)
            ]
        for run in session.runs:
            prune(run, steps=self.steps, messages=self.messages)
        return session

    def with_state_of(self, head: SessionHead) -> _Rows:
        """The same with the name and the variables that are there now."""
        before, now = self.head.conversation, head.conversation
        if before is None or now is None:
            return self
        conversation = structs.replace(before, name=now.name, updated_at=now.updated_at)
        changed = replace(self.head, conversation=conversation, variables=head.variables)
        return replace(self, head=changed)


def _is_in(turn: Turn, messages: Collection[str]) -> bool:
    return turn.message is not None and turn.message.id in messages
