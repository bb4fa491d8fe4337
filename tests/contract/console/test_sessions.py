"""Conversations and runs as workflow sessions, at the console and with an app's key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.console_caller import ConsoleCaller, make_account, signed_in
from tests.contract.house import House
from weft.sessions import StoredSession, StoreReader, WorkflowSession

pytestmark = pytest.mark.anyio
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Talk:
    """A chatflow that ann has asked four times, with one failure, and ben once."""

    caller: Caller
    path: str
    id: str
    other: str
    runs: list[str]

    @property
    def session(self) -> str:
        """Path of ann's session at the console."""
        return f"{self.path}/{self.id}"


@pytest.fixture(scope="session")
async def talk(house: House) -> Talk:
    flow = apps.chatflow(
        [
            apps.start(),
            apps.if_else("if", bad=("sys.query", "is", "fail")),
            apps.failing("broken"),
            apps.llm("llm", memory=apps.MEMORY),
            apps.answer("{{#llm.text#}}"),
            apps.answer("{{#broken.result#}}", id="never"),
        ],
        "start > if:false > llm > answer",
        "start > if:bad > broken > never",
        name="Sessions",
    )
    caller = await house.serve(flow)
    first = await caller.told("one", user="ann", auto_generate_name=False)
    id = first.events[0]["conversation_id"]
    streams = [first]
    streams += [await caller.told(query, user="ann", conversation_id=id) for query in ("two", "fail", "four")]
    other = await caller.said("plums", user="ben", auto_generate_name=False)
    runs = [stream.finished["id"] for stream in streams]
    return Talk(caller, f"/apps/{caller.app_id}/sessions", id, other["conversation_id"], runs)


@pytest.fixture(scope="session")
async def whole(house: House, talk: Talk) -> WorkflowSession:
    """Ann's session as the store has it."""
    reader = StoreReader(house.runtime.store, talk.caller.app_id)
    return await (await StoredSession.open(reader, talk.id)).load()


def without(run: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in names}


async def test_sessions_are_listed(owner: ConsoleCaller, talk: Talk, whole: WorkflowSession) -> None:
    page = (await owner.get(talk.path)).ok
    assert [page["limit"], page["has_more"]] == [20, False]
    assert [item["session_id"] for item in page["data"]] == [talk.other, talk.id]
    assert page["data"][1] == {
        "session_id": talk.id,
        "user_id": "ann",
        "workflow_id": talk.caller.app_id,
        "workflow_name": "Sessions",
        "session_name": whole.session_data["session_name"],
        "created_at": whole.created_at,
        "updated_at": whole.updated_at,
        "run_count": 4,
    }
    cases: list[tuple[dict[str, str | int], list[str]]] = [
        ({"user": "ann"}, [talk.id]),
        ({"user": "nobody"}, []),
        ({"name": "ONE"}, [talk.id]),
        ({"sort_by": "created_at"}, [talk.id, talk.other]),
        ({"limit": 1}, [talk.other]),
        ({"limit": 1, "last_id": talk.other}, [talk.id]),
        ({"created_at__before": "2001-01-01"}, []),
        ({"created_at__after": "2001-01-01T00:00:00Z", "user": ""}, [talk.other, talk.id]),
    ]
    for query, expected in cases:
        found = (await owner.get(talk.path, **query)).ok["data"]
        assert [item["session_id"] for item in found] == expected, query
    assert (await owner.get(talk.path, last_id=UNKNOWN)).status == 404
    assert (await owner.get(talk.path, limit=101)).status == 400


async def test_a_session_is_shown_whole_or_in_part(
    owner: ConsoleCaller, talk: Talk, whole: WorkflowSession
) -> None:
    plain: Any = whole.to_dict()
    assert (await owner.get(talk.session)).ok == plain
    loaded = WorkflowSession.from_dict((await owner.get(talk.session)).ok)
    assert loaded is not None
    assert loaded.to_dict() == plain
    last = (await owner.get(talk.session, last_n_runs=2)).ok
    assert last["runs"] == plain["runs"][2:]
    assert "session_metrics" not in last["session_data"]
    assert (await owner.get(talk.session, last_n_runs=0)).ok["runs"] is None
    few = (await owner.get(talk.session, steps="false", last_n_runs=1)).ok["runs"][0]
    assert without(few, "metrics") == without(plain["runs"][3], "step_results", "metrics")
    assert few["metrics"]["steps"] == {}
    quiet = (await owner.get(talk.session, messages="false")).ok["runs"]
    assert quiet == [without(run, "step_executor_runs") for run in plain["runs"]]


