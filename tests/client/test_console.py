"""The console client: what it asks, and what it makes of the answers of servers of each generation."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from tests.client.console_server import NOW, Console
from tests.client.fake import EMAIL, MakeConsole, refused, said
from weft import errors, wire
from weft.client import (
    AdvancedChatApp,
    AgentApp,
    App,
    AsyncAdvancedChatApp,
    AsyncAgentApp,
    AsyncApp,
    AsyncChatApp,
    AsyncCompletionApp,
    AsyncConsoleClient,
    AsyncWorkflowApp,
    ChatApp,
    CompletionApp,
    RetryPolicy,
    WorkflowApp,
)

pytestmark = pytest.mark.anyio
c = wire.console

APP = {"id": "a1", "name": "Shop", "mode": "advanced-chat"}
TOKEN = {"id": "k1", "type": "app", "token": "app-0123456789abcdefABCDEF01", "created_at": 5}
RUN = {"id": "r1", "status": "succeeded"}
CONVERSATION = {
    "id": "c1",
    "status": "normal",
    "name": "Tea",
    "from_end_user_id": "e1",
    "from_end_user_session_id": "u1",
    "model_config": {"model": None, "pre_prompt": None},
    "status_count": {"success": 1, "failed": 0, "partial_success": 0},
}
IMPORT = {"id": "i1", "status": "completed", "app_id": "a9", "app_mode": "workflow", "error": ""}
DRAFT = {
    "id": "w1",
    "graph": {
        "nodes": [
            {
                "id": "1",
                "type": "custom",
                "data": {"type": "start", "x": None},
                "width": 244,
                "dragging": False,
            }
        ],
        "edges": [
            {"id": "e", "source": "1", "target": "2", "data": {"sourceType": "start", "isInLoop": False}}
        ],
        "viewport": {"x": -12.5, "y": 0, "zoom": 0.7},
    },
    "features": {"file_upload": {"enabled": True}},
    "hash": "h1",
    "version": "draft",
    "environment_variables": [{"id": "v", "value": "***"}],
    "conversation_variables": [],
    "novelty": [1],
}


def kind_of(client: AsyncConsoleClient, asynchronous: type[AsyncApp], blocking: type[App]) -> Any:
    """The kind of app in the client's own colour."""
    return (
        asynchronous if "ConsoleClient" in repr(client) and type(client) is AsyncConsoleClient else blocking
    )


def chatflow(client: AsyncConsoleClient) -> AsyncAdvancedChatApp:
    found: AsyncAdvancedChatApp = client.app("a1", kind_of(client, AsyncAdvancedChatApp, AdvancedChatApp))
    return found


def workflow(client: AsyncConsoleClient) -> AsyncWorkflowApp:
    found: AsyncWorkflowApp = client.app("a1", kind_of(client, AsyncWorkflowApp, WorkflowApp))
    return found


def completion(client: AsyncConsoleClient) -> AsyncCompletionApp:
    found: AsyncCompletionApp = client.app("a1", kind_of(client, AsyncCompletionApp, CompletionApp))
    return found


def page(*data: object, total: int | None = None, more: bool = False) -> dict[str, object]:
    return {"page": 1, "limit": 20, "total": total or len(data), "has_more": more, "data": list(data)}


