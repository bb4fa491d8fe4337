from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows
from weft.store import App, Connection, EndUser, Store, apps, end_users

pytestmark = pytest.mark.anyio


async def test_a_person_is_created_at_first_sight_and_found_afterwards(
    store: Store, app: App, rows: Rows
) -> None:
    first, second = rows.end_user(app, "u\0 1"), rows.end_user(app, "u\0 1")
    stored = replace(first, session_id="u\ufffd 1", external_user_id="u\ufffd 1")

    def fn(connection: Connection) -> list[EndUser | None]:
        return [
            end_users.find_by_session(connection, app.id, "u\0 1"),
            end_users.find_or_create(connection, first),
            end_users.find_or_create(connection, second),
            end_users.find_by_session(connection, app.id, "u\0 1"),
            end_users.find(connection, app.id, first.id),
            end_users.find(connection, app.id, second.id),
            end_users.find(connection, "another app", first.id),
        ]

    assert await store.write(fn) == [None, stored, stored, stored, stored, None, None]


async def test_one_text_is_another_person_in_another_app(store: Store, app: App, rows: Rows) -> None:
    other = rows.app("Other")

    def fn(connection: Connection) -> bool:
        apps.create(connection, other)
        here = end_users.find_or_create(connection, rows.end_user(app, "u1"))
        there = end_users.find_or_create(connection, rows.end_user(other, "u1"))
        return here.id != there.id

    assert await store.write(fn)
