from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows
from weft.store import (
    App,
    Connection,
    EndUser,
    Exchange,
    Link,
    Message,
    NodeExecution,
    Page,
    Run,
    RunStatus,
    Store,
    conversations,
    given_of,
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
    executed = await store.read(lambda connection: session_rows.list_executions(connection, app.id, wanted))

    def one_by_one(connection: Connection) -> dict[str, tuple[NodeExecution, ...]]:
        return {run.id: node_executions.list_by_run(connection, app.id, run.id) for run in ran[:2]}

    assert executed == await store.read(one_by_one)
    assert [item.status for item in executed[ran[0].id]] == ["retry", done[1].status, done[0].status]

    def nothing(connection: Connection) -> list[object]:
        return [
            session_rows.list_executions(connection, of_app, ids)
            for of_app, ids in (("other", wanted), (app.id, []))
        ]

    assert await store.read(nothing) == [{}, {}]


async def test_turns_come_in_pages_with_their_runs_and_what_they_build_on(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    conversation, other = rows.conversation(end_user), rows.conversation(end_user)
    first, second, third, fourth = (rows.message(conversation, seconds) for seconds in range(4))
    stranger = rows.message(other, 1)
    second = replace(second, parent_message_id=first.id)
    third = replace(third, parent_message_id=stranger.id, run_id=None)
    fourth = replace(fourth, parent_message_id=rows.ids.new())
    early = replace(rows.message(conversation, -1), parent_message_id=fourth.id)
    ran = {message.id: rows.run(message) for message in (first, second, fourth, early)}

    def write(connection: Connection) -> None:
        for talk in (conversation, other):
            conversations.insert(connection, talk)
        for message in (first, second, third, fourth, early, stranger):
            messages.insert(connection, message)
        for run in ran.values():
            runs.start(connection, None, None, run)

    await store.write(write)
    told = [
        (Link(early.id, fourth.id, None), early, ran[early.id]),
        (Link(first.id, None, None), first, ran[first.id]),
        (Link(second.id, first.id, first.id), second, ran[second.id]),
        (Link(third.id, stranger.id, None), third, None),
        (Link(fourth.id, fourth.parent_message_id, None), fourth, ran[fourth.id]),
    ]

    def read(connection: Connection) -> list[object]:
        whole = session_rows.list_turns(connection, app.id, conversation.id, limit=9)
        newest = session_rows.list_turns(connection, app.id, conversation.id, limit=2)
        older = session_rows.list_turns(connection, app.id, conversation.id, before=third, limit=3)
        return [
            whole,
            newest,
            older,
            session_rows.list_links(connection, app.id, conversation.id),
            session_rows.list_links(connection, app.id, other.id),
            session_rows.find_turn(connection, app.id, second.id),
            session_rows.find_turn(connection, "other", second.id),
            session_rows.list_turns(connection, "other", conversation.id, limit=9).items,
        ]

    assert await store.read(read) == [
        Page(tuple(told), has_more=False),
        Page(tuple(told[3:]), has_more=True),
        Page(tuple(told[:3]), has_more=False),
        tuple(link for link, _, _ in reversed(told)),
        (),
        told[2],
        None,
        (),
    ]


async def test_exchanges_are_those_of_the_thread_that_count(
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
        ("silent", "succeeded", NIL),
        ("last", "succeeded", ""),
        ("paused", "paused", ""),
        ("going on", "running", NIL),
    ]
    asked: list[tuple[Message, Run | None]] = []
    for seconds, (query, status, above) in enumerate(cases):
        message = replace(rows.message(conversation, seconds, query), parent_message_id=above, answer="yes")
        if query == "silent":
            message = replace(message, answer="", query="", inputs={"x": 1})
        if status is None:
            message = replace(message, run_id=None, status="error" if "error" in query else "normal")
        run = None if status is None else replace(rows.run(message), status=status, outputs={"answer": "yes"})
        asked.append((message, run))

    def write(connection: Connection) -> None:
        conversations.insert(connection, conversation)
        for message, run in asked:
            if run is None:
                messages.insert(connection, message)
            else:
                runs.start(connection, None, message, run)

    await store.write(write)

    async def found(wanted: Callable[[Exchange], bool], limit: int = 20) -> list[object]:
        listed = await store.read(
            lambda connection: session_rows.list_exchanges(
                connection, app.id, conversation.id, wanted, limit=limit
            )
        )
        return [exchange.given for exchange in listed]

    inputs = given_of("", asked[7][1].inputs if asked[7][1] is not None else {})
    completed = ["first", "imported", "partly", inputs, "last"]
    assert await found(lambda exchange: exchange.is_completed) == completed
    remembered = ["first", "imported", "partly", "stopped", "last"]
    assert await found(lambda exchange: exchange.is_remembered) == remembered
    for limit in (0, 1, 2):
        assert await found(lambda exchange: exchange.is_remembered, limit) == remembered[5 - limit :]
    assert len(await found(lambda exchange: True)) == len(cases) - 1


async def test_exchanges_are_looked_for_as_far_back_as_it_takes(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    conversation = rows.conversation(end_user)
    asked = [rows.message(conversation, seconds, f"q{seconds}") for seconds in range(250)]
    asked = [replace(message, answer="yes" if seconds < 3 else "") for seconds, message in enumerate(asked)]

    def write(connection: Connection) -> None:
        conversations.insert(connection, conversation)
        for message in asked:
            messages.insert(connection, replace(message, run_id=None))

    await store.write(write)

    def read(connection: Connection) -> list[list[str]]:
        found = [
            session_rows.list_exchanges(connection, app.id, conversation.id, has_answer, limit=limit)
            for limit in (2, 300)
        ]
        return [[exchange.query for exchange in exchanges] for exchanges in found]

    assert await store.read(read) == [["q1", "q2"], ["q0", "q1", "q2"]]


def has_answer(exchange: Exchange) -> bool:
    return exchange.is_remembered
