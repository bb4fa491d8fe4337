"""Nobody sees or changes what belongs to another app, whatever they ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.caller import Caller, Reply
from tests.contract.house import open_house
from tests.contract.uploads import BOUNDARY, FormPart, uploaded
from weft.providers import ChatRequest
from weft.server import openai_api, service_api

pytestmark = pytest.mark.anyio

MARK = "belongs-to-the-owner"
USER = "u1"
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Try:
    """One way to ask for what is somebody else's; ``{name}`` stands for an id of theirs."""

    statuses: tuple[int, ...]
    """What may be answered. A 200 is the stranger's own, or nothing."""
    body: Body | None = None
    query: Body = field(default_factory=dict)
    form: tuple[FormPart, ...] = ()
    headers: Body = field(default_factory=dict)


ABSENT = (403, 404)
OWN = (200, 201)
IN_QUERY = {"user": USER}
CHAT = {"query": "hi", "inputs": {}, "user": USER, "auto_generate_name": False}
FILE = {"type": "document", "transfer_method": "local_file", "upload_file_id": "{file_id}"}
RUN = {"inputs": {"text": "hi"}, "user": USER}
SAID = [{"role": "user", "content": "hi"}]

TRIES: dict[tuple[str, str], list[Try]] = {
    ("POST", "/chat-messages"): [
        Try(OWN, CHAT),
        Try(ABSENT, {**CHAT, "conversation_id": "{conversation_id}"}),
        Try((400, *ABSENT), {**CHAT, "workflow_id": "{workflow_id}"}),
        Try((400, *ABSENT), {**CHAT, "files": [FILE]}),
    ],
    ("POST", "/chat-messages/{task_id}/stop"): [Try(OWN, IN_QUERY)],
    ("POST", "/completion-messages"): [Try((400, *ABSENT), CHAT)],
    ("POST", "/completion-messages/{task_id}/stop"): [Try((200, 400, *ABSENT), IN_QUERY)],
    ("GET", "/messages"): [Try(ABSENT, query={**IN_QUERY, "conversation_id": "{conversation_id}"})],
    ("POST", "/messages/{message_id}/feedbacks"): [Try(ABSENT, {**IN_QUERY, "rating": "dislike"})],
    ("GET", "/app/feedbacks"): [Try(OWN)],
    ("GET", "/messages/{message_id}/suggested"): [Try(ABSENT, query=IN_QUERY)],
    ("GET", "/conversations"): [
        Try(OWN, query=IN_QUERY),
        Try(ABSENT, query={**IN_QUERY, "last_id": "{conversation_id}"}),
    ],
    ("POST", "/conversations/{conversation_id}/name"): [Try(ABSENT, {**IN_QUERY, "name": "Mine"})],
    ("DELETE", "/conversations/{conversation_id}"): [Try(ABSENT, IN_QUERY)],
    ("GET", "/conversations/{conversation_id}/variables"): [Try(ABSENT, query=IN_QUERY)],
    ("PUT", "/conversations/{conversation_id}/variables/{variable_id}"): [
        Try(ABSENT, {**IN_QUERY, "value": "mine"})
    ],
    ("GET", "/info"): [Try(OWN)],
    ("GET", "/parameters"): [Try(OWN)],
    ("GET", "/meta"): [Try(OWN)],
    ("GET", "/site"): [Try((200, 403))],
    ("POST", "/workflows/run"): [
        Try(OWN, RUN),
        Try(
            (200, 400, *ABSENT), {**RUN, "files": [FILE]}
        ),  # a flow without a place for files passes them over
    ],
    ("POST", "/workflows/{workflow_id}/run"): [Try((400, *ABSENT), RUN)],
    ("GET", "/workflows/run/{workflow_run_id}"): [Try(ABSENT)],
    ("GET", "/workflows/logs"): [Try(OWN), Try(OWN, query={"keyword": MARK})],
    ("POST", "/workflows/tasks/{task_id}/stop"): [Try((200, 400), IN_QUERY)],
    ("POST", "/files/upload"): [Try(OWN, form=(FormPart(b"x", "file", "x.txt", "text/plain"),))],
    ("GET", "/files/{file_id}/preview"): [Try(ABSENT, query=IN_QUERY)],
    ("GET", "/end-users/{end_user_id}"): [Try(ABSENT)],
    ("GET", "/apps/annotations"): [Try(OWN), Try(OWN, query={"keyword": MARK})],
    ("POST", "/apps/annotations"): [Try(OWN, {"question": "q", "answer": "a"})],
    ("PUT", "/apps/annotations/{annotation_id}"): [Try(ABSENT, {"question": "q", "answer": "mine"})],
    ("DELETE", "/apps/annotations/{annotation_id}"): [Try(ABSENT)],
    ("POST", "/apps/annotation-reply/{action}"): [Try(OWN, {})],
    ("GET", "/apps/annotation-reply/{action}/status/{job_id}"): [Try((400, *ABSENT))],
    ("POST", "/audio-to-text"): [
        Try((200, 400), form=(FormPart(b"RIFF", "file", "a.wav", "audio/wav"),)),
    ],
    ("POST", "/text-to-audio"): [Try((400, *ABSENT), {**IN_QUERY, "message_id": "{message_id}"})],
    ("GET", "/form/human_input/{form_token}"): [Try(ABSENT)],
    ("POST", "/form/human_input/{form_token}"): [
        Try(ABSENT, {**IN_QUERY, "inputs": {"name": "x", "note": "y"}, "action": "approve"})
    ],
    ("GET", "/workflow/{workflow_run_id}/events"): [
        Try(ABSENT, query=IN_QUERY),
        Try(ABSENT, query={**IN_QUERY, "include_state_snapshot": "true"}),
    ],
    ("GET", "/sessions"): [
        Try(OWN, query=IN_QUERY),
        Try(ABSENT, query={**IN_QUERY, "last_id": "{session_id}"}),
    ],
    ("GET", "/sessions/{session_id}"): [Try(ABSENT, query=IN_QUERY)],
    ("DELETE", "/sessions/{session_id}"): [Try(ABSENT, IN_QUERY)],
    ("PATCH", "/sessions/{session_id}"): [
        Try(ABSENT, {**IN_QUERY, "session_name": "Mine"}),
        Try(ABSENT, {**IN_QUERY, "session_state": {"seen": "mine"}}),
    ],
    ("POST", "/sessions/{session_id}/name"): [Try(ABSENT, {**IN_QUERY, "name": "Mine"})],
    ("GET", "/sessions/{session_id}/runs"): [Try(ABSENT, query=IN_QUERY)],
    ("GET", "/sessions/{session_id}/runs/{run_id}"): [Try(ABSENT, query=IN_QUERY)],
    ("GET", "/sessions/{session_id}/history"): [Try(ABSENT, query=IN_QUERY)],
    ("GET", "/sessions/{session_id}/chat-history"): [Try(ABSENT, query=IN_QUERY)],
    ("GET", "/sessions/{session_id}/messages"): [
        Try(ABSENT, query={**IN_QUERY, "agent_id": "llm"}),
        Try(ABSENT, query={**IN_QUERY, "team_id": "{app_id}"}),
    ],
    ("POST", "/chat/completions"): [
        Try(OWN, {"model": "{app_id}", "messages": SAID}),
        Try(
            ABSENT,
            {"messages": SAID, "user": USER},
            headers={"x-weft-conversation-id": "{conversation_id}"},
        ),
    ],
    ("GET", "/models"): [Try(OWN)],
    ("GET", "/models/{model:path}"): [Try((200, *ABSENT))],
}


