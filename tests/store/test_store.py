from __future__ import annotations

import asyncio
import sqlite3

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.util import await_only

from tests.store.conftest import FrozenClock, PostgresDatabase
from tests.store.rows import START, Rows, at
from weft.errors import ConflictError, StoreError
from weft.store import App, Connection, Store, apps, end_users, open_store, processes
from weft.store.tables import processes as table

pytestmark = pytest.mark.anyio


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def heartbeat(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


async def beat(store: Store, number: int) -> None:
    """Write one row."""
    await store.write(lambda connection: processes.beat(connection, heartbeat(number), START))


async def test_what_was_written_is_seen_by_every_way_of_reading(store: Store) -> None:
    await beat(store, 1)

    assert await store.read(count) == 1
    assert await store.read_quick(count) == 1


async def test_a_write_returns_what_its_function_returns(store: Store) -> None:
    assert await store.write(lambda connection: "this") == "this"


async def test_of_two_hundred_writes_at_once_none_is_lost(store: Store) -> None:
    await asyncio.gather(*[beat(store, number) for number in range(200)])

    assert await store.read(count) == 200


async def test_what_a_function_raises_reaches_its_caller_and_undoes_only_its_own_work(store: Store) -> None:
    def fail(connection: Connection) -> None:
        processes.beat(connection, heartbeat(999), START)
        raise ConflictError("no")

    results = await asyncio.gather(
        *[store.write(fail) if number % 10 == 3 else beat(store, number) for number in range(50)],
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [
        ConflictError if number % 10 == 3 else type(None) for number in range(50)
    ]
    kept = await store.read(lambda connection: processes.list_alive(connection, START))
    assert [process.id for process in kept] == [heartbeat(number) for number in range(50) if number % 10 != 3]


async def test_what_the_database_refuses_is_a_store_error_and_undoes_only_its_own_work(store: Store) -> None:
    def refuse(connection: Connection) -> None:
        processes.beat(connection, heartbeat(999), START)
        connection.execute(text("INSERT INTO processes (id) VALUES ('incomplete')"))

    results = await asyncio.gather(
        beat(store, 1),
        store.write(refuse),
        beat(store, 2),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [type(None), StoreError, type(None)]
    assert await store.read(count) == 2


async def test_an_error_of_the_database_does_not_tell_what_was_to_be_stored(
    store: Store, app: App, rows: Rows
) -> None:
    with pytest.raises(StoreError) as caught:
        await store.write(lambda connection: apps.create(connection, app))

    assert "Weather" not in str(caught.value)
    assert "apps" in str(caught.value)


async def test_a_write_goes_on_when_its_caller_is_cancelled(url: str, clock: FrozenClock) -> None:
    async with open_store(url, clock=clock) as store:
        caller = asyncio.ensure_future(beat(store, 0))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()

    async with open_store(url, clock=clock) as again:
        assert await again.read(count) == 1


async def test_closing_finishes_what_is_queued_and_then_nothing_works(url: str, clock: FrozenClock) -> None:
    async with open_store(url, clock=clock) as store:
        queued = [asyncio.ensure_future(beat(store, number)) for number in range(20)]
        await asyncio.sleep(0)

    assert all(write.done() and write.exception() is None for write in queued)
    for door in ("read", "read_quick", "write"):
        with pytest.raises(StoreError, match="closed"):
            await getattr(store, door)(count)
    async with open_store(url, clock=clock) as again:
        assert await again.read(count) == 20


async def test_reading_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.read(lambda connection: processes.beat(connection, heartbeat(1), START))

    assert await store.read(count) == 0


async def test_a_read_sees_one_moment_however_many_statements_it_makes(store: Store) -> None:
    loop = asyncio.get_running_loop()
    began = asyncio.Event()
    written = asyncio.Event()

    def look_twice(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        loop.call_soon_threadsafe(began.set)
        wait_inside(connection, loop, written)
        return before, count(connection)

    reading = asyncio.ensure_future(store.read(look_twice))
    async with asyncio.timeout(10):
        await began.wait()
        await beat(store, 0)
        written.set()
        assert await reading == (0, 0)


def wait_inside(connection: Connection, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    """Wait for an event of the loop inside a function that runs beside it or, on Postgres, in it."""
    if connection.dialect.name == "sqlite":
        asyncio.run_coroutine_threadsafe(event.wait(), loop).result(10)
    else:
        await_only(event.wait())


async def test_two_stores_on_one_database_write_at_once_and_lose_nothing(
    url: str, clock: FrozenClock
) -> None:
    async with open_store(url, clock=clock) as one, open_store(url, clock=clock) as other:
        await asyncio.gather(*[beat(one if number % 2 else other, number) for number in range(100)])

        assert await one.read(count) == 100
        assert await other.read_quick(count) == 100


async def test_one_new_person_in_many_requests_at_once_is_one_end_user(
    url: str, store: Store, app: App, clock: FrozenClock
) -> None:
    async def find_or_create(door: Store, first_id: int) -> str:
        new = Rows(first_id).end_user(app)
        return (await door.write(lambda connection: end_users.find_or_create(connection, new))).id

    async with open_store(url, clock=clock) as other:
        ids = await asyncio.gather(
            *[find_or_create(door, n) for n in range(100, 1100, 50) for door in (store, other)]
        )

    assert len(set(ids)) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_file_that_another_process_keeps_locked_refuses_with_advice(
    url: str, clock: FrozenClock
) -> None:
    async with open_store(url, clock=clock, busy_timeout=0.05) as store:
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(
            *[store.write(count) for _ in range(3)], store.read(count), return_exceptions=True
        )
        other.execute("ROLLBACK")
        other.close()

        assert [type(result) for result in results] == [StoreError, StoreError, StoreError, int]
        assert "another process" in str(results[0])
        await beat(store, 0)
        assert await store.read(count) == 1


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_a_write_that_a_deadlock_broke_off_begins_anew(store: Store) -> None:
    await beat(store, 0)
    await beat(store, 1)
    both_began = asyncio.Barrier(2)
    attempts: list[int] = []

    async def beat_in_turn(first: int, second: int) -> None:
        def fn(connection: Connection) -> None:
            attempts.append(first)
            processes.beat(connection, heartbeat(first), at(10))
            if attempts.count(first) == 1:
                await_only(both_began.wait())
            processes.beat(connection, heartbeat(second), at(10))

        await store.write(fn)

    async with asyncio.timeout(20):
        await asyncio.gather(beat_in_turn(0, 1), beat_in_turn(1, 0))

    assert len(attempts) == 3
    beating = await store.read(lambda connection: processes.list_alive(connection, at(10)))
    assert [process.id for process in beating] == [heartbeat(0), heartbeat(1)]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_connections_that_the_server_has_closed_are_opened_again(
    store: Store, postgres_maintenance: PostgresDatabase
) -> None:
    async def close_all() -> None:
        await postgres_maintenance.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = 'weft_test' AND query NOT LIKE 'CALL%'"
        )

    await asyncio.gather(*[beat(store, number) for number in range(5)])  # on several connections

    await close_all()
    await beat(store, 5)
    await close_all()
    assert await store.read(count) == 6
    await close_all()
    assert await store.read_quick(count) == 6


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_a_connection_that_breaks_while_a_write_is_kept_leaves_it_open_whether_it_was(
    store: Store, postgres_maintenance: PostgresDatabase
) -> None:
    calls: list[int] = []

    def fn(connection: Connection) -> None:
        calls.append(1)
        processes.beat(connection, heartbeat(1), START)
        await_only(
            postgres_maintenance.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = 'weft_test' AND state = 'idle in transaction'"
            )
        )

    with pytest.raises(StoreError, match="look whether it was"):
        await store.write(fn)

    assert calls == [1]
