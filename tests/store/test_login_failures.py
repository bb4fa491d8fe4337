from __future__ import annotations

from datetime import timedelta

import pytest

from tests.store.rows import at
from weft.store import Connection, Store, login_failures

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


async def test_failures_are_counted_by_address_in_any_case_until_a_day_has_passed(store: Store) -> None:
    def fn(connection: Connection) -> list[int]:
        counted = []
        for seconds in (0, 10, 86_409, 200_000):
            now = at(seconds)
            login_failures.record(connection, "Ada@Example.com", now, now - DAY)
            counted.append(login_failures.count(connection, "ada@example.COM", now - DAY))
        counted.append(login_failures.count(connection, "ada@example.com", at(200_000)))
        counted.append(login_failures.count(connection, "bob@example.com", at(0)))
        return counted

    assert await store.write(fn) == [1, 2, 3, 1, 0, 0]


async def test_a_success_begins_the_count_anew(store: Store) -> None:
    def fn(connection: Connection) -> list[int]:
        login_failures.record(connection, "a\0b", at(0), at(-100))
        before = login_failures.count(connection, "a\0b", at(-100))
        login_failures.forget(connection, "A\0B")
        return [before, login_failures.count(connection, "a\0b", at(-100))]

    assert await store.write(fn) == [1, 0]


async def test_old_failures_of_others_are_forgotten(store: Store) -> None:
    def fn(connection: Connection) -> int:
        login_failures.record(connection, "old@x.y", at(0), at(0) - DAY)
        login_failures.record(connection, "new@x.y", at(90_000), at(90_000) - DAY)
        return login_failures.count(connection, "old@x.y", at(-1))

    assert await store.write(fn) == 0
