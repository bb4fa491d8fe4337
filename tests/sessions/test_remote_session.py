"""Sessions of a whole server in this process, through its clients."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.console_caller import PASSWORD, make_account
from tests.contract.house import House, open_house
from tests.sessions.test_stored_session import ASKED
from weft.client import (
    AsyncAdvancedChatApp,
    AsyncClient,
    AsyncConsoleClient,
    AsyncSessionHandle,
    AsyncWorkflowApp,
    Client,
)
from weft.errors import ConflictError, InvalidRequestError, NotFoundError
from weft.sessions import RemoteSession, StoredSession, StoreReader, WorkflowSession

pytestmark = pytest.mark.anyio
EMAIL = "owner@b.c"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house"), models=Actor()) as opened:
        await make_account(opened, EMAIL)
        yield opened


@dataclass
class Talk:
    """What ann said, and the session that the store has of it."""

    flow: Caller
    id: str
    whole: WorkflowSession


@pytest.fixture(scope="module")
async def talk(house: House) -> Talk:
    flow = await house.serve(
        apps.chatflow(
            [
                apps.start(),
                apps.if_else("if", bad=("sys.query", "contains", "fail")),
                apps.failing("broken"),
                apps.llm("llm", memory=apps.MEMORY),
                apps.answer("{{#llm.text#}}"),
                apps.answer("{{#broken.result#}}", id="never"),
            ],
            "start > if:false > llm > answer",
            "start > if:bad > broken > never",
        )
    )
    id = ""
    for number in range(7):
        query = f"fail {number}" if number in (2, 5) else f"q{number}"
        more = {"conversation_id": id} if id else {}
        stream = await flow.told(query, user="ann", auto_generate_name=False, **more)
        id = stream.events[0]["conversation_id"]
    stored = await StoredSession.open(StoreReader(house.runtime.store, flow.app_id), id)
    return Talk(flow, id, await stored.load())


@pytest.fixture(params=["key", "console"])
async def handle(request: pytest.FixtureRequest, talk: Talk) -> AsyncIterator[AsyncSessionHandle]:
    if request.param == "key":
        async with AsyncClient(talk.flow.url, talk.flow.key) as client:
            yield client.session(talk.id, user="ann")
    else:
        async with AsyncConsoleClient(talk.flow.url, EMAIL, PASSWORD) as console:
            yield console.app(talk.flow.app_id, AsyncAdvancedChatApp).session(talk.id)


async def test_a_session_over_http_says_what_the_stored_one_says(
    talk: Talk, handle: AsyncSessionHandle
) -> None:
    session, whole = RemoteSession(handle), talk.whole
    assert (await session.load()).to_dict() == whole.to_dict()
    for name, given in ASKED:
        wanted = {key: talk.flow.app_id if value == "app" else value for key, value in given.items()}
        assert await getattr(session, name)(**wanted) == getattr(whole, name)(**wanted), (name, wanted)
    assert [run.run_id for run in (await session.load(2, messages=False)).runs] == [
        run.run_id for run in whole.runs[-2:]
    ]
    newest = await session.get_runs(limit=4)
    older = await session.get_runs(newest.runs[0].run_id, limit=4, steps=False)
    assert [run.to_dict() for run in newest.runs] == [run.to_dict() for run in whole.runs[3:]]
    assert [run.run_id for run in older.runs] == [run.run_id for run in whole.runs[:3]]
    assert [run.step_results for run in older.runs] == [[], [], []]
    assert (newest.has_more, older.has_more) == (True, False)
    for run in whole.runs:
        found = await session.get_run(str(run.run_id))
        assert found is not None
        assert found.to_dict() == run.to_dict()
    assert await session.get_run(UNKNOWN) is None


async def test_arguments_are_refused_as_the_session_refuses_them(handle: AsyncSessionHandle) -> None:
    session = RemoteSession(handle)
    with pytest.raises(ValueError, match="cannot be used together"):
        await session.get_messages(agent_id="a", team_id="b")
    with pytest.raises(ValueError, match="must be provided"):
        await session.get_messages()


async def test_sessions_are_listed_renamed_and_deleted(house: House) -> None:
    flow = await house.serve(apps.echo_flow(name="Listed"))
    ids = []
    for user in ("ann", "ann", "ben"):
        answer = await flow.said(f"hi {user}", user=user, auto_generate_name=False)
        ids.append(answer["conversation_id"])
    async with (
        AsyncClient(flow.url, flow.key) as client,
        AsyncConsoleClient(flow.url, EMAIL, PASSWORD) as console,
    ):
        app = console.app(flow.app_id, AsyncAdvancedChatApp)
        assert [item.id for item in await app.sessions(sort_by="created_at", limit=2)] == ids[:2]
        assert [item.id for item in await app.iter_sessions(limit=1).collect()] == ids[::-1]
        assert [item.id for item in await app.sessions(user="ben", created_after=0, name="HI")] == ids[2:]
        assert [item.user_id for item in await client.sessions(user="ann")] == ["ann", "ann"]
        page = await client.sessions(user="ann", limit=1)
        assert [item.id for item in await client.sessions(user="ann", last_id=page.last_id)] == ids[:1]
        assert len(await client.iter_sessions(user="ann", limit=1).collect()) == 2

        mine = client.session(ids[0], user="ann")
        assert (await mine.rename("Mine"))["session_id"] == ids[0]
        assert (await app.session(ids[1]).rename("Ours"))["runs"] is None
        names = [item.session_name for item in await client.sessions(user="ann", sort_by="created_at")]
        assert names == ["Mine", "Ours"]
        with pytest.raises(NotFoundError):
            await client.session(ids[0], user="ben").delete()
        await mine.delete()
        await app.session(ids[1]).delete()
        assert [item.id for item in await app.sessions()] == ids[2:]
        with pytest.raises(NotFoundError):
            await RemoteSession(mine).load()
        assert repr(mine) == f"AsyncSessionHandle({ids[0]!r})"


async def test_name_and_state_are_changed_over_http(house: House) -> None:
    variables = [
        apps.conversation_variable("topic", "string", "tea"),
        apps.conversation_variable("n", "number", 1),
    ]
    flow = await house.serve(apps.echo_flow(name="Stateful", variables=variables))
    id = (await flow.said("hi", user="ann", auto_generate_name=False))["conversation_id"]
    async with (
        AsyncClient(flow.url, flow.key) as client,
        AsyncConsoleClient(flow.url, EMAIL, PASSWORD) as console,
    ):
        remote = RemoteSession(client.session(id, user="ann"))
        editor = RemoteSession(console.app(flow.app_id, AsyncAdvancedChatApp).session(id))
        mine, theirs = await remote.load(), await editor.load(messages=False)
        state: Any = mine.session_data["session_state"]
        state["topic"] = "coffee"
        mine.session_data["session_name"] = "Mine"
        assert await remote.save(mine) is mine
        state = mine.session_data["session_state"]
        assert (await editor.load()).session_data["session_state"] == state == {"topic": "coffee", "n": 1}
        state["n"] = 2
        await remote.save(mine)
        await remote.save(mine)
        assert (await remote.load()).to_dict() == mine.to_dict()

        theirs_state: Any = theirs.session_data["session_state"]
        theirs_state["n"] = 5
        with pytest.raises(ConflictError, match=r"session_state\['n'\]"):
            await editor.save(theirs)
        theirs_state["n"] = "five"
        with pytest.raises(InvalidRequestError):
            await remote.update_session_state({"n": "five"})
        theirs.runs.clear()
        with pytest.raises(InvalidRequestError, match="the list of runs has been changed"):
            await editor.save(theirs)
        with pytest.raises(InvalidRequestError, match="was not read from a stored conversation"):
            await remote.save(WorkflowSession(id))
        with pytest.raises(InvalidRequestError, match="is not "):
            await RemoteSession(client.session(UNKNOWN, user="ann")).save(mine)
        assert await editor.update_session_state({"n": 3}) == {"topic": "coffee", "n": 3}
        await editor.set_session_name("Ours")
        assert (await remote.load(0)).session_data["session_name"] == "Ours"
        assert mine == copy.deepcopy(mine) == pickle.loads(pickle.dumps(mine))


async def test_the_run_of_a_workflow_app_is_a_session(house: House) -> None:
    work = await house.serve(apps.echo_workflow())
    run_id = (await work.run({"text": "hey"}, user="zoe"))["workflow_run_id"]
    async with AsyncConsoleClient(work.url, EMAIL, PASSWORD) as console:
        app = console.app(work.app_id, AsyncWorkflowApp)
        assert [item.id for item in await app.sessions()] == [run_id]
        session = await RemoteSession(app.session(run_id)).load()
        assert (session.session_id, session.user_id, len(session.runs)) == (run_id, "zoe", 1)
        with pytest.raises(InvalidRequestError):
            await app.session(run_id).rename("x")


async def test_the_blocking_client_gives_plain_data(talk: Talk) -> None:
    def read() -> WorkflowSession | None:
        with Client(talk.flow.url, talk.flow.key) as client:
            handle = client.session(talk.id, user="ann")
            assert handle.get_workflow_history(2) == talk.whole.get_workflow_history(2)
            return WorkflowSession.from_dict(handle.load())

    session = await asyncio.to_thread(read)
    assert session is not None
    assert session.to_dict() == talk.whole.to_dict()
