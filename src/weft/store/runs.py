"""Runs: one execution of a graph each, from its start to its end in the records.

`start` and `finish` are what every message costs; both are a handful of prepared statements.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, Connection, Double, bindparam, literal, select, update
from sqlalchemy import cast as sql_cast

from weft.errors import ConflictError, NotFoundError
from weft.store import conversation_variables, conversations, forms, messages, node_executions, run_states
from weft.store.codec import Codec, micros, storable
from weft.store.records import (
    Conversation,
    ConversationVariable,
    Message,
    MessageFile,
    NodeExecution,
    Run,
    RunState,
)
from weft.store.statement import Statement, inserting, updating
from weft.store.tables import Prose, runs
from weft.store.tables import messages as messages_table

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
_OWN = updating(runs, "owner_id")
_SET_MESSAGE = updating(messages_table, "status", "updated_at")
_IS_PAUSED = (runs.c.id == bindparam("row_id")) & (runs.c.status == "paused")
_CLAIM = Statement(
    update(runs)
    .where(_IS_PAUSED)
    .ordered_values((runs.c.status, "running"), (runs.c.owner_id, bindparam("owner"))),
    ["owner", "row_id"],
)
_END_PAUSED = Statement(
    update(runs)
    .where(_IS_PAUSED)
    .ordered_values(
        (runs.c.status, bindparam("new_status")),
        (runs.c.error, bindparam("new_error", type_=Prose)),
        (runs.c.finished_at, bindparam("now", type_=BigInteger)),
    ),
    ["new_status", "new_error", "now", "row_id"],
)
_FIND_BY_TASK = Statement(
    # Of the few that have not ended, which have an index of their own.
    select(runs).where(runs.c.finished_at.is_(None)).where(runs.c.task_id == bindparam("task")),
    ["task"],
)


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


def pause(
    connection: Connection,
    run: Run,
    message: Message | None,
    state: RunState,
    awaited: Collection[str],
    executions: Sequence[NodeExecution] = (),
    files: Sequence[MessageFile] = (),
) -> bool:
    """Store that a run pauses, with all that it needs to go on; it belongs to no process any more.

    Args:
        connection: In a write.
        run: The run with status ``paused`` and what `finish` stores.
        message: Its message, with the answer so far and status ``paused``.
        state: What it goes on from.
        awaited: Ids of the forms that it waits for; its other open forms are closed.
        executions: Node executions that were not stored while the run went on.
        files: Files that the run has made.

    Returns:
        Whether a form that it waits for has been answered meanwhile, so that it can go on at once.

    Raises:
        NotFoundError: The run or the message has not been started.
    """
    finish(connection, run, message, executions, files)
    _OWN.run(connection, None, run.id)
    run_states.put(connection, state)
    forms.abandon(connection, run.id, state.created_at, keep=awaited)
    # After the run's row was changed: an answer that is not seen here comes to find a paused run.
    return any(
        form.status != "waiting" for form in forms.list_by_run(connection, run.id) if form.id in awaited
    )


def claim(connection: Connection, state: RunState, owner_id: str) -> bool:
    """Take over a paused run to let it go on from its state; false if it is not paused any more.

    Raises:
        ConflictError: It has gone on since, and has paused with another state; nothing is taken over.
    """
    if _CLAIM.run(connection, owner_id, state.id) == 0:
        return False
    if run_states.find(connection, state.id) != state:
        raise ConflictError(f"run {state.id} has gone on since its state was read; read it again")
    node_executions.forget_paused(connection, state.id)
    return True


def end_paused(
    connection: Connection, run: Run, status: Literal["stopped", "failed"], error: str, now: datetime
) -> bool:
    """End a paused run without letting it go on; its message keeps what it has of an answer.

    Returns:
        Whether it was paused, and so has ended now.
    """
    at = micros(now)
    if _END_PAUSED.run(connection, status, error, at, run.id) == 0:
        return False
    if run.message_id is not None:
        if status == "failed":
            _CLOSE_MESSAGE.run(connection, "error", storable(error), at, run.message_id)
        else:
            _SET_MESSAGE.run(connection, "normal", at, run.message_id)
    if run.conversation_id is not None:
        conversations.touch(connection, run.conversation_id, now)
    node_executions.stop_paused(connection, run.id, now)
    forms.abandon(connection, run.id, now)
    run_states.remove(connection, run.id)
    return True


def find_unfinished(connection: Connection, task_id: str) -> Run | None:
    """The run of that task, if it has not ended."""
    row = _FIND_BY_TASK.row(connection, storable(task_id))
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
    for row in orphans:
        run_states.remove(connection, row.id)  # it may have paused before
    return tuple(row.id for row in orphans)


def _absent(run_id: str) -> NotFoundError:
    return NotFoundError("Workflow run not found.", kind="run", id=run_id)
