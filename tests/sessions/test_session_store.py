from __future__ import annotations

import inspect
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from uuid import UUID

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from tests.sessions.builders import ERROR, ids, run, session
from tests.sessions.test_session import full_session
from weft.errors import ConfigError, ConflictError, ForbiddenError, MigrationError, NotFoundError, StoreError
from weft.sessions import (
    AsyncSessionStore,
    RunStatus,
    SessionPage,
    SessionStore,
    SessionSummary,
    WorkflowSession,
    open_async_session_store,
    open_session_store,
)
from weft.testing.clock import FrozenClock

NOW = 1772366400
"""What the frozen clock says."""


def keep(store: SessionStore, session_id: str, **details: object) -> WorkflowSession:
    return store.upsert_session(WorkflowSession(session_id, **details))  # type: ignore[arg-type]


def read(store: SessionStore, session_id: str = "s", **details: object) -> WorkflowSession:
    found = store.get_session(session_id, **details)  # type: ignore[arg-type]
    assert found is not None
    return found


def found_ids(store: SessionStore, **wanted: object) -> list[str]:
    page = store.list_sessions(**wanted)  # type: ignore[arg-type]
    names = [item.session_id for item in page.items]
    assert [item.session_id for item in store.get_sessions(**wanted)] == names  # type: ignore[arg-type]
    return names


# The rows of the manifest


@pytest.mark.requirement("sessions-119")
def test_an_empty_store_has_no_sessions(store: SessionStore) -> None:
    assert store.get_session("s") is None
    assert store.get_sessions() == []
    assert store.list_sessions() == SessionPage((), 0)
    assert (store.get_runs("s"), store.get_run("s", "r"), store.get_workflow_history("s")) == ([], None, [])
    assert store.get_workflow_history_context("s") is None


@pytest.mark.requirement("sessions-120", "sessions-124", "sessions-136")
def test_what_was_stored_is_read_again_and_keeps_when_it_was_created(store: SessionStore) -> None:
    made = keep(store, "s", created_at=100, updated_at=150, workflow_name="WN", runs=[run("1")])
    assert (made.created_at, made.updated_at) == (100, 150)
    made.created_at = 999
    made.upsert_run(run("2"))
    saved = store.upsert_session(made)
    assert saved is made
    loaded = read(store)
    for holder in (saved, loaded):
        assert (holder.created_at, holder.updated_at, ids(holder)) == (100, NOW, ["1", "2"])
    assert type(loaded) is WorkflowSession
    assert loaded.workflow_name == "WN"


def test_everything_that_a_session_holds_is_stored(store: SessionStore) -> None:
    whole = full_session()
    before = whole.to_dict()
    store.upsert_session(whole)
    assert read(store).to_dict() == before


@pytest.mark.requirement("sessions-121", "sessions-122", "sessions-123")
def test_a_session_belongs_to_its_owner(store: SessionStore) -> None:
    keep(store, "s", user_id="u1", metadata={"k": 1})
    for other in ("u2", None):
        with pytest.raises(ForbiddenError, match="session 's' belongs to another user than"):
            keep(store, "s", user_id=other, runs=[run("r")], metadata={"k": 2})
    with pytest.raises(ForbiddenError):
        store.upsert_run("s", run("r"), user_id="u2")
    assert (read(store).metadata, read(store).runs) == ({"k": 1}, [])
    assert store.get_session("s", user_id="zz") is None
    assert store.get_runs("s", user_id="zz") == []

    keep(store, "free")
    keep(store, "free", user_id="u2")
    assert read(store, "free", user_id="u2").user_id == "u2"


