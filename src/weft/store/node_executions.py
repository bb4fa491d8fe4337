"""Node executions: what each node of a run did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Connection, bindparam, case, delete, select, update

from weft.store.codec import Codec, micros
from weft.store.records import NodeExecution
from weft.store.statement import Statement, inserting
from weft.store.tables import node_executions

_CODEC = Codec(NodeExecution, node_executions)
_INSERT = inserting(node_executions)
_LIST = Statement(
    select(node_executions)
    .where(node_executions.c.app_id == bindparam("app_id"))
    .where(node_executions.c.run_id == bindparam("run_id"))
    .order_by(
        node_executions.c.index,
        case((node_executions.c.status == "retry", 0), else_=1),  # the tries of a node before its end
        node_executions.c.id,
    ),
    ["app_id", "run_id"],
)


_OF_PAUSED = (node_executions.c.run_id == bindparam("of_run")) & (node_executions.c.status == "paused")
_FORGET_PAUSED = Statement(delete(node_executions).where(_OF_PAUSED), ["of_run"])
_STOP_PAUSED = Statement(
    update(node_executions)
    .where(_OF_PAUSED)
    .ordered_values(
        (node_executions.c.status, "stopped"),
        (node_executions.c.finished_at, bindparam("now", type_=BigInteger)),
    ),
    ["now", "of_run"],
)


def append(connection: Connection, executions: Sequence[NodeExecution]) -> None:
    """Store executions of a run, while it goes on or at its end."""
    _INSERT.run_many(connection, [_CODEC.encode(execution) for execution in executions])


def forget_paused(connection: Connection, run_id: str) -> None:
    """Drop the rows of executions that wait: they go on, and get their rows when they end."""
    _FORGET_PAUSED.run(connection, run_id)


def stop_paused(connection: Connection, run_id: str, now: datetime) -> None:
    """Close the executions that wait: their run goes on no more."""
    _STOP_PAUSED.run(connection, micros(now), run_id)


def list_by_run(connection: Connection, app_id: str, run_id: str) -> tuple[NodeExecution, ...]:
    """All executions of a run in their order; none when the run is unknown or another app's."""
    return _CODEC.decode_all(_LIST.rows(connection, app_id, run_id))