Operation = Callable[[AsyncConsoleClient], Awaitable[Any]]
CASES: dict[str, tuple[Operation, str, dict[str, str], object, object, object]] = {
    "get_apps": (
        lambda k: k.get_apps(mode="workflow", name="x", tag_ids=["t1", "t2"], is_created_by_me=True),
        "GET /apps",
        {
            "page": "1",
            "limit": "20",
            "mode": "workflow",
            "name": "x",
            "tag_ids": "t1,t2",
            "is_created_by_me": "true",
        },
        None,
        page(APP),
        c.AppPage.from_dict(page(APP)),
    ),
    "set_timezone": (
        lambda k: k.set_timezone("Europe/Berlin"),
        "POST /account/timezone",
        {},
        {"timezone": "Europe/Berlin"},
        {"id": "x", "timezone": "Europe/Berlin"},
        c.Account(id="x", timezone="Europe/Berlin"),
    ),
    "delete_app": (lambda k: k.delete_app("a1"), "DELETE /apps/a1", {}, None, httpx2.Response(204), None),
    "import_app": (
        lambda k: k.import_app("app: {}", name="N"),
        "POST /apps/imports",
        {},
        {"mode": "yaml-content", "yaml_content": "app: {}", "name": "N"},
        IMPORT,
        c.AppImport.from_dict(IMPORT),
    ),
    "confirm_import": (
        lambda k: k.confirm_import("i1"),
        "POST /apps/imports/i1/confirm",
        {},
        {},
        IMPORT,
        c.AppImport.from_dict(IMPORT),
    ),
    "update": (
        lambda k: chatflow(k).update("Shop", description="d"),
        "PUT /apps/a1",
        {},
        {"name": "Shop", "description": "d"},
        APP,
        c.AppDetail.from_dict(APP),
    ),
    "enable_api": (
        lambda k: chatflow(k).enable_api(False),
        "POST /apps/a1/api-enable",
        {},
        {"enable_api": False},
        APP,
        None,
    ),
    "export_yaml": (
        lambda k: chatflow(k).export_yaml(include_secret=True),
        "GET /apps/a1/export",
        {"include_secret": "true"},
        None,
        {"data": "app: {}"},
        "app: {}",
    ),
    "import_yaml": (
        lambda k: chatflow(k).import_yaml("app: {}"),
        "POST /apps/imports",
        {},
        {"mode": "yaml-content", "yaml_content": "app: {}", "app_id": "a1"},
        IMPORT,
        c.AppImport.from_dict(IMPORT),
    ),
    "get_tokens": (
        lambda k: chatflow(k).get_tokens(),
        "GET /apps/a1/api-keys",
        {},
        None,
        {"data": [TOKEN]},
        [c.AppToken.from_dict(TOKEN)],
    ),
    "create_token": (
        lambda k: chatflow(k).create_token(),
        "POST /apps/a1/api-keys",
        {},
        {},
        said(TOKEN, 201),
        c.AppToken.from_dict(TOKEN),
    ),
    "delete_token": (
        lambda k: chatflow(k).delete_token("k1"),
        "DELETE /apps/a1/api-keys/k1",
        {},
        None,
        httpx2.Response(204),
        None,
    ),
    "feedback": (
        lambda k: chatflow(k).feedback("m1", None),
        "POST /apps/a1/feedbacks",
        {},
        {"message_id": "m1", "rating": None},
        {"result": "success"},
        None,
    ),
    "export_feedbacks": (
        lambda k: chatflow(k).export_feedbacks(
            from_source="admin",
            rating="like",
            has_comment=True,
            start_date=date(2024, 1, 2),
            end_date="2024-01-03",
        ),
        "GET /apps/a1/feedbacks/export",
        {
            "from_source": "admin",
            "rating": "like",
            "has_comment": "true",
            "start_date": "2024-01-02",
            "end_date": "2024-01-03",
            "format": "json",
        },
        None,
        {"export_info": {"total_records": 1}, "feedback_data": [{"feedback_id": "f1"}]},
        c.FeedbackExport(export_info={"total_records": 1}, feedback_data=[c.FeedbackRow(feedback_id="f1")]),
    ),
    "export_feedbacks_csv": (
        lambda k: chatflow(k).export_feedbacks_csv().read(),
        "GET /apps/a1/feedbacks/export",
        {"format": "csv"},
        None,
        httpx2.Response(200, headers={"Content-Type": "text/csv"}, content=b"a,b"),
        b"a,b",
    ),
    "count_annotations": (
        lambda k: chatflow(k).count_annotations(),
        "GET /apps/a1/annotations/count",
        {},
        None,
        {"count": 3},
        3,
    ),
    "get_draft": (
        lambda k: chatflow(k).get_draft(),
        "GET /apps/a1/workflows/draft",
        {},
        None,
        DRAFT,
        c.WorkflowDraft.from_dict(DRAFT),
    ),
    "update_draft": (
        lambda k: chatflow(k).update_draft(c.WorkflowDraft.from_dict(DRAFT)),
        "POST /apps/a1/workflows/draft",
        {},
        {
            key: DRAFT[key]
            for key in ("graph", "features", "hash", "environment_variables", "conversation_variables")
        },
        {"result": "success", "hash": "h2", "updated_at": 9},
        c.DraftSaved(result="success", hash="h2", updated_at=9),
    ),
    "update_draft, empty": (
        lambda k: chatflow(k).update_draft(c.WorkflowDraft()),
        "POST /apps/a1/workflows/draft",
        {},
        {
            "graph": {"nodes": [], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}},
            "features": {},
            "environment_variables": [],
            "conversation_variables": [],
        },
        {"result": "success", "hash": "h1"},
        c.DraftSaved(result="success", hash="h1"),
    ),
    "publish": (
        lambda k: chatflow(k).publish(),
        "POST /apps/a1/workflows/publish",
        {},
        {},
        {"result": "success", "created_at": 9},
        c.Published(result="success", created_at=9),
    ),
    "get_published": (
        lambda k: chatflow(k).get_published(),
        "GET /apps/a1/workflows/publish",
        {},
        None,
        httpx2.Response(200, content=b"null"),
        None,
    ),
    "get_versions": (
        lambda k: chatflow(k).get_versions(named_only=True),
        "GET /apps/a1/workflows",
        {"page": "1", "limit": "10", "named_only": "true"},
        None,
        {"items": [{"id": "w1", "version": "v1"}], "page": 1, "limit": 10, "has_more": False},
        c.WorkflowVersionPage.from_dict({"page": 1, "limit": 10, "data": [{"id": "w1", "version": "v1"}]}),
    ),
    "name_version": (
        lambda k: chatflow(k).name_version("w1", marked_name="n"),
        "PATCH /apps/a1/workflows/w1",
        {},
        {"marked_name": "n"},
        {"id": "w1", "marked_name": "n"},
        c.WorkflowDraft(id="w1", marked_name="n"),
    ),
    "delete_version": (
        lambda k: chatflow(k).delete_version("w1"),
        "DELETE /apps/a1/workflows/w1",
        {},
        None,
        httpx2.Response(204),
        None,
    ),
    "get_runs": (
        lambda k: workflow(k).get_runs(status="failed", last_id="r0"),
        "GET /apps/a1/workflow-runs",
        {"last_id": "r0", "limit": "20", "status": "failed", "triggered_from": "app-run"},
        None,
        {"limit": 20, "has_more": False, "data": [RUN]},
        c.WorkflowRunPage.from_dict({"limit": 20, "data": [RUN]}),
    ),
    "get_runs, chatflow": (
        lambda k: chatflow(k).get_runs(triggered_from="debugging"),
        "GET /apps/a1/advanced-chat/workflow-runs",
        {"limit": "20", "triggered_from": "debugging"},
        None,
        {"limit": 20, "has_more": False, "data": [{**RUN, "message_id": "m1"}]},
        c.WorkflowRunPage.from_dict({"limit": 20, "data": [{**RUN, "message_id": "m1"}]}),
    ),
    "count_runs": (
        lambda k: chatflow(k).count_runs(time_range="7d"),
        "GET /apps/a1/advanced-chat/workflow-runs/count",
        {"time_range": "7d", "triggered_from": "app-run"},
        None,
        {"total": 2, "failed": 1, "succeeded": 1},
        c.WorkflowRunCount(total=2, failed=1, succeeded=1),
    ),
    "get_run": (
        lambda k: workflow(k).get_run("r1"),
        "GET /apps/a1/workflow-runs/r1",
        {},
        None,
        {**RUN, "inputs": '{"x": 1}', "outputs": {"y": 2}},
        c.WorkflowRunDetail(id="r1", status=wire.RunStatus.SUCCEEDED, inputs={"x": 1}, outputs={"y": 2}),
    ),
    "stop_run": (
        lambda k: workflow(k).stop_run("t1"),
        "POST /apps/a1/workflow-runs/tasks/t1/stop",
        {},
        {},
        {"result": "success"},
        None,
    ),
    "get_logs of a workflow": (
        lambda k: workflow(k).get_logs(
            keyword="k",
            status="partial-succeeded",
            created_before=datetime(2024, 5, 1, 12),  # naive on purpose
            created_after=0,
            end_user_session_id="u1",
            created_by_account="a@b.c",
            detail=True,
        ),
        "GET /apps/a1/workflow-app-logs",
        {
            "page": "1",
            "limit": "10",
            "keyword": "k",
            "status": "partial-succeeded",
            "created_at__before": "2024-05-01T12:00:00Z",
            "created_at__after": "1970-01-01T00:00:00Z",
            "created_by_end_user_session_id": "u1",
            "created_by_account": "a@b.c",
            "detail": "true",
        },
        None,
        page({"id": "l1", "workflow_run": RUN, "created_at": 5}),
        c.WorkflowLogEntryPage.from_dict(page({"id": "l1", "workflow_run": RUN, "created_at": 5})),
    ),
    "get_logs of a chatflow": (
        lambda k: chatflow(k).get_logs(
            2, 5, keyword="x", annotation_status="annotated", sort_by="created_at"
        ),
        "GET /apps/a1/chat-conversations",
        {
            "page": "2",
            "limit": "5",
            "keyword": "x",
            "annotation_status": "annotated",
            "sort_by": "created_at",
        },
        None,
        page(CONVERSATION),
        c.ChatConversationPage.from_dict(page(CONVERSATION)),
    ),
    "get_logs of a completion app": (
        lambda k: completion(k).get_logs(),
        "GET /apps/a1/completion-conversations",
        {"page": "1", "limit": "10"},
        None,
        page({"id": "c1", "message": {"query": "q"}}),
        c.CompletionConversationPage.from_dict(page({"id": "c1", "message": {"query": "q"}})),
    ),
    "get_conversation": (
        lambda k: chatflow(k).get_conversation("c1"),
        "GET /apps/a1/chat-conversations/c1",
        {},
        None,
        {**CONVERSATION, "introduction": "Hello"},
        c.ChatConversationDetail.from_dict({**CONVERSATION, "introduction": "Hello"}),
    ),
    "delete_conversation": (
        lambda k: chatflow(k).delete_conversation("c1"),
        "DELETE /apps/a1/chat-conversations/c1",
        {},
        None,
        httpx2.Response(204),
        None,
    ),
    "get_messages": (
        lambda k: chatflow(k).get_messages("c1", 5, "m9"),
        "GET /apps/a1/chat-messages",
        {"conversation_id": "c1", "first_id": "m9", "limit": "5"},
        None,
        {"limit": 5, "has_more": False, "data": [{"id": "m1", "message": ""}]},
        c.ChatMessagePage(limit=5, data=[c.ChatMessage(id="m1", message="")]),
    ),
    "get_message": (
        lambda k: chatflow(k).get_message("m1"),
        "GET /apps/a1/messages/m1",
        {},
        None,
        {"id": "m1"},
        c.ChatMessage(id="m1"),
    ),
    "suggested_questions": (
        lambda k: chatflow(k).suggested_questions("m1"),
        "GET /apps/a1/chat-messages/m1/suggested-questions",
        {},
        None,
        {"data": ["And?"]},
        ["And?"],
    ),
    "get_agent_log": (
        lambda k: chatflow(k).chat("c1").get_agent_log("m1"),
        "GET /apps/a1/agent/logs",
        {"conversation_id": "c1", "message_id": "m1"},
        None,
        {
            "meta": {"status": "success"},
            "iterations": [{"thought": "hm", "created_at": "2024-01-01T00:00:00"}],
        },
        c.AgentLog(
            meta={"status": "success"},
            iterations=[c.AgentLogIteration(thought="hm", created_at="2024-01-01T00:00:00")],
        ),
    ),
}
STATISTICS: dict[str, tuple[Operation, str, object]] = {
    "daily_messages": (
        lambda k: chatflow(k).daily_messages(),
        "statistics/daily-messages",
        c.DailyMessages(date="2024-01-02", message_count=3),
    ),
    "daily_conversations": (
        lambda k: chatflow(k).daily_conversations(),
        "statistics/daily-conversations",
        c.DailyConversations(date="2024-01-02", conversation_count=3),
    ),
    "daily_end_users": (
        lambda k: chatflow(k).daily_end_users(),
        "statistics/daily-end-users",
        c.DailyEndUsers(date="2024-01-02", terminal_count=3),
    ),
    "token_costs": (
        lambda k: chatflow(k).token_costs(),
        "statistics/token-costs",
        c.TokenCosts(date="2024-01-02", token_count=3, total_price=Decimal("0.0012"), currency="USD"),
    ),
    "average_session_interactions": (
        lambda k: chatflow(k).average_session_interactions(),
        "statistics/average-session-interactions",
        c.AverageSessionInteractions(date="2024-01-02", interactions=1.5),
    ),
    "user_satisfaction_rate": (
        lambda k: chatflow(k).user_satisfaction_rate(),
        "statistics/user-satisfaction-rate",
        c.UserSatisfactionRate(date="2024-01-02", rate=250.0),
    ),
    "tokens_per_second": (
        lambda k: chatflow(k).tokens_per_second(),
        "statistics/tokens-per-second",
        c.TokensPerSecond(date="2024-01-02", tps=1.5),
    ),
    "average_response_time": (
        lambda k: completion(k).average_response_time(),
        "statistics/average-response-time",
        c.AverageResponseTime(date="2024-01-02", latency=1.5),
    ),
    "daily_runs": (
        lambda k: workflow(k).daily_runs(),
        "workflow/statistics/daily-conversations",
        c.DailyRuns(date="2024-01-02", runs=3),
    ),
    "daily_end_users of a workflow": (
        lambda k: workflow(k).daily_end_users(),
        "workflow/statistics/daily-terminals",
        c.DailyEndUsers(date="2024-01-02", terminal_count=3),
    ),
    "token_costs of a workflow": (
        lambda k: workflow(k).token_costs(),
        "workflow/statistics/token-costs",
        c.TokenCosts(date="2024-01-02", token_count=3),
    ),
    "average_interactions": (
        lambda k: workflow(k).average_interactions(),
        "workflow/statistics/average-app-interactions",
        c.AverageAppInteractions(date="2024-01-02", interactions=1.5),
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_an_operation_asks_as_described_and_returns_its_model(
    make_console: MakeConsole, case: str
) -> None:
    operation, name, query, body, answer, expected = CASES[case]
    server = Console(answers={name: answer})
    result = await operation(make_console(server))
    asked = server.asked[-1]
    assert (f"{asked.method} {asked.url}", asked.query, asked.body) == (name, query, body)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("case", STATISTICS)
async def test_statistics_are_rows_by_day(make_console: MakeConsole, case: str) -> None:
    operation, name, row = STATISTICS[case]
    assert isinstance(row, wire.WireModel)
    server = Console(answers={f"GET /apps/a1/{name}": {"data": [row.to_dict()]}})
    found = await operation(make_console(server))
    assert (list(found), len(found), bool(found)) == ([row], 1, True)
    assert found.data[0].day == date(2024, 1, 2)
    assert server.asked[-1].query == {}


async def test_filters_by_time_are_written_in_the_accounts_zone_which_is_read_once(
    make_console: MakeConsole,
) -> None:
    server = Console(
        answers={
            "GET /account/profile": {"id": "x", "timezone": "Asia/Kolkata"},
            "GET /apps/a1/chat-conversations": page(),
            "GET /apps/a1/statistics/token-costs": {"data": []},
        }
    )
    client = make_console(server)
    app = chatflow(client)
    noon = datetime(2024, 5, 1, 12, 0, 30)  # naive on purpose
    await app.get_logs(start=noon, end=noon.replace(tzinfo=UTC).timestamp())
    await app.iter_logs(start="2024-05-01T12:00:30+00:00").collect()
    await app.token_costs(start=noon, end=noon)
    assert server.paths().count("/account/profile") == 1
    assert [
        {key: text for key, text in asked.query.items() if key in ("start", "end")}
        for asked in server.asked
        if asked.url.startswith("/apps")
    ] == [
        {"start": "2024-05-01 17:30", "end": "2024-05-01 17:30"},
        {"start": "2024-05-01 17:30"},
        {"start": "2024-05-01 17:30", "end": "2024-05-01 17:31"},
    ]
    with pytest.raises(errors.InvalidRequestError, match="'yesterday' is no time"):
        await app.get_logs(start="yesterday")


async def test_a_zone_that_is_not_known_here_is_said(make_console: MakeConsole) -> None:
    server = Console(answers={"GET /account/profile": {"id": "x", "timezone": "Mars/Olympus"}})
    with pytest.raises(errors.ConfigError, match="'Mars/Olympus' is not known on this machine"):
        await chatflow(make_console(server)).daily_messages(start=0)


@pytest.mark.parametrize(
    ("mode", "asynchronous", "blocking"),
    [
        ("workflow", AsyncWorkflowApp, WorkflowApp),
        ("chat", AsyncChatApp, ChatApp),
        ("agent-chat", AsyncAgentApp, AgentApp),
        ("advanced-chat", AsyncAdvancedChatApp, AdvancedChatApp),
        ("completion", AsyncCompletionApp, CompletionApp),
        ("rag-pipeline", AsyncApp, App),
    ],
)
async def test_an_app_has_the_class_of_its_mode(
    make_console: MakeConsole, mode: str, asynchronous: type[AsyncApp], blocking: type[App]
) -> None:
    server = Console(answers={"GET /apps/a1": {**APP, "mode": mode}})
    client = make_console(server)
    app = await client.get_app("a1")
    name = kind_of(client, asynchronous, blocking).__name__
    assert repr(app) == f"{name}('a1', name='Shop')"
    assert (app.id, app.name, app.mode) == ("a1", "Shop", mode)
    assert server.paths() == ["/login", "/apps/a1"]


async def test_an_app_that_does_not_exist_is_not_found(make_console: MakeConsole) -> None:
    server = Console(answers={"GET /apps/a2": refused(404, "app_not_found", "App not found.")})
    with pytest.raises(errors.NotFoundError, match=r"App not found\."):
        await make_console(server).get_app("a2")


async def test_apps_are_made_copied_and_imported(make_console: MakeConsole) -> None:
    server = Console(
        answers={
            "POST /apps": said(APP, 201),
            "POST /apps/a1/copy": said({**APP, "id": "a2"}, 201),
            "POST /apps/imports": IMPORT,
            "GET /apps/a1": {**APP, "name": "New"},
            "DELETE /apps/a1": httpx2.Response(204),
        }
    )
    client = make_console(server)
    app = await client.create_app("Shop", "advanced-chat")
    assert server.asked[-1].body == {
        "name": "Shop",
        "mode": "advanced-chat",
        "description": "",
        "icon_type": "emoji",
        "icon": "🤖",
        "icon_background": "#FFEAD5",
    }
    assert (await client.copy_app("a1", name="Other")).id == "a2"
    assert server.asked[-1].body == {"name": "Other"}
    made = await client.create_app_from_yaml("app: {}")
    assert repr(made).endswith("WorkflowApp('a9', name=None)")
    assert (await app.refresh()).name == app.name == "New"
    await app.delete()
    with pytest.raises(errors.InvalidRequestError, match="either yaml_content or yaml_url"):
        await client.import_app()


async def test_an_import_that_waits_to_be_confirmed_makes_no_app(make_console: MakeConsole) -> None:
    pending = {
        "id": "i1",
        "status": "pending",
        "app_id": None,
        "imported_dsl_version": "1.0",
        "current_dsl_version": "0.5.0",
    }
    server = Console(answers={"POST /apps/imports": said(pending, 202)})
    with pytest.raises(errors.ConflictError, match=r"of version 1.0, .* confirm_import\('i1'\)"):
        await make_console(server).create_app_from_yaml("app: {}")


async def test_a_draft_goes_back_as_it_came_but_for_what_was_changed(make_console: MakeConsole) -> None:
    server = Console(
        answers={"GET /apps/a1/workflows/draft": DRAFT, "POST /apps/a1/workflows/draft": {"hash": "h2"}}
    )
    app = chatflow(make_console(server))
    draft = await app.get_draft()
    assert draft.graph is not None
    node = draft.graph.node("1")
    assert (node.node_type, node.width) == ("start", 244)
    node.data["title"] = "Begin"
    await app.update_draft(draft)
    expected = json.loads(json.dumps(DRAFT["graph"]))
    expected["nodes"][0]["data"]["title"] = "Begin"
    sent = server.asked[-1].body
    assert isinstance(sent, dict)
    assert (sent["graph"], sent["hash"]) == (expected, "h1")
    assert c.WorkflowDraft.from_dict(DRAFT).to_dict() == DRAFT
    with pytest.raises(KeyError):
        draft.graph.node("9")


@pytest.mark.parametrize("exists", [True, False])
async def test_a_draft_can_be_written_over_whatever_is_there(make_console: MakeConsole, exists: bool) -> None:
    there = {**DRAFT, "hash": "h7"} if exists else refused(404, "draft_workflow_not_exist")
    server = Console(
        answers={"GET /apps/a1/workflows/draft": there, "POST /apps/a1/workflows/draft": {"hash": "h8"}}
    )
    await chatflow(make_console(server)).update_draft(c.WorkflowDraft(), overwrite=True)
    sent = server.asked[-1].body
    assert isinstance(sent, dict)
    assert sent.get("hash") == ("h7" if exists else None)


async def test_a_draft_that_changed_meanwhile_is_a_conflict(make_console: MakeConsole) -> None:
    server = Console(
        answers={
            "POST /apps/a1/workflows/draft": refused(
                409,
                "draft_workflow_not_sync",
                "Workflow graph might have been modified, please refresh and resubmit.",
            )
        }
    )
    with pytest.raises(errors.ConflictError, match="might have been modified"):
        await chatflow(make_console(server)).update_draft(c.WorkflowDraft(hash="old"))


NODES = [
    {
        "id": f"x{index}",
        "index": index,
        "node_id": node_id,
        "node_type": "llm",
        "title": "LLM",
        "status": status,
        "execution_metadata": {"total_price": price, "novelty": 1},
        "created_at": 5,
        "finished_at": None,
        "extras": None,
    }
    for index, node_id, status, price in [
        (3, "b", "exception", "0.0012"),
        (2, "a", "succeeded", 0.0012),
        (1, "a", "retry", None),
        (4, "b", "brand-new", ""),
    ]
]


async def test_node_executions_are_in_order_whatever_a_server_says_of_them(
    make_console: MakeConsole,
) -> None:
    server = Console(answers={"GET /apps/a1/workflow-runs/r1/node-executions": {"data": NODES}})
    found = await chatflow(make_console(server)).get_node_executions("r1")
    assert [node.index for node in found] == [1, 2, 3, 4] == [node.index for node in found.data]
    assert [node.id for node in found.by_node_id("a")] == ["x1", "x2"]
    assert [node.id for node in found.failed] == ["x3"]
    assert [node.execution_metadata.total_price for node in found] == [
        None,
        Decimal("0.0012"),
        Decimal("0.0012"),
        None,
    ]
    assert found.data[0].execution_metadata.extra == {"novelty": 1}
    assert found.data[3].status == "brand-new"
    assert (len(found), bool(c.NodeExecutions())) == (4, True)


async def test_a_run_full_of_nulls_is_not_found(make_console: MakeConsole) -> None:
    nulls = {"id": None, "status": None, "inputs": None}
    server = Console(answers={"GET /apps/a1/workflow-runs/r1": nulls})
    with pytest.raises(errors.NotFoundError, match="Workflow run not found"):
        await workflow(make_console(server)).get_run("r1")


def messages_of(count: int) -> Callable[[httpx2.Request], object]:
    """What a server says that has so many messages, m1 the oldest, and pages backwards."""

    def answer(request: httpx2.Request) -> object:
        limit = int(request.url.params["limit"])
        first = request.url.params.get("first_id")
        end = count if first is None else int(first.removeprefix("m")) - 1
        start = max(end - limit, 0)
        data = [{"id": f"m{number}", "from_end_user_id": "e1"} for number in range(start + 1, end + 1)]
        return {"limit": limit, "has_more": start > 0, "data": data}

    return answer


async def test_a_chat_knows_all_its_messages_and_who_said_them(make_console: MakeConsole) -> None:
    server = Console(
        answers={
            "GET /apps/a1/chat-conversations": page(CONVERSATION),
            "GET /apps/a1/chat-messages": messages_of(250),
        }
    )
    app = chatflow(make_console(server))
    (chat,) = await app.chats
    found = await chat.messages
    assert [message.id for message in found] == [f"m{number}" for number in range(1, 251)]
    assert {message.from_end_user_session_id for message in found} == {"u1"}
    assert {message.created_by_role for message in found} == {"end_user"}
    assert chat.conversation == c.ChatConversation.from_dict(CONVERSATION)
    assert chat.info["id"] == "c1"
    assert repr(chat).endswith("Chat('c1', name='Tea')")
    newest = await chat.get_messages(max_pages=2, limit=10)
    assert [message.id for message in newest] == [f"m{number}" for number in range(231, 251)]
    assert await chat.get_messages(max_pages=0) == []
    backwards = [message.id async for message in chat.iter_messages(order="desc", max_items=3)]
    assert backwards == ["m250", "m249", "m248"]


async def test_a_chat_made_from_an_id_asks_for_nothing(make_console: MakeConsole) -> None:
    server = Console(answers={"GET /apps/a1/chat-messages": messages_of(3)})
    chat = chatflow(make_console(server)).chat("c1")
    assert (chat.info, chat.conversation, server.asked) == ({}, None, [])
    assert [message.id for message in await chat.messages] == ["m1", "m2", "m3"]


async def test_a_numbered_page_of_messages_is_found_by_walking_back(make_console: MakeConsole) -> None:
    server = Console(answers={"GET /apps/a1/chat-messages": messages_of(25)})
    app = chatflow(make_console(server))
    pages = [await app.get_messages("c1", limit=10, page=number) for number in (1, 2, 3, 4)]
    assert [[message.id for message in found][:1] for found in pages] == [["m16"], ["m6"], ["m1"], []]
    assert [found.has_more for found in pages] == [True, True, False, False]
    assert [(found.page, found.total) for found in pages] == [(None, None)] * 4


async def test_logs_are_walked_through_with_their_filters(make_console: MakeConsole) -> None:
    def answer(request: httpx2.Request) -> object:
        number = int(request.url.params["page"])
        return page(*({"id": f"l{number}{n}", "workflow_run": RUN} for n in "ab"), total=6, more=number < 3)

    server = Console(answers={"GET /apps/a1/workflow-app-logs": answer})
    app = workflow(make_console(server))
    entries = [entry.id async for entry in app.iter_logs(limit=2, status="succeeded", start_page=2)]
    assert entries == ["l2a", "l2b", "l3a", "l3b"]
    assert [asked.query for asked in server.asked[1:]] == [
        {"page": number, "limit": "2", "status": "succeeded"} for number in ("2", "3")
    ]


async def test_apps_versions_and_runs_are_walked_through(make_console: MakeConsole) -> None:
    server = Console(
        answers={
            "GET /apps": page(APP, {**APP, "id": "a2", "mode": "novel"}),
            "GET /apps/a1/workflows": {"items": [{"id": "w1"}], "page": 1, "limit": 10, "has_more": False},
            "GET /apps/a1/advanced-chat/workflow-runs": {"limit": 1, "has_more": False, "data": [RUN]},
            "GET /apps/a1/completion-conversations": page({"id": "c1"}),
        }
    )
    client = make_console(server)
    assert [app.mode for app in await client.iter_apps().collect()] == ["advanced-chat", "novel"]
    assert [found.id for found in await chatflow(client).iter_versions().collect()] == ["w1"]
    assert [found.id for found in await chatflow(client).iter_runs().collect()] == ["r1"]
    assert [found.id for found in await completion(client).iter_logs().collect()] == ["c1"]


async def test_reading_is_tried_again_and_writing_is_not(make_console: MakeConsole) -> None:
    answers = [refused(503, "unknown"), said(page(APP))]
    server = Console(
        answers={"GET /apps": lambda request: answers.pop(0), "POST /apps": refused(503, "unknown")}
    )
    client = make_console(server, retry=RetryPolicy())
    assert len(await client.get_apps()) == 1
    with pytest.raises(errors.ServerError):
        await client.create_app("x", "chat")
    assert [asked.method for asked in server.asked] == ["POST", "GET", "GET", "POST"]


async def test_the_account_shows_in_the_repr_and_its_password_does_not(make_console: MakeConsole) -> None:
    client = make_console(Console())
    assert repr(client).endswith(f"ConsoleClient('http://dify.test/console/api', '{EMAIL}', password='***')")
    assert "app-0" not in repr(c.AppToken.from_dict(TOKEN))
    assert NOW.tzinfo is UTC