@pytest.mark.requirement("sessions-125", "sessions-126", "sessions-127")
def test_sessions_are_listed_by_time_and_in_pages(store: SessionStore) -> None:
    keep(store, "old", created_at=100, updated_at=300)
    keep(store, "new", created_at=200, updated_at=250)
    assert found_ids(store, start_timestamp=100, end_timestamp=100) == ["old"]
    assert found_ids(store, start_timestamp=101) == ["new"]
    assert found_ids(store) == ["new", "old"]
    assert found_ids(store, sort_by="created_at", sort_order="desc", limit=1, page=2) == ["old"]
    assert found_ids(store, sort_by="created_at", sort_order="asc") == ["old", "new"]
    assert found_ids(store, sort_by="updated_at") == ["old", "new"]
    assert sorted(found_ids(store, sort_by="zzz")) == ["new", "old"]
    assert store.list_sessions(limit=1).total == 2


@pytest.mark.requirement("sessions-128")
def test_sessions_are_found_by_a_part_of_their_name(store: SessionStore) -> None:
    keep(
        store,
        "a",
        session_data={"session_name": "Alpha Größe 100%"},
        user_id="u",
        workflow_id="w",
        created_at=3,
    )
    keep(store, "b", session_data={"session_name": "Beta", "note": "alpha"}, created_at=2)
    keep(store, "c", session_data={"session_name": 7}, created_at=1)
    for part in ("alpha", "GRÖSSE", "100%", "ALPHA GR"):
        assert found_ids(store, session_name=part) == ["a"], part
    assert found_ids(store, session_name="session_name") == []
    assert found_ids(store, session_name="_eta") == []
    assert found_ids(store, user_id="u") == found_ids(store, workflow_id="w") == ["a"]
    assert store.list_sessions(user_id="u") == SessionPage(
        (SessionSummary("a", "u", "w", None, "Alpha Größe 100%", 3, store.get_sessions()[0].updated_at, 0),),
        1,
    )


@pytest.mark.requirement("sessions-129")
def test_only_its_owner_renames_a_session(store: SessionStore) -> None:
    keep(store, "s", user_id="u1", runs=[run("r")], session_data={"session_name": "old", "k": 1})
    assert store.rename_session("s", "new", user_id="zz") is None
    assert store.rename_session("nobody", "new") is None
    renamed = store.rename_session("s", "new", user_id="u1")
    assert renamed is not None
    assert (renamed.session_name, renamed.updated_at, renamed.run_count) == ("new", NOW, 1)
    assert read(store).session_data == {"session_name": "new", "k": 1}
    assert found_ids(store, session_name="NEW") == ["s"]


@pytest.mark.requirement("sessions-130", "sessions-131")
def test_only_its_owner_deletes_a_session(store: SessionStore) -> None:
    for name, owner in (("s", "u1"), ("mine", "u1"), ("other", "u2")):
        keep(store, name, user_id=owner, runs=[run("r")])
    assert [store.delete_session("s", user_id=user) for user in ("zz", "u1", "u1")] == [False, True, False]
    assert store.get_runs("s") == []
    assert store.delete_sessions(["mine", "other", "nobody"], user_id="u1") == 1
    assert found_ids(store) == ["other"]


@pytest.mark.requirement("sessions-132")
def test_two_who_each_add_a_run_both_keep_theirs(store: SessionStore) -> None:
    keep(store, "s", runs=[run("1")])
    first, second = read(store), read(store)
    first.upsert_run(run("2"))
    second.upsert_run(run("3"))
    store.upsert_session(first)
    store.upsert_session(second)
    assert ids(read(store)) == ["1", "2", "3"]
    assert ids(second) == ["1", "3"]


@pytest.mark.requirement("sessions-133", "sessions-134", "sessions-135")
def test_values_that_are_no_plain_data(store: SessionStore) -> None:
    keep(store, "s", session_data={"at": datetime(2026, 1, 1, tzinfo=UTC), "id": UUID(int=5)})
    assert read(store).session_data == {"at": "2026-01-01T00:00:00+00:00", "id": str(UUID(int=5))}

    for details in ({"session_data": {"b": b"x"}}, {"runs": [run("1", content=b"x")]}):
        with pytest.raises(TypeError, match="bytes cannot be kept"):
            keep(store, "bytes", **details)
    assert store.get_session("bytes") is None

    odd = "a\0b \ud800 ä 日本"
    big = 2**70
    keep(store, "odd", session_data={"session_name": odd, "n": big}, runs=[run("1\0", odd, {odd: big})])
    loaded = read(store, "odd")
    assert loaded.session_data == {"session_name": odd, "n": big}
    assert (loaded.runs[0].input, loaded.runs[0].content) == (odd, {odd: big})
    assert store.get_run("odd", "1\0") == loaded.runs[0]
    assert store.list_sessions(session_name="日本").items[0].session_name == "a\ufffdb \ufffd ä 日本"


