"""Programs written after the documentation of other clients: their names, their examples, their protocols."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx2
import pytest

from tests.client.console_server import Console
from tests.client.fake import EMAIL, PASSWORD, MakeConsole
from weft import wire
from weft.client import Chat, ConsoleClient, models

c = wire.console

RUN = {"id": "r1", "status": "succeeded", "elapsed_time": 1.5}
LOGS = {
    "page": 1,
    "limit": 10,
    "total": 1,
    "has_more": False,
    "data": [{"id": "l1", "workflow_run": RUN, "created_at": 1700000000, "created_by_end_user": None}],
}
NODES = {
    "data": [
        {"id": "x1", "node_id": "1", "node_type": "start", "title": "Start", "status": "succeeded"},
        {"id": "x2", "node_id": "2", "node_type": "llm", "title": "LLM", "status": "failed", "error": "boom"},
    ]
}
SERVER = {
    "GET /apps/your-workflow-app-id": {"id": "your-workflow-app-id", "mode": "workflow", "name": "W"},
    "GET /apps/your-workflow-app-id/workflow-app-logs": LOGS,
    "GET /apps/your-workflow-app-id/workflow-runs/r1/node-executions": NODES,
}
EXAMPLE = """
workflow_app = client.get_app(app_id="your-workflow-app-id")
logs = workflow_app.get_logs(page=1, limit=10)
for entry in logs.data:
    print(f"Workflow run {entry.workflow_run.id}: {entry.workflow_run.status}")
for entry in workflow_app.iter_logs(limit=10):
    print(f"Log entry {entry.id} created at {entry.created_at}")
workflow_run_id = logs.data[0].workflow_run.id
executions = workflow_app.get_node_executions(workflow_run_id)
for node in executions.data:
    print(f"Node {node.title} ({node.node_type}): {node.status}")
    if node.error:
        print(f"Error: {node.error}")
