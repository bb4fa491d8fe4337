"""Changing the name and the state of a stored conversation through its session."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.sessions.builders import run
from tests.sessions.conversation import Talk
from tests.store.rows import START, Rows
from weft.archive import Archive
from weft.errors import ConflictError, InvalidRequestError, NotFoundError
from weft.ids import TimeOrderedIds
from weft.sessions import (
    ArchiveReader,
    SessionChange,
    StoredSession,
    StoreReader,
    WorkflowSession,
    archived_session,
    open_session_store,
)
from weft.store import Connection, Store, conversation_variables, conversations, open_store
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def records(place: str, clock: FrozenClock) -> AsyncIterator[Store]:
    url = place if "://" in place else f"sqlite:///{place}"
    async with open_store(url, clock=clock) as store:
        yield store


@pytest.fixture
async def talk(records: Store) -> Talk:
    talk = Talk(Rows(ids=TimeOrderedIds()))
    for name, kind, value in (
        ("topic", "string", "tea"),
        ("n", "number", 1),
        ("flag", "boolean", False),
        ("tags", "array[string]", ["a"]),
        ("prefs", "object", {"x": 1}),
    ):
        variable = talk.rows.variable(talk.conversation, name, value)
        talk.variables.append(replace(variable, value_type=kind))
    talk.turn("one", "first")
    talk.turn("two", "second")
    await records.write(talk.store)
    return talk


@pytest.fixture
async def stored(records: Store, talk: Talk, clock: FrozenClock) -> StoredSession:
    return await opened(records, talk, clock)


async def opened(records: Store, talk: Talk, clock: FrozenClock) -> StoredSession:
    reader = StoreReader(records, talk.app.id, clock=clock)
    return await StoredSession.open(reader, talk.conversation.id, user_id="ada")


def state(session: WorkflowSession) -> Any:
    return session.session_data["session_state"]


async def variables(records: Store, talk: Talk) -> dict[str, object]:
    rows = await records.read(
        lambda connection: conversation_variables.list_all(connection, talk.app.id, talk.conversation.id)
    )
    return {row.name: row.value for row in rows}


async def test_a_changed_state_is_written_to_the_variables_of_the_conversation(
    records: Store, talk: Talk, stored: StoredSession, clock: FrozenClock
) -> None:
    for runs in (2, 1, 0):
        session = await stored.load(runs) if runs else stored.head
        clock.advance(10)
        state(session)["topic"] = f"oolong {clock.now()}"
        state(session)["tags"].append("b")
        state(session)["prefs"] = {"y": [1, {"z": None}]}
        saved = await stored.save(session)
        assert saved is session
        expected = {**state(session), "n": 1, "flag": False}
        assert await variables(records, talk) == expected == state(stored.head)
        assert session.updated_at == int(clock.now().timestamp())
        assert state(await (await opened(records, talk, clock)).load()) == expected
        # What was saved is what it was read as from now on.
        state(session)["n"] = 2.5
        await stored.save(session)
        assert (await variables(records, talk))["n"] == 2.5
        state(session)["n"] = 1
        session.session_data["session_name"] = "Mine"
        await stored.save(session)
        await stored.save(session)
    found = await records.read(
        lambda connection: conversations.get(connection, talk.app.id, talk.conversation.id, end_user_id=None)
    )
    assert found.name == stored.head.session_data["session_name"] == "Mine"


async def test_nothing_is_written_where_nothing_was_changed(
    records: Store, stored: StoredSession, clock: FrozenClock
) -> None:
    session = await stored.load()
    clock.advance(10)
    assert (await stored.save(session)).updated_at == session.updated_at < int(clock.now().timestamp())


CHANGES: list[tuple[str, Callable[[WorkflowSession], object]]] = [
    ("user_id has been changed", lambda session: setattr(session, "user_id", "eve")),
    ("workflow_name has been changed", lambda session: setattr(session, "workflow_name", "x")),
    ("metadata has been changed", lambda session: session.metadata.update(x=1)),
    ("workflow_data has been changed", lambda session: session.workflow_data.update(x=1)),
    (r"session_data\['mine'\] has been changed", lambda session: session.session_data.update(mine=1)),
    ("the list of runs has been changed", lambda session: session.upsert_run(run("new"))),
    ("the list of runs has been changed", lambda session: session.runs.pop()),
    ("run '.*' has been changed", lambda session: setattr(session.runs[0], "content", "other")),
    ("run '.*' has been changed", lambda session: session.runs[1].step_results.clear()),
    ("'n' is a variable that its app declares", lambda session: state(session).pop("n")),
    ("'flag' is a variable that", lambda session: session.session_data.pop("session_state")),
    ("session_state is no dict", lambda session: session.session_data.update(session_state=[1])),
    ("session_name must be a text", lambda session: session.session_data.update(session_name=" ")),
    ("session_name must have 1 to 255", lambda session: session.session_data.update(session_name="x" * 256)),
    (r"no conversation variable 'new' \(it has: flag, n,", lambda session: state(session).update(new=1)),
    (r"session_state\['n'\] is declared as number", lambda session: state(session).update(n="1")),
    (r"\['n'\] is declared as number and cannot hold True", lambda session: state(session).update(n=True)),
    (r"\['tags'\] is declared as array\[string\]", lambda session: state(session).update(tags=["a", 1])),
    (r"\['topic'\] is declared as string", lambda session: state(session).update(topic=None)),
]


@pytest.mark.parametrize(("message", "change"), CHANGES)
async def test_what_cannot_be_changed_is_refused_and_nothing_is_written(
    records: Store,
    talk: Talk,
    stored: StoredSession,
    message: str,
    change: Callable[[WorkflowSession], object],
) -> None:
    before = await variables(records, talk)
    session = await stored.load()
    state(session)["flag"] = True
    change(session)
    with pytest.raises(InvalidRequestError, match=message):
        await stored.save(session)
    assert await variables(records, talk) == before
    assert (await stored.load()).session_data["session_name"] == talk.conversation.name


async def test_who_changes_the_same_thing_second_reads_again(
    records: Store, talk: Talk, stored: StoredSession, clock: FrozenClock
) -> None:
    first, second, third = [await stored.load() for _ in range(3)]
    state(first)["n"] = 2
    first.session_data["session_name"] = "First"
    await stored.save(first)
    state(second)["n"], state(second)["flag"] = 3, True
    with pytest.raises(ConflictError, match=r"somebody else has changed session_state\['n'\]"):
        await stored.save(second)
    assert (await variables(records, talk))["flag"] is False
    third.session_data["session_name"] = "Third"
    with pytest.raises(ConflictError, match="somebody else has changed session_name"):
        await stored.save(third)
    # What is different is put together.
    third.session_data["session_name"] = talk.conversation.name
    state(third)["topic"] = "matcha"
    await stored.save(third)
    assert (state(third)["n"], state(third)["topic"]) == (2, "matcha")
    assert third.session_data["session_name"] == "First"


async def test_a_turn_that_came_meanwhile_is_no_conflict(
    records: Store, talk: Talk, clock: FrozenClock
) -> None:
    stored = await opened(records, talk, clock)
    session = await stored.load()
    await records.write(lambda connection: conversations.bump(connection, talk.conversation.id, clock.now()))
    for topic in ("a", "b"):
        state(session)["topic"] = topic
        await stored.save(session)
    assert (await variables(records, talk))["topic"] == "b"


async def test_single_values_and_the_name_can_be_set_without_reading(
    records: Store, talk: Talk, stored: StoredSession
) -> None:
    assert (await stored.update_session_state({"n": 7, "flag": True}))["topic"] == "tea"
    await stored.set_session_name("Ours")
    assert (state(stored.head)["n"], stored.head.session_data["session_name"]) == (7, "Ours")
    for refused in ({"n": "x"}, {"unknown": 1}):
        with pytest.raises(InvalidRequestError):
            await stored.update_session_state({"topic": "never", **refused})
    assert (await variables(records, talk))["topic"] == "tea"
    with pytest.raises(InvalidRequestError):
        await stored.set_session_name("")


async def test_only_what_was_read_there_can_be_saved(
    records: Store, talk: Talk, stored: StoredSession
) -> None:
    loaded = await stored.load()
    for session in (WorkflowSession(talk.conversation.id), WorkflowSession.from_dict(loaded.to_dict())):
        assert session is not None
        with pytest.raises(InvalidRequestError, match="was not read from a stored conversation"):
            await stored.save(session)

    def delete(connection: Connection) -> None:
        conversations.mark_deleted(connection, talk.app.id, talk.conversation.id, START, end_user_id=None)

    await records.write(delete)
    state(loaded)["n"] = 3
    with pytest.raises(NotFoundError):
        await stored.save(loaded)
    other = StoreReader(records, talk.app.id, end_user_id="somebody else")
    with pytest.raises(NotFoundError):
        await StoredSession(stored._head, other).update_session_state({"n": 1})


async def test_the_run_of_a_workflow_app_has_no_state(records: Store, talk: Talk, clock: FrozenClock) -> None:
    other = Talk(Rows(ids=TimeOrderedIds()))
    other.app = replace(other.app, mode="workflow")
    await records.write(other.store)
    reader = StoreReader(records, other.app.id, clock=clock)
    with pytest.raises(InvalidRequestError, match="are its runs; they cannot be changed"):
        await reader.change("any", SessionChange(session_name="x"))


async def test_an_archived_session_cannot_be_changed(
    records: Store, talk: Talk, tmp_path: Path, clock: FrozenClock
) -> None:
    kept = await archived_session(StoreReader(records, talk.app.id), talk.conversation.id)
    with Archive.open(tmp_path / "archive", clock=clock) as archive:
        assert kept.conversation is not None
        archive.save([kept.conversation])
        stored = await StoredSession.open(ArchiveReader(archive), talk.conversation.id)
        session = await stored.load()
        state(session)["n"] = 2
        with pytest.raises(InvalidRequestError, match="lies in an archive"):
            await stored.save(session)


async def test_a_session_over_a_conversation_can_be_copied_and_kept_elsewhere(
    stored: StoredSession, tmp_path: Path
) -> None:
    session = await stored.load()
    for other in (copy.deepcopy(session), pickle.loads(pickle.dumps(session))):
        assert other == session
        state(other)["n"] = 9
        assert state(session)["n"] == 1
    with open_session_store(tmp_path / "mine.db") as mine:
        mine.upsert_session(session)
        found = mine.get_session(session.session_id)
    assert found is not None
    assert found.to_dict()["runs"] == session.to_dict()["runs"]
