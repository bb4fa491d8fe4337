"""The engine's own tables, the same on SQLite and Postgres; instants are microseconds since the epoch."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Integer, MetaData, Table, Text, text

METADATA = MetaData()
_ACTIVE = text("status IN ('queued', 'running')")
_LOCK = 0x77656674_6A6F62
"""Postgres' advisory lock that stands for these tables."""

jobs = Table(
    "weft_jobs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("args", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("run_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("dedup_key", Text),
    Column("subject", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("progress", Text, nullable=False),
    Column("result", Text),
    Column("error", Text, nullable=False),
    Column("is_cancel_wanted", Boolean, nullable=False),
    Column("owner", Text),
    Column("lease_until", BigInteger),
)
Index("weft_jobs_status", jobs.c.status, jobs.c.run_at)
Index("weft_jobs_created", jobs.c.created_at)
Index("weft_jobs_subject", jobs.c.subject, jobs.c.finished_at)
Index("weft_jobs_key", jobs.c.dedup_key, unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE)

steps = Table(
    "weft_job_steps",
    METADATA,
    Column("job_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("result", Text, nullable=False),
)

schedules = Table(
    "weft_schedules",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("cron", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("args", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("next_at", BigInteger),
    Column("last_at", BigInteger),
)


def create_tables(connection: Connection) -> None:
    """Make the tables that are not there yet."""
    lock(connection)
    METADATA.create_all(connection)


def lock(connection: Connection) -> None:
    """Let nobody else change jobs until this transaction ends; SQLite has but one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
