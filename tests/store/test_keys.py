from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import StoreError
from weft.store import ApiToken, App, Connection, Store, keys

pytestmark = pytest.mark.anyio


async def test_a_key_is_found_by_its_hash_whatever_its_kind(store: Store, app: App, rows: Rows) -> None:
    of_app = rows.token(app, "aaaa")
    of_dataset = replace(
        rows.token(app, "bbbb"), kind="dataset", app_id=None, workspace_id=app.workspace_id, token="dataset-1"
    )

    def fn(connection: Connection) -> None:
        keys.create(connection, of_app)
        keys.create(connection, of_dataset)

    await store.write(fn)

    def find(connection: Connection) -> list[ApiToken | None]:
        return [keys.find_by_hash(connection, name) for name in ("aaaa", "bbbb", "cccc")]

    assert await store.read_quick(find) == [of_app, of_dataset, None]


async def test_no_two_keys_have_one_hash(store: Store, app: App, rows: Rows) -> None:
    await store.write(lambda connection: keys.create(connection, rows.token(app, "aaaa")))

    with pytest.raises(StoreError):
        await store.write(lambda connection: keys.create(connection, rows.token(app, "aaaa")))


async def test_the_keys_of_an_app_are_listed_and_deleted_through_it(
    store: Store, app: App, rows: Rows
) -> None:
    second, first = rows.token(app, "aaaa", 1), rows.token(app, "bbbb", 0)

    def fn(connection: Connection) -> list[object]:
        keys.create(connection, second)
        keys.create(connection, first)
        return [
            keys.list_by_app(connection, app.id),
            keys.list_by_app(connection, "another app"),
            keys.delete_by_app(connection, "another app", first.id),
            keys.delete_by_app(connection, app.id, first.id),
            keys.delete_by_app(connection, app.id, first.id),
            keys.find_by_hash(connection, "bbbb"),
            keys.list_by_app(connection, app.id),
        ]

    assert await store.write(fn) == [(first, second), (), False, True, False, None, (second,)]


async def test_the_use_of_a_key_is_noted_once_a_minute(store: Store, app: App, rows: Rows) -> None:
    token = rows.token(app, "aaaa")

    def fn(connection: Connection) -> list[bool]:
        keys.create(connection, token)
        return [keys.touch(connection, token.id, at(seconds)) for seconds in (0, 1, 59.9, 60, 119, 200)]

    assert await store.write(fn) == [True, False, False, True, False, True]
    found = await store.read(lambda connection: keys.find_by_hash(connection, "aaaa"))
    assert found == replace(token, last_used_at=at(200))