"""


def test_the_example_of_the_logging_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    server = Console("both", SERVER)
    with ConsoleClient("http://dify.test", EMAIL, PASSWORD, transport=httpx2.MockTransport(server)) as client:
        exec(EXAMPLE, {"client": client})
    assert capsys.readouterr().out.splitlines() == [
        "Workflow run r1: succeeded",
        "Log entry l1 created at 1700000000",
        "Node Start (start): succeeded",
        "Node LLM (llm): failed",
        "Error: boom",
    ]


ATTRIBUTES = {
    "AppToken": "id type token last_used_at created_at",
    "WorkflowDraft": "graph features environment_variables conversation_variables",
    "Graph": "nodes edges viewport",
    "GraphNode": ("id type data position targetPosition sourcePosition positionAbsolute width height"),
    "GraphEdge": "id type source sourceHandle target targetHandle data zIndex",
    "GraphEdgeData": "sourceType targetType isInIteration",
    "GraphNodeData": "type title description variables",
    "Viewport": "x y zoom",
    "BaseModel": "id created_at updated_at to_dict created_datetime updated_datetime",
    "PaginatedResponse": "page limit total has_more data __iter__ __len__",
    "AgentConversation": """
        id status from_source from_end_user_id from_end_user_session_id from_account_id from_account_name name
        summary read_at created_at updated_at annotated agent_model_config message_count user_feedback_stats
        admin_feedback_stats status_count
    """,
    "ChatMessage": """
        id conversation_id inputs query answer message feedback created_at created_by_role created_by_account
        created_by_end_user from_source from_end_user_id from_end_user_session_id from_account_id
        from_account_name
    """,
    "PaginatedChatMessages": "data page limit total has_more",
    "PaginatedAgentLogs": "data page limit total has_more",
    "PaginatedWorkflowLogs": "data page limit total has_more",
    "WorkflowLogEntry": "id workflow_run created_at",
    "WorkflowRun": "id status elapsed_time",
    "WorkflowNodeExecution": "id node_type title status error elapsed_time inputs outputs",
    "WorkflowNodeExecutions": "data",
    "WorkflowNodeExecutionMetadata": (
        "parallel_id parallel_start_node_id tool_info total_tokens total_price currency"
    ),
}
LEAST: dict[str, dict[str, object]] = {
    "AppToken": {"id": "1", "token": "app-x"},
    "GraphNode": {"id": "1", "data": {}},
    "GraphEdge": {"source": "1", "target": "2"},
    "PaginatedResponse": {"data": []},
    "AgentConversation": {"id": "1"},
    "ChatMessage": {"id": "1"},
    "PaginatedChatMessages": {"data": []},
    "PaginatedAgentLogs": {"data": []},
    "PaginatedWorkflowLogs": {"data": []},
    "WorkflowLogEntry": {"id": "1", "workflow_run": {"status": "running"}},
    "WorkflowRun": {"status": "running"},
    "WorkflowNodeExecution": {"status": "running"},
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_class_of_the_documentation_has_its_attributes(name: str) -> None:
    made = getattr(models, name).from_dict(LEAST.get(name, {}))
    missing = [attribute for attribute in ATTRIBUTES[name].split() if not hasattr(made, attribute)]
    assert missing == []


def test_every_name_of_the_module_is_there() -> None:
    assert [name for name in models.__all__ if getattr(models, name, None) is None] == []
    assert models.AgentConversation is c.ChatConversation
    assert models.WorkflowNodeExecution is c.NodeExecution


def test_defaults_are_those_of_the_documentation() -> None:
    assert models.AppToken(id="1", token="app-x").type == "app"
    draft = models.WorkflowDraft()
    assert draft.graph is not None
    assert (draft.features, draft.environment_variables, draft.conversation_variables) == ({}, [], [])
    assert (draft.graph.nodes, draft.graph.edges) == ([], [])
    assert draft.graph.viewport is not None
    assert (draft.graph.viewport.x, draft.graph.viewport.y, draft.graph.viewport.zoom) == (0, 0, 1)


def test_every_model_has_the_base_models_attributes() -> None:
    viewport = models.Viewport(x=1)
    assert isinstance(viewport, models.BaseModel)
    assert (viewport.id, viewport.created_at, viewport.updated_datetime) == (None, None, None)
    assert viewport.to_dict() == {"x": 1}
    with pytest.raises(AttributeError):
        _ = viewport.nothing  # type: ignore[attr-defined]  # what the test is about
    conversation = models.AgentConversation.from_dict({"id": "1", "created_at": 0, "updated_at": 60})
    assert conversation.created_datetime == datetime(1970, 1, 1, tzinfo=UTC)
    assert conversation.updated_datetime == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def test_a_page_is_its_items() -> None:
    page = models.PaginatedAgentLogs.from_dict({**LOGS, "data": [{"id": "a"}, {"id": "b"}]})
    assert ([item.id for item in page], len(page), page.page, page.total) == (["a", "b"], 2, 1, 1)
    assert bool(models.PaginatedAgentLogs(data=[])) is True


def test_what_is_documented_as_a_dictionary_can_be_read_like_one() -> None:
    data = {
        "id": "1",
        "model_config": {"model": "m", "pre_prompt": "p", "novel": 1},
        "user_feedback_stats": {"like": 2, "dislike": 1},
        "status_count": {"success": 1, "failed": 0, "partial_success": 0},
    }
    conversation = models.AgentConversation.from_dict(data)
    config, stats = conversation.agent_model_config, conversation.user_feedback_stats
    assert (config["model"], config.get("novel"), config.get("x", 5), "model" in config) == ("m", 1, 5, True)
    assert dict(config) == {"model": "m", "pre_prompt": "p", "novel": 1} == config
    assert (stats["like"], len(stats), list(stats), list(stats.values())) == (
        2,
        2,
        ["like", "dislike"],
        [2, 1],
    )
    assert isinstance(stats, Mapping)
    assert list(stats.items()) == [("like", 2), ("dislike", 1)]
    assert conversation.status_count is not None
    assert conversation.status_count.paused == 0
    assert len({stats, stats.model_copy()}) == 1
    assert stats != c.FeedbackStats(like=9)
    assert conversation.to_dict()["model_config"] == data["model_config"]
    assert models.AgentConversation.from_dict(conversation.to_dict()) == conversation


@pytest.mark.parametrize(
    ("message", "prompts"),
    [
        ([{"role": "user", "text": "hi"}], [{"role": "user", "text": "hi"}]),
        ({"role": "user"}, [{"role": "user"}]),
        ("hi", [{"text": "hi"}]),
        ("", []),
        (None, []),
    ],
)
def test_what_the_model_was_sent_comes_in_several_forms(message: object, prompts: object) -> None:
    assert models.ChatMessage.from_dict({"id": "1", "message": message}).prompt_messages == prompts


def test_who_wrote_a_message_is_derived() -> None:
    feedbacks = [{"rating": "dislike", "from_source": "admin"}, {"rating": "like", "from_source": "user"}]
    message = models.ChatMessage.from_dict({"id": "1", "from_end_user_id": "e1", "feedbacks": feedbacks})
    assert message.feedback is not None
    assert (message.created_by_role, message.feedback["rating"]) == ("end_user", "like")
    assert models.ChatMessage(id="1", from_account_id="a").created_by_role == "account"
    nobody = models.ChatMessage.from_dict({"id": "1", "created_by_account": {"id": "a"}})
    assert (nobody.created_by_role, nobody.feedback, nobody.created_by_end_user) == (None, None, None)
    assert nobody.created_by_account == {"id": "a"}


def test_a_chat_is_made_as_documented() -> None:
    client = ConsoleClient("http://dify.test", EMAIL, PASSWORD)
    app = client.app("a1", models.AdvancedChatApp)
    chat = Chat(client, app, "c1")
    assert (chat.client, chat.app, chat.id, chat.info) == (client, app, "c1", {})
    client.close()


def test_statuses_are_text_that_knows_more() -> None:
    run = models.WorkflowRun.from_dict({"id": "r", "status": "partial-succeeded"})
    assert (run.status, f"{run.status}") == ("partial-succeeded", "partial-succeeded")
    assert (run.status.is_finished, run.status.is_success) == (True, True)
    novel = models.WorkflowRun.from_dict({"id": "r", "status": "napping"}).status
    assert (novel, novel.is_finished) == ("napping", False)


def test_the_statuses_of_before_still_mean_something() -> None:
    assert models.WorkflowStatus.COMPLETED == "succeeded"
    with pytest.warns(DeprecationWarning, match="use WorkflowRunStatus"):
        assert models.WorkflowStatus("cancelled") == "stopped"
    with pytest.warns(DeprecationWarning, match="use WorkflowRunStatus"):
        assert models.WorkflowStatus("running") == "running"


def test_a_node_knows_what_all_nodes_share() -> None:
    node = models.GraphNode(id="1", data={"type": "llm", "title": "T", "desc": "D"})
    assert (node.node_type, node.node_data.title, node.node_data.description) == ("llm", "T", "D")
    assert models.GraphNode(id="1", data={}).node_type == ""


@pytest.mark.anyio
async def test_the_example_runs_in_both_colours(make_console: MakeConsole) -> None:
    server = Console("tokens", SERVER)
    app = await make_console(server).get_app(app_id="your-workflow-app-id")
    logs = await app.get_logs(page=1, limit=10)  # type: ignore[attr-defined]  # the kind is known at run time
    assert [entry.workflow_run.id for entry in logs] == ["r1"]
