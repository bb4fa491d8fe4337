from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, select

from tests.store.conftest import FrozenClock
from tests.store.log_model import LogModel
from tests.store.rows import Rows, at
from weft.store import (
    App,
    ConversationFilter,
    LogFilter,
    SearchIndex,
    Store,
    console_logs,
    logs,
    open_search_index,
    open_store,
    run_counts,
    run_search,
    runs,
    search_queue,
    tables,
)
from weft.store.opening import database_url, search_file
from weft.store.run_search import Wanted

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(url: str, clock: FrozenClock) -> AsyncIterator[Store]:
    """A store that asks the search index."""
    async with open_store(url, clock=clock, search_index=True) as store:
        yield store


@pytest.fixture
def index(url: str) -> SearchIndex:
    return open_search_index(url)


async def compare(store: Store, model: LogModel, wanted: LogFilter | ConversationFilter) -> None:
    """A page somewhere, its total and what follows are those of the model."""
    limit = model.random.choice([1, 3, 20])
    page = model.random.randint(1, 4)
    first = (page - 1) * limit
    if isinstance(wanted, LogFilter):
        expected = [run.id for run in model.log(wanted)]
        found = await store.read(
            lambda connection: logs.list_page(connection, model.app.id, wanted, page=page, limit=limit)
        )
        ids = [entry.run.id for entry in found.items]
        told = (ids, found.total, found.has_more)
    else:
        expected = [talk.id for talk in model.conversations(wanted)]
        listed = await store.read(
            lambda connection: console_logs.list_page(
                connection, model.app.id, wanted, page=page, limit=limit
            )
        )
        told = ([entry.conversation.id for entry in listed.items], listed.total, listed.has_more)
    assert told == (expected[first : first + limit], len(expected), len(expected) > page * limit), wanted


@pytest.mark.parametrize("seed", range(3))
async def test_pages_are_exact_whatever_the_index_knows(
    store: Store, index: SearchIndex, app: App, rows: Rows, seed: int
) -> None:
    model = LogModel(app, rows, seed)
    await store.write(model.begin)
    for number in range(90):
        await store.write(model.change)
        if model.random.random() < 0.3:
            await index.step(store, model.random.choice([1, 5, 200]))
        if model.random.random() < 0.2:
            await store.write(lambda connection: run_counts.fold(connection, limit=10))
        if number % 3 == 0:
            await compare(store, model, model.log_filter())
            await compare(store, model, model.conversation_filter())
    while await index.step(store, 50):
        pass
    while await store.write(run_counts.fold):
        pass
    for _ in range(80):
        await compare(store, model, model.log_filter())
        await compare(store, model, model.conversation_filter())


async def learn(store: Store, index: SearchIndex) -> None:
    while await index.step(store, 50):
        pass


async def fill(store: Store, model: LogModel, changes: int = 40) -> None:
    await store.write(model.begin)
    for _ in range(changes):
        await store.write(model.change)


async def ask(store: Store, model: LogModel) -> None:
    for _ in range(30):
        await compare(store, model, model.log_filter())
        await compare(store, model, model.conversation_filter())


async def unknown(store: Store) -> int:
    query = "SELECT count(*) FROM search_queue WHERE kind <> 'mark'"
    return await store.read(lambda connection: int(connection.exec_driver_sql(query).scalar_one()))


async def test_what_is_indexed_is_asked_of_the_index(
    store: Store, index: SearchIndex, app: App, rows: Rows
) -> None:
    model = LogModel(app, rows, 5)
    await fill(store, model)
    wanted = Wanted(app_id=app.id, keyword="sys.query")

    before = await store.read(lambda connection: run_search.find_page(connection, wanted, 0, 20))
    await learn(store, index)
    after = await store.read(lambda connection: run_search.find_page(connection, wanted, 0, 20))

    assert before is None
    assert after is not None
    assert after.total == len(model.log(LogFilter(keyword="sys.query"))) > 0
    assert await unknown(store) == 0


