"""A session over a stored conversation whose runs are read when they are asked for, and no more of them."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from weft.errors import NotFoundError
from weft.sessions import transcript
from weft.sessions.history import completed, history_context, history_pairs
from weft.sessions.message import Message
from weft.sessions.session import WorkflowChatInteraction, WorkflowSession
from weft.sessions.turn import SessionHead, SessionReader, Turn, mark_replaced
from weft.sessions.view import session_from, session_head
from weft.sessions.view_run import run_of, session_id_of
from weft.sessions.workflow_run import WorkflowRunOutput

_PAGE = 200
_FIRST_PAGE = 8


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs that follow each other, oldest first."""

    runs: tuple[WorkflowRunOutput, ...]
    has_more: bool
    """There are older ones."""


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
        cls, reader: SessionReader, session_id: str, *, user_id: str | None = None
    ) -> StoredSession:
        """The session of a conversation.

        Args:
            reader: Where it lies.
            session_id: Id of the conversation.
            user_id: Whose it must be; `None` for anybody's.

        Raises:
            NotFoundError: There is none, or it belongs to somebody else.
        """
        return cls(await reader.head(session_id, user_id=user_id), reader)

    @property
    def head(self) -> WorkflowSession:
        """The session without its runs, and without the metrics and files that are computed from them."""
        return session_head(self._head)

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
        if wanted is None or wanted > 0:
            async for marked in self._newest_first(wanted or _PAGE, detail=steps or messages):
                turns.append(marked)
                if len(turns) == wanted:
                    break

        def build() -> WorkflowSession:
            if wanted is None:
                session = session_from(self._head, [turn for turn, _ in reversed(turns)])
            else:
                runs = [run_of(self._head, turn, replaced=replaced) for turn, replaced in turns]
                session = self._session(runs)
            for run in session.runs:
                _prune(run, steps=steps, messages=messages)
            return session

        # A long conversation takes seconds to put together, in which others want to be answered.
        return await asyncio.to_thread(build) if len(turns) > _PAGE else build()

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
        answered: set[str] = set()
        if place is not None and any(turn.parent for turn in page.turns):
            # Only what came after them tells whether their answers were replaced.
            async for turn, _ in self._newest_first(_PAGE, detail=False):
                if turn.parent is not None:
                    answered.add(turn.parent)
                if turn.message is not None and turn.message.id == place:
                    break
        runs = [
            run_of(self._head, turn, replaced=replaced)
            for turn, replaced in mark_replaced(reversed(page.turns), answered)
        ]
        for run in runs:
            _prune(run, steps=steps, messages=messages)
        return RunPage(tuple(runs[::-1]), page.has_more)

    async def get_run(self, run_id: str) -> WorkflowRunOutput | None:
        """The run of that id, or that of the message of that id."""
        wanted = await self._reader.find_turn(self._id, run_id)
        if wanted is None or wanted.parent is None:
            return None if wanted is None else run_of(self._head, wanted)
        # Only what came after it tells whether its answer was replaced.
        async for turn, replaced in self._newest_first(_PAGE, detail=False):
            if turn.ids == wanted.ids:
                return run_of(self._head, wanted, replaced=replaced)
        return None

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
        answered: set[str] = set()
        before: str | None = None
        limit = min(first_page, _PAGE)
        while True:
            page = await self._reader.turns(self._id, before=before, limit=limit, detail=detail)
            for marked in mark_replaced(reversed(page.turns), answered):
                yield marked
            first = page.turns[0].message if page.turns else None
            if not page.has_more or first is None:
                return
            before, limit = first.id, _PAGE


def _prune(run: WorkflowRunOutput, *, steps: bool, messages: bool) -> None:
    if not steps:
        run.step_results = []
        if isinstance(run.metrics, dict):
            run.metrics = {**run.metrics, "steps": {}}
    if not messages:
        run.step_executor_runs = None