async def test_runs_come_in_pages_and_one_by_one(
    owner: ConsoleCaller, talk: Talk, whole: WorkflowSession
) -> None:
    plain: Any = whole.to_dict()["runs"]
    newest = (await owner.get(f"{talk.session}/runs", limit=3)).ok
    assert newest == {"limit": 3, "has_more": True, "data": plain[1:]}
    older = (await owner.get(f"{talk.session}/runs", limit=3, first_id=newest["data"][0]["run_id"])).ok
    assert older == {"limit": 3, "has_more": False, "data": plain[:1]}
    by_message = plain[1]["metadata"]["message_id"]
    assert (await owner.get(f"{talk.session}/runs", first_id=by_message)).ok["data"] == plain[:1]
    assert (await owner.get(f"{talk.session}/runs", first_id=UNKNOWN)).status == 404
    for run in plain:
        for id in (run["run_id"], run["metadata"]["message_id"]):
            assert (await owner.get(f"{talk.session}/runs/{id}")).ok == run
    assert (await owner.get(f"{talk.session}/runs/{UNKNOWN}")).status == 404
    assert (await owner.get(f"{talk.path}/{talk.other}/runs/{talk.runs[0]}")).status == 404


async def test_histories_and_messages_are_those_of_the_session(
    owner: ConsoleCaller, talk: Talk, whole: WorkflowSession
) -> None:
    for count in (None, 0, 1, 3):
        query: dict[str, str | int] = {} if count is None else {"num_runs": count}
        assert (await owner.get(f"{talk.session}/history", **query)).ok == {
            "data": [{"input": a, "output": b} for a, b in whole.get_workflow_history(count)],
            "context": whole.get_workflow_history_context(count),
        }
        query = {} if count is None else {"last_n_runs": count}
        assert (await owner.get(f"{talk.session}/chat-history", **query)).ok == {
            "data": [{"input": turn.input, "output": turn.output} for turn in whole.get_chat_history(count)]
        }
    escaped = (await owner.get(f"{talk.session}/history", escape="true")).ok["context"]
    assert escaped == whole.get_workflow_history_context(escape=True)
    asked: list[tuple[dict[str, str | int], dict[str, Any]]] = [
        ({"agent_id": "llm"}, {}),
        (
            {"agent_id": "llm", "last_n_runs": 1, "skip_history_messages": "false"},
            {"skip_history_messages": False},
        ),
        ({"agent_id": "llm", "limit": 2, "skip_roles": "system,tool"}, {"skip_roles": ["system", "tool"]}),
        ({"agent_id": "llm", "skip_statuses": "COMPLETED"}, {"skip_statuses": ["COMPLETED"]}),
        ({"team_id": talk.caller.app_id}, {}),
        ({"team_id": talk.caller.app_id, "skip_member_messages": "false"}, {"skip_member_messages": False}),
        ({"agent_id": "", "team_id": talk.caller.app_id, "limit": ""}, {"agent_id": None, "limit": None}),
    ]
    for query, more in asked:
        wanted: dict[str, Any] = {**query, **more}
        found = (await owner.get(f"{talk.session}/messages", **query)).ok["data"]
        assert found == [message.to_dict() for message in whole.get_messages(**wanted)], query
    both = await owner.get(f"{talk.session}/messages", agent_id="llm", team_id="x")
    assert both.error == (400, "invalid_param", "agent_id and team_id cannot be used together")
    neither = await owner.get(f"{talk.session}/messages")
    assert neither.error == (400, "invalid_param", "agent_id or team_id must be provided")
    for bad in ("num_runs=x", "num_runs=1.5", "escape=perhaps"):
        assert (await owner.get(f"{talk.session}/history?{bad}")).status == 400


