from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.engine.harness import answer, llm, start
from tests.runs.house import House
from tests.sessions.builders import contents
from tests.sessions.conversation import Talk
from tests.store.rows import Rows
from weft.errors import NotFoundError
from weft.ids import TimeOrderedIds
from weft.sessions import (
    RunStatus,
    SessionChange,
    SessionHead,
    SessionReader,
    StoredSession,
    StoreReader,
    Turn,
    TurnPage,
    WorkflowSession,
)
from weft.store import Link, Store, conversations, open_store
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def records(place: str) -> AsyncIterator[Store]:
    """The server's own records."""
    url = place if "://" in place else f"sqlite:///{place}"
    async with open_store(url, clock=FrozenClock()) as store:
        yield store


@pytest.fixture
def talk() -> Talk:
    return Talk(Rows(ids=TimeOrderedIds()))


class CountingReader:
    """Counts the turns that it hands out."""

    def __init__(self, reader: SessionReader) -> None:
        self._reader = reader
        self.read = 0

    async def head(self, session_id: str, *, user_id: str | None, detail: bool = True) -> SessionHead:
        return await self._reader.head(session_id, user_id=user_id, detail=detail)

    async def turns(self, session_id: str, *, before: str | None, limit: int, detail: bool) -> TurnPage:
        page = await self._reader.turns(session_id, before=before, limit=limit, detail=detail)
        self.read += len(page.turns)
        return page

    async def find_turn(self, session_id: str, id: str) -> Turn | None:
        return await self._reader.find_turn(session_id, id)

    async def links(self, session_id: str) -> Sequence[Link]:
        return await self._reader.links(session_id)

    async def change(self, session_id: str, change: SessionChange) -> None:
        await self._reader.change(session_id, change)


async def opened(store: Store, talk: Talk) -> tuple[StoredSession, CountingReader]:
    await store.write(talk.store)
    talk.stored()
    reader = CountingReader(StoreReader(store, talk.app.id))
    return await StoredSession.open(reader, talk.conversation.id, user_id="ada"), reader


async def test_a_stored_conversation_is_the_session_of_its_rows(records: Store, talk: Talk) -> None:
    talk.variables = [talk.rows.variable(talk.conversation, "notes", ["a"])]
    talk.turn("one", "first")
    talk.files = [talk.rows.file(talk.messages[0])]
    talk.judge(talk.messages[0], "like")
    talk.judge(talk.messages[0], "dislike", from_source="admin")
    talk.turn("two", "", "failed")
    talk.correct(talk.messages[1], "better")
    parent = talk.messages[1].id
    talk.turn("three", "worse", parent=parent)
    talk.turn("three", "third", parent=parent)
    talk.ask(talk.turn("four", "", "paused"))
    stored, _ = await opened(records, talk)
    whole = await stored.load()
    assert whole.to_dict() == talk.session().to_dict()
    head = stored.head
    assert (head.runs, head.user_id, head.session_data["session_state"]) == ([], "ada", {"notes": ["a"]})
    for run in whole.runs:
        assert await stored.get_run(str(run.run_id)) == run
        assert await stored.get_run(str((run.metadata or {})["message_id"])) == run
    assert await stored.get_run("nobody") is None


async def test_only_its_owner_opens_a_session(records: Store, talk: Talk) -> None:
    talk.turn()
    stored, reader = await opened(records, talk)
    assert (await StoredSession.open(reader, talk.conversation.id)).head == stored.head
    for session_id, user in ((talk.conversation.id, "eve"), ("nobody", None)):
        with pytest.raises(NotFoundError):
            await StoredSession.open(reader, session_id, user_id=user)
    with pytest.raises(NotFoundError, match="there is no app 'other'"):
        await StoredSession.open(StoreReader(records, "other"), talk.conversation.id)
    await records.write(
        lambda connection: conversations.mark_deleted(
            connection, talk.app.id, talk.conversation.id, FrozenClock().now(), end_user_id=None
        )
    )
    with pytest.raises(NotFoundError):
        await StoredSession.open(reader, talk.conversation.id)


async def test_a_run_of_another_conversation_is_not_found(records: Store, talk: Talk) -> None:
    run = talk.turn()
    stored, reader = await opened(records, talk)
    assert await stored.get_run(run.id) is not None
    assert await reader.find_turn("another", run.id) is None


