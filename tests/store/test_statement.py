from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select

from tests.store.rows import START, at
from weft.errors import StoreError
from weft.store import Connection, Process, Store, processes
from weft.store.codec import micros
from weft.store.statement import Statement, containing, inserting, inserting_once, updating, upserting
from weft.store.tables import processes as table

pytestmark = pytest.mark.anyio

NOW, LATER = micros(START), micros(at(60))


async def test_values_go_to_their_parameters_and_constants_stay(store: Store) -> None:
    find = Statement(
        select(table.c.id)
        .where(table.c.heartbeat_at == NOW)
        .where(table.c.started_at == bindparam("started"))
        .where(table.c.id == bindparam("id")),
        ["id", "started"],
    )

    def fn(connection: Connection) -> list[list[object]]:
        inserting(table).run_many(connection, [("a", NOW, NOW), ("b", NOW, LATER)])
        return [
            list(find.row(connection, "a", NOW) or ()),
            list(find.row(connection, "b", NOW) or ()),
            list(find.rows(connection, "a", 0)),
        ]

    assert await store.write(fn) == [["a"], [], []]


async def test_the_ways_to_store_a_row_differ_when_it_is_there(store: Store) -> None:
    def fn(connection: Connection) -> list[int]:
        changed = [
            inserting(table).run(connection, "a", NOW, NOW),
            inserting_once(table, "id").run(connection, "a", LATER, LATER),
            upserting(table, "id", changes=["heartbeat_at"]).run(connection, "a", LATER, LATER),
            updating(table, "started_at").run(connection, LATER, "nobody"),
        ]
        assert processes.list_alive(connection, START)[0] == Process("a", START, at(60))
        return changed

    assert await store.write(fn) == [1, 0, 1, 0]


async def test_no_rows_are_no_statement(store: Store) -> None:
    await store.write(lambda connection: inserting(table).run_many(connection, []))

    assert await store.read(lambda connection: processes.list_alive(connection, START)) == ()


async def test_one_bad_row_of_many_refuses_all(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.write(
            lambda connection: inserting(table).run_many(connection, [("a", NOW, NOW), ("a", NOW, NOW)])
        )

    assert await store.read(lambda connection: processes.list_alive(connection, START)) == ()


def test_a_pattern_takes_its_text_literally() -> None:
    assert containing("100%_a/b\0") == "%100/%/_a//b\ufffd%"