async def test_a_user_of_a_key_has_only_their_own_sessions(talk: Talk, whole: WorkflowSession) -> None:
    caller = talk.caller
    page = (await caller.get("/sessions", user="ann")).ok
    assert [(item["session_id"], item["user_id"]) for item in page["data"]] == [(talk.id, "ann")]
    assert (await caller.get(f"/sessions/{talk.id}", user="ann")).ok == whole.to_dict()
    paths = ("", "/runs", "/history", "/chat-history", f"/messages?team_id={caller.app_id}")
    for below in (*paths, f"/runs/{talk.runs[0]}"):
        assert (await caller.get(f"/sessions/{talk.id}{below}", user="ann")).status == 200, below
        assert (await caller.get(f"/sessions/{talk.id}{below}", user="ben")).status == 404, below
        assert (await caller.get(f"/sessions/{talk.id}{below}")).status == 400, below
    assert (await caller.get("/sessions")).status == 400
    renamed = await caller.post(f"/sessions/{talk.id}/name", {"name": "Mine", "user": "ben"})
    assert renamed.status == 404
    assert (await caller.delete(f"/sessions/{talk.id}", {"user": "ben"})).status == 404


async def test_a_session_is_renamed_and_deleted_like_its_conversation(
    house: House, owner: ConsoleCaller, talk: Talk
) -> None:
    caller = talk.caller
    said = [await caller.said("hello", user="eve", auto_generate_name=False) for _ in range(2)]
    first, second = (answer["conversation_id"] for answer in said)
    named = (await owner.post(f"{talk.path}/{first}/name", {"name": "Ours"})).ok
    assert (named["session_id"], named["session_data"]["session_name"], named["runs"]) == (
        first,
        "Ours",
        None,
    )
    await caller.post(f"/sessions/{second}/name", {"name": "Theirs", "user": "eve"})
    found = {item["id"]: item["name"] for item in await caller.conversations(user="eve")}
    assert found == {first: "Ours", second: "Theirs"}
    for body in ({}, {"name": " "}, {"name": "x" * 256}, {"auto_generate": True}):
        assert (await owner.post(f"{talk.path}/{first}/name", body)).status == 400
        assert (await caller.post(f"/sessions/{second}/name", {**body, "user": "eve"})).status == 400
    assert (await owner.delete(f"{talk.path}/{first}")).status == 204
    assert (await caller.delete(f"/sessions/{second}", {"user": "eve"})).status == 204
    assert await caller.conversations(user="eve") == []
    for id in (first, second):
        assert (await owner.get(f"{talk.path}/{id}")).status == 404
        assert (await owner.delete(f"{talk.path}/{id}")).status == 404
    await make_account(house, "reader@b.c", "normal")
    reader = await signed_in(house, "reader@b.c")
    assert (await reader.get(talk.session)).status == 403
    assert (await reader.delete(talk.session)).status == 403