ASKED: list[tuple[str, dict[str, Any]]] = [
    *(
        (name, {argument: count})
        for name, argument in (
            ("get_workflow_history", "num_runs"),
            ("get_workflow_history_context", "num_runs"),
            ("get_chat_history", "last_n_runs"),
        )
        for count in (None, 0, -1, 1, 3, 10, 99)
    ),
    ("get_workflow_history_context", {"num_runs": 2, "escape": True}),
    *(
        ("get_messages", {"agent_id": "llm", **more})
        for more in (
            {},
            {"last_n_runs": 0},
            {"last_n_runs": 2},
            {"last_n_runs": 2, "skip_statuses": ["ERROR"]},
            {"limit": 3},
            {"last_n_runs": 99, "skip_roles": ["user"], "skip_history_messages": False},
        )
    ),
    ("get_messages", {"team_id": "app", "last_n_runs": 3}),
    ("get_messages", {"team_id": "app", "last_n_runs": 5, "skip_member_messages": False}),
    ("get_messages", {"agent_id": "nobody", "last_n_runs": 1}),
]


async def test_what_is_read_in_part_is_what_the_whole_session_says(records: Store, talk: Talk) -> None:
    parent = None
    for number in range(24):
        status = ("succeeded", "failed", "succeeded", "stopped")[number % 4]
        talk.turn(f"q{number}", "" if number % 8 == 1 else f"a{number}", status, parent=parent)
        if number % 5:
            parent = talk.messages[-1].id
    stored, _ = await opened(records, talk)
    whole = await stored.load()
    assert {run.status for run in whole.runs} >= {RunStatus.regenerated, RunStatus.completed, RunStatus.error}
    for name, given in ASKED:
        wanted = {key: talk.app.id if value == "app" else value for key, value in given.items()}
        assert await getattr(stored, name)(**wanted) == getattr(whole, name)(**wanted), (name, wanted)


