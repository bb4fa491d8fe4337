from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import pytest
from msgspec.structs import replace

from tests.store.rows import ANSWERED, SUCCEEDED, Rows, at
from weft.errors import NotFoundError
from weft.store import (
    App,
    Connection,
    Conversation,
    EndUser,
    Message,
    Run,
    Store,
    conversation_variables,
    conversations,
    messages,
    node_executions,
    runs,
)

pytestmark = pytest.mark.anyio


class Started:
    """The rows of a run that has started in a new conversation."""

    def __init__(self, rows: Rows, end_user: EndUser, seconds: float = 0, owner_id: str = "me") -> None:
        self.conversation = rows.conversation(end_user, seconds)
        self.message = rows.message(self.conversation, seconds)
        self.run = rows.run(self.message, owner_id)
        self.variables = [rows.variable(self.conversation, name, name) for name in ("a", "b")]
        self.files = [rows.file(self.message)]

    def start(self, connection: Connection) -> None:
        runs.start(connection, self.conversation, self.message, self.run, self.variables, self.files)


@pytest.fixture
async def started(store: Store, end_user: EndUser, rows: Rows) -> Started:
    started = Started(rows, end_user)
    await store.write(started.start)
    return started


def everything(
    connection: Connection, conversation: Conversation, message: Message, run: Run
) -> list[object]:
    return [
        conversations.find(connection, run.app_id, conversation.id, end_user_id=None),
        messages.find(connection, run.app_id, message.id),
        runs.find(connection, run.app_id, run.id),
        conversation_variables.list_all(connection, run.app_id, conversation.id),
        messages.list_files(connection, [message.id]).get(message.id, ()),
        node_executions.list_by_run(connection, run.app_id, run.id),
    ]


async def read_everything(store: Store, started: Started) -> list[object]:
    return await store.read(
        lambda connection: everything(connection, started.conversation, started.message, started.run)
    )


async def test_a_run_in_a_new_conversation_is_stored_with_all_that_belongs_to_it(
    store: Store, started: Started
) -> None:
    assert await read_everything(store, started) == [
        started.conversation,
        started.message,
        started.run,
        tuple(started.variables),
        tuple(started.files),
        (),
    ]


async def test_a_run_in_an_old_conversation_moves_it_and_counts(
    store: Store, started: Started, rows: Rows
) -> None:
    message = rows.message(started.conversation, 30)
    run = rows.run(message)
    added = rows.variable(started.conversation, "c", "new")
    kept = [replace(variable, id=rows.ids.new(), value="default") for variable in started.variables]

    def fn(connection: Connection) -> list[object]:
        runs.start(connection, None, message, run, [*kept, added])
        return everything(connection, started.conversation, message, run)

    assert await store.write(fn) == [
        replace(started.conversation, updated_at=at(30), dialogue_count=2),
        message,
        run,
        (*started.variables, added),
        (),
        (),
    ]


async def test_a_conversation_that_was_deleted_takes_no_more_messages(
    store: Store, started: Started, rows: Rows
) -> None:
    message = rows.message(started.conversation, 30)

    def fn(connection: Connection) -> None:
        conversations.mark_deleted(
            connection, message.app_id, message.conversation_id, at(20), end_user_id=message.end_user_id
        )
        runs.start(connection, None, message, rows.run(message))

    with pytest.raises(NotFoundError, match=r"^Conversation Not Exists\.$"):
        await store.write(fn)


async def test_the_end_of_a_run_is_stored_with_all_that_it_made(
    store: Store, started: Started, rows: Rows
) -> None:
    run = replace(started.run, finished_at=at(9), exceptions_count=1, **SUCCEEDED)
    message = replace(started.message, updated_at=at(9), **ANSWERED)
    executions = [rows.execution(run, index) for index in (2, 1, 3)]
    file = replace(rows.file(message, 9), belongs_to="assistant")

    def fn(connection: Connection) -> list[object]:
        node_executions.append(connection, executions[:1])
        runs.finish(connection, run, message, executions[1:], [file])
        return everything(connection, started.conversation, message, run)

    assert await store.write(fn) == [
        replace(started.conversation, updated_at=at(9)),
        message,
        run,
        tuple(started.variables),
        (*started.files, file),
        (executions[1], executions[0], executions[2]),
    ]


async def test_a_failed_run_keeps_the_answer_it_had(store: Store, started: Started) -> None:
    run = replace(started.run, status="failed", error="boom\0", finished_at=at(2))
    message = replace(
        started.message, status="error", error="Run failed: boom", answer="Half an", updated_at=at(2)
    )

    def fn(connection: Connection) -> list[object]:
        runs.finish(connection, run, message)
        return everything(connection, started.conversation, message, run)[1:3]

    assert await store.write(fn) == [message, replace(run, error="boom\ufffd")]


