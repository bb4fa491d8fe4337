from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows
from weft.store import (
    App,
    Connection,
    EndUser,
    Message,
    NodeExecution,
    Run,
    RunStatus,
    Store,
    conversations,
    messages,
    node_executions,
    runs,
    session_rows,
)

pytestmark = pytest.mark.anyio
NIL = "00000000-0000-0000-0000-000000000000"


async def test_rows_of_many_runs_come_at_once_and_of_their_app_only(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    conversation = rows.conversation(end_user)
    asked = [rows.message(conversation, seconds) for seconds in range(3)]
    ran = [rows.run(message) for message in asked]
    done: list[NodeExecution] = []
    for run in ran[:2]:
        found = [rows.execution(run, index) for index in (2, 1)]
        done += [*found, replace(rows.execution(run, 1), status="retry")]

    def write(connection: Connection) -> None:
        conversations.insert(connection, conversation)
        for message, run in zip(asked, ran, strict=True):
            runs.start(connection, None, message, run)
        node_executions.append(connection, done)

    await store.write(write)
    wanted = [*(run.id for run in ran), "nobody"]
    stored = await store.read(lambda connection: session_rows.list_runs(connection, app.id, wanted))
    assert stored == {run.id: run for run in ran}
    many = [*wanted, *(f"nobody {number}" for number in range(30))]
    assert await store.read(lambda connection: session_rows.list_runs(connection, app.id, many)) == stored
    executed = await store.read(lambda connection: session_rows.list_executions(connection, app.id, wanted))

    def one_by_one(connection: Connection) -> dict[str, tuple[NodeExecution, ...]]:
        return {run.id: node_executions.list_by_run(connection, app.id, run.id) for run in ran[:2]}

    assert executed == await store.read(one_by_one)
    assert [item.status for item in executed[ran[0].id]] == ["retry", done[1].status, done[0].status]

    def nothing(connection: Connection) -> list[object]:
        return [
            read(connection, of_app, ids)
            for read in (session_rows.list_runs, session_rows.list_executions)
            for of_app, ids in (("other", wanted), (app.id, []))
        ]

    assert await store.read(nothing) == [{}, {}, {}, {}]


async def test_completed_messages_are_those_whose_answer_stands(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    conversation = rows.conversation(end_user)
    parent = rows.ids.new()
    cases: list[tuple[str, RunStatus | None, str | None]] = [
        ("first", "succeeded", NIL),
        ("failed", "failed", NIL),
        ("imported", None, None),
        ("imported error", None, None),
        ("replaced", "succeeded", parent),
        ("partly", "partial-succeeded", parent),
        ("stopped", "stopped", NIL),
        ("last", "succeeded", ""),
        ("going on", "running", NIL),
    ]
    asked: list[tuple[Message, Run | None]] = []
    for seconds, (query, status, above) in enumerate(cases):
        message = replace(rows.message(conversation, seconds, query), parent_message_id=above, answer="yes")
        if status is None:
            message = replace(message, run_id=None, status="error" if "error" in query else "normal")
        asked.append((message, None if status is None else replace(rows.run(message), status=status)))

    def write(connection: Connection) -> None:
        conversations.insert(connection, conversation)
        for message, run in asked:
            if run is None:
                messages.insert(connection, message)
            else:
                runs.start(connection, None, message, run)

    await store.write(write)

    async def found(limit: int) -> list[str]:
        listed = await store.read(
            lambda connection: session_rows.list_completed(connection, app.id, conversation.id, limit=limit)
        )
        assert all(pair in asked for pair in listed)
        return [message.query for message, _ in listed]

    assert await found(9) == ["first", "imported", "partly", "last"]
    assert await found(2) == ["partly", "last"]
    assert await found(0) == []
