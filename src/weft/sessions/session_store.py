"""Stores of sessions: the same deeds for callers that wait and for coroutines.

Each method is a line: the work is a function in `rows` or `saving`, and the database decides how it is run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from os import PathLike
from typing import Unpack

from weft.clock import Clock, SystemClock
from weft.sessions import rows, saving
from weft.sessions.database import AsyncDatabase, Database, Looped, Threaded, database_address
from weft.sessions.draft import OBJECTS, TEXTS, Draft, draft, draft_run
from weft.sessions.history import history_context, history_pairs
from weft.sessions.json_text import load_object
from weft.sessions.origin import Origin
from weft.sessions.query import SessionPage, SessionQuery, SessionSummary
from weft.sessions.saving import Saved
from weft.sessions.session import WorkflowSession
from weft.sessions.sqlite_database import SqliteDatabase
from weft.sessions.status import RunStatus
from weft.sessions.workflow_run import WorkflowRunOutput


@contextmanager
def open_session_store(
    place: str | PathLike[str],
    *,
    clock: Clock | None = None,
    busy_timeout: float = 30.0,
    pool_size: int = 5,
) -> Iterator[SessionStore]:
    """Open a store of sessions; its tables are made when they are absent.

    Args:
        place: A path of a SQLite file, or an address: ``sqlite:///path`` or
            ``postgresql://user:password@host/name``.
        clock: Says when a session was saved.
        busy_timeout: Seconds to wait for another process that writes (SQLite).
        pool_size: Connections that are kept (Postgres).

    Raises:
        ConfigError: The address is of another kind.
        MigrationError: The tables are of a newer version than this program.
        StoreError: The database cannot be opened.
    """
    address = database_address(place)
    database: Database
    if address.get_backend_name() == "sqlite":
        database = SqliteDatabase(address, busy_timeout=busy_timeout)
    else:
        from weft.sessions.postgres_database import PostgresDatabase  # slow to import, seldom needed

        database = Looped(lambda: PostgresDatabase.open(address, pool_size=pool_size))
    try:
        yield SessionStore(database, clock or SystemClock())
    finally:
        database.close()


@asynccontextmanager
async def open_async_session_store(
    place: str | PathLike[str],
    *,
    clock: Clock | None = None,
    busy_timeout: float = 30.0,
    pool_size: int = 5,
) -> AsyncIterator[AsyncSessionStore]:
    """As `open_session_store`, for coroutines."""
    address = database_address(place)
    database: AsyncDatabase
    if address.get_backend_name() == "sqlite":
        database = Threaded(SqliteDatabase(address, busy_timeout=busy_timeout))
    else:
        from weft.sessions.postgres_database import PostgresDatabase  # slow to import, seldom needed

        database = await PostgresDatabase.open(address, pool_size=pool_size)
    try:
        yield AsyncSessionStore(database, clock or SystemClock())
    finally:
        await database.close()


class SessionStore:
    """Keeps sessions, each of their runs by itself.

    Any number of threads and processes may use the same sessions: what one adds, no other takes away, and
    what two change differently is refused to the second of them.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def upsert_session(self, session: WorkflowSession) -> WorkflowSession:
        """Store what is new or different in a session since it was read or last stored.

        A session that was not read from a store adds to what is stored under its id: its runs and the keys of
        its data take the places of those that are there, the others stay. `created_at` never changes once it
        is stored.

        Returns:
            The same session, with `created_at`, `updated_at`, and what others have changed in its data.

        Raises:
            ForbiddenError: The stored session belongs to another user; nothing was written.
            ConflictError: Somebody else has changed the same thing since it was read; nothing was written.
            TypeError: It holds something that cannot be kept, such as bytes; nothing was written.
            ValueError: Two of its runs have the same id.
        """
        drafted = draft(session)
        return _saved(session, drafted, self._write_draft(drafted))

    def _write_draft(self, drafted: Draft) -> Saved:
        return self._database.write(lambda connection: saving.save(connection, drafted, _now(self._clock)))

    def upsert_run(self, session_id: str, run: WorkflowRunOutput, *, user_id: str | None = None) -> None:
        """Add a run to a stored session, or replace the one with its id, without reading the session.

        Raises:
            NotFoundError: There is no such session.
            ForbiddenError: `user_id` is given, and the session belongs to somebody else.
            TypeError: The run holds something that cannot be kept.
        """
        drafted = draft_run(run)
        self._database.write(
            lambda connection: saving.save_run(connection, session_id, drafted, user_id, _now(self._clock))
        )

    def get_session(
        self, session_id: str, *, user_id: str | None = None, last_n_runs: int | None = None
    ) -> WorkflowSession | None:
        """The session of that id; `None` if there is none, or it does not belong to `user_id`.

        Args:
            session_id: Its id.
            user_id: Whose it must be; `None` for anybody's.
            last_n_runs: Read only the last so many runs. Saving the session leaves the others alone.
        """
        return self._database.read(lambda connection: rows.load(connection, session_id, user_id, last_n_runs))

    def get_sessions(
        self, *, last_n_runs: int | None = None, **wanted: Unpack[SessionQuery]
    ) -> list[WorkflowSession]:
        """Sessions with their runs, newest first unless `sort_by` and `sort_order` say otherwise."""
        return self._database.read(lambda connection: rows.load_page(connection, last_n_runs, wanted))

    def list_sessions(self, **wanted: Unpack[SessionQuery]) -> SessionPage:
        """Sessions without runs and data, and how many there are on all pages."""
        return self._database.read(lambda connection: rows.list_page(connection, wanted))

    def get_runs(
        self,
        session_id: str,
        *,
        user_id: str | None = None,
        last_n_runs: int | None = None,
        statuses: Collection[str] | None = None,
    ) -> list[WorkflowRunOutput]:
        """The last so many runs in one of these states, oldest first; only these are read."""
        return self._database.read(
            lambda connection: rows.list_runs(connection, session_id, user_id, last_n_runs, statuses)
        )

    def get_run(
        self, session_id: str, run_id: str | None, *, user_id: str | None = None
    ) -> WorkflowRunOutput | None:
        """The run of that id in that session."""
        return self._database.read(lambda connection: rows.find_run(connection, session_id, run_id, user_id))

    def get_workflow_history(
        self, session_id: str, num_runs: int | None = None, *, user_id: str | None = None
    ) -> list[tuple[str, str]]:
        """As `WorkflowSession.get_workflow_history`, reading only the runs that are in it."""
        completed = [RunStatus.completed]
        return history_pairs(
            self.get_runs(session_id, user_id=user_id, last_n_runs=num_runs, statuses=completed)
        )

    def get_workflow_history_context(
        self,
        session_id: str,
        num_runs: int | None = None,
        *,
        user_id: str | None = None,
        escape: bool = False,
    ) -> str | None:
        """As `WorkflowSession.get_workflow_history_context`, reading only the runs that are in it."""
        return history_context(
            self.get_workflow_history(session_id, num_runs, user_id=user_id), escape=escape
        )

    def rename_session(
        self, session_id: str, name: str, *, user_id: str | None = None
    ) -> SessionSummary | None:
        """Give a session another name; `None` if there is none, or it does not belong to `user_id`."""
        return self._database.write(
            lambda connection: saving.rename(connection, session_id, name, user_id, _now(self._clock))
        )

    def delete_session(self, session_id: str, *, user_id: str | None = None) -> bool:
        """Delete a session and its runs; whether there was one, and of `user_id` if that is given."""
        return self.delete_sessions([session_id], user_id=user_id) == 1

    def delete_sessions(self, session_ids: Sequence[str], *, user_id: str | None = None) -> int:
        """Delete sessions and their runs, of a given user only theirs; how many were deleted."""
        return self._database.write(lambda connection: saving.remove(connection, session_ids, user_id))