async def test_retries_of_a_node_are_rows_of_their_own(store: Store, started: Started, rows: Rows) -> None:
    tries = [
        replace(rows.execution(started.run, 1), node_id="llm", status="retry", error="busy"),
        replace(rows.execution(started.run, 1), node_id="llm", status="retry", error="busy"),
        replace(
            rows.execution(started.run, 1),
            node_id="llm",
            iteration_id="iteration",
            iteration_index=0,
            loop_id="loop",
            loop_index=2,
            predecessor_node_id="start",
            outputs=None,
        ),
    ]

    def fn(connection: Connection) -> list[object]:
        node_executions.append(connection, tries)
        return [
            node_executions.list_by_run(connection, started.run.app_id, started.run.id),
            node_executions.list_by_run(connection, "another app", started.run.id),
        ]

    assert await store.write(fn) == [tuple(tries), ()]


async def test_a_run_of_an_app_without_conversations_stands_alone(
    store: Store, end_user: EndUser, rows: Rows
) -> None:
    run = replace(
        rows.run(rows.message(rows.conversation(end_user))),
        mode="workflow",
        conversation_id=None,
        message_id=None,
    )
    ended = replace(run, finished_at=at(1), **SUCCEEDED)

    def fn(connection: Connection) -> list[Run | None]:
        runs.start(connection, None, None, run)
        begun = runs.find(connection, run.app_id, run.id)
        runs.finish(connection, ended, None, [rows.execution(run, 1)])
        return [
            begun,
            runs.find(connection, run.app_id, run.id),
            runs.find(connection, "another app", run.id),
        ]

    assert await store.write(fn) == [run, ended, None]


async def test_what_has_not_started_cannot_end(store: Store, app: App, started: Started, rows: Rows) -> None:
    never = replace(started.run, id=rows.ids.new())
    nobody = replace(started.message, id=rows.ids.new())

    for run, message in [(never, started.message), (started.run, nobody)]:

        def fn(connection: Connection, run: Run = run, message: Message = message) -> None:
            runs.finish(connection, replace(run, finished_at=at(1), **SUCCEEDED), message)

        with pytest.raises(NotFoundError):
            await store.write(fn)
    found = await store.read(lambda connection: runs.find(connection, app.id, started.run.id))
    assert found == started.run


async def test_runs_of_dead_processes_are_closed_and_no_others(
    store: Store, end_user: EndUser, rows: Rows
) -> None:
    def begin(owner_id: str | None, **changes: str) -> Started:
        begun = Started(rows, end_user)
        begun.run = replace(begun.run, owner_id=owner_id, **changes)
        begun.message = replace(begun.message, answer="Half an")
        return begun

    dead, unowned = begin("dead"), begin(None, status="scheduled")
    alive, paused = begin("alive"), begin("dead", status="paused")
    done = begin("dead")
    done.run = replace(done.run, finished_at=at(1), **SUCCEEDED)

    def fn(connection: Connection) -> list[object]:
        for begun in (dead, unowned, alive, paused, done):
            begun.start(connection)
        first = sorted(runs.close_orphans(connection, {"alive", "other"}, at(2.5)))
        return [first, runs.close_orphans(connection, {"alive", "other"}, at(3))]

    assert await store.write(fn) == [sorted([dead.run.id, unowned.run.id]), ()]
    error = "The server stopped before this run ended."
    for begun in (dead, unowned):
        assert (await read_everything(store, begun))[:3] == [
            replace(begun.conversation, updated_at=at(2.5)),
            replace(begun.message, status="error", error=error, updated_at=at(2.5)),
            replace(begun.run, status="failed", error=error, elapsed_time=2.5, finished_at=at(2.5)),
        ]
    for begun in (alive, paused, done):
        assert (await read_everything(store, begun))[:3] == [begun.conversation, begun.message, begun.run]


async def test_without_any_process_alive_every_open_run_is_closed(store: Store, started: Started) -> None:
    assert await store.write(lambda connection: runs.close_orphans(connection, set(), at(1))) == (
        started.run.id,
    )


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_message_costs_seven_statements(store: Store, end_user: EndUser, rows: Rows) -> None:
    begun = Started(rows, end_user)
    begun.variables, begun.files = [], []

    def finish(connection: Connection) -> None:
        runs.finish(
            connection,
            replace(begun.run, finished_at=at(1), **SUCCEEDED),
            replace(begun.message, updated_at=at(1), **ANSWERED),
            [rows.execution(begun.run, index) for index in (1, 2, 3)],
        )

    def count(fn: Callable[[Connection], None]) -> Callable[[Connection], list[str]]:
        def counted(connection: Connection) -> list[str]:
            statements: list[str] = []
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.set_trace_callback(statements.append)
            fn(connection)
            driver.set_trace_callback(None)
            # What its triggers do is told as the same statement once more.
            return [" ".join(statement.split()[:3]) for statement, _ in groupby(statements)]

        return counted

    assert await store.write(count(begun.start)) == [
        "INSERT INTO conversations",
        "INSERT INTO messages",
        "INSERT INTO runs",
    ]
    assert await store.write(count(finish)) == [
        "UPDATE runs SET",
        "UPDATE messages SET",
        "UPDATE conversations SET",
        *["INSERT INTO node_executions"] * 3,  # one call of the driver, with three rows
    ]