async def test_a_text_that_is_too_long_for_the_index_is_found_all_the_same(
    store: Store, index: SearchIndex, app: App, rows: Rows
) -> None:
    model = LogModel(app, rows, 6)
    await store.write(model.begin)
    message = rows.message(rows.conversation(model.people[0]), 0, "long " * 60_000 + "needle")
    run = replace(rows.run(message), finished_at=at(1), status="succeeded")
    await store.write(lambda connection: runs.start(connection, None, None, run))
    await learn(store, index)
    model.runs[run.id] = run

    await compare(store, model, LogFilter(keyword="needle"))
    assert len(model.log(LogFilter(keyword="needle"))) == 1
    assert await unknown(store) == 0

    await store.write(lambda connection: connection.execute(delete(tables.runs)))
    await learn(store, index)
    model.runs.clear()
    await compare(store, model, LogFilter(keyword="needle"))
    skipped = await store.read(lambda connection: connection.execute(select(tables.search_skipped)).all())
    assert skipped == []


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        ("\0", []),
        ("a\0b", []),
        ("rain\0", []),
        ('"\0"', []),
        ("\ud800", ["before"]),
        ("x\udfffy", ["before"]),
    ],
)
async def test_a_keyword_that_no_database_holds_harms_nothing(
    store: Store, index: SearchIndex, app: App, rows: Rows, odd: str, expected: list[str]
) -> None:
    model = LogModel(app, rows, 6)
    await store.write(model.begin)
    for number, said in enumerate((f"before {odd} after", "rain")):
        message = rows.message(rows.conversation(model.people[0]), number, said)
        run = replace(rows.run(message), finished_at=at(1), status="succeeded")
        await store.write(lambda connection, run=run: runs.start(connection, None, None, run))  # type: ignore[misc]
    await learn(store, index)

    wanted = LogFilter(keyword=odd)
    found = await store.read(lambda connection: logs.list_page(connection, app.id, wanted, page=1, limit=20))
    assert [str(entry.run.inputs["sys.query"])[:6] for entry in found.items] == expected


async def test_an_index_begins_anew_after_nobody_has_kept_it(
    store: Store, index: SearchIndex, app: App, rows: Rows, url: str
) -> None:
    model = LogModel(app, rows, 7)
    await fill(store, model)
    await learn(store, index)
    while await store.write(lambda connection: search_queue.throw_away(connection, 10)):
        pass
    for _ in range(20):
        await store.write(model.change)
    while await store.write(lambda connection: search_queue.throw_away(connection, 10)):
        pass
    await ask(store, model)

    again = open_search_index(url)
    await again.step(store, 3)
    await ask(store, model)
    await learn(store, again)
    await ask(store, model)


ONLY_SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@ONLY_SQLITE
async def test_a_step_that_was_broken_off_is_done_again(
    store: Store, index: SearchIndex, app: App, rows: Rows, url: str
) -> None:
    model = LogModel(app, rows, 8)
    await fill(store, model)
    await index.step(store, 1)
    file = search_file(database_url(url))
    for number in range(60):
        # On disk in the index, and its process dies before the queue hears of it.
        await asyncio.to_thread(file.index, model.random.choice([1, 7, 50]))
        if number % 2:
            await store.write(model.change)
        if number % 4 == 0:
            await index.step(store, model.random.choice([1, 7, 50]))
        await compare(store, model, model.log_filter())
        await compare(store, model, model.conversation_filter())
    await learn(store, index)
    await ask(store, model)


@ONLY_SQLITE
@pytest.mark.parametrize("what", ["gone", "no index", "older", "newer"])
async def test_an_index_that_is_not_that_of_the_database_is_made_anew(
    app: App, rows: Rows, url: str, store: Store, index: SearchIndex, clock: FrozenClock, what: str
) -> None:
    model = LogModel(app, rows, 9)
    await fill(store, model)
    await learn(store, index)
    path = search_file(database_url(url)).path
    kept = await asyncio.to_thread(copy_of, path)
    for _ in range(20):
        await store.write(model.change)
    if what == "newer":
        await store.write(
            lambda connection: connection.exec_driver_sql("UPDATE search_state SET done = done + 1000")
        )
    else:
        await learn(store, index)
        await store.close()  # type: ignore[attr-defined]  # of SQLite's
        path.unlink()
        path.write_bytes({"gone": b"", "no index": b"hello" * 1000, "older": kept}[what])

    async with open_store(url, clock=clock, search_index=True) as opened:
        await ask(opened, model)
        await learn(opened, open_search_index(url))
        await ask(opened, model)
        wanted = Wanted(app_id=app.id, keyword="rain")
        page = await opened.read(lambda connection: run_search.find_page(connection, wanted, 0, 20))
        assert page is not None


def copy_of(path: Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.serialize()


@ONLY_SQLITE
async def test_two_processes_may_build_the_index_together(
    store: Store, index: SearchIndex, app: App, rows: Rows, url: str
) -> None:
    model = LogModel(app, rows, 10)
    await fill(store, model)
    await index.step(store, 1)
    other = open_search_index(url)
    for _ in range(10):
        await asyncio.gather(index.step(store, 5), other.step(store, 7), store.write(model.change))
    await learn(store, index)
    await ask(store, model)