async def test_runs_come_in_pages_and_know_what_came_after_them(records: Store, talk: Talk) -> None:
    parent = None
    for number in range(12):
        talk.turn(f"q{number}", f"a{number}", parent=parent)
        if number % 4 == 3:
            parent = talk.messages[number // 4].id
    stored, _ = await opened(records, talk)
    whole = (await stored.load()).runs
    assert {run.status for run in whole} == {RunStatus.regenerated, RunStatus.completed}
    for size in (1, 2, 5, 12, 200):
        found: list[object] = []
        before = None
        while True:
            page = await stored.get_runs(before, size)
            assert len(page.runs) <= size
            found = [*page.runs, *found]
            if not page.has_more:
                break
            before = page.runs[0].run_id
        assert found == whole
    message = talk.messages[2].id
    assert (await stored.get_runs(message, 5)).runs == tuple(whole[:2])
    with pytest.raises(NotFoundError, match="Workflow run not found"):
        await stored.get_runs("nobody")


async def test_a_session_is_loaded_in_part(records: Store, talk: Talk) -> None:
    for number in range(5):
        talk.turn(f"q{number}", f"a{number}")
    talk.files = [talk.rows.file(talk.messages[4])]
    stored, reader = await opened(records, talk)
    whole = await stored.load()
    reader.read = 0
    last = await stored.load(2)
    assert (reader.read, last.runs) == (2, whole.runs[3:])
    assert (last.user_id, last.created_at, last.workflow_data) == (
        whole.user_id,
        whole.created_at,
        whole.workflow_data,
    )
    assert set(whole.session_data) - set(last.session_data) == {"session_metrics", "images"}
    for count in (0, -1):
        assert (await stored.load(count)).runs == []
    quiet = (await stored.load(messages=False)).runs[4]
    assert (quiet.step_executor_runs, quiet.step_results) == (None, whole.runs[4].step_results)
    stepless = (await stored.load(1, steps=False)).runs[0]
    assert (stepless.step_executor_runs, stepless.step_results) == (whole.runs[4].step_executor_runs, [])
    bare = await stored.load(steps=False, messages=False)
    assert bare.get_workflow_history() == whole.get_workflow_history()
    assert (bare.runs[4].images, stepless.images) == (None, whole.runs[4].images)
    assert len((await stored.load(99)).runs) == 5


async def test_the_text_of_a_session_is_that_of_the_loaded_one(records: Store, talk: Talk) -> None:
    parent = None
    for number in range(1030):
        executed = number % 100 == 0
        talk.turn(
            f"q{number} ä\U0001f600",
            f"a{number}",
            ("succeeded", "failed")[number % 3 == 1],
            parent=parent,
            executed=executed,
            inputs={"sys.query": "q", "x": [1, {"y": None}]},
        )
        if number % 200 == 0:
            parent = talk.messages[-1].id
            talk.files.append(talk.rows.file(talk.messages[-1]))
            talk.judge(talk.messages[-1], "like")
    talk.ask(talk.turn("wait", "", "paused"))
    talk.messages[7] = replace(talk.messages[7], query="", answer="")
    talk.runs[8] = replace(talk.runs[8], outputs={"sum": 3}, total_price=Decimal("0.1"), currency="EUR")
    talk.messages[8] = replace(talk.messages[8], answer="")
    stored, _ = await opened(records, talk)
    given: list[dict[str, Any]] = [
        {},
        {"steps": False},
        {"messages": False},
        {"steps": False, "messages": False},
        {"last_n_runs": 0},
        {"last_n_runs": 3},
        {"last_n_runs": 700, "messages": False},
    ]
    for wanted in given:
        expected = (await stored.load(**wanted)).to_dict()
        assert json.loads(await stored.dump(**wanted)) == expected, wanted


async def test_the_text_of_a_session_without_turns(records: Store, talk: Talk) -> None:
    stored, _ = await opened(records, talk)
    assert json.loads(await stored.dump()) == (await stored.load()).to_dict()


async def test_arguments_are_refused_as_the_session_refuses_them(records: Store, talk: Talk) -> None:
    stored, _ = await opened(records, talk)
    assert await stored.get_messages() == []
    with pytest.raises(ValueError, match="cannot be used together"):
        await stored.get_messages("a", "b")
    with pytest.raises(TypeError):
        await stored.get_workflow_history(1.0)  # type: ignore[arg-type]  # the refusal is what is tested


async def test_a_session_with_turns_wants_to_know_whose_messages(records: Store, talk: Talk) -> None:
    for _ in range(3):
        talk.turn()
    stored, _ = await opened(records, talk)
    with pytest.raises(ValueError, match="must be provided"):
        await stored.get_messages()


async def quickest(call: Callable[[], Any], times: int = 20) -> float:
    """Seconds that the best of some calls took, since other programs share the machine."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        found.append(time.perf_counter() - began)
    return min(found)


async def test_the_last_turns_of_a_long_conversation_are_read_without_the_rest(
    tmp_path: Path, talk: Talk
) -> None:
    for number in range(10_000):
        talk.turn(f"q{number}", f"a{number}", "failed" if number == 9_998 else "succeeded", executed=False)
    async with open_store(f"sqlite:///{tmp_path / 'weft.db'}", clock=FrozenClock()) as store:
        stored, reader = await opened(store, talk)
        assert await stored.get_workflow_history(3) == [(f"q{n}", f"a{n}") for n in (9_996, 9_997, 9_999)]
        assert reader.read <= 11
        assert await quickest(lambda: stored.get_workflow_history(3)) < 0.005
        reader.read = 0
        assert len(await stored.get_chat_history(3)) == 3
        assert reader.read == 3


# What the engine itself has recorded


async def test_a_model_that_remembers_has_each_turn_once_in_its_messages(tmp_path: Path) -> None:
    memory = {"window": {"enabled": False, "size": 50}, "query_prompt_template": "{{#sys.query#}}"}
    asking = llm("", memory=memory)
    asking["prompt_template"] = [{"role": "system", "text": "Be brief."}]
    nodes = {"start": start(), "llm": asking, "a": answer("{{#llm.text#}}")}
    async with open_store(f"sqlite:///{tmp_path / 'weft.db'}", clock=FrozenClock()) as store:
        house = House(store)
        version = await house.serve(nodes, "start > llm > a")
        heard = await house.ask(version, "one")
        for query in ("two", "three"):
            house.clock.advance(1)
            heard = await house.ask(version, query, conversation=await house.conversation_row(heard))
        conversation = await house.conversation_row(heard)
        assert house.app is not None
        stored = await StoredSession.open(StoreReader(store, house.app.id), conversation.id, user_id="ada")
        session = await stored.load()
        await house.runner.close(1)
    found = session.get_messages(agent_id="llm", skip_roles=["system"])
    assert contents(found) == "one You said: one two You said: two three You said: three"
    last = session.get_messages(agent_id="llm", last_n_runs=1, skip_history_messages=False)
    assert [message.from_history for message in last] == [False, True, True, True, True, False, False]
    assert session.get_workflow_history(2) == [("two", "You said: two"), ("three", "You said: three")]
    loaded = WorkflowSession.from_dict(session.to_dict())
    assert loaded is not None
    assert loaded.to_dict() == session.to_dict()


async def test_a_conversation_of_the_console_belongs_to_an_account(records: Store, talk: Talk) -> None:
    talk.conversation = replace(talk.conversation, end_user_id=None, account_id="boss", from_source="console")
    talk.turn()
    await records.write(talk.store)
    reader = StoreReader(records, talk.app.id)
    stored = await StoredSession.open(reader, talk.conversation.id, user_id="boss")
    assert (stored.head.user_id, stored.head.metadata["source"]) == ("boss", "console")
    with pytest.raises(NotFoundError):
        await StoredSession.open(reader, talk.conversation.id, user_id="ada")
