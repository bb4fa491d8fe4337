from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows
from weft.errors import NotFoundError
from weft.store import Connection, Conversation, EndUser, Message, Store, conversations, messages

pytestmark = pytest.mark.anyio


@pytest.fixture
async def conversation(store: Store, end_user: EndUser, rows: Rows) -> Conversation:
    conversation = rows.conversation(end_user)
    await store.write(lambda connection: conversations.insert(connection, conversation))
    return conversation


@pytest.fixture
async def seven(store: Store, conversation: Conversation, rows: Rows) -> list[Message]:
    """Messages of one conversation, some of them at the same instant."""
    made = [replace(rows.message(conversation, number // 3), answer=f"{number}") for number in range(7)]

    def insert(connection: Connection) -> None:
        for message in made:
            messages.insert(connection, message)

    await store.write(insert)
    return made


async def test_history_is_read_backwards_in_pages_that_run_forwards(
    store: Store, conversation: Conversation, seven: list[Message]
) -> None:
    page_of = partial(
        messages.list_page, app_id=conversation.app_id, conversation_id=conversation.id, limit=3
    )

    newest = await store.read(page_of)
    older = await store.read(partial(page_of, first_id=newest.items[0].id))
    oldest = await store.read(partial(page_of, first_id=older.items[0].id))

    assert [list(page.items) for page in (newest, older, oldest)] == [seven[4:], seven[1:4], seven[:1]]
    assert [page.has_more for page in (newest, older, oldest)] == [True, True, False]


async def test_a_cursor_must_be_a_message_of_the_conversation(
    store: Store, end_user: EndUser, rows: Rows, seven: list[Message]
) -> None:
    other = rows.conversation(end_user)

    def fn(connection: Connection, first_id: str) -> object:
        conversations.insert(connection, other)
        return messages.list_page(connection, end_user.app_id, other.id, first_id=first_id)

    for first_id in ("unknown", seven[0].id):
        with pytest.raises(NotFoundError, match=r"^First Message Not Exists\.$"):
            await store.write(partial(fn, first_id=first_id))


async def test_another_app_sees_no_messages(
    store: Store, conversation: Conversation, seven: list[Message]
) -> None:
    def fn(connection: Connection) -> list[object]:
        return [
            messages.list_page(connection, "another app", conversation.id).items,
            messages.find(connection, "another app", seven[0].id),
            messages.find(connection, conversation.app_id, seven[0].id),
        ]

    assert await store.read(fn) == [(), None, seven[0]]


async def test_files_are_found_by_their_messages_in_their_order(
    store: Store, rows: Rows, seven: list[Message]
) -> None:
    first, second = rows.file(seven[0], 1), rows.file(seven[0], 0)
    third = replace(rows.file(seven[1]), upload_file_id=rows.ids.new(), belongs_to="assistant")

    def fn(connection: Connection) -> object:
        messages.insert_files(connection, [first, second, third])
        return messages.list_files(connection, [message.id for message in seven])

    assert await store.write(fn) == {seven[0].id: (second, first), seven[1].id: (third,)}
    assert await store.read(lambda connection: messages.list_files(connection, [])) == {}


async def test_a_message_that_was_never_asked_has_no_result(
    store: Store, conversation: Conversation, rows: Rows
) -> None:
    with pytest.raises(NotFoundError, match="Message Not Exists"):
        await store.write(lambda connection: messages.update_result(connection, rows.message(conversation)))
