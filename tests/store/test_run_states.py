from __future__ import annotations

import msgspec
import pytest

from tests.store.rows import ANSWERED, Rows, at
from tests.store.test_forms import form
from weft.errors import ConflictError
from weft.store import (
    EndUser,
    Message,
    Run,
    RunState,
    Store,
    conversations,
    forms,
    messages,
    node_executions,
    run_states,
    runs,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def begun(store: Store, rows: Rows, end_user: EndUser) -> tuple[Run, Message]:
    conversation = rows.conversation(end_user)
    message = rows.message(conversation)
    run = rows.run(message, owner_id=rows.ids.new())
    await store.write(lambda connection: runs.start(connection, conversation, message, run))
    return run, message


def state(run: Run, number: int = 1) -> RunState:
    return RunState(run.id, format=number, state={"pool": {"a": [1, None, "ü"]}}, created_at=at(50))


async def pause(
    store: Store, run: Run, message: Message, *awaited: str, rows: Rows | None = None, number: int = 1
) -> bool:
    paused = msgspec.structs.replace(run, status="paused", elapsed_time=1.0)
    answered = msgspec.structs.replace(message, **{**ANSWERED, "status": "paused", "updated_at": at(50)})
    waiting = [] if rows is None else [msgspec.structs.replace(rows.execution(run, 3), status="paused")]
    return await store.write(
        lambda connection: runs.pause(connection, paused, answered, state(run, number), awaited, waiting)
    )


async def found(store: Store, run: Run) -> Run:
    row = await store.read(lambda connection: runs.find(connection, run.app_id, run.id))
    assert row is not None
    return row


async def test_a_run_pauses_with_its_state_and_belongs_to_nobody(
    store: Store, begun: tuple[Run, Message]
) -> None:
    run, message = begun
    assert await pause(store, run, message) is False
    row = await found(store, run)
    assert (row.status, row.owner_id, row.finished_at) == ("paused", None, None)
    assert await store.read(lambda connection: run_states.find(connection, run.id)) == state(run)
    kept = await store.read(lambda connection: messages.find(connection, run.app_id, message.id))
    assert kept is not None
    assert (kept.status, kept.answer) == ("paused", "Yes.")
    assert await store.write(lambda connection: runs.close_orphans(connection, [], at(99))) == ()


async def test_a_later_pause_replaces_the_state(store: Store, begun: tuple[Run, Message]) -> None:
    await pause(store, *begun)
    await pause(store, *begun, number=2)
    kept = await store.read(lambda connection: run_states.find(connection, begun[0].id))
    assert kept == state(begun[0], 2)
    await store.write(lambda connection: run_states.remove(connection, begun[0].id))
    assert await store.read(lambda connection: run_states.find(connection, begun[0].id)) is None


async def test_a_pause_says_that_a_form_was_answered_meanwhile(
    store: Store, rows: Rows, begun: tuple[Run, Message]
) -> None:
    run, message = begun
    made, other = form(rows, run, "1"), form(rows, run, "2")
    for one in (made, other):
        await store.write(lambda connection, one=one: forms.create(connection, one))  # type: ignore[misc]
    assert await pause(store, run, message, made.id, other.id) is False
    await store.write(
        lambda connection: forms.submit(
            connection, made.id, action_id="yes", submitted={}, rendered_content="", now=at(1)
        )
    )
    assert await pause(store, run, message, made.id, other.id) is True
    assert await store.read(forms.list_resumable) == [(run.id, run.app_id)]
    assert await pause(store, run, message, other.id) is False


async def test_one_process_takes_a_paused_run_over(
    store: Store, rows: Rows, begun: tuple[Run, Message]
) -> None:
    run, message = begun
    assert await store.write(lambda connection: runs.claim(connection, state(run), rows.ids.new())) is False
    await pause(store, run, message, rows=rows)
    first, second = rows.ids.new(), rows.ids.new()
    assert await store.write(lambda connection: runs.claim(connection, state(run), first)) is True
    assert await store.write(lambda connection: runs.claim(connection, state(run), second)) is False
    row = await found(store, run)
    assert (row.status, row.owner_id) == ("running", first)
    left = await store.read(lambda connection: node_executions.list_by_run(connection, run.app_id, run.id))
    assert left == ()


async def test_a_run_that_went_on_meanwhile_is_not_taken_over_from_where_it_was(
    store: Store, rows: Rows, begun: tuple[Run, Message]
) -> None:
    run, message = begun
    await pause(store, run, message, rows=rows, number=2)
    with pytest.raises(ConflictError, match="has gone on"):
        await store.write(lambda connection: runs.claim(connection, state(run, 1), rows.ids.new()))
    row = await found(store, run)
    assert (row.status, row.owner_id) == ("paused", None)
    left = await store.read(lambda connection: node_executions.list_by_run(connection, run.app_id, run.id))
    assert [execution.status for execution in left] == ["paused"]


async def test_a_run_whose_process_died_after_it_went_on_is_closed_and_its_state_forgotten(
    store: Store, rows: Rows, begun: tuple[Run, Message]
) -> None:
    run, message = begun
    await pause(store, run, message)
    await store.write(lambda connection: runs.claim(connection, state(run), rows.ids.new()))
    assert await store.write(lambda connection: runs.close_orphans(connection, [], at(99))) == (run.id,)
    assert await store.read(lambda connection: run_states.find(connection, run.id)) is None


@pytest.mark.parametrize(
    ("status", "message_status", "error"), [("stopped", "normal", None), ("failed", "error", "why")]
)
async def test_a_paused_run_can_be_ended(
    store: Store,
    rows: Rows,
    begun: tuple[Run, Message],
    status: str,
    message_status: str,
    error: str | None,
) -> None:
    run, message = begun
    made = form(rows, run)
    await store.write(lambda connection: forms.create(connection, made))
    await pause(store, run, message, made.id, rows=rows)
    for ended in (True, False):
        done = await store.write(
            lambda connection: runs.end_paused(connection, run, status, "why", at(60))  # type: ignore[arg-type]
        )
        assert done is ended
    row = await found(store, run)
    assert (row.status, row.error, row.finished_at) == (status, "why", at(60))
    kept = await store.read(lambda connection: messages.find(connection, run.app_id, message.id))
    assert kept is not None
    assert (kept.status, kept.error, kept.answer) == (message_status, error, "Yes.")
    (closed,) = await store.read(lambda connection: forms.list_by_run(connection, run.id))
    assert closed.status == "expired"
    (execution,) = await store.read(
        lambda connection: node_executions.list_by_run(connection, run.app_id, run.id)
    )
    assert (execution.status, execution.finished_at) == ("stopped", at(60))
    assert await store.read(lambda connection: run_states.find(connection, run.id)) is None
    changed = await store.read(
        lambda connection: conversations.get(
            connection, run.app_id, message.conversation_id, end_user_id=None
        )
    )
    assert changed.updated_at == at(60)


async def test_a_run_that_has_not_ended_is_found_by_its_task(
    store: Store, begun: tuple[Run, Message]
) -> None:
    run, message = begun
    assert run.task_id is not None
    task_id = run.task_id
    assert await store.read_quick(lambda connection: runs.find_unfinished(connection, task_id)) == run
    assert await store.read_quick(lambda connection: runs.find_unfinished(connection, "other")) is None
    await pause(store, run, message)
    await store.write(lambda connection: runs.end_paused(connection, run, "stopped", "why", at(60)))
    assert await store.read_quick(lambda connection: runs.find_unfinished(connection, task_id)) is None


async def test_looking_for_a_task_reads_only_runs_that_have_not_ended(store: Store, backend: str) -> None:
    if backend != "sqlite":
        pytest.skip("Postgres plans by what the table holds")
    plan = await store.read(
        lambda connection: connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM runs WHERE finished_at IS NULL AND task_id = 'x'"
        ).all()
    )
    assert "ix_runs_unfinished" in str(plan)


async def test_the_tries_of_a_node_come_before_its_end(
    store: Store, rows: Rows, begun: tuple[Run, Message]
) -> None:
    run, _ = begun
    end = rows.execution(run, 1)
    tries = [msgspec.structs.replace(rows.execution(run, 1), status="retry") for _ in range(2)]
    after = rows.execution(run, 2)
    await store.write(lambda connection: node_executions.append(connection, [end, *tries, after]))
    listed = await store.read(lambda connection: node_executions.list_by_run(connection, run.app_id, run.id))
    assert listed == (*tries, end, after)
