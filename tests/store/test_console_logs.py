from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import (
    Annotation,
    App,
    Connection,
    Conversation,
    ConversationFilter,
    EndUser,
    Feedback,
    FeedbackSource,
    Message,
    Rating,
    Store,
    Tally,
    accounts,
    app_annotations,
    console_logs,
    conversations,
    end_users,
    feedbacks,
    messages,
    runs,
)

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class Talks:
    """Three conversations, oldest first, the last of an account, and one that is deleted."""

    all: list[Conversation]
    messages: list[Message]


@pytest.fixture
async def talks(store: Store, app: App, end_user: EndUser, rows: Rows) -> Talks:
    friend = rows.end_user(app, "Ünal_2")
    ada = rows.account("ada@example.com")
    made = [
        rows.conversation(end_user, 0, "Rain"),
        rows.conversation(friend, 10, "Snow"),
        replace(
            rows.conversation(end_user, 20, "Hail"),
            end_user_id=None,
            account_id=ada.id,
            invoke_from="debugger",
            summary="In short",
            updated_at=at(5),
        ),
    ]
    gone = replace(rows.conversation(end_user, 30), is_deleted=True)
    silent = rows.conversation(end_user, 40, "Silence")
    said = [
        replace(rows.message(made[0], 1, "Is it 100% wet?"), answer="ПРИВЕТ"),
        rows.message(made[0], 0, "First?"),
        rows.message(made[1], 10, "White?"),
        rows.message(made[2], 20, "Loud?"),
    ]

    def insert(connection: Connection) -> None:
        accounts.create(connection, ada)
        end_users.find_or_create(connection, friend)
        for conversation in (*made, gone, silent):
            conversations.insert(connection, conversation)
        for message, status in zip(said, ("failed", "succeeded", "succeeded", "paused"), strict=True):
            runs.start(connection, None, None, replace(rows.run(message), status=status))
            messages.insert(connection, message)

    await store.write(insert)
    return Talks([*made, silent], said)


async def names(store: Store, app: App, **wanted: object) -> list[str]:
    page = await store.read(
        lambda connection: console_logs.list_page(connection, app.id, ConversationFilter(**wanted))  # type: ignore[arg-type]
    )
    assert page.total == len(page.items)
    return [entry.conversation.name for entry in page.items]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["Silence", "Snow", "Hail", "Rain"]),
        ({"sort_by": "updated_at"}, ["Rain", "Hail", "Snow", "Silence"]),
        ({"sort_by": "-created_at"}, ["Silence", "Hail", "Snow", "Rain"]),
        ({"sort_by": "created_at"}, ["Rain", "Snow", "Hail", "Silence"]),
        ({"keyword": "привет"}, ["Rain"]),
        ({"keyword": "0%"}, ["Rain"]),
        ({"keyword": "_"}, ["Snow"]),
        ({"keyword": "ünal"}, ["Snow"]),
        ({"keyword": "HAIL"}, ["Hail"]),
        ({"keyword": "hello köln"}, ["Snow", "Hail", "Rain"]),
        ({"keyword": "silence"}, []),
        ({"start": at(10)}, ["Silence", "Snow"]),
        ({"end": at(10)}, ["Hail", "Rain"]),
        ({"start": at(20), "end": at(40), "sort_by": "created_at"}, ["Hail"]),
        ({"with_debugger": False}, ["Silence", "Snow", "Rain"]),
        ({"annotation": "annotated"}, []),
        ({"annotation": "not_annotated"}, ["Silence", "Snow", "Hail", "Rain"]),
    ],
)
async def test_conversations_are_filtered_and_sorted(
    store: Store, app: App, talks: Talks, wanted: dict[str, object], found: list[str]
) -> None:
    assert await names(store, app, **wanted) == found


async def test_pages_are_numbered(store: Store, app: App, talks: Talks) -> None:
    def fn(connection: Connection) -> list[tuple[list[str], int, bool]]:
        pages = [
            console_logs.list_page(connection, app.id, ConversationFilter(), page=page, limit=3)
            for page in (1, 2, 99)
        ]
        return [
            ([entry.conversation.name for entry in page.items], page.total, page.has_more) for page in pages
        ]

    assert await store.read(fn) == [
        (["Silence", "Snow", "Hail"], 4, True),
        (["Rain"], 4, False),
        ([], 4, False),
    ]


async def test_an_entry_counts_messages_runs_feedback_and_annotations(
    store: Store, app: App, rows: Rows, talks: Talks
) -> None:
    first = talks.all[0]

    def mark(connection: Connection) -> None:
        given: list[tuple[Message, Rating, FeedbackSource]] = [
            (talks.messages[0], "like", "user"),
            (talks.messages[1], "like", "user"),
            (talks.messages[1], "dislike", "admin"),
        ]
        for message, rating, source in given:
            feedback = Feedback(
                rows.ids.new(),
                app.id,
                first.id,
                message.id,
                rating,
                source,
                at(0),
                at(0),
            )
            feedbacks.put(connection, feedback)
        for message in talks.messages[:2]:
            annotation = Annotation(
                rows.ids.new(),
                app.id,
                "q",
                "a",
                at(0),
                at(0),
                message_id=message.id,
                conversation_id=first.id,
            )
            app_annotations.insert(connection, annotation)

    await store.write(mark)
    page = await store.read(
        lambda connection: console_logs.list_page(connection, app.id, ConversationFilter())
    )
    silent, snow, hail, rain = page.items

    assert rain == console_logs.ConversationEntry(
        conversation=first,
        session_id="u1",
        account_name=None,
        summary="First?",
        message_count=2,
        annotated=True,
        by_user=Tally(2, 0),
        by_admin=Tally(0, 1),
        runs={"failed": 1, "succeeded": 1},
    )
    assert (hail.summary, hail.account_name, hail.session_id, hail.runs) == (
        "In short",
        "Ada",
        None,
        {"paused": 1},
    )
    assert (snow.session_id, snow.annotated, snow.message_count) == ("Ünal_2", False, 1)
    assert (silent.summary, silent.message_count, silent.runs) == ("", 0, {})
    assert await names(store, app, annotation="annotated") == ["Rain"]


async def test_a_page_takes_as_many_statements_however_long_it_is(
    store: Store, app: App, talks: Talks
) -> None:
    counted = []
    for limit in (1, 4):
        statements = 0

        def count(*_: object) -> None:
            nonlocal statements
            statements += 1

        event.listen(Engine, "before_cursor_execute", count)
        try:
            await store.read(
                lambda connection, limit=limit: console_logs.list_page(  # type: ignore[misc]
                    connection, app.id, ConversationFilter(), limit=limit
                )
            )
        finally:
            event.remove(Engine, "before_cursor_execute", count)
        counted.append(statements)

    assert counted[0] == counted[1]
    assert counted[0] <= 4


async def test_a_conversation_is_read_when_somebody_looks_the_first_time(
    store: Store, app: App, talks: Talks
) -> None:
    wanted = talks.all[1].id

    def fn(connection: Connection) -> list[object]:
        before = console_logs.find(connection, app.id, wanted)
        return [
            before and before.conversation.read_at,
            console_logs.mark_read(connection, app.id, wanted, at(60)).conversation.read_at,
            console_logs.mark_read(connection, app.id, wanted, at(70)).conversation.read_at,
            console_logs.find(connection, "another app", wanted),
        ]

    assert await store.write(fn) == [None, at(60), at(60), None]
    with pytest.raises(NotFoundError, match="Conversation Not Exists"):
        await store.write(lambda connection: console_logs.mark_read(connection, "another", wanted, at(0)))