async def test_name_and_state_of_a_session_are_those_of_its_conversation(
    house: House, owner: ConsoleCaller, user: str
) -> None:
    variables = [
        apps.conversation_variable("topic", "string", "tea"),
        apps.conversation_variable("n", "number", 1),
    ]
    flow = apps.chatflow(
        [apps.start(), apps.answer("{{#conversation.topic#}} {{#conversation.n#}}")],
        "start > answer",
        variables=variables,
        name="Stateful",
    )
    caller = await house.serve(flow)
    id = (await caller.said("hi", user=user, auto_generate_name=False))["conversation_id"]
    path = f"/apps/{caller.app_id}/sessions/{id}"
    wanted = {"session_name": "Ours", "session_state": {"topic": "coffee"}}
    changed = (await owner.patch(path, wanted)).ok
    assert changed["session_data"] == {
        "session_name": "Ours",
        "session_state": {"topic": "coffee", "n": 1},
    }
    assert changed["runs"] is None
    assert (await caller.said("hi", user=user, conversation_id=id))["answer"] == "coffee 1"
    by_key = await caller.call(
        "PATCH",
        f"/sessions/{id}",
        {"session_state": {"n": 2}, "was": {"session_state": {"n": 1}}, "user": user},
    )
    assert by_key.ok["session_data"]["session_state"] == {"topic": "coffee", "n": 2}
    assert (await caller.said("hi", user=user, conversation_id=id))["answer"] == "coffee 2"
    assert await caller.variables(id, user=user) == {"topic": "coffee", "n": "2"}

    refused: list[tuple[dict[str, Any], int]] = [
        ({}, 400),
        ({"session_state": {}}, 400),
        ({"session_state": [1]}, 400),
        ({"session_state": {"n": "x"}}, 400),
        ({"session_state": {"unknown": 1}}, 400),
        ({"session_name": ""}, 400),
        ({"session_name": "x" * 256}, 400),
        ({"session_state": {"n": 3}, "was": {"session_state": {"n": 1}}}, 409),
        ({"session_name": "Mine", "was": {"session_name": "Another"}}, 409),
    ]
    for body, status in refused:
        assert (await owner.patch(path, body)).status == status, body
        assert (await caller.call("PATCH", f"/sessions/{id}", {**body, "user": user})).status == status, body
    assert (await caller.call("PATCH", f"/sessions/{id}", {**wanted, "user": "eve"})).status == 404
    assert (await caller.call("PATCH", f"/sessions/{id}", wanted)).status == 400
    assert (await owner.patch(f"/apps/{caller.app_id}/sessions/{UNKNOWN}", wanted)).status == 404
    assert (await owner.get(path)).ok["session_data"]["session_state"] == {"topic": "coffee", "n": 2}
    await make_account(house, "looker@b.c", "normal")
    assert (await (await signed_in(house, "looker@b.c")).patch(path, wanted)).status == 403


async def test_each_run_of_a_workflow_app_is_a_session(owner: ConsoleCaller, work: Caller) -> None:
    ran = await work.run({"text": "hey"}, user="zoe")
    run_id = ran["workflow_run_id"]
    path = f"/apps/{work.app_id}/sessions"
    (item,) = (await owner.get(path, user="zoe")).ok["data"]
    assert (item["session_id"], item["user_id"], item["session_name"], item["run_count"]) == (
        run_id,
        "zoe",
        None,
        1,
    )
    assert (await work.get("/sessions", user="zoe")).ok["data"] == [item]
    session = (await owner.get(f"{path}/{run_id}")).ok
    assert (session["session_id"], session["user_id"], session["created_at"]) == (
        run_id,
        "zoe",
        item["created_at"],
    )
    assert [run["run_id"] for run in session["runs"]] == [run_id]
    assert (await work.get(f"/sessions/{run_id}", user="zoe")).ok == session
    assert (await work.get(f"/sessions/{run_id}", user="yan")).status == 404
    history = (await owner.get(f"{path}/{run_id}/history", num_runs=1)).ok["data"]
    assert [(turn["input"], turn["output"]) for turn in history] == [
        ("{'text': 'hey'}", "{'text': 'You said: hey', 'given': 'hey'}")
    ]
    assert (await owner.get(f"{path}/{run_id}/runs")).ok["data"] == session["runs"]
    assert (await owner.get(f"{path}/{run_id}/runs", first_id=run_id)).ok["data"] == []
    assert (await owner.get(f"{path}/{run_id}/runs/{run_id}")).ok == session["runs"][0]
    assert (await owner.post(f"{path}/{run_id}/name", {"name": "x"})).status == 400
    assert (await owner.patch(f"{path}/{run_id}", {"session_name": "x"})).status == 400
    assert (await work.delete(f"/sessions/{run_id}", {"user": "zoe"})).status == 400


async def test_apps_of_other_kinds_have_no_sessions(owner: ConsoleCaller) -> None:
    app_id = await owner.new_app("Chat", "chat")
    assert (await owner.get(f"/apps/{app_id}/sessions")).status == 404
