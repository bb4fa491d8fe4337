"""The tables that Agno keeps sessions in, of its second and its third generation.

Agno 2 has all runs of a session in one JSON value of the session's row; on SQLite the values of that row are
JSON text inside JSON, written twice over. Agno 3 has a row for each run, in a table of its own, and writes
values once. Agno 3 goes on with a table of Agno 2 as it is: what it adds stands in the table of runs, and
counts more than what the session's row says of the same run.

Source: Agno 2.9 and 3.1, `agno.db.sqlite` and `agno.db.postgres`.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    inspect,
)
from sqlalchemy.dialects.postgresql import JSONB

_COMPONENTS = ("agent_id", "team_id", "workflow_id", "user_id")
_DATA = ("session_data", "agent_data", "team_data", "workflow_data", "metadata")
_INDEXED = ("session_id", "run_type", *_COMPONENTS, "status", "created_at")


class AgnoTables:
    """The tables of one database, as far as they are there.

    Args:
        sessions: Name of the table of sessions.
        runs: Name of the table of runs.
        schema: The schema that both are in; `None` on SQLite.
    """

    def __init__(self, sessions: str, runs: str, schema: str | None) -> None:
        self.schema = schema
        self.second = _sessions(sessions, schema, with_runs=True)
        """The sessions of Agno 2."""
        third = MetaData()
        self.third = _sessions(sessions, schema, third, with_runs=False)
        """The sessions of Agno 3."""
        self.runs = _runs(runs, self.third, third)

    @property
    def writes_twice(self) -> bool:
        """Whether Agno 2 writes JSON text inside JSON here."""
        return self.schema is None

    def has_runs_inside(self, connection: Connection) -> bool | None:
        """Whether the row of a session has a place for its runs; `None` where there is no table."""
        inspected = inspect(connection)
        if not inspected.has_table(self.second.name, schema=self.schema):
            return None
        names = [column["name"] for column in inspected.get_columns(self.second.name, schema=self.schema)]
        return "runs" in names

    def has_runs_beside(self, connection: Connection) -> bool:
        """Whether there is a table of runs."""
        return inspect(connection).has_table(self.runs.name, schema=self.schema)


def _json(schema: str | None) -> JSON:
    return JSON(none_as_null=True) if schema is None else JSONB(none_as_null=True)


def _sessions(name: str, schema: str | None, metadata: MetaData | None = None, *, with_runs: bool) -> Table:
    data = (*_DATA, "runs", "summary") if with_runs else (*_DATA, "summary")
    table = Table(
        name,
        MetaData() if metadata is None else metadata,
        Column("session_id", String, primary_key=True),
        Column("session_type", String, nullable=False),
        *(Column(column, String) for column in _COMPONENTS),
        *(Column(column, _json(schema)) for column in data),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger),
        schema=schema,
    )
    Index(f"idx_{name}_session_type", table.c.session_type)
    Index(f"idx_{name}_created_at", table.c.created_at)
    return table


def _runs(name: str, sessions: Table, metadata: MetaData) -> Table:
    table = Table(
        name,
        metadata,
        Column("run_id", String, primary_key=True),
        Column("session_id", String, ForeignKey(sessions.c.session_id, ondelete="CASCADE"), nullable=False),
        Column("run_type", String, nullable=False),
        *(Column(column, String) for column in (*_COMPONENTS, "parent_run_id", "status")),
        Column("run_index", BigInteger),
        Column("run_data", _json(sessions.schema), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger),
        schema=sessions.schema,
    )
    for column in _INDEXED:
        Index(f"idx_{name}_{column}", table.c[column])
    Index(f"idx_{name}_session_id_run_index", table.c.session_id, table.c.run_index)
    return table
