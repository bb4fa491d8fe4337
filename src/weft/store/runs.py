"""Runs: one execution of a graph each, from its start to its end in the records.

`start` and `finish` are what every message costs; both are a handful of prepared statements.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, Double, bindparam, literal, select, update
from sqlalchemy import cast as sql_cast

from weft.errors import NotFoundError
from weft.store import conversation_variables, conversations, messages, node_executions
from weft.store.codec import Codec, micros
from weft.store.records import (
    Conversation,
    ConversationVariable,
    Message,
    MessageFile,
    NodeExecution,
    Run,
)
from weft.store.statement import Statement, inserting, updating
from weft.store.tables import messages as messages_table
from weft.store.tables import runs

ORPHANED = "The server stopped before this run ended."
"""The error of a run whose process died."""

CODEC = Codec(Run, runs)
_INSERT = inserting(runs)
_RESULT = (
    "status",
    "outputs",
    "error",
    "elapsed_time",
    "total_tokens",
    "total_price",
    "currency",
    "total_steps",
    "exceptions_count",
    "finished_at",
)
_UPDATE_RESULT = updating(runs, *_RESULT)
_result = CODEC.encoder(*_RESULT, "id")
_FIND = Statement(
    select(runs).where(runs.c.app_id == bindparam("app_id")).where(runs.c.id == bindparam("id")),
    ["app_id", "id"],
)
_CLOSE_MESSAGE = updating(messages_table, "status", "error", "updated_at")


def start(
    connection: Connection,
    conversation: Conversation | None,
    message: Message | None,
    run: Run,
    variables: Sequence[ConversationVariable] = (),
    files: Sequence[MessageFile] = (),
) -> None:
    """Store everything that a run begins with.

    Args:
        connection: In a write.
        conversation: The new conversation; `None` when the message continues one, which then counts
            one more message and has changed now.
        message: The query; `None` for an app without conversations.
        run: The run.
        variables: Conversation variables; those that the conversation has already stay as they are.
        files: Files that came with the query.

    Raises:
        NotFoundError: The conversation to continue has been deleted.
    """
    if conversation is not None:
        conversations.insert(connection, conversation)
    elif message is not None:
        conversations.bump(connection, message.conversation_id, message.created_at)
    if message is not None:
        messages.insert(connection, message)
    _INSERT.run(connection, *CODEC.encode(run))
    conversation_variables.insert_missing(connection, variables)
    messages.insert_files(connection, files)


def finish(
    connection: Connection,
    run: Run,
    message: Message | None,
    executions: Sequence[NodeExecution] = (),
    files: Sequence[MessageFile] = (),
) -> None:
    """Store how a run ended, or that it pauses.

    Args:
        connection: In a write.
        run: The run with status, outputs, error, elapsed time, totals, counts and `finished_at`.
        message: Its message with answer, status, error, metadata, usage and `updated_at`, which
            becomes the conversation's too; `None` for an app without conversations.
        executions: Node executions that were not stored while the run went on.
        files: Files that the run made.

    Raises:
        NotFoundError: The run or the message has not been started.
    """
    if _UPDATE_RESULT.run(connection, *_result(run)) == 0:
        raise _absent(run.id)
    if message is not None:
        messages.update_result(connection, message)
        conversations.touch(connection, message.conversation_id, message.updated_at)
    node_executions.append(connection, executions)
    messages.insert_files(connection, files)


def find(connection: Connection, app_id: str, run_id: str) -> Run | None:
    """The app's run of that id."""
    row = _FIND.row(connection, app_id, run_id)
    return None if row is None else CODEC.decode(row)


def close_orphans(connection: Connection, alive: Collection[str], now: datetime) -> tuple[str, ...]:
    """Close every run that has not ended and whose process is dead, as failed.

    Their messages become errors and keep what they have of an answer. Paused runs belong to no
    process and stay.

    Args:
        connection: In a write.
        alive: Ids of the processes that live, see `weft.store.processes.list_alive`.
        now: When they ended, as far as anybody knows.

    Returns:
        The ids of the runs that were closed.
    """
    ended = micros(now)
    orphans = connection.execute(
        update(runs)
        .where(runs.c.finished_at.is_(None))
        .where(runs.c.status.in_(("running", "scheduled")))
        .where(runs.c.owner_id.is_(None) | runs.c.owner_id.not_in(list(alive)))
        .values(
            status="failed",
            error=ORPHANED,
            finished_at=ended,
            elapsed_time=sql_cast(literal(ended) - runs.c.created_at, Double) / 1_000_000.0,
        )
        .returning(runs.c.id, runs.c.message_id, runs.c.conversation_id)
    ).all()
    _CLOSE_MESSAGE.run_many(
        connection, [("error", ORPHANED, ended, row.message_id) for row in orphans if row.message_id]
    )
    for conversation_id in sorted({row.conversation_id for row in orphans if row.conversation_id}):
        conversations.touch(connection, conversation_id, now)
    return tuple(row.id for row in orphans)


def _absent(run_id: str) -> NotFoundError:
    return NotFoundError("Workflow run not found.", kind="run", id=run_id)