class AsyncSessionStore:
    """As `SessionStore`, for coroutines."""

    def __init__(self, database: AsyncDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def upsert_session(self, session: WorkflowSession) -> WorkflowSession:
        """See `SessionStore.upsert_session`."""
        drafted = draft(session)
        return _saved(session, drafted, await self._write_draft(drafted))

    async def _write_draft(self, drafted: Draft) -> Saved:
        return await self._database.write(
            lambda connection: saving.save(connection, drafted, _now(self._clock))
        )

    async def upsert_run(
        self, session_id: str, run: WorkflowRunOutput, *, user_id: str | None = None
    ) -> None:
        """See `SessionStore.upsert_run`."""
        drafted = draft_run(run)
        await self._database.write(
            lambda connection: saving.save_run(connection, session_id, drafted, user_id, _now(self._clock))
        )

    async def get_session(
        self, session_id: str, *, user_id: str | None = None, last_n_runs: int | None = None
    ) -> WorkflowSession | None:
        """See `SessionStore.get_session`."""
        return await self._database.read(
            lambda connection: rows.load(connection, session_id, user_id, last_n_runs)
        )

    async def get_sessions(
        self, *, last_n_runs: int | None = None, **wanted: Unpack[SessionQuery]
    ) -> list[WorkflowSession]:
        """See `SessionStore.get_sessions`."""
        return await self._database.read(lambda connection: rows.load_page(connection, last_n_runs, wanted))

    async def list_sessions(self, **wanted: Unpack[SessionQuery]) -> SessionPage:
        """See `SessionStore.list_sessions`."""
        return await self._database.read(lambda connection: rows.list_page(connection, wanted))

    async def get_runs(
        self,
        session_id: str,
        *,
        user_id: str | None = None,
        last_n_runs: int | None = None,
        statuses: Collection[str] | None = None,
    ) -> list[WorkflowRunOutput]:
        """See `SessionStore.get_runs`."""
        return await self._database.read(
            lambda connection: rows.list_runs(connection, session_id, user_id, last_n_runs, statuses)
        )

    async def get_run(
        self, session_id: str, run_id: str | None, *, user_id: str | None = None
    ) -> WorkflowRunOutput | None:
        """See `SessionStore.get_run`."""
        return await self._database.read(
            lambda connection: rows.find_run(connection, session_id, run_id, user_id)
        )

    async def get_workflow_history(
        self, session_id: str, num_runs: int | None = None, *, user_id: str | None = None
    ) -> list[tuple[str, str]]:
        """See `SessionStore.get_workflow_history`."""
        completed = [RunStatus.completed]
        return history_pairs(
            await self.get_runs(session_id, user_id=user_id, last_n_runs=num_runs, statuses=completed)
        )

    async def get_workflow_history_context(
        self,
        session_id: str,
        num_runs: int | None = None,
        *,
        user_id: str | None = None,
        escape: bool = False,
    ) -> str | None:
        """See `SessionStore.get_workflow_history_context`."""
        return history_context(
            await self.get_workflow_history(session_id, num_runs, user_id=user_id), escape=escape
        )

    async def rename_session(
        self, session_id: str, name: str, *, user_id: str | None = None
    ) -> SessionSummary | None:
        """See `SessionStore.rename_session`."""
        return await self._database.write(
            lambda connection: saving.rename(connection, session_id, name, user_id, _now(self._clock))
        )

    async def delete_session(self, session_id: str, *, user_id: str | None = None) -> bool:
        """See `SessionStore.delete_session`."""
        return await self.delete_sessions([session_id], user_id=user_id) == 1

    async def delete_sessions(self, session_ids: Sequence[str], *, user_id: str | None = None) -> int:
        """See `SessionStore.delete_sessions`."""
        return await self._database.write(lambda connection: saving.remove(connection, session_ids, user_id))


def _now(clock: Clock) -> int:
    return int(clock.now().timestamp())


def _saved(session: WorkflowSession, drafted: Draft, saved: Saved) -> WorkflowSession:
    """The session as it is stored now, which is what it was read as from now on."""
    for name in TEXTS:
        if saved.fields[name] != drafted.fields[name]:
            setattr(session, name, saved.fields[name])
    for name in OBJECTS:
        if saved.fields[name] != drafted.fields[name]:
            setattr(session, name, load_object(saved.fields[name]))
    session.created_at, session.updated_at = saved.created_at, saved.updated_at
    session._origin = Origin(dict(saved.fields), dict(drafted.digests))
    return session