def operations() -> set[tuple[str, str]]:
    """Every method and path of the route table."""
    return {
        (method, route.path)
        for table in (service_api, openai_api)
        for route in table.routes("")
        for method in route.methods or ()
        if method != "HEAD"
    }


def test_every_route_is_tried() -> None:
    assert set(TRIES) == operations()


@dataclass
class Estate:
    """What the owner has, and those who have no business there."""

    owner: Caller
    asker: Caller
    strangers: list[Caller]
    ids: dict[str, str]
    gate: Gate

    async def state(self) -> dict[str, Any]:
        """All that the owner sees of it."""
        of, ids = self.owner, self.ids
        paths = {
            "conversations": ("/conversations", {"user": USER}),
            "messages": ("/messages", {"user": USER, "conversation_id": ids["conversation_id"]}),
            "variables": (f"/conversations/{ids['conversation_id']}/variables", {"user": USER}),
            "feedbacks": ("/app/feedbacks", {}),
            "run": (f"/workflows/run/{ids['finished_run_id']}", {}),
            "annotations": ("/apps/annotations", {}),
            "parameters": ("/parameters", {}),
            "end user": (f"/end-users/{ids['end_user_id']}", {}),
        }
        seen: dict[str, Any] = {
            name: (await of.get(path, **query)).ok for name, (path, query) in paths.items()
        }
        for message in seen["messages"]["data"]:
            for file in message["message_files"]:
                del file["url"]  # signed anew each time
        seen["file"] = (await of.get(f"/files/{ids['file_id']}/preview", user=USER)).body
        seen["form"] = (await self.asker.get(f"/form/human_input/{ids['form_token']}")).ok
        seen["paused"] = (await self.asker.get(f"/workflows/run/{ids['workflow_run_id']}")).ok["status"]
        return seen


