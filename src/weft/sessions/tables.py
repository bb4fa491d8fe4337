"""The two tables of stored sessions, the same on SQLite and Postgres.

A run has a row of its own, so that adding one costs what the run costs. Names carry a prefix: the tables may
lie in a database that holds others.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()

_KEY = Text().with_variant(Text(collation="C"), "postgresql")

meta = Table("weft_sessions_meta", metadata, Column("version", BigInteger, primary_key=True))

sessions = Table(
    "weft_sessions",
    metadata,
    Column("session_id", _KEY, primary_key=True),
    Column("user_id", _KEY),
    Column("workflow_id", _KEY),
    Column("workflow_name", Text),
    Column("session_name", Text),
    # Lowered here and not by the database, which each does in its own way.
    Column("folded_name", Text),
    Column("session_data", Text, nullable=False),
    Column("workflow_data", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
Index("ix_weft_sessions_user", sessions.c.user_id, sessions.c.updated_at)
Index("ix_weft_sessions_created", sessions.c.created_at)

runs = Table(
    "weft_session_runs",
    metadata,
    Column("session_id", _KEY, ForeignKey(sessions.c.session_id, ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", _KEY, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("payload", Text, nullable=False),
    UniqueConstraint("session_id", "run_id", name="uq_weft_session_runs_run"),
)
Index("ix_weft_session_runs_status", runs.c.session_id, runs.c.status, runs.c.seq)
