from __future__ import annotations

import pytest

from tests.store.rows import at
from weft.store import Connection, Process, Store, processes

pytestmark = pytest.mark.anyio


async def test_who_was_heard_of_lately_is_alive(store: Store) -> None:
    def fn(connection: Connection) -> list[object]:
        processes.beat(connection, "one", at(0))
        processes.beat(connection, "two", at(1))
        processes.beat(connection, "one", at(20))
        processes.beat(connection, "three", at(20))
        return [
            processes.list_alive(connection, at(1)),
            processes.list_alive(connection, at(2)),
            processes.remove_silent(connection, at(2)),
            processes.list_alive(connection, at(0)),
        ]

    one, two, three = (
        Process("one", at(0), at(20)),
        Process("two", at(1), at(1)),
        Process("three", at(20), at(20)),
    )
    assert await store.write(fn) == [(one, two, three), (one, three), 1, (one, three)]


async def test_a_process_that_ends_is_forgotten(store: Store) -> None:
    def fn(connection: Connection) -> object:
        processes.beat(connection, "one", at(0))
        processes.remove(connection, "one")
        return processes.list_alive(connection, at(0))

    assert await store.write(fn) == ()
