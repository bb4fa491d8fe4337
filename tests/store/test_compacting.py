from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Pool, event

from tests.store.conftest import FrozenClock
from tests.store.rows import Rows, at
from weft.errors import StoreError
from weft.ids import TimeOrderedIds
from weft.store import (
    App,
    Connection,
    ConversationFilter,
    Store,
    apps,
    changes,
    compact,
    console_logs,
    conversations,
    end_users,
    free_share,
    messages,
    node_executions,
    open_search_index,
    open_store,
    runs,
    workspaces,
)
from weft.store.opening import database_url, search_file

pytestmark = pytest.mark.anyio
TALKS = 120
FILLING = "where is the parcel that you have promised me for today " * 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "weft.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
async def store(url: str, clock: FrozenClock) -> AsyncIterator[Store]:
    async with open_store(url, clock=clock, search_index=True) as opened:
        yield opened


def word(number: int) -> str:
    """What is said in one conversation only: three letters are a whole piece of the index."""
    return chr(0x4E00 + number) + chr(0xAC00 + 7 * number) + chr(0x3400 + 5 * number)


async def fill(store: Store) -> App:
    rows = Rows(ids=TimeOrderedIds())
    app = rows.app()
    user = rows.end_user(app)

    def insert(connection: Connection) -> None:
        workspaces.find_or_create(connection, rows.workspace)
        apps.create(connection, app)
        end_users.find_or_create(connection, user)
        for number in range(TALKS):
            talk = rows.conversation(user, number)
            text = f"{word(number)} {FILLING}"
            message = replace(rows.message(talk, number, query=text), answer=text)
            run = replace(
                rows.run(message), outputs={"answer": text}, status="succeeded", finished_at=at(number)
            )
            conversations.insert(connection, talk)
            messages.insert(connection, message)
            runs.start(connection, None, None, run)
            node_executions.append(
                connection, [replace(rows.execution(run, index), inputs={"text": text}) for index in range(2)]
            )

    await store.write(insert)
    return app


async def remove_most(store: Store, app: App) -> list[int]:
    """Delete all conversations but every tenth; numbers of the deleted ones."""

    def remove(connection: Connection) -> list[int]:
        idle = changes.list_idle(connection, app.id, at(TALKS + 1), None, limit=TALKS)
        gone = [number for number in range(TALKS) if number % 10]
        wanted = [idle[number] for number in gone]
        assert changes.remove(connection, app.id, wanted) == [one.id for one in wanted]
        return gone

    return await store.write(remove)


async def learn(store: Store, url: str) -> None:
    index = open_search_index(url)
    while await index.step(store, 50):
        pass


def left(folder: Path, numbers: list[int]) -> dict[str, list[int]]:
    """Conversations whose word stands somewhere in the files of a folder."""
    found = {}
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        here = [number for number in numbers if word(number).encode() in data]
        if here:
            found[file.name] = here
    return found


async def search(store: Store, app: App, number: int) -> int:
    wanted = ConversationFilter(keyword=word(number))
    page = await store.read(
        lambda connection: console_logs.list_page(connection, app.id, wanted, page=1, limit=5)
    )
    return page.total


