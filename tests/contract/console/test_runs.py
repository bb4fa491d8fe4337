"""Workflow logs, runs, node executions and statistics at the console."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.caller import Caller, is_id
from tests.contract.console_caller import ConsoleCaller
from tests.contract.house import House
from weft.store import Feedback, FeedbackSource, feedbacks

pytestmark = pytest.mark.anyio
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="session")
async def worked(house: House) -> Caller:
    """A workflow app that ran twice, and failed once."""
    caller = await house.serve(
        apps.workflow(
            [
                apps.start(apps.field("text", "paragraph", required=True)),
                apps.code(
                    "code",
                    "return {'out': str(1 / len(text[1:]))}",
                    {"out": "string"},
                    {"text": "start.text"},
                ),
                apps.end(out="code.out"),
            ],
            "start > code > end",
            name="Worked",
        )
    )
    await caller.run({"text": "first"}, user="ann")
    await caller.run({"text": "second"}, user="ben")
    await caller.run({"text": "x"}, user="ben")
    return caller


@pytest.mark.requirement("console-41")
async def test_the_log_shows_runs_and_who_caused_them(owner: ConsoleCaller, worked: Caller) -> None:
    page = (await owner.get(f"/apps/{worked.app_id}/workflow-app-logs", page=1, limit=10)).ok

    assert [page[key] for key in ("page", "limit", "total", "has_more")] == [1, 10, 3, False]
    entry = page["data"][1]
    assert sorted(entry) == sorted(
        [
            "id",
            "workflow_run",
            "details",
            "created_from",
            "created_by_role",
            "created_by_account",
            "created_by_end_user",
            "created_at",
        ]
    )
    assert sorted(entry["workflow_run"]) == sorted(
        [
            "id",
            "version",
            "status",
            "triggered_from",
            "error",
            "elapsed_time",
            "total_tokens",
            "total_steps",
            "created_at",
            "finished_at",
            "exceptions_count",
        ]
    )
    assert entry["id"] != entry["workflow_run"]["id"]
    assert (entry["details"], entry["created_from"], entry["created_by_role"]) == (
        None,
        "service-api",
        "end_user",
    )
    person = entry["created_by_end_user"]
    assert is_id(person.pop("id"))
    assert person == {"type": "service-api", "is_anonymous": False, "session_id": "ben"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"keyword": "FIRST"}, ["ann"]),
        ({"status": "failed"}, ["ben"]),
        ({"status": "running"}, []),
        ({"status": ""}, ["ben", "ben", "ann"]),
        ({"created_by_end_user_session_id": "ann"}, ["ann"]),
        ({"created_at__before": "2020-01-01"}, []),
        ({"created_at__after": "2020-01-01T00:00:00Z"}, ["ben", "ben", "ann"]),
        ({"created_by_account": "owner@b.c"}, []),
        ({"detail": "yes"}, ["ben", "ben", "ann"]),
    ],
)
async def test_the_log_can_be_narrowed(
    owner: ConsoleCaller, worked: Caller, query: dict[str, str], found: list[str]
) -> None:
    page = (await owner.get(f"/apps/{worked.app_id}/workflow-app-logs", **query)).ok

    assert [entry["created_by_end_user"]["session_id"] for entry in page["data"]] == found
    details: object = {"trigger_metadata": {}} if "detail" in query else None
    assert all(entry["details"] == details for entry in page["data"])


@pytest.mark.parametrize(
    "query",
    [
        {"status": "x"},
        {"created_at__before": "x"},
        {"limit": "0"},
        {"detail": "perhaps"},
        {"created_by_account": "no@b.c"},
    ],
)
async def test_a_filter_must_make_sense(owner: ConsoleCaller, worked: Caller, query: dict[str, str]) -> None:
    reply = await owner.get(f"/apps/{worked.app_id}/workflow-app-logs", **query)
    assert reply.error[:2] == (400, "invalid_param")


@pytest.mark.requirement("console-42")
async def test_the_log_of_a_chatflow_shows_its_runs(owner: ConsoleCaller, flow: Caller) -> None:
    await flow.said("hello", user="logged")

    page = (await owner.get(f"/apps/{flow.app_id}/workflow-app-logs")).ok

    assert page["data"][0]["created_by_end_user"]["session_id"] == "logged"
    empty = (await owner.get(f"/apps/{flow.app_id}/workflow-archived-logs")).ok
    assert empty == {"page": 1, "limit": 20, "total": 0, "has_more": False, "data": []}


@pytest.mark.requirement("console-43", "console-44")
async def test_runs_of_a_chatflow_name_their_messages(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Ran"))
    said = [await caller.said(f"m{n}") for n in range(3)]
    path = f"/apps/{caller.app_id}/advanced-chat/workflow-runs"

    assert (await owner.get(path)).ok == {"limit": 20, "has_more": False, "data": []}
    page = (await owner.get(path, triggered_from="app-run", limit=2)).ok
    rest = (await owner.get(path, triggered_from="app-run", last_id=page["data"][1]["id"])).ok

    runs = [*page["data"], *rest["data"]]
    assert [(run["conversation_id"], run["message_id"]) for run in runs] == [
        (answer["conversation_id"], answer["message_id"]) for answer in reversed(said)
    ]
    assert (page["has_more"], rest["has_more"]) == (True, False)
    assert sorted(runs[0]) == sorted(
        [
            "id",
            "version",
            "status",
            "elapsed_time",
            "total_tokens",
            "total_steps",
            "created_by_account",
            "created_at",
            "finished_at",
            "exceptions_count",
            "retry_index",
            "conversation_id",
            "message_id",
        ]
    )
    error = (await owner.get(path, last_id=UNKNOWN)).error
    assert error == (400, "invalid_param", "Last workflow run not exists")


async def test_runs_are_counted_by_how_they_ended(owner: ConsoleCaller, worked: Caller) -> None:
    path = f"/apps/{worked.app_id}/workflow-runs"
    counted = {"running": 0, "stopped": 0, "partial_succeeded": 0}

    assert (await owner.get(f"{path}/count")).ok == {"total": 0, "succeeded": 0, "failed": 0, **counted}
    for query in ({}, {"time_range": "7d"}, {"time_range": ""}):
        assert (await owner.get(f"{path}/count", triggered_from="app-run", **query)).ok == {
            "total": 3,
            "succeeded": 2,
            "failed": 1,
            **counted,
        }
    for wrong in ("7w", "d", "0d", "999999999d"):
        assert (await owner.get(f"{path}/count", time_range=wrong)).error[:2] == (400, "invalid_param")
    failed = (await owner.get(path, triggered_from="app-run", status="failed")).ok["data"]
    assert [run["status"] for run in failed] == ["failed"]
    assert "message_id" not in failed[0]
    detail = (await owner.get(f"{path}/{failed[0]['id']}")).ok
    assert (detail["status"], detail["inputs"]["text"], detail["outputs"]) == ("failed", "x", {})
    assert "division by zero" in detail["error"]
    assert [node["id"] for node in detail["graph"]["nodes"]] == ["start", "code", "end"]
    assert (detail["created_by_role"], detail["created_by_end_user"]["session_id"]) == ("end_user", "ben")
    chat = await owner.get(f"/apps/{worked.app_id}/advanced-chat/workflow-runs")
    assert chat.error[:2] == (404, "app_not_found")


@pytest.mark.requirement("console-45")
async def test_what_nodes_did_is_listed_in_order(owner: ConsoleCaller, flow: Caller) -> None:
    said = await flow.told("hello", user="watched")
    run_id = said.finished["id"]

    rows = (await owner.get(f"/apps/{flow.app_id}/workflow-runs/{run_id}/node-executions")).ok["data"]

    assert [(row["index"], row["node_id"], row["status"]) for row in rows] == [
        (1, "start", "succeeded"),
        (2, "llm", "succeeded"),
        (3, "answer", "succeeded"),
    ]
    assert sorted(rows[0]) == sorted(
        [
            "id",
            "index",
            "predecessor_node_id",
            "node_id",
            "node_type",
            "title",
            "inputs",
            "process_data",
            "outputs",
            "status",
            "error",
            "elapsed_time",
            "execution_metadata",
            "extras",
            "created_at",
            "created_by_role",
            "created_by_account",
            "created_by_end_user",
            "finished_at",
            "inputs_truncated",
            "outputs_truncated",
            "process_data_truncated",
        ]
    )
    assert all(isinstance(row["finished_at"], int) for row in rows)
    assert all(isinstance(row["extras"], dict) for row in rows)
    assert isinstance(rows[1]["execution_metadata"]["total_price"], str)
    assert rows[1]["created_by_end_user"]["session_id"] == "watched"


@pytest.mark.requirement("console-46")
async def test_nodes_of_an_unknown_run_did_nothing(
    owner: ConsoleCaller, flow: Caller, worked: Caller
) -> None:
    path = f"/apps/{flow.app_id}/workflow-runs"
    theirs = (await owner.get(f"/apps/{worked.app_id}/workflow-app-logs")).ok["data"][0]["workflow_run"]["id"]
    for run_id in (UNKNOWN, theirs):
        assert (await owner.get(f"{path}/{run_id}/node-executions")).ok == {"data": []}
        assert (await owner.get(f"{path}/{run_id}")).error == (404, "not_found", "Workflow run not found")


async def test_a_run_can_be_stopped(house: House, owner: ConsoleCaller, actor: Actor, flow: Caller) -> None:
    gate = Gate()

    async def part(request: Any) -> Any:
        yield "so far"
        await gate.wait()

    actor.play("stop me", part)
    async with flow.stream("stop me", user="stopped") as stream:
        await gate.seen()
        task = stream.events[0]["task_id"] if stream.events else (await stream.next() or {})["task_id"]
        other = await owner.post(f"/apps/{flow.app_id}/workflow-runs/tasks/{UNKNOWN}/stop")
        mine = await owner.post(f"/apps/{flow.app_id}/workflow-runs/tasks/{task}/stop")
        await stream.rest()

    assert (other.ok, mine.ok) == ({"result": "success"}, {"result": "success"})
    assert stream.finished["status"] == "stopped"


async def rows(owner: ConsoleCaller, caller: Caller, name: str, **query: str) -> list[dict[str, Any]]:
    """The rows of a statistic."""
    return list((await owner.get(f"/apps/{caller.app_id}/{name}", **query)).ok["data"])


@pytest.mark.requirement("console-47", "console-48")
async def test_a_day_in_numbers(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Counted"))
    names = [
        "daily-messages",
        "daily-conversations",
        "daily-end-users",
        "token-costs",
        "average-session-interactions",
        "user-satisfaction-rate",
        "tokens-per-second",
    ]
    assert [await rows(owner, caller, f"statistics/{name}") for name in names] == [[]] * 7
    one = await caller.said("a", user="ann")
    await caller.said("b", user="ann", conversation_id=one["conversation_id"])
    await caller.said("c", user="ann", conversation_id=one["conversation_id"])
    liked = await caller.said("d", user="ben")
    now = house.runtime.clock.now()
    sources: list[FeedbackSource] = ["user", "admin"]
    for source in sources:
        feedback = Feedback(
            house.runtime.ids.new(),
            caller.app_id,
            liked["conversation_id"],
            liked["message_id"],
            "like",
            source,
            now,
            now,
        )
        await house.runtime.store.write(
            lambda connection, feedback=feedback: feedbacks.put(connection, feedback)  # type: ignore[misc]
        )

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    found = {name: await rows(owner, caller, f"statistics/{name}") for name in names}

    tokens = found["token-costs"][0].pop("token_count")
    assert tokens == 4 * (1 + 3)  # each asks one word and gets the actor's three pieces
    assert found.pop("tokens-per-second")[0]["tps"] > 0
    assert found == {
        "daily-messages": [{"date": today, "message_count": 4}],
        "daily-conversations": [{"date": today, "conversation_count": 2}],
        "daily-end-users": [{"date": today, "terminal_count": 2}],
        "token-costs": [{"date": today, "total_price": "0.0000000", "currency": "USD"}],
        "average-session-interactions": [{"date": today, "interactions": 2.0}],
        "user-satisfaction-rate": [{"date": today, "rate": 250.0}],
    }
    assert await rows(owner, caller, "statistics/daily-messages", end=f"{today} 00:00") == []
    assert len(await rows(owner, caller, "statistics/daily-messages", start=f"{today} 00:00")) == 1
    assert await rows(owner, caller, "statistics/daily-messages", start="9999-12-31 23:59") == []


async def test_a_day_of_a_workflow_app_in_numbers(owner: ConsoleCaller, worked: Caller) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    path = "workflow/statistics"

    assert await rows(owner, worked, f"{path}/daily-conversations") == [{"date": today, "runs": 3}]
    assert await rows(owner, worked, f"{path}/daily-terminals") == [{"date": today, "terminal_count": 2}]
    assert await rows(owner, worked, f"{path}/token-costs") == [{"date": today, "token_count": 0}]
    assert await rows(owner, worked, f"{path}/average-app-interactions") == [
        {"date": today, "interactions": 1.5}
    ]


@pytest.mark.requirement("console-49")
async def test_response_times_are_for_completion_apps(owner: ConsoleCaller, flow: Caller) -> None:
    reply = await owner.get(f"/apps/{flow.app_id}/statistics/average-response-time")
    assert reply.error == (
        404,
        "app_not_found",
        "App mode is not in the supported list: {completion}",
    )
    completion = await owner.new_app("C", "completion")
    assert (await owner.get(f"/apps/{completion}/statistics/average-response-time")).ok == {"data": []}


@pytest.mark.requirement("console-50")
async def test_statistics_of_no_time_are_refused(owner: ConsoleCaller, flow: Caller) -> None:
    reply = await owner.get(f"/apps/{flow.app_id}/statistics/token-costs", start="bad")
    assert reply.error[:2] == (400, "bad_request")
