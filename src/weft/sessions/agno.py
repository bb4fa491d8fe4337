"""Sessions in the tables of Agno 2, read and written, so that people can move either way.

Agno keeps sessions of agents, teams and workflows in one table, with all runs of a session in one JSON value.
On SQLite that is JSON text inside a JSON column, written twice over; on Postgres it is JSONB in the schema
``ai``. There is no column for the workflow's name; it goes into ``workflow_data``, where Agno's own workflows
have it.

Source: Agno 2.9, `agno.db.sqlite` and `agno.db.postgres`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Index,
    MetaData,
    RowMapping,
    String,
    Table,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL
from sqlalchemy.schema import CreateSchema

from weft.errors import ForbiddenError, StoreError
from weft.sessions.database import Database, Looped, create_missing, database_address
from weft.sessions.json_text import dump_json, storable
from weft.sessions.session import WorkflowSession
from weft.sessions.sqlite_database import SqliteDatabase

_JSON = ("session_data", "workflow_data", "metadata", "runs")
_WORKFLOW = "workflow"
_PAGE = 50


@contextmanager
def open_agno_sessions(
    place: str | PathLike[str],
    *,
    table: str = "agno_sessions",
    schema: str = "ai",
    busy_timeout: float = 30.0,
) -> Iterator[AgnoSessions]:
    """Open the workflow sessions of an Agno database.

    Args:
        place: A path of a SQLite file, or an address: ``sqlite:///path`` or
            ``postgresql://user:password@host/name``.
        table: The table of sessions; it is made by the first write if it is absent.
        schema: The schema that it is in (Postgres).
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
        yield AgnoSessions(database, _table(table, schema, sqlite=isinstance(database, SqliteDatabase)))
    finally:
        database.close()


def _postgres(address: URL) -> Database:
    from weft.sessions.postgres_database import PostgresDatabase  # slow to import, seldom needed

    return Looped(lambda: PostgresDatabase.open(address, pool_size=1, create=_nothing))


def _nothing(connection: Connection) -> None:
    """Reading makes no tables."""


class AgnoSessions:
    """The workflow sessions in a table of Agno's; sessions of agents and teams there are left alone."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table

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
        columns = self._table.c

        def load(connection: Connection) -> list[WorkflowSession]:
            self._check_there(connection)
            query = (
                select(self._table)
                .where(columns.session_type == _WORKFLOW, columns.session_id > after)
                .order_by(columns.session_id)
                .limit(_PAGE)
            )
            return [_load(row) for row in connection.execute(query).mappings()]

        return self._database.read(load)

    def get(self, session_id: str) -> WorkflowSession | None:
        """The workflow session of that id.

        Raises:
            StoreError: As in `read`.
        """
        columns = self._table.c

        def load(connection: Connection) -> WorkflowSession | None:
            self._check_there(connection)
            query = select(self._table).where(
                columns.session_type == _WORKFLOW, columns.session_id == session_id
            )
            row = connection.execute(query).mappings().first()
            return None if row is None else _load(row)

        return self._database.read(load)

    def _check_there(self, connection: Connection) -> None:
        if not inspect(connection).has_table(self._table.name, schema=self._table.schema):
            raise StoreError(
                f"there is no table {self._table.fullname!r} of Agno's; name the one that your database has"
            )

    def write(self, sessions: Iterable[WorkflowSession]) -> int:
        """Write sessions over those with the same ids, times included; how many were written.

        Each session is a transaction of its own, so that any number of them may be given.

        Raises:
            ForbiddenError: One belongs to another user there, or is that of an agent or a team; those before
                it are written.
            TypeError: One holds something that has no plain form; those before it are written.
        """
        written = 0
        self._database.write(self._create)
        for session in sessions:
            self._write(session)
            written += 1
        return written

    def _create(self, connection: Connection) -> None:
        if self._table.schema is not None:
            connection.execute(CreateSchema(self._table.schema, if_not_exists=True))
        create_missing(connection, self._table.metadata)

    def _write(self, session: WorkflowSession) -> None:
        columns = self._table.c
        sqlite_form = self._table.schema is None
        row = _row(session, twice=sqlite_form)

        def upsert(connection: Connection) -> int:
            statement = (sqlite if sqlite_form else postgresql).insert(self._table).values(row)
            changed = {name: statement.excluded[name] for name in row if name != "session_id"}
            mine = (columns.user_id == row["user_id"]) | columns.user_id.is_(None)
            statement = statement.on_conflict_do_update(
                index_elements=["session_id"], set_=changed, where=mine & (columns.session_type == _WORKFLOW)
            )
            return connection.execute(statement).rowcount

        if self._database.write(upsert) == 0:
            raise ForbiddenError(
                f"session {session.session_id!r} in {self._table.fullname} belongs to another user or is no "
                "workflow's; it was not written: give yours another id"
            )


def _table(name: str, schema: str, *, sqlite: bool) -> Table:
    json_type = JSON(none_as_null=True) if sqlite else JSONB(none_as_null=True)
    table = Table(
        name,
        MetaData(),
        Column("session_id", String, primary_key=True),
        Column("session_type", String, nullable=False),
        *(Column(column, String) for column in ("agent_id", "team_id", "workflow_id", "user_id")),
        *(
            Column(column, json_type)
            for column in (
                "session_data",
                "agent_data",
                "team_data",
                "workflow_data",
                "metadata",
                "runs",
                "summary",
            )
        ),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger),
        schema=None if sqlite else schema,
    )
    Index(f"idx_{name}_session_type", table.c.session_type)
    Index(f"idx_{name}_created_at", table.c.created_at)
    return table


def _row(session: WorkflowSession, *, twice: bool) -> dict[str, object]:
    data = session.to_dict()
    if session.workflow_name is not None:
        data["workflow_data"] = {"name": session.workflow_name, **session.workflow_data}
    row: dict[str, object] = {
        "session_id": session.session_id,
        "session_type": _WORKFLOW,
        "workflow_id": session.workflow_id,
        "user_id": session.user_id,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
    }
    for name in _JSON:
        value = data[name]
        if value is None:
            row[name] = None
        else:
            row[name] = dump_json(value) if twice else _holdable(value)
    return row


def _holdable(value: object) -> object:
    """The value without what JSONB cannot hold: NUL and lone surrogates."""
    if isinstance(value, str):
        return storable(value.replace("\0", ""))
    if isinstance(value, Mapping):
        return {_holdable(key): _holdable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_holdable(item) for item in value]
    return value


def _load(row: RowMapping) -> WorkflowSession:
    data: dict[str, object] = {str(name): value for name, value in row.items()}
    data |= {name: _parsed(row[name]) for name in _JSON}
    description, runs = data["workflow_data"], data["runs"]
    named = [description, *(runs if isinstance(runs, list) else ())]
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