@pytest.mark.parametrize("where", ["alone", "beside others", "beside others and large"])
async def test_words_of_what_was_deleted_are_in_no_file_any_more(
    store: Store, url: str, path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where.endswith("large"):
        monkeypatch.setattr("weft.store.compacting._SMALL", 0)
    app = await fill(store)
    await learn(store, url)
    gone = await remove_most(store, app)
    before = left(path.parent, gone)
    assert before["weft.db-wal"] or before["weft.db"]
    assert before.keys() & {"weft.search.db", "weft.search.db-wal"}
    assert await free_share(store) > 0.2
    done = await compact(store, url, clock, alone=where == "alone")
    assert left(path.parent, gone) == {}
    assert (done.is_whole, done.is_stiff) == (not where.endswith("large"), False)
    assert done.after < done.before / 4
    assert await free_share(store) == 0
    sizes = {file.name: file.stat().st_size for file in path.parent.iterdir()}
    assert sizes["weft.db-wal"] == 0
    assert sizes["weft.search.db-wal"] < 10_000  # a note that all is done
    assert [await search(store, app, number) for number in (0, 1, 10)] == [1, 0, 1]


async def test_others_read_and_write_while_room_is_given_back(
    store: Store, url: str, path: Path, clock: FrozenClock
) -> None:
    app = await fill(store)
    await learn(store, url)
    await remove_most(store, app)
    rows = Rows(first_id=10_000)
    ended = asyncio.Event()

    async def talk() -> int:
        user = await store.read(lambda connection: end_users.find_by_session(connection, app.id, "u1"))
        assert user is not None
        count = 0
        while not ended.is_set():
            talk = rows.conversation(user, 1_000 + count)
            await store.write(lambda connection, talk=talk: conversations.insert(connection, talk))  # type: ignore[misc]  # bound at once
            count += 1
            assert await store.read(lambda connection: changes.count(connection, app.id)) == 12 + count
        return count

    talking = asyncio.create_task(talk())
    await compact(store, url, clock)
    ended.set()
    assert await talking > 0
    assert await store.read(lambda c: c.exec_driver_sql("PRAGMA freelist_count").scalar_one()) == 0
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_words_are_overwritten_as_they_are_deleted_whatever_this_sqlite_does_by_itself(
    path: Path, url: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(driver: sqlite3.Connection, record: object) -> None:
        driver.execute("PRAGMA secure_delete = OFF")

    event.listen(Pool, "connect", forgetful)
    monkeypatch.setattr("weft.store.compacting._SMALL", 0)
    try:
        async with open_store(url, clock=clock, search_index=True) as store:
            app = await fill(store)
            await learn(store, url)
            gone = await remove_most(store, app)
            await learn(store, url)  # the queue knows the texts that the index has to forget
    finally:
        event.remove(Pool, "connect", forgetful)
    # The log went into the file when the store was closed; nothing was compacted.
    assert left(path.parent, gone).keys() <= {"weft.search.db"}


async def test_room_is_given_back_where_the_file_cannot_be_written_anew_now(
    store: Store, url: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, seconds: float) -> None:
        raise StoreError("database is locked")

    app = await fill(store)
    await remove_most(store, app)
    monkeypatch.setattr("weft.store.compacting._write_anew", refuse)
    done = await compact(store, url, clock)
    assert (done.is_whole, done.after < done.before / 2) == (False, True)
    assert await free_share(store) == 0


async def test_a_file_that_cannot_give_room_back_can_after_it_was_written_anew(
    path: Path, url: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.store.compacting._SMALL", 0)
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA auto_vacuum = NONE")
        file.execute("CREATE TABLE former (id)")
    async with open_store(url, clock=clock, search_index=True) as store:
        app = await fill(store)
        await remove_most(store, app)
        live = await compact(store, url, clock)
        size = live.after
        whole = await compact(store, url, clock, alone=True)
        assert (live.is_whole, whole.is_whole) == (False, True)
        assert (live.is_stiff, whole.is_stiff) == (True, False)
        assert whole.after < size / 2
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("PRAGMA auto_vacuum").fetchall() == [(2,)]
        await store.write(
            lambda c: changes.remove(c, app.id, changes.list_idle(c, app.id, at(999), None, limit=5))
        )
        assert await store.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"


async def test_a_small_file_of_an_early_version_becomes_smaller_beside_others(
    path: Path, url: str, clock: FrozenClock
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA auto_vacuum = NONE")
        file.execute("CREATE TABLE former (id)")
    async with open_store(url, clock=clock, search_index=True) as store:
        app = await fill(store)
        await remove_most(store, app)
        done = await compact(store, url, clock)
        assert (done.is_whole, done.is_stiff) == (True, False)
        assert done.after < done.before / 2
        assert await store.read(lambda c: changes.count(c, app.id)) == TALKS // 10
        await store.write(lambda c: c.exec_driver_sql("DELETE FROM former"))


async def test_the_index_goes_on_where_it_was_killed_while_it_was_tidied(store: Store, url: str) -> None:
    app = await fill(store)
    await learn(store, url)
    gone = await remove_most(store, app)
    file = search_file(database_url(url))
    index = open_search_index(url)
    while await store.read(lambda c: c.exec_driver_sql("SELECT max(was) FROM search_queue").scalar()):
        await index.step(store, 50)
    stages = []
    while await open_search_index(url).tidy(0.05):  # each time as another process
        with closing(sqlite3.connect(file.path)) as opened:
            stages.append(opened.execute("SELECT stage FROM tidying").fetchone()[0])
    assert sorted(set(stages)) == [0, 1, 2, 3, 4, 5]
    assert left(file.path.parent, gone).keys() <= {"weft.db", "weft.db-wal"}
    assert await index.tidy(0.0) is False


async def test_an_index_with_little_that_is_gone_is_left_alone(store: Store, url: str) -> None:
    app = await fill(store)
    await learn(store, url)
    first = await store.read(lambda c: changes.list_idle(c, app.id, at(1_000), None, limit=1))
    await store.write(lambda c: changes.remove(c, app.id, first))
    await learn(store, url)
    index = open_search_index(url)
    assert await index.tidy(0.05) is False
    assert await index.tidy(0.0) is True


async def test_without_an_index_what_it_should_learn_is_thrown_away(url: str, clock: FrozenClock) -> None:
    async with open_store(url, clock=clock) as store:
        app = await fill(store)
        gone = await remove_most(store, app)
        stages: list[str] = []
        await compact(store, url, clock, search_index=False, alone=True, tell=stages.append)
        assert stages == ["index", "free", "log"]
        folder = Path(database_url(url).database or "").parent
        assert left(folder, gone) == {}
