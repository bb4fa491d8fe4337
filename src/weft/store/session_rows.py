"""Rows of many turns at once, and what earlier runs of a conversation came to."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Integer, and_, bindparam, case, exists, or_, select, tuple_

from weft.store.codec import Codec
from weft.store.records import Message, NodeExecution, Run
from weft.store.runs import CODEC as RUN_CODEC
from weft.store.runs import find as find_run
from weft.store.statement import Statement
from weft.store.tables import messages, node_executions, runs

_MESSAGE_CODEC = Codec(Message, messages)
_EXECUTION_CODEC = Codec(NodeExecution, node_executions)
_FEW = 20
"""So many are found one by one in the time that a list takes to become a statement."""
_NO_PARENT = "00000000-0000-0000-0000-000000000000"
_newer = messages.alias()
_REPLACED = exists(
    select(_newer.c.id)
    .where(_newer.c.conversation_id == messages.c.conversation_id)
    .where(_newer.c.parent_message_id == messages.c.parent_message_id)
    .where(_newer.c.parent_message_id != _NO_PARENT)
    .where(_newer.c.parent_message_id != "")
    .where(tuple_(_newer.c.created_at, _newer.c.id) > tuple_(messages.c.created_at, messages.c.id))
    .correlate(messages)
)
_NEWEST_COMPLETED = Statement(
    select(*messages.c, *runs.c)
    .select_from(
        messages.outerjoin(runs, and_(runs.c.id == messages.c.run_id, runs.c.app_id == messages.c.app_id))
    )
    .where(messages.c.app_id == bindparam("app_id"))
    .where(messages.c.conversation_id == bindparam("conversation_id"))
    .where(
        or_(
            runs.c.status == "succeeded",
            runs.c.status == "partial-succeeded",
            and_(runs.c.id.is_(None), messages.c.status == "normal"),
        )
    )
    .where(~_REPLACED)
    .order_by(messages.c.created_at.desc(), messages.c.id.desc())
    .limit(bindparam("limit", type_=Integer)),
    ["app_id", "conversation_id", "limit"],
)


def list_runs(connection: Connection, app_id: str, run_ids: Collection[str]) -> dict[str, Run]:
    """Runs of an app by their ids; an id that it does not know is absent."""
    if len(run_ids) <= _FEW:
        found = (find_run(connection, app_id, run_id) for run_id in run_ids)
        return {run.id: run for run in found if run is not None}
    query = select(runs).where(runs.c.app_id == app_id).where(runs.c.id.in_(run_ids))
    return {run.id: run for run in RUN_CODEC.decode_all(connection.execute(query).all())}


def list_executions(
    connection: Connection, app_id: str, run_ids: Collection[str]
) -> dict[str, tuple[NodeExecution, ...]]:
    """Node executions by the id of their run, in their order; a run without any is absent."""
    if not run_ids:
        return {}
    query = (
        select(node_executions)
        .where(node_executions.c.app_id == app_id)
        .where(node_executions.c.run_id.in_(run_ids))
        .order_by(
            node_executions.c.index,
            case((node_executions.c.status == "retry", 0), else_=1),  # tries before the end
            node_executions.c.id,
        )
    )
    found: dict[str, list[NodeExecution]] = {}
    for execution in _EXECUTION_CODEC.decode_all(connection.execute(query).all()):
        found.setdefault(execution.run_id, []).append(execution)
    return {run_id: tuple(executions) for run_id, executions in found.items()}


def list_completed(
    connection: Connection, app_id: str, conversation_id: str, *, limit: int
) -> tuple[tuple[Message, Run | None], ...]:
    """The newest messages of a conversation that were answered to the end, oldest first, with their runs.

    Left out is what failed, was stopped, is paused or goes on, and what a newer answer to the same parent
    has replaced. Messages from elsewhere have no run.
    """
    width = len(messages.c)
    found = []
    for row in reversed(_NEWEST_COMPLETED.rows(connection, app_id, conversation_id, limit)):
        run = None if row[width] is None else RUN_CODEC.decode(row[width:])
        found.append((_MESSAGE_CODEC.decode(row[:width]), run))
    return tuple(found)
