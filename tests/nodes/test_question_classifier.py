from __future__ import annotations

import json
from typing import Any

import pytest

from weft.graph import Need
from weft.nodes import Turn, build_node
from weft.providers import ImagePart, Message, Rule, Script, ScriptedModel, TextPart, TokenUsage
from weft.testing.node_harness import make_spec, run_node
from weft.variables import File

pytestmark = pytest.mark.anyio


def classifier(**more: Any) -> dict[str, Any]:
    return {
        "type": "question-classifier",
        "title": "Sort",
        "model": {"provider": "deepseek", "name": "deepseek-chat", "completion_params": {"temperature": 0.1}},
        "query_variable_selector": ["sys", "query"],
        "classes": [
            {"id": "1", "name": "Refunds"},
            {"id": "2", "name": "Questions about {{#start.topic#}}", "label": "Topic"},
        ],
        "instruction": "Mind the {{#start.topic#}}.",
        "instructions": "noise",
        "topics": [],
        **more,
    }


def says(text: str, **more: Any) -> ScriptedModel:
    return ScriptedModel(script=Script([Rule(chunks=[text], usage=TokenUsage(10, 5, 15), **more)]))


VALUES = {"sys.query": "Where is {{#start.topic#}}?", "start.topic": "shoes"}


@pytest.mark.parametrize(
    ("reply", "chosen"),
    [
        pytest.param('{"category_id": "2", "category_name": "x"}', "2", id="dsl-97-json"),
        pytest.param('```json\n{"category_id": 2, "category_name": "x"}\n```', "2", id="dsl-97-fenced"),
        pytest.param(
            '<think>{"category_id": "1", "category_name": ""}</think>'
            '{"category_id": "2", "category_name": ""}',
            "2",
            id="dsl-97-think-tags",
        ),
        pytest.param('{"category_id": "9", "category_name": "x"}', "1", id="dsl-97-unknown-id"),
        pytest.param('{"category_id": "2"}', "1", id="dsl-97-missing-name"),
        pytest.param('{"category_name": "Refunds"}', "1", id="dsl-97-missing-id"),
        pytest.param("{}", "1", id="dsl-97-empty-object"),
        pytest.param('[{"category_id": "2"}, 1]', "1", id="dsl-97-list"),
    ],
)
async def test_the_way_out_is_the_class_that_the_model_names(reply: str, chosen: str) -> None:
    run = await run_node(classifier(), VALUES, models=says(reply))

    assert run.handle == run.outputs["class_id"] == chosen


async def test_the_outputs_tell_the_class_and_what_it_cost() -> None:
    run = await run_node(classifier(), VALUES, models=says('{"category_id": "2", "category_name": ""}'))

    usage = run.outputs.pop("usage")
    assert run.outputs == {
        "class_id": "2",
        "class_name": "Questions about shoes",
        "class_label": "Topic",
    }
    assert isinstance(usage, dict)
    assert usage["total_tokens"] == run.context.metadata["total_tokens"] == 15
    assert run.context.inputs == {
        "query": VALUES["sys.query"],
        "model_provider": "deepseek",
        "model_name": "deepseek-chat",
    }
    assert run.context.process_data["finish_reason"] == "stop"


async def test_a_class_without_a_label_is_numbered() -> None:
    run = await run_node(classifier(), VALUES, models=says('{"category_id": "1", "category_name": ""}'))

    assert run.outputs["class_label"] == "CLASS 1"


async def test_what_the_model_says_is_not_streamed() -> None:
    run = await run_node(classifier(), VALUES, models=says('{"category_id": "1"}', reasoning="hm"))

    assert (run.port.pieces, run.port.ended_streams, run.events) == ({}, [], [])


@pytest.mark.parametrize("reply", ["Refunds", "", "1", "I choose {Refunds}"])
async def test_a_reply_that_is_no_json_fails_the_node(reply: str) -> None:
    run = await run_node(classifier(), VALUES, models=says(reply))

    assert run.error_type == "QuestionClassifierNodeError"  # dsl-97
    assert run.context.usage is not None


async def test_a_failing_service_fails_the_node() -> None:
    run = await run_node(classifier(), VALUES, models=says("{}", error="RateLimitedError"))

    assert run.error_type == "InvokeRateLimitError"


async def test_a_node_without_classes_fails_before_it_asks() -> None:
    model = says("{}")

    run = await run_node(classifier(classes=[]), VALUES, models=model)

    assert (run.error_type, len(model.requests)) == ("QuestionClassifierNodeError", 0)


async def test_the_model_is_given_the_categories_the_instruction_and_the_text_alone() -> None:
    model = says("{}")
    data = classifier(memory={"window": {"enabled": True, "size": 1}}, vision={"enabled": True})
    picture = File(type="image", url="https://files/a.png")

    await run_node(
        data, {**VALUES, "sys.files": [picture]}, models=model, history=[Turn("q1", "a1"), Turn("q2", "a2")]
    )

    [request] = model.requests
    system, user = request.messages
    categories = [
        {"category_id": "1", "category_name": "Refunds"},
        {"category_id": "2", "category_name": "Questions about shoes"},
    ]
    assert json.dumps(categories) in system.text
    assert system.text.endswith("Mind the shoes.\n\nThe conversation so far:\nHuman: q2\nAssistant: a2")
    assert user == Message(
        "user", [ImagePart("https://files/a.png", "high"), TextPart("Where is {{#start.topic#}}?")]
    )
    assert (request.parameters, request.node_id) == ({"temperature": 0.1}, "node")


async def test_without_a_query_the_model_is_asked_all_the_same() -> None:
    model = says('{"category_id": "2", "category_name": ""}')

    run = await run_node(classifier(), models=model)

    assert (run.handle, run.context.inputs["query"]) == ("2", "")
    assert model.requests[0].messages[1] == Message("user", "(empty)")


def test_the_node_says_what_it_reads_and_needs_and_where_it_leads() -> None:
    node = build_node(
        make_spec(classifier(classes=[{"id": 7, "name": "{{#a.b#}}"}, {"id": "x", "name": None}]))
    )

    assert node.handles() == ["7", "x"]
    assert list(node.reads()) == [("sys", "query"), ("start", "topic"), ("a", "b")]
    assert node.needs() == (Need("model", "deepseek/deepseek-chat", "node"),)
    assert (node.kind, node.retry) == ("branch", None)
