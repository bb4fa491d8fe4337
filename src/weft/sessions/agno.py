"""Sessions in the tables of Agno, read and written, so that people can move either way.

Agno keeps sessions of agents, teams and workflows in one table; only those of workflows are looked at. There
is no column for the workflow's name; it goes into ``workflow_data``, where Agno's own workflows have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike

from sqlalchemy import Connection, RowMapping, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.schema import CreateSchema

from weft.errors import ForbiddenError, StoreError
from weft.sessions.agno_tables import AgnoTables
from weft.sessions.database import Database, Looped, create_missing, database_address
from weft.sessions.json_text import dump_json, storable
from weft.sessions.plain import JsonObject
from weft.sessions.session import WorkflowSession
from weft.sessions.sqlite_database import SqliteDatabase

_JSON = ("session_data", "workflow_data", "metadata")
_WORKFLOW = "workflow"
_PAGE = 50
_CHUNK = 500
"""Ids in one statement; SQLite takes 32,766 parameters at the most."""


@contextmanager
def open_agno_sessions(
    place: str | PathLike[str],
    *,
    table: str = "agno_sessions",
    runs_table: str = "agno_runs",
    schema: str = "ai",
    busy_timeout: float = 30.0,
) -> Iterator[AgnoSessions]:
    """Open the workflow sessions of an Agno database.

    Args:
        place: A path of a SQLite file, or an address: ``sqlite:///path`` or
            ``postgresql://user:password@host/name``.
        table: The table of sessions. Where it is absent the first write makes it, as Agno 2 has it, which
            Agno 3 reads as well.
        runs_table: The table of runs, which only Agno 3 has.
        schema: The schema that they are in (Postgres).
        busy_timeout: Seconds to wait for another process that writes (SQLite).

    Raises:
        ConfigError: The address is of another kind.
        StoreError: The database cannot be opened.
    """
    address = database_address(place)
    database: Database
    if address.get_backend_name() == "sqlite":
        database = SqliteDatabase(address, busy_timeout=busy_timeout, create=_nothing, wal=False)
    else:
        database = _postgres(address)
    try:
        inside = None if isinstance(database, SqliteDatabase) else schema
        yield AgnoSessions(database, AgnoTables(table, runs_table, inside))
    finally:
        database.close()


def _postgres(address: URL) -> Database:
    from weft.sessions.postgres_database import PostgresDatabase  # slow to import, seldom needed

    return Looped(lambda: PostgresDatabase.open(address, pool_size=1, create=_nothing))


def _nothing(connection: Connection) -> None:
    """Reading makes no tables."""


class AgnoSessions:
    """The workflow sessions in the tables of Agno 2 or 3; what agents and teams have there is left alone."""

    def __init__(self, database: Database, tables: AgnoTables) -> None:
        self._database = database
        self._tables = tables

    def read(self) -> Iterator[WorkflowSession]:
        """All workflow sessions, in the order of their ids.

        Raises:
            StoreError: There is no such table, or a row cannot be read; the message names the session.
        """
        last = ""
        while page := self._page(last):
            yield from page
            last = page[-1].session_id

    def _page(self, after: str) -> list[WorkflowSession]:
        def load(connection: Connection) -> list[WorkflowSession]:
            table = self._sessions(connection)
            query = (
                select(table)
                .where(table.c.session_type == _WORKFLOW, table.c.session_id > after)
                .order_by(table.c.session_id)
                .limit(_PAGE)
            )
            return self._load(connection, connection.execute(query).mappings().all())

        return self._database.read(load)

    def get(self, session_id: str) -> WorkflowSession | None:
        """The workflow session of that id.

        Raises:
            StoreError: As in `read`.
        """

        def load(connection: Connection) -> WorkflowSession | None:
            table = self._sessions(connection)
            query = select(table).where(table.c.session_type == _WORKFLOW, table.c.session_id == session_id)
            rows = connection.execute(query).mappings().all()
            return next(iter(self._load(connection, rows)), None)

        return self._database.read(load)

    def _sessions(self, connection: Connection) -> Table:
        inside = self._tables.has_runs_inside(connection)
        if inside is None:
            raise StoreError(
                f"there is no table {self._tables.second.fullname!r} of Agno's; name the one that your "
                "database has"
            )
        return self._tables.second if inside else self._tables.third

    def _load(self, connection: Connection, rows: Sequence[RowMapping]) -> list[WorkflowSession]:
        beside: dict[str, list[object]] = {}
        if rows and self._tables.has_runs_beside(connection):
            runs = self._tables.runs.c
            query = (
                select(runs.session_id, runs.run_data)
                .where(runs.session_id.in_([row["session_id"] for row in rows]))
                .where(runs.run_type == _WORKFLOW)
                .order_by(runs.run_index, runs.created_at, runs.run_id)
            )
            for session_id, data in connection.execute(query):
                beside.setdefault(session_id, []).append(_parsed(data))
        return [
            _load(row, _merged(_parsed(row.get("runs")), beside.get(row["session_id"], []))) for row in rows
        ]

    def write(self, sessions: Iterable[WorkflowSession]) -> int:
        """Write sessions over those with the same ids, times included; how many were written.

        Each session is a transaction of its own, so that any number of them may be given.

        Raises:
            ForbiddenError: One belongs to another user there, or is that of an agent or a team, or one of its
                runs is another session's; those before it are written.
            TypeError: One holds something that has no plain form; those before it are written.
            ValueError: A run has no id, which Agno 3 cannot keep; those before it are written.
        """
        written = 0
        self._database.write(self._create)
        for session in sessions:
            self._write(session)
            written += 1
        return written

    def _create(self, connection: Connection) -> None:
        tables = self._tables
        if tables.schema is not None:
            connection.execute(CreateSchema(tables.schema, if_not_exists=True))
        made = tables.third if tables.has_runs_inside(connection) is False else tables.second
        create_missing(connection, made.metadata)

    def _write(self, session: WorkflowSession) -> None:
        tables = self._tables
        data = session.to_dict()
        if session.workflow_name is not None:
            data["workflow_data"] = {"name": session.workflow_name, **session.workflow_data}
        runs = data["runs"] if isinstance(data["runs"], list) else []

        def write(connection: Connection) -> None:
            inside = bool(tables.has_runs_inside(connection))
            beside = tables.has_runs_beside(connection)
            row = _row(session, data)
            names = [*_JSON]
            if inside:
                # What stands beside would count more than what stands here.
                data["runs"] = None if beside else runs or None
                names.append("runs")
            for name in names:
                row[name] = self._cell(data[name], twice=inside and tables.writes_twice)
            self._upsert(connection, tables.second if inside else tables.third, row)
            if beside or not inside:
                self._write_runs(connection, session, runs)

        self._database.write(write)

    def _cell(self, value: object, *, twice: bool) -> object:
        if value is None:
            return None
        return dump_json(value) if twice else value if self._tables.writes_twice else _holdable(value)

    def _upsert(self, connection: Connection, table: Table, row: JsonObject) -> None:
        statement = (sqlite if self._tables.schema is None else postgresql).insert(table).values(row)
        changed = {name: statement.excluded[name] for name in row if name != "session_id"}
        mine = (table.c.user_id == row["user_id"]) | table.c.user_id.is_(None)
        statement = statement.on_conflict_do_update(
            index_elements=["session_id"], set_=changed, where=mine & (table.c.session_type == _WORKFLOW)
        )
        if connection.execute(statement).rowcount == 0:
            raise ForbiddenError(
                f"session {row['session_id']!r} in {table.fullname} belongs to another user or is no "
                "workflow's; it was not written: give yours another id"
            )

    def _write_runs(
        self, connection: Connection, session: WorkflowSession, runs: Sequence[JsonObject]
    ) -> None:
        table = self._tables.runs
        ids = [_run_id(session, run) for run in runs]
        ours = (table.c.session_id == session.session_id) & (table.c.run_type == _WORKFLOW)
        for place in range(0, len(ids), _CHUNK):
            taken = select(table.c.run_id).where(table.c.run_id.in_(ids[place : place + _CHUNK]), ~ours)
            other = connection.execute(taken).scalar()
            if other is not None:
                raise ForbiddenError(
                    f"run {other!r} of session {session.session_id!r} has the id of another session's run in "
                    f"{table.fullname}; nothing of it was written: give it another id"
                )
        connection.execute(delete(table).where(ours))
        rows = [self._run_row(session, place, run) for place, run in enumerate(runs)]
        if rows:
            connection.execute(table.insert(), rows)

    def _run_row(self, session: WorkflowSession, place: int, run: JsonObject) -> JsonObject:
        named = ("run_id", "workflow_id", "parent_run_id", "status")
        return {
            **{name: run.get(name) for name in named},
            "session_id": session.session_id,
            "run_type": _WORKFLOW,
            "user_id": session.user_id,
            "run_index": place,
            "run_data": self._cell(run, twice=False),
            "created_at": run.get("created_at") or session.created_at,
            "updated_at": session.updated_at,
        }


def _run_id(session: WorkflowSession, run: JsonObject) -> str:
    found = run.get("run_id")
    if not isinstance(found, str):
        raise ValueError(
            f"a run of session {session.session_id!r} has no run_id, and Agno 3 keeps runs by their ids; "
            "give it one"
        )
    return found


def _row(session: WorkflowSession, data: JsonObject) -> JsonObject:
    names = ("session_id", "workflow_id", "user_id", "created_at", "updated_at")
    return {"session_type": _WORKFLOW, **{name: data[name] for name in names}}


def _merged(inside: object, beside: Sequence[object]) -> list[object]:
    """Runs in the order in which they were added; those that stand in a row of their own count more."""
    newer = {run.get("run_id"): run for run in beside if isinstance(run, Mapping)}
    found: list[object] = []
    for run in inside if isinstance(inside, list) else ():
        found.append(newer.pop(run.get("run_id"), run) if isinstance(run, Mapping) else run)
    return [*found, *newer.values()]


def _holdable(value: object) -> object:
    """The value without what JSONB cannot hold: NUL and lone surrogates."""
    if isinstance(value, str):
        return storable(value.replace("\0", ""))
    if isinstance(value, Mapping):
        return {_holdable(key): _holdable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_holdable(item) for item in value]
    return value


def _load(row: RowMapping, runs: list[object]) -> WorkflowSession:
    data: dict[str, object] = {str(name): value for name, value in row.items()}
    data |= {name: _parsed(row[name]) for name in _JSON}
    data["runs"] = runs
    named = [data["workflow_data"], *runs]
    names = [
        item.get(key) for item in named if isinstance(item, Mapping) for key in ("name", "workflow_name")
    ]
    data["workflow_name"] = next((name for name in names if isinstance(name, str)), None)
    try:
        session = WorkflowSession.from_dict(data)
    except (TypeError, ValueError) as error:
        raise StoreError(f"session {row['session_id']!r} of Agno cannot be read: {error}") from error
    if session is None:
        raise StoreError("a session of Agno has no id; it cannot be read")
    return session


def _parsed(value: object) -> object:
    """The value of a column, which on SQLite is JSON text once more."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
