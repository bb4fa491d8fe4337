from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import App, Connection, Conversation, EndUser, SortBy, Store, conversations, end_users

pytestmark = pytest.mark.anyio


@pytest.fixture
async def twelve(store: Store, end_user: EndUser, rows: Rows) -> list[Conversation]:
    """Conversations begun one after another in threes at the same instant, last changed in another order."""
    made = [
        replace(rows.conversation(end_user, number // 3, f"{number}"), updated_at=at(100 + number * 5 % 7))
        for number in range(12)
    ]

    def insert(connection: Connection) -> None:
        for conversation in made:
            conversations.insert(connection, conversation)

    await store.write(insert)
    return made


@pytest.mark.parametrize("sort_by", ["created_at", "-created_at", "updated_at", "-updated_at"])
async def test_pages_of_every_order_hold_each_conversation_once(
    store: Store, end_user: EndUser, twelve: list[Conversation], sort_by: SortBy
) -> None:
    listed: list[Conversation] = []
    more: list[bool] = []
    while not more or more[-1]:
        next_page = partial(
            conversations.list_page,
            app_id=end_user.app_id,
            end_user_id=end_user.id,
            sort_by=sort_by,
            last_id=listed[-1].id if listed else None,
            limit=5,
        )
        page = await store.read(next_page)
        listed += page.items
        more.append(page.has_more)

    field = sort_by.lstrip("-")
    assert listed == sorted(
        twelve, key=lambda row: (getattr(row, field), row.id), reverse=sort_by.startswith("-")
    )
    assert more == [True, True, False]


async def test_a_page_that_ends_with_the_list_has_no_more(
    store: Store, end_user: EndUser, twelve: list[Conversation]
) -> None:
    page = await store.read(
        lambda connection: conversations.list_page(connection, end_user.app_id, end_user.id, limit=12)
    )

    assert (len(page.items), page.has_more) == (12, False)


async def test_only_what_a_person_said_through_the_api_is_listed(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    mine = replace(rows.conversation(end_user), invoke_from=None)
    hidden = [
        replace(rows.conversation(end_user), invoke_from="web-app"),
        replace(rows.conversation(end_user), invoke_from="debugger"),
        replace(rows.conversation(end_user), from_source="console"),
        replace(rows.conversation(end_user), is_deleted=True),
        replace(rows.conversation(end_user), app_id="another app"),
    ]

    def fn(connection: Connection) -> object:
        other = end_users.find_or_create(connection, rows.end_user(app, "u2"))
        for conversation in [mine, *hidden, rows.conversation(other)]:
            conversations.insert(connection, conversation)
        return conversations.list_page(connection, app.id, end_user.id).items

    assert await store.write(fn) == (mine,)


async def test_a_cursor_must_be_one_of_the_list(
    store: Store, end_user: EndUser, twelve: list[Conversation]
) -> None:
    for last_id, app_id, end_user_id in [
        ("unknown", end_user.app_id, end_user.id),
        (twelve[0].id, "another app", end_user.id),
        (twelve[0].id, end_user.app_id, "another user"),
    ]:
        page_after = partial(conversations.list_page, app_id=app_id, end_user_id=end_user_id, last_id=last_id)
        with pytest.raises(NotFoundError, match=r"^Last Conversation Not Exists\.$"):
            await store.read(page_after)


async def test_a_conversation_is_found_by_its_app_and_its_owner(
    store: Store, end_user: EndUser, twelve: list[Conversation]
) -> None:
    mine = twelve[3]

    def fn(connection: Connection) -> list[Conversation | None]:
        return [
            conversations.find(connection, app_id, mine.id, end_user_id=end_user_id)
            for app_id, end_user_id in [
                (mine.app_id, end_user.id),
                (mine.app_id, None),
                (mine.app_id, "another user"),
                ("another app", end_user.id),
            ]
        ]

    assert await store.read_quick(fn) == [mine, mine, None, None]


async def test_a_new_name_changes_the_conversation_now(
    store: Store, end_user: EndUser, twelve: list[Conversation]
) -> None:
    mine = twelve[0]
    renamed = replace(mine, name="日本 ☂", updated_at=at(500))

    def fn(connection: Connection) -> list[Conversation | None]:
        return [
            conversations.rename(
                connection, mine.app_id, mine.id, "日本 ☂", at(500), end_user_id=end_user.id
            ),
            conversations.find(connection, mine.app_id, mine.id, end_user_id=end_user.id),
            conversations.list_page(connection, mine.app_id, end_user.id, limit=1).items[0],
        ]

    assert await store.write(fn) == [renamed, renamed, renamed]


async def test_a_deleted_conversation_is_gone_for_its_owner(
    store: Store, end_user: EndUser, twelve: list[Conversation]
) -> None:
    mine = twelve[0]

    def delete(connection: Connection) -> None:
        conversations.mark_deleted(connection, mine.app_id, mine.id, at(500), end_user_id=end_user.id)

    await store.write(delete)

    for fn in (
        delete,
        lambda connection: conversations.get(connection, mine.app_id, mine.id, end_user_id=None),
        lambda connection: conversations.rename(
            connection, mine.app_id, mine.id, "x", at(501), end_user_id=end_user.id
        ),
        lambda connection: conversations.bump(connection, mine.id, at(501)),
    ):
        with pytest.raises(NotFoundError, match=r"^Conversation Not Exists\.$"):
            await store.write(fn)
    page = await store.read(
        lambda connection: conversations.list_page(connection, mine.app_id, end_user.id, limit=100)
    )
    assert mine.id not in [conversation.id for conversation in page.items]


async def test_nobody_deletes_what_belongs_to_somebody_else(
    store: Store, end_user: EndUser, twelve: list[Conversation]
) -> None:
    mine = twelve[0]

    with pytest.raises(NotFoundError):
        await store.write(
            lambda connection: conversations.mark_deleted(
                connection, mine.app_id, mine.id, at(500), end_user_id="another user"
            )
        )
    found = await store.read(
        lambda connection: conversations.find(connection, mine.app_id, mine.id, end_user_id=end_user.id)
    )
    assert found == mine


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sort_by", ["created_at", "-updated_at"])
async def test_a_page_is_read_off_an_index_without_sorting(
    store: Store, end_user: EndUser, twelve: list[Conversation], sort_by: SortBy
) -> None:
    def plan(connection: Connection) -> list[str]:
        statements: list[str] = []
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(statements.append)
        conversations.list_page(
            connection, end_user.app_id, end_user.id, sort_by=sort_by, last_id=twelve[5].id
        )
        driver.set_trace_callback(None)
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[-1]}")]

    column, sign = sort_by.lstrip("-"), "<" if sort_by.startswith("-") else ">"
    assert await store.read(plan) == [
        f"SEARCH conversations USING INDEX ix_conversations_end_user_id_{column}_id "
        f"(end_user_id=? AND ({column},id){sign}(?,?))"
    ]
