"""Processes: which servers live, so that the runs of those that do not can be closed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Connection, bindparam, delete, select

from weft.store.codec import Codec, micros
from weft.store.records import Process
from weft.store.statement import Statement, upserting
from weft.store.tables import processes

_CODEC = Codec(Process, processes)
_BEAT = upserting(processes, "id", changes=["heartbeat_at"])
_LIST_ALIVE = Statement(
    select(processes)
    .where(processes.c.heartbeat_at >= bindparam("since", type_=BigInteger))
    .order_by(processes.c.started_at, processes.c.id),
    ["since"],
)
_REMOVE = Statement(delete(processes).where(processes.c.id == bindparam("row_id")), ["row_id"])
_FORGET = Statement(
    delete(processes).where(processes.c.heartbeat_at < bindparam("before", type_=BigInteger)), ["before"]
)


def beat(connection: Connection, process_id: str, now: datetime) -> None:
    """Say that a process lives now; the first time is when it started.

    A process says so before it starts its first run, else another may take it for dead.
    """
    _BEAT.run(connection, *_CODEC.encode(Process(process_id, started_at=now, heartbeat_at=now)))


def list_alive(connection: Connection, since: datetime) -> tuple[Process, ...]:
    """The processes that were heard of since then, oldest first."""
    return _CODEC.decode_all(_LIST_ALIVE.rows(connection, micros(since)))


def remove(connection: Connection, process_id: str) -> None:
    """Forget a process, because it ends."""
    _REMOVE.run(connection, process_id)


def remove_silent(connection: Connection, before: datetime) -> int:
    """Forget the processes that were not heard of since then; how many there were."""
    return _FORGET.run(connection, micros(before))
