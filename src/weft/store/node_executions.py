"""Node executions: what each node of a run did."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from weft.store.codec import Codec
from weft.store.records import NodeExecution
from weft.store.statement import Statement, inserting
from weft.store.tables import node_executions

_CODEC = Codec(NodeExecution, node_executions)
_INSERT = inserting(node_executions)
_LIST = Statement(
    select(node_executions)
    .where(node_executions.c.app_id == bindparam("app_id"))
    .where(node_executions.c.run_id == bindparam("run_id"))
    .order_by(node_executions.c.index, node_executions.c.id),
    ["app_id", "run_id"],
)


def append(connection: Connection, executions: Sequence[NodeExecution]) -> None:
    """Store executions of a run, while it goes on or at its end."""
    _INSERT.run_many(connection, [_CODEC.encode(execution) for execution in executions])


def list_by_run(connection: Connection, app_id: str, run_id: str) -> tuple[NodeExecution, ...]:
    """All executions of a run in their order; none when the run is unknown or another app's."""
    return _CODEC.decode_all(_LIST.rows(connection, app_id, run_id))