# What a save costs


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that change something, one for each set of values, as the database gets them."""
    heard: list[str] = []

    def hear(
        connection: Connection, cursor: object, statement: str, values: object, context: object, many: bool
    ) -> None:
        kind = statement.split(None, 1)[0]
        if kind in ("INSERT", "UPDATE", "DELETE"):
            table = next(word for word in statement.split() if word.startswith("weft_session"))
            count = len(values) if many and isinstance(values, list) else 1
            heard.extend([f"{kind} {table}"] * count)

    event.listen(Engine, "before_cursor_execute", hear)
    yield heard
    event.remove(Engine, "before_cursor_execute", hear)


@pytest.mark.requirement("sessions-137")
def test_adding_a_run_to_many_writes_one_row_of_runs(store: SessionStore) -> None:
    many = keep(store, "s", runs=[run(str(number), content="x" * 10_000) for number in range(1000)])
    loaded = read(store)
    for holder in (many, loaded):
        holder.upsert_run(run(f"new {id(holder)}"))
        with statements() as heard:
            store.upsert_session(holder)
        assert heard == ["UPDATE weft_sessions", "INSERT weft_session_runs"]
    with statements() as heard:
        store.upsert_run("s", run("another"))
    assert heard == ["INSERT weft_session_runs", "UPDATE weft_sessions"]
    assert len(store.get_runs("s")) == 1003


def test_a_run_that_changed_is_the_only_one_that_is_written(store: SessionStore) -> None:
    keep(store, "s", runs=[run("1"), run("2"), run("3")])
    loaded = read(store)
    loaded.runs[1].metadata = {"changed": True}
    with statements() as heard:
        store.upsert_session(loaded)
    assert heard == ["UPDATE weft_sessions", "UPDATE weft_session_runs"]
    assert [item.metadata for item in read(store).runs] == [None, {"changed": True}, None]


def test_a_session_of_which_the_end_was_read_is_saved_without_losing_the_rest(store: SessionStore) -> None:
    keep(store, "s", runs=[run(str(number)) for number in range(5)])
    part = read(store, last_n_runs=2)
    assert ids(part) == ["3", "4"]
    part.upsert_run(run("5"))
    part.runs[0].content = "changed"
    store.upsert_session(part)
    assert ids(read(store)) == ["0", "1", "2", "3", "4", "5"]
    assert ids(read(store, last_n_runs=0)) == []
    changed = store.get_run("s", "3")
    assert changed is not None
    assert changed.content == "changed"


def test_a_run_that_was_taken_out_is_deleted(store: SessionStore) -> None:
    keep(store, "s", runs=[run("1"), run("2")])
    loaded = read(store)
    del loaded.runs[0]
    store.upsert_session(loaded)
    assert ids(read(store)) == ["2"]


def test_a_session_that_was_not_read_adds_to_the_one_that_is_stored(store: SessionStore) -> None:
    keep(store, "s", runs=[run("1"), run("2", content="old")], metadata={"a": 1, "b": 1}, workflow_name="W")
    keep(store, "s", runs=[run("2", content="new"), run("3")], metadata={"b": 2})
    loaded = read(store)
    assert [(item.run_id, item.content) for item in loaded.runs] == [("1", "out"), ("2", "new"), ("3", "out")]
    assert (loaded.metadata, loaded.workflow_name) == ({"a": 1, "b": 2}, "W")


def test_two_runs_with_one_id_are_refused_rather_than_lost(store: SessionStore) -> None:
    with pytest.raises(ValueError, match="session 's' has two runs with the id 'd'"):
        store.upsert_session(session(run("d"), run("d")))
    assert store.get_session("s") is None


# Several writers


def test_different_changes_to_the_data_of_a_session_are_put_together(store: SessionStore) -> None:
    keep(store, "s", session_data={"a": 1, "b": 1, "c": 1}, metadata={"m": 1})
    first, second = read(store), read(store)
    first.session_data["a"] = 2
    del first.session_data["c"]
    second.session_data["b"] = 2
    second.session_data["new"] = [1]
    store.upsert_session(first)
    store.upsert_session(second)
    assert read(store).session_data == second.session_data == {"a": 2, "b": 2, "new": [1]}
    second.session_data["a"] = 3
    store.upsert_session(second)
    assert read(store).session_data["a"] == 3


def test_different_changes_to_the_same_thing_are_refused(store: SessionStore) -> None:
    keep(store, "s", runs=[run("1")], session_data={"a": 1}, workflow_name="x")
    readers = [read(store) for _ in range(4)]
    readers[0].session_data["a"] = 2
    readers[0].runs[0].content = "first"
    readers[0].workflow_name = "y"
    store.upsert_session(readers[0])

    readers[1].session_data["a"] = 3
    with pytest.raises(ConflictError, match=r"session 's': somebody else has changed session_data\['a'\]"):
        store.upsert_session(readers[1])
    readers[2].runs[0].content = "second"
    readers[2].upsert_run(run("2"))
    with pytest.raises(ConflictError, match="somebody else has changed run '1'"):
        store.upsert_session(readers[2])
    readers[3].workflow_name = "z"
    with pytest.raises(ConflictError, match="somebody else has changed workflow_name"):
        store.upsert_session(readers[3])
    loaded = read(store)
    assert (loaded.session_data, ids(loaded), loaded.runs[0].content) == ({"a": 2}, ["1"], "first")


def test_the_same_change_by_two_is_no_conflict(store: SessionStore) -> None:
    keep(store, "s", runs=[run("1")], session_data={"a": 1})
    for changed in (read(store), read(store)):
        changed.session_data["a"] = 2
        changed.runs[0].content = "same"
        store.upsert_session(changed)
    assert read(store).runs[0].content == "same"


def test_a_run_that_somebody_deleted_cannot_be_changed(store: SessionStore) -> None:
    keep(store, "s", runs=[run("1"), run("2")])
    first, second = read(store), read(store)
    first.runs.pop(0)
    second.runs[0].content = "changed"
    store.upsert_session(first)
    with pytest.raises(ConflictError, match="run '1'"):
        store.upsert_session(second)
    third = read(store)
    third.runs.clear()
    store.upsert_session(third)
    assert read(store).runs == []


def test_threads_that_add_runs_to_one_session_lose_none(store: SessionStore) -> None:
    writers, each = 6, 8
    start = Barrier(writers)
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            start.wait(10)
            mine = store.get_session("shared") or WorkflowSession("shared")
            for number in range(each):
                mine.upsert_run(run(f"{writer}-{number}"))
                mine.session_data[f"of {writer}"] = number
                store.upsert_session(mine)
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    loaded = read(store, "shared")
    expected = {f"{writer}-{number}" for writer in range(writers) for number in range(each)}
    assert set(ids(loaded)) == expected
    assert len(loaded.runs) == len(expected)
    assert loaded.session_data == {f"of {writer}": each - 1 for writer in range(writers)}


# Reading less than everything


def test_the_history_is_read_from_the_runs_that_are_in_it(store: SessionStore) -> None:
    keep(
        store,
        "s",
        user_id="u",
        runs=[run("1", "a"), run("2", "b", status=ERROR), run("3", "c"), run("4", "d")],
    )
    whole = read(store)
    for count in (None, 2, 0, 99):
        assert store.get_workflow_history("s", count) == whole.get_workflow_history(count)
        context = store.get_workflow_history_context("s", count, user_id="u")
        assert context == whole.get_workflow_history_context(count)
    assert store.get_workflow_history("s", user_id="zz") == []
    failed = store.get_runs("s", statuses=["ERROR"], last_n_runs=3)
    assert [item.run_id for item in failed] == ["2"]
    assert [item.run_id for item in store.get_runs("s", last_n_runs=2)] == ["3", "4"]
    assert store.get_run("s", "2", user_id="zz") is None


def test_a_run_can_be_put_into_a_stored_session_alone(store: SessionStore, clock: FrozenClock) -> None:
    keep(store, "s", user_id="u", runs=[run("1")], updated_at=1)
    clock.advance(5)
    store.upsert_run("s", run("2", status=RunStatus.running))
    store.upsert_run("s", run("2", content="done"), user_id="u")
    loaded = read(store)
    assert [(item.run_id, item.content, item.status) for item in loaded.runs] == [
        ("1", "out", "COMPLETED"),
        ("2", "done", "COMPLETED"),
    ]
    assert loaded.updated_at == NOW + 5
    with pytest.raises(NotFoundError, match="there is no session 'nobody'"):
        store.upsert_run("nobody", run("1"))


# Opening


@pytest.mark.parametrize("address", ["", ":memory:", "sqlite://", "mysql://x/y", "http://x", "://"])
def test_an_address_that_cannot_be_used_is_refused(address: str) -> None:
    with pytest.raises(ConfigError), open_session_store(address):
        pass


def test_a_file_is_made_for_its_owner_alone_and_a_folder_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "below" / "sessions.db"
    with open_session_store(path) as store:
        keep(store, "s")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with open_session_store(f"sqlite:///{path}") as again:
        assert found_ids(again) == ["s"]
    with pytest.raises(StoreError), open_session_store(tmp_path):
        pass


def test_tables_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    with open_session_store(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("UPDATE weft_sessions_meta SET version = 99")
    connection.commit()
    connection.close()
    with (
        pytest.raises(MigrationError, match="version 99 and this program knows version 1"),
        open_session_store(path),
    ):
        pass


def test_a_postgres_that_is_not_there_is_told_of() -> None:
    address = "postgresql://nobody:secret@127.0.0.1:1/none"
    with pytest.raises(StoreError, match="cannot be reached") as told, open_session_store(address):
        pass
    assert "secret" not in str(told.value)


# Coroutines


@pytest.mark.anyio
async def test_coroutines_find_what_callers_that_wait_have_stored(place: str, clock: FrozenClock) -> None:
    async with open_async_session_store(place, clock=clock) as store:
        made = WorkflowSession("s", user_id="u", runs=[run("1", "a"), run("2", "b", status=ERROR)])
        assert await store.upsert_session(made) is made
        await store.upsert_run("s", run("3", "c"))
        loaded = await store.get_session("s", user_id="u")
        assert loaded is not None
        assert ids(loaded) == ["1", "2", "3"]
        assert [item.session_id for item in await store.get_sessions(last_n_runs=1)] == ["s"]
        assert (await store.list_sessions(user_id="u")).items[0].run_count == 3
        assert [item.run_id for item in await store.get_runs("s", last_n_runs=1)] == ["3"]
        assert await store.get_run("s", "3") == loaded.runs[2]
        assert await store.get_workflow_history("s", 1) == [("c", "out")]
        assert await store.get_workflow_history_context("s") == loaded.get_workflow_history_context()
        renamed = await store.rename_session("s", "new")
        assert renamed is not None
        assert renamed.session_name == "new"
        with pytest.raises(ForbiddenError):
            await store.upsert_session(WorkflowSession("s", user_id="other"))
        assert await store.delete_session("s")
        assert await store.delete_sessions(["s"]) == 0


@pytest.mark.anyio
async def test_a_store_for_callers_that_wait_works_below_a_running_loop(place: str) -> None:
    with open_session_store(place) as store:
        keep(store, "s")
        assert found_ids(store) == ["s"]


def test_both_stores_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, inspect.Signature]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: inspect.signature(function) for name, function in found if not name.startswith("_")}

    assert methods(SessionStore) == methods(AsyncSessionStore)
