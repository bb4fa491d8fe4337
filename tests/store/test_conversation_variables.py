from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import Connection, Conversation, ConversationVariable, EndUser, Store, conversations
from weft.store import conversation_variables as variables

pytestmark = pytest.mark.anyio

VALUES: dict[str, object] = {
    "topic": "rain % in Köln",
    "TOP_ten": 2.5,
    "flag": True,
    "prefs": {"a": [1, None]},
    "tags": ["x"],
    "nothing": None,
}


@pytest.fixture
async def six(store: Store, end_user: EndUser, rows: Rows) -> list[ConversationVariable]:
    """The variables of one conversation, all of the same instant."""
    conversation = rows.conversation(end_user)
    made = [rows.variable(conversation, name, value) for name, value in VALUES.items()]

    def insert(connection: Connection) -> None:
        conversations.insert(connection, conversation)
        variables.insert_missing(connection, made)

    await store.write(insert)
    return made


async def test_variables_are_listed_in_pages_in_the_order_of_their_making(
    store: Store, six: list[ConversationVariable]
) -> None:
    page_of = partial(
        variables.list_page, app_id=six[0].app_id, conversation_id=six[0].conversation_id, limit=4
    )

    first = await store.read(page_of)
    second = await store.read(partial(page_of, last_id=first.items[-1].variable_id))

    assert (list(first.items), first.has_more) == (six[:4], True)
    assert (list(second.items), second.has_more) == (six[4:], False)


@pytest.mark.parametrize(
    ("searched", "found"),
    [("TOP", ["topic", "TOP_ten"]), ("top_", ["TOP_ten"]), ("%", []), ("o", ["topic", "TOP_ten", "nothing"])],
)
async def test_names_are_searched_literally_in_whatever_case(
    store: Store, six: list[ConversationVariable], searched: str, found: list[str]
) -> None:
    page = await store.read(
        lambda connection: variables.list_page(
            connection, six[0].app_id, six[0].conversation_id, name_contains=searched
        )
    )

    assert [variable.name for variable in page.items] == found


async def test_a_variable_gets_another_value(store: Store, six: list[ConversationVariable]) -> None:
    topic, nothing = six[0], six[-1]

    def fn(connection: Connection) -> list[ConversationVariable | None]:
        keys = topic.app_id, topic.conversation_id
        return [
            variables.update(connection, *keys, topic.variable_id, None, at(1)),
            variables.find(connection, *keys, topic.variable_id),
            variables.update(connection, *keys, nothing.variable_id, ["日本\0"], at(2)),
            variables.find(connection, *keys, nothing.variable_id),
        ]

    emptied = replace(topic, value=None, updated_at=at(1))
    filled = replace(nothing, value=["日本\0"], updated_at=at(2))
    assert await store.write(fn) == [emptied, emptied, filled, filled]


async def test_an_assigner_stores_values_and_makes_what_is_missing(
    store: Store, six: list[ConversationVariable], rows: Rows
) -> None:
    changed = replace(six[0], value="sun", updated_at=at(3), name="ignored", id=rows.ids.new())
    added = replace(six[1], variable_id="new", name="new", value=1, id=rows.ids.new(), created_at=at(3))

    def fn(connection: Connection) -> tuple[ConversationVariable, ...]:
        variables.upsert(connection, [changed, added])
        return variables.list_all(connection, six[0].app_id, six[0].conversation_id)

    assert await store.write(fn) == (
        replace(six[0], value="sun", updated_at=at(3)),
        *six[1:],
        added,
    )


async def test_what_a_conversation_has_already_keeps_its_value(
    store: Store, six: list[ConversationVariable], rows: Rows
) -> None:
    again = [replace(variable, id=rows.ids.new(), value="default") for variable in six]

    def fn(connection: Connection) -> tuple[ConversationVariable, ...]:
        variables.insert_missing(connection, again)
        return variables.list_all(connection, six[0].app_id, six[0].conversation_id)

    assert await store.write(fn) == tuple(six)


async def test_variables_of_others_are_not_there(
    store: Store, six: list[ConversationVariable], end_user: EndUser, rows: Rows
) -> None:
    other: Conversation = rows.conversation(end_user)
    await store.write(lambda connection: conversations.insert(connection, other))

    for app_id, conversation_id in [("another app", six[0].conversation_id), (six[0].app_id, other.id)]:
        list_all = partial(variables.list_all, app_id=app_id, conversation_id=conversation_id)
        list_page = partial(variables.list_page, app_id=app_id, conversation_id=conversation_id)
        update = partial(variables.update, app_id=app_id, conversation_id=conversation_id)

        assert await store.read(list_all) == ()
        with pytest.raises(NotFoundError, match=r"^Conversation Variable Not Exists\.$"):
            await store.read(partial(list_page, last_id=six[0].variable_id))
        with pytest.raises(NotFoundError, match=r"^Conversation Variable Not Exists\.$"):
            await store.write(partial(update, variable_id=six[0].variable_id, value=1, now=at(1)))
