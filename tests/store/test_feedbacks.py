from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.store import (
    App,
    Connection,
    EndUser,
    Feedback,
    FeedbackSource,
    Message,
    Rating,
    Store,
    conversations,
    feedbacks,
    messages,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def asked(store: Store, end_user: EndUser, rows: Rows) -> list[Message]:
    """Three messages that are stored."""
    conversation = rows.conversation(end_user)
    made = [rows.message(conversation, seconds) for seconds in (0, 10, 20)]

    def insert(connection: Connection) -> None:
        conversations.insert(connection, conversation)
        for message in made:
            messages.insert(connection, message)

    await store.write(insert)
    return made


def feedback(
    rows: Rows, message: Message, rating: Rating, seconds: float = 0, from_source: FeedbackSource = "user"
) -> Feedback:
    return Feedback(
        id=rows.ids.new(),
        app_id=message.app_id,
        conversation_id=message.conversation_id,
        message_id=message.id,
        rating=rating,
        from_source=from_source,
        created_at=at(seconds),
        updated_at=at(seconds),
        content=f"{rating} by {from_source}",
        end_user_id=message.end_user_id if from_source == "user" else None,
    )


async def put(store: Store, *given: Feedback) -> list[Feedback]:
    return await store.write(lambda connection: [feedbacks.put(connection, one) for one in given])


async def test_a_second_judgement_of_a_side_takes_the_place_of_the_first(
    store: Store, app: App, asked: list[Message], rows: Rows
) -> None:
    first = feedback(rows, asked[0], "like")
    second = replace(feedback(rows, asked[0], "dislike", 5), content=None)

    stored = await put(store, first, second)

    changed = replace(first, rating="dislike", content=None, updated_at=at(5))
    assert stored == [first, changed]
    assert await store.read(lambda connection: feedbacks.list_page(connection, app.id)) == (changed,)


async def test_both_sides_judge_a_message(store: Store, app: App, asked: list[Message], rows: Rows) -> None:
    user = feedback(rows, asked[0], "like")
    admin = feedback(rows, asked[0], "dislike", from_source="admin")
    other = feedback(rows, asked[1], "like")
    await put(store, admin, user, other)
    ids = [message.id for message in asked]

    def read(connection: Connection) -> object:
        return [
            feedbacks.list_by_message(connection, app.id, ids),
            feedbacks.list_by_message(connection, app.id, []),
            feedbacks.list_by_message(connection, "another app", ids),
            feedbacks.find(connection, app.id, ids[0], "admin"),
            feedbacks.find(connection, "another app", ids[0], "admin"),
        ]

    assert await store.read(read) == [{ids[0]: (user, admin), ids[1]: (other,)}, {}, {}, admin, None]


async def test_a_judgement_is_taken_back_once_and_by_its_own_side(
    store: Store, app: App, asked: list[Message], rows: Rows
) -> None:
    await put(store, feedback(rows, asked[0], "like"))

    def remove(connection: Connection) -> list[bool]:
        return [
            feedbacks.remove(connection, "another app", asked[0].id, "user"),
            feedbacks.remove(connection, app.id, asked[0].id, "admin"),
            feedbacks.remove(connection, app.id, asked[0].id, "user"),
            feedbacks.remove(connection, app.id, asked[0].id, "user"),
        ]

    assert await store.write(remove) == [False, False, True, False]


async def test_feedback_is_listed_newest_first_in_numbered_pages(
    store: Store, app: App, asked: list[Message], rows: Rows
) -> None:
    given = [
        feedback(rows, asked[0], "like", 5),
        feedback(rows, asked[1], "like", 30),
        feedback(rows, asked[2], "dislike", 10),
    ]
    await put(store, *given)

    def read(connection: Connection) -> list[tuple[Feedback, ...]]:
        return [feedbacks.list_page(connection, app.id, page=page, limit=2) for page in (1, 2, 3, 10**18)]

    assert await store.read(read) == [(given[1], given[2]), (given[0],), (), ()]
