"""An app as text: what it loses on the way out, and that nothing else is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from weft.graph import parse_yaml
from weft.runs import ImportRefusedError, read_import, render_app
from weft.runs.dsl_text import render_yaml
from weft.store import App, AppMode, Workflow

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def app(mode: AppMode = "workflow", **looks: Any) -> App:
    return App("a", "w", "Näme: #1", mode, NOW, NOW, **looks)


def workflow(graph: dict[str, Any], **parts: Any) -> Workflow:
    return Workflow("v", "a", "draft", "", "hash", graph, NOW, NOW, **parts)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_plain_data_comes_back_as_it_went(document: dict[str, Any]) -> None:
    found, _ = parse_yaml(render_yaml(document))
    assert found == document


def test_what_belongs_to_this_server_stays_here_unless_it_is_asked_for() -> None:
    nodes = [
        {"id": "1", "data": {"type": "tool", "credential_id": "c", "tool_name": "t"}},
        {
            "id": "2",
            "data": {
                "type": "agent",
                "agent_parameters": {"tools": {"value": [{"tool_name": "t", "credential_id": "c"}, 7]}},
            },
        },
        {"id": "3", "data": {"type": "trigger-webhook", "webhook_url": "http://x", "method": "get"}},
        {"id": "4", "data": {"type": "trigger-schedule", "config": {"cron": "* * * * *"}}},
        {"id": "5", "data": {"type": "trigger-plugin", "subscription_id": "s"}},
        {"id": "6", "data": {"type": "agent", "agent_parameters": []}},
        {"id": "7", "data": "odd"},
        "odd",
    ]
    secret = {"name": "key", "value_type": "secret", "value": "hush"}
    plain = {"name": "city", "value_type": "string", "value": "Köln"}
    kept = workflow({"nodes": nodes, "edges": []}, environment_variables=[secret, plain])

    shown: Any = parse_yaml(render_app(app(), kept, secrets=False))[0]
    whole: Any = parse_yaml(render_app(app(), kept, secrets=True))[0]

    assert [
        node["data"] if isinstance(node, dict) else node for node in shown["workflow"]["graph"]["nodes"]
    ] == [
        {"type": "tool", "tool_name": "t"},
        {"type": "agent", "agent_parameters": {"tools": {"value": [{"tool_name": "t"}, 7]}}},
        {"type": "trigger-webhook", "webhook_url": "", "webhook_debug_url": "", "method": "get"},
        {"type": "trigger-schedule", "config": {}},
        {"type": "trigger-plugin", "subscription_id": ""},
        {"type": "agent", "agent_parameters": []},
        "odd",
        "odd",
    ]
    assert shown["workflow"]["environment_variables"] == [{**secret, "value": ""}, plain]
    assert whole["workflow"]["graph"]["nodes"] == nodes
    assert whole["workflow"]["environment_variables"] == [secret, plain]


def test_an_app_goes_out_with_its_looks_and_dependencies() -> None:
    dsl = "dependencies: [{type: marketplace, value: {marketplace_plugin_unique_identifier: 'a/b:1@c'}}]"
    version = replace(workflow({"nodes": []}), dsl=dsl)

    document: Any = parse_yaml(render_app(app(icon_type="image", icon="file-id"), version, secrets=False))[0]

    assert (document["version"], document["kind"]) == ("0.5.0", "app")
    assert document["app"] == {
        "name": "Näme: #1",
        "mode": "workflow",
        "description": "",
        "icon_type": "emoji",
        "icon": "🤖",
        "icon_background": "#FFEAD5",
        "use_icon_as_answer_icon": False,
    }
    assert [one["type"] for one in document["dependencies"]] == ["marketplace"]
    assert render_app(app(), replace(version, dsl="dependencies: ["), secrets=False).endswith(
        "dependencies: []\n"
    )


def test_an_app_without_graph_is_its_model_configuration() -> None:
    version = workflow({}, features={"model": {"name": "gpt-4o"}})

    file = read_import(render_app(app("agent-chat"), version, secrets=False))

    assert (file.mode, file.content.features, file.verdict) == (
        "agent-chat",
        {"model": {"name": "gpt-4o"}},
        "completed",
    )


def test_variables_without_an_id_get_one_that_stays() -> None:
    text = (
        "version: 0.5.0\napp: {mode: advanced-chat, name: x}\nworkflow: {graph: {nodes: []}, "
        "conversation_variables: [{name: n, value_type: number, value: 1}]}"
    )

    first, second = read_import(text), read_import(text)

    (variable,) = first.content.conversation_variables
    assert variable["id"]
    assert first.content == second.content
    assert first.content.hash == second.content.hash
    assert first.warnings


@pytest.mark.parametrize("size", [10 * 1024 * 1024 + 1])
def test_a_file_that_is_too_large_is_refused(size: int) -> None:
    with pytest.raises(ImportRefusedError, match="File size exceeds the limit of 10MB"):
        read_import("x" * size)
