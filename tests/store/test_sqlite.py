from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from weft.errors import StoreError
from weft.store import Connection
from weft.store.sqlite import SqliteStore, engine, prepare_file, write_group

pytestmark = pytest.mark.anyio


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A writer's connection to a database with one table."""
    with engine(tmp_path / "weft.db", 1, begin=None).connect() as connection:
        with connection.begin():
            connection.execute(text("CREATE TABLE notes (id TEXT PRIMARY KEY, body BLOB)"))
        yield connection


def note(name: str, calls: list[str], size: int = 1) -> Callable[[Connection], str]:
    def fn(connection: Connection) -> str:
        calls.append(name)
        connection.execute(
            text("INSERT INTO notes VALUES (:id, zeroblob(:size))"), {"id": name, "size": size}
        )
        return name

    return fn


def run_group(
    connection: Connection, functions: list[Callable[[Connection], str]]
) -> list[tuple[object, type[BaseException] | None]]:
    """What each function came to: its result or the class of its error."""
    group = [(fn, asyncio.get_running_loop().create_future()) for fn in functions]
    outcomes = write_group(connection, list(group), "here")
    assert [done for done, _, _ in outcomes] == [done for _, done in group]
    return [(result, type(error) if error else None) for _, result, error in outcomes]


def names(connection: Connection) -> list[str]:
    with connection.begin():
        return list(connection.execute(text("SELECT id FROM notes ORDER BY id")).scalars())


async def test_a_group_without_failures_runs_once_and_together(connection: Connection) -> None:
    calls: list[str] = []

    outcomes = run_group(connection, [note("a", calls), note("b", calls)])

    assert outcomes == [("a", None), ("b", None)]
    assert calls == ["a", "b"]
    assert names(connection) == ["a", "b"]


async def test_when_one_raises_the_group_runs_again_with_each_on_its_own(connection: Connection) -> None:
    calls: list[str] = []

    outcomes = run_group(connection, [note("a", calls), note("a", calls), note("b", calls)])

    assert outcomes == [("a", None), (None, StoreError), ("b", None)]
    assert calls == ["a", "a", "a", "a", "b"]
    assert names(connection) == ["a", "b"]


async def test_a_failure_on_its_own_runs_once(connection: Connection) -> None:
    calls: list[str] = []

    def fail(connection: Connection) -> str:
        note("a", calls)(connection)
        raise ValueError("no")

    assert run_group(connection, [fail]) == [(None, ValueError)]
    assert calls == ["a"]
    assert names(connection) == []


async def test_what_does_not_fit_on_the_disk_takes_nothing_else_with_it(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count = 20")
    connection.rollback()
    calls: list[str] = []

    outcomes = run_group(
        connection, [note("a", calls), note("vast", calls, size=1_000_000), note("b", calls)]
    )

    assert outcomes == [("a", None), (None, StoreError), ("b", None)]
    assert names(connection) == ["a", "b"]


async def test_a_function_that_ends_the_transaction_is_told_so_and_alone_suffers(
    connection: Connection,
) -> None:
    calls: list[str] = []

    def end_it(connection: Connection) -> str:
        note("c", calls)(connection)
        connection.exec_driver_sql("ROLLBACK")
        return "c"

    outcomes = run_group(connection, [note("a", calls), end_it, note("b", calls)])

    assert outcomes == [("a", None), (None, StoreError), ("b", None)]
    assert names(connection) == ["a", "b"]


async def test_a_commit_is_synced_to_the_disk_and_foreign_keys_hold(connection: Connection) -> None:
    def pragma(name: str) -> object:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert [pragma("synchronous"), pragma("foreign_keys")] == [2, 1]


def test_a_new_file_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    prepare_file(tmp_path / "data" / "weft.db")

    assert (tmp_path / "data" / "weft.db").stat().st_mode & 0o777 == 0o600


def test_letters_of_every_alphabet_are_lowered(connection: Connection) -> None:
    assert connection.exec_driver_sql("SELECT lower('ПРИВЕТ ÄÖÜ')").scalar() == "привет äöü"
    assert connection.exec_driver_sql("SELECT lower(NULL)").scalar() is None


async def test_writes_that_come_up_turn_after_turn_share_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []

    def counted(connection: Connection, group: list[Any], where: str) -> list[Any]:
        groups.append(len(group))
        return write_group(connection, group, where)

    monkeypatch.setattr("weft.store.sqlite.write_group", counted)
    store = SqliteStore(tmp_path / "weft.db", readers=1, busy_timeout=1)
    pending = []
    for _ in range(3):
        pending.append(asyncio.ensure_future(store.write(lambda connection: None)))
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await asyncio.gather(*pending)
        await store.close()
    assert groups == [3]


async def test_a_write_that_has_just_come_up_is_kept_when_the_store_closes(
    tmp_path: Path, connection: Connection
) -> None:
    store = SqliteStore(tmp_path / "weft.db", readers=1, busy_timeout=1)
    pending = asyncio.ensure_future(store.write(note("last", [])))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await store.close()
        assert await pending == "last"
    assert names(connection) == ["last"]
