"""Runs, their log, and running workflow apps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.contract import apps
from tests.contract.caller import Caller, Reply, is_id
from tests.contract.house import House

pytestmark = pytest.mark.anyio


async def log(caller: Caller, **query: str | int) -> list[Any]:
    return list((await caller.get("/workflows/logs", **query)).ok["data"])


async def run_of(caller: Caller, user: str, query: str = "hi") -> str:
    """The id of a run of a chatflow."""
    return str((await caller.told(query, user=user)).finished["id"])


def ids(entries: list[Any]) -> list[str]:
    return [entry["workflow_run"]["id"] for entry in entries]


@pytest.mark.requirement("api-209")
async def test_a_run_can_be_looked_up_with_inputs_and_outputs_as_objects(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user, inputs={"city": "Rome"})
    detail = await flow.run_detail(stream.finished["id"])
    assert detail == {
        "id": stream.finished["id"],
        "workflow_id": flow.workflow_id,
        "status": "succeeded",
        "inputs": stream.events[0]["data"]["inputs"],
        "outputs": {"answer": "You said: hi"},
        "error": None,
        "total_steps": 3,
        "total_tokens": 4,
        "created_at": stream.finished["created_at"],
        "finished_at": stream.finished["finished_at"],
        "elapsed_time": stream.finished["elapsed_time"],
    }


@pytest.mark.requirement("api-210")
async def test_an_unknown_run_or_another_apps_answers_404(flow: Caller, plain: Caller, user: str) -> None:
    id = await run_of(flow, user)
    absent = (404, "not_found", "Workflow run not found.")
    assert (await flow.get(f"/workflows/run/{uuid4()}")).error == absent
    assert (await plain.get(f"/workflows/run/{id}")).error == absent


@pytest.mark.requirement("api-212")
async def test_a_failed_run_tells_its_error(failing: Caller, user: str) -> None:
    detail = await failing.run_detail(await run_of(failing, user))
    assert (detail["status"], detail["outputs"], "boom" in detail["error"]) == ("failed", {}, True)


@pytest.fixture
async def fresh(house: House, user: str) -> Caller:
    """A chatflow that nobody has asked yet; it fails when it is told to."""
    return await house.serve(
        apps.chatflow(
            [
                apps.start(),
                apps.if_else("check", bad=("sys.query", "contains", "fail")),
                apps.failing("broken"),
                apps.answer("You said: {{#sys.query#}}"),
            ],
            "start > check:bad > broken > answer",
            "check:false > answer",
            name=f"fresh for {user}",
        )
    )


@pytest.mark.requirement("api-213")
async def test_the_log_lists_runs_newest_first_with_who_caused_them(fresh: Caller, user: str) -> None:
    runs = [await run_of(fresh, user), await run_of(fresh, user)]
    page = (await fresh.get("/workflows/logs")).ok
    assert [page[name] for name in ("page", "limit", "total", "has_more")] == [1, 20, 2, False]
    assert ids(page["data"]) == runs[::-1]
    entry = page["data"][0]
    assert (is_id(entry.pop("id")), is_id(entry["created_by_end_user"].pop("id"))) == (True, True)
    run = entry.pop("workflow_run")
    assert isinstance(entry.pop("created_at"), int)
    assert entry == {
        "details": None,
        "created_from": "service-api",
        "created_by_role": "end_user",
        "created_by_account": None,
        "created_by_end_user": {"type": "service-api", "is_anonymous": False, "session_id": user},
    }
    facts = ("status", "triggered_from", "error", "total_tokens", "total_steps", "exceptions_count")
    assert [run[name] for name in facts] == ["succeeded", "app-run", None, 0, 3, 0]
    assert set(run) == {"id", "version", "elapsed_time", "created_at", "finished_at", *facts}


@pytest.mark.requirement("api-214")
async def test_the_log_can_be_filtered_by_status(fresh: Caller, user: str) -> None:
    good, bad = await run_of(fresh, user), await run_of(fresh, user, "fail")
    assert ids(await log(fresh, status="failed")) == [bad]
    assert ids(await log(fresh, status="succeeded")) == [good]
    assert ids(await log(fresh, status="stopped")) == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        pytest.param({"status": "nonsense"}, "status", marks=pytest.mark.requirement("api-215")),
        pytest.param({"status": "running"}, "status", marks=pytest.mark.requirement("api-215")),
        pytest.param(
            {"created_at__after": "yesterday"}, "created_at__after", marks=pytest.mark.requirement("api-220")
        ),
        pytest.param(
            {"created_by_account": "nobody@x.y"},
            "Account not found: nobody@x.y",
            marks=pytest.mark.requirement("api-222"),
        ),
        pytest.param({"limit": "101"}, "limit", marks=pytest.mark.requirement("api-223")),
        pytest.param({"page": "100000"}, "page", marks=pytest.mark.requirement("api-223")),
        pytest.param({"page": "0"}, "page", marks=pytest.mark.requirement("api-223")),
    ],
)
async def test_a_wrong_filter_is_refused(flow: Caller, query: dict[str, str], text: str) -> None:
    status, code, message = (await flow.get("/workflows/logs", **query)).error
    assert (status, code, text in message) == (400, "invalid_param", True), message


@pytest.mark.requirement("api-216", "api-217", "api-218")
async def test_the_log_is_searched_literally_in_inputs_outputs_user_and_run_id(
    fresh: Caller, user: str
) -> None:
    first = await run_of(fresh, user, "about Apples and pears")
    second = await run_of(fresh, f"not {user}", "about plums")
    found = {
        keyword: ids(await log(fresh, keyword=keyword))
        for keyword in ("apples", "You said: about plu", f"not {user}", first, first.upper(), "100%", "p_ums")
    }
    assert found == {
        "apples": [first],
        "You said: about plu": [second],
        f"not {user}": [second],
        first: [first],
        first.upper(): [first],
        "100%": [],
        "p_ums": [],
    }


@pytest.mark.requirement("api-216")
async def test_the_log_is_searched_in_any_script(fresh: Caller, user: str) -> None:
    run = await run_of(fresh, user, "Grüße aus 北京")
    assert ids(await log(fresh, keyword="北京")) == [run]
    assert ids(await log(fresh, keyword="grüße")) == [run]


@pytest.mark.requirement("api-219")
async def test_the_log_can_be_cut_by_time(fresh: Caller, user: str) -> None:
    run = await run_of(fresh, user)
    now = datetime.now(UTC) + timedelta(seconds=1)
    zoned = now.astimezone().isoformat()
    for moment in (now.isoformat(), now.replace(tzinfo=None).isoformat(), zoned):
        assert ids(await log(fresh, created_at__after=moment)) == []
        assert ids(await log(fresh, created_at__before=moment)) == [run]
    assert ids(await log(fresh, created_at__after="2020-01-01")) == [run]


@pytest.mark.requirement("api-221")
async def test_the_log_can_be_filtered_by_exact_user(fresh: Caller, user: str) -> None:
    run = await run_of(fresh, user)
    await run_of(fresh, f"{user}0")
    assert ids(await log(fresh, created_by_end_user_session_id=user)) == [run]
    assert ids(await log(fresh, created_by_end_user_session_id=user[:-1] or "x")) == []


@pytest.mark.requirement("api-224")
async def test_pages_of_the_log_end(fresh: Caller, user: str) -> None:
    runs = [await run_of(fresh, user) for _ in range(3)]
    pages = [(await fresh.get("/workflows/logs", limit=2, page=page)).ok for page in (1, 2, 99)]
    told = [(ids(page["data"]), page["has_more"], page["total"], page["page"]) for page in pages]
    assert told == [([runs[2], runs[1]], True, 3, 1), ([runs[0]], False, 3, 2), ([], False, 3, 99)]


@pytest.mark.requirement("api-225")
async def test_a_workflow_app_answers_whole(work: Caller, user: str) -> None:
    reply = await work.post("/workflows/run", {"inputs": {"text": "hi"}, "user": user})
    body = reply.ok
    data = body["data"]
    assert (is_id(body["task_id"]), body["workflow_run_id"]) == (True, data["id"])
    assert set(data) == {
        "id",
        "workflow_id",
        "status",
        "outputs",
        "error",
        "elapsed_time",
        "total_tokens",
        "total_steps",
        "created_at",
        "finished_at",
    }
    assert (data["status"], data["outputs"]) == ("succeeded", {"text": "You said: hi", "given": "hi"})
    assert (data["error"], data["total_steps"], data["workflow_id"]) == (None, 3, work.workflow_id)
    detail = await work.run_detail(data["id"])
    assert {name: detail[name] for name in data} == data


@pytest.mark.requirement("api-226", "dsl-114")
async def test_a_failed_run_of_a_workflow_app_is_a_200_that_says_so(house: House, user: str) -> None:
    broken = await house.serve(apps.failing_workflow(), "broken workflow")
    data = (await broken.run(user=user))["data"]
    assert (data["status"], data["outputs"], "boom" in data["error"]) == ("failed", {}, True)


@pytest.mark.requirement("dsl-114")
async def test_the_stream_of_a_failed_workflow_ends_with_its_status(house: House, user: str) -> None:
    broken = await house.serve(apps.failing_workflow(), "broken workflow")
    stream = await broken.ran(user=user)
    assert stream.script == [
        "workflow_started",
        ">start",
        "<start",
        ">broken",
        "<broken",
        "workflow_finished",
    ]
    assert (stream.finished["status"], stream.node("broken")["status"]) == ("failed", "failed")


@pytest.mark.requirement("api-227")
async def test_a_chatflow_is_no_workflow_app(flow: Caller) -> None:
    for path in ("/workflows/run", f"/workflows/{flow.workflow_id}/run", "/workflows/tasks/x/stop"):
        assert (await flow.post(path, {"inputs": {}, "user": "u1"})).error == (
            400,
            "not_workflow_app",
            "Please check if your app mode matches the right API route.",
        )


@pytest.mark.requirement("api-228")
async def test_a_workflow_app_streams_text_chunks_and_no_message(work: Caller, user: str) -> None:
    stream = await work.ran({"text": "hi"}, user=user)
    assert set(stream.names) == {
        "workflow_started",
        "node_started",
        "node_finished",
        "text_chunk",
        "workflow_finished",
    }
    assert (stream.names[0], stream.names[-1]) == ("workflow_started", "workflow_finished")
    assert {event["workflow_run_id"] for event in stream.events} == {stream.finished["id"]}
    assert len({event["task_id"] for event in stream.events}) == 1
    assert not any({"conversation_id", "message_id"} & set(event) for event in stream.events)
    assert stream.answer == "You said: hi\nhi"
    assert set(stream.of("text_chunk")[0]["data"]) == {"text", "from_variable_selector"}


@pytest.mark.requirement("api-229")
async def test_a_workflow_apps_version_is_found_by_its_id(work: Caller, user: str) -> None:
    async def run(id: str) -> Reply:
        return await work.post(f"/workflows/{id}/run", {"inputs": {"text": "hi"}, "user": user})

    unknown = str(uuid4())
    assert (await run(unknown)).error == (404, "not_found", f"Workflow not found with id: {unknown}")
    assert (await run("xyz")).error == (400, "bad_request", "Invalid workflow_id format: 'xyz'. ")
    assert (await run(work.workflow_id)).ok["data"]["status"] == "succeeded"


@pytest.mark.requirement("api-230")
async def test_stopping_a_workflow_task_succeeds(work: Caller) -> None:
    reply = await work.post("/workflows/tasks/x/stop", {"user": "u1"})
    assert reply.ok == {"result": "success"}


@pytest.mark.requirement("dsl-121")
async def test_a_missing_input_is_a_plain_400(work: Caller) -> None:
    for mode in ("blocking", "streaming"):
        reply = await work.post("/workflows/run", {"inputs": {}, "user": "u1", "response_mode": mode})
        assert reply.error == (400, "invalid_param", "text is required in input form")