@pytest.fixture(scope="module")
async def estate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Estate]:
    actor, gate = Actor(), Gate()

    async def hold(request: ChatRequest) -> AsyncIterator[str]:
        await gate.wait()
        yield MARK

    actor.play("hold", hold)
    async with open_house(tmp_path_factory.mktemp("walls"), models=actor) as house:
        owner = await house.serve(
            apps.echo_flow(features=apps.FEATURES, variables=apps.VARIABLES, name=f"Flow {MARK}")
        )
        asker = await house.serve(
            apps.chatflow(
                [apps.start(), apps.human("ask", f"Well? {MARK}"), apps.answer("{{#ask.name#}}")],
                "start > ask:approve > answer",
                name=f"Asks {MARK}",
            )
        )
        strangers = [
            await house.serve(apps.echo_flow(features=apps.FEATURES, name="Stranger")),
            await house.serve(apps.echo_workflow()),
        ]
        ids = await possessions(owner, asker)
        async with owner.stream("hold", user=USER) as stream:
            await gate.seen()
            ids["task_id"] = str((await stream.until("workflow_started"))["task_id"])
            yield Estate(owner, asker, strangers, ids, gate)
            gate.open()
            await stream.rest()
            assert (stream.answer, stream.finished["status"]) == (MARK, "succeeded")


async def possessions(owner: Caller, asker: Caller) -> dict[str, str]:
    """Make one of everything, and give the ids."""
    file = await uploaded(owner, "mine.txt", MARK.encode(), "text/plain", user=USER)
    used = {"type": "document", "transfer_method": "local_file", "upload_file_id": file["id"]}
    told = await owner.told(f"Say {MARK}", user=USER, files=[used])
    message = told.one("message_end")
    rated = await owner.post(
        f"/messages/{message['id']}/feedbacks", {"user": USER, "rating": "like", "content": MARK}
    )
    assert rated.status == 200
    variables = (await owner.get(f"/conversations/{message['conversation_id']}/variables", user=USER)).ok[
        "data"
    ]
    annotation = (await owner.post("/apps/annotations", {"question": f"Q {MARK}", "answer": MARK})).ok
    job = (await owner.post("/apps/annotation-reply/disable", {})).ok
    asked = await asker.told("ask", user=USER)
    required = asked.one("human_input_required")
    return {
        "app_id": owner.app_id,
        "model": owner.app_id,
        "workflow_id": owner.workflow_id,
        "conversation_id": message["conversation_id"],
        "session_id": message["conversation_id"],
        "message_id": message["id"],
        "variable_id": variables[0]["id"],
        "run_id": told.one("workflow_started")["workflow_run_id"],
        "finished_run_id": told.one("workflow_started")["workflow_run_id"],
        "workflow_run_id": required["workflow_run_id"],
        "form_token": required["data"]["form_token"],
        "file_id": file["id"],
        "end_user_id": file["created_by"],
        "annotation_id": annotation["id"],
        "job_id": job["job_id"],
        "action": "disable",
    }


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """The same with ids in place of their names."""
    match value:
        case str():
            for name, id in ids.items():
                value = value.replace(f"{{{name}}}", id).replace(f"{{{name}:path}}", id)
            return value
        case Mapping():
            return {key: filled(item, ids) for key, item in value.items()}
        case list():
            return [filled(item, ids) for item in value]
        case _:
            return value


async def attempt(caller: Caller, method: str, path: str, what: Try, ids: Mapping[str, str]) -> Reply:
    body: Any = filled(what.body, ids)
    query = filled(what.query, ids)
    if not what.form:
        headers = {"authorization": f"Bearer {caller.key}", **filled(what.headers, ids)}
        return await caller.call(method, filled(path, ids), body, query=query, headers=headers)
    parts = [*what.form, FormPart(USER.encode(), "user")]
    return await caller.call(
        method,
        filled(path, ids),
        data=b"".join(part.encode() for part in parts) + f"--{BOUNDARY}--\r\n".encode(),
        headers={
            "authorization": f"Bearer {caller.key}",
            "content-type": f"multipart/form-data; boundary={BOUNDARY}",
        },
    )


@pytest.mark.parametrize(("method", "path"), sorted(operations()))
async def test_a_stranger_sees_and_changes_nothing(estate: Estate, method: str, path: str) -> None:
    before = await estate.state()
    for stranger in estate.strangers:
        for what in TRIES[method, path]:
            reply = await attempt(stranger, method, path, what, estate.ids)
            of_another_mode = reply.status == 400 and any(
                code in reply.body
                for code in (b'"not_chat_app"', b'"not_workflow_app"', b'"app_unavailable"')
            )
            assert reply.status in what.statuses or of_another_mode, (reply.status, reply.body)
            assert MARK.encode() not in reply.body
    assert await estate.state() == before


@pytest.mark.parametrize(("method", "path"), sorted(operations()))
@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer app-wrong"}], ids=["none", "wrong"])
async def test_nothing_is_open_without_a_key(
    estate: Estate, method: str, path: str, header: dict[str, str]
) -> None:
    body: dict[str, Any] | None = None if method == "GET" else {}
    reply = await estate.owner.call(method, filled(path, estate.ids), body, headers=header)
    assert reply.status == 401
    assert MARK.encode() not in reply.body


async def test_the_marks_are_where_the_owner_looks(estate: Estate) -> None:
    seen = await estate.state()
    for name in ("messages", "feedbacks", "run", "annotations", "file", "form"):
        assert MARK in str(seen[name]), name
    assert seen["paused"] == "paused"
