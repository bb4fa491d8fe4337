from __future__ import annotations

from typing import Any

import pytest

from weft.errors import GraphError
from weft.graph import Need
from weft.nodes import build_node
from weft.providers import Feature, Message, Rule, Script, ScriptedModel, TokenUsage, Tool, ToolCall
from weft.testing.node_harness import make_spec, run_node

pytestmark = pytest.mark.anyio


class Callless(ScriptedModel):
    """A model that cannot call functions."""

    def features(self, model: str) -> frozenset[Feature]:
        return frozenset()


def extractor(**more: Any) -> dict[str, Any]:
    return {
        "type": "parameter-extractor",
        "title": "Extract",
        "model": {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}},
        "query": ["sys", "query"],
        "parameters": [
            {"name": "city", "type": "string", "description": "Where", "required": True},
            {"name": "days", "type": "number", "options": None},
        ],
        "instruction": "Cities of {{#start.country#}} only.",
        "reasoning_mode": "function_call",
        "variables": [],
        "vision": {"enabled": False},
        **more,
    }


def script(**rule: Any) -> Script:
    return Script([Rule(usage=TokenUsage(10, 5, 15), **{"chunks": [], **rule})])


def call(arguments: str, name: str = "extract_parameters") -> ToolCall:
    return ToolCall("c1", name, arguments)


VALUES = {"sys.query": "Three days in Rome", "start.country": "Italy"}
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where"}, "days": {"type": "number"}},
    "required": ["city"],
}


async def test_a_model_that_can_hands_the_values_in_by_a_function() -> None:
    model = ScriptedModel(script=script(tool_calls=[call('{"city": "Rome", "days": 3}')]))

    run = await run_node(extractor(), VALUES, models=model)

    usage = run.outputs.pop("__usage")
    assert run.outputs == {"city": "Rome", "days": 3, "__is_success": 1, "__reason": None}  # dsl-98
    assert isinstance(usage, dict)
    assert usage["total_tokens"] == run.context.metadata["total_tokens"] == 15
    [request] = model.requests
    assert request.tools == [
        Tool("extract_parameters", "Hands in the values that were found in the text.", SCHEMA)
    ]
    assert request.messages[1:] == [Message("user", "Three days in Rome")]
    assert request.messages[0].text.endswith("Instructions:\nCities of Italy only.")
    assert run.context.process_data["tool_call"] == [
        {"name": "extract_parameters", "arguments": '{"city": "Rome", "days": 3}'}
    ]
    assert run.context.inputs["query"] == "Three days in Rome"
    assert (run.port.pieces, run.port.ended_streams) == ({}, [])


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(Callless, id="a-model-without-functions"),
        pytest.param(ScriptedModel, id="prompt-mode"),
    ],
)
async def test_other_models_write_json(model: type[ScriptedModel]) -> None:
    chat = model(script=script(chunks=['Found {these}: {"city": "Rome",', ' "days": null}. Done.']))
    mode = "function_call" if model is Callless else "prompt"

    run = await run_node(extractor(reasoning_mode=mode), VALUES, models=chat)

    assert (run.outputs["city"], run.outputs["days"], run.outputs["__is_success"]) == ("Rome", 0, 1)  # dsl-98
    [request] = chat.requests
    assert request.tools == []
    assert '"required": ["city"]' in request.messages[0].text


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"chunks": ['{"city": "Rome", "days": 3}']}, id="no-call-but-text"),
        pytest.param({"tool_calls": [call("{'city': 'Rome', 'days': 3")]}, id="broken-arguments"),
        pytest.param({"tool_calls": [call('{"city": "Rome", "days": 3}', "other")]}, id="other-name"),
        pytest.param(
            {"tool_calls": [call("none")], "chunks": ['{"city": "Rome", "days": 3}']},
            id="text-beside-a-bad-call",
        ),
    ],
)
async def test_values_are_found_wherever_the_model_put_them(rule: dict[str, Any]) -> None:
    run = await run_node(extractor(), VALUES, models=ScriptedModel(script=script(**rule)))

    assert (run.outputs["city"], run.outputs["days"], run.outputs["__is_success"]) == ("Rome", 3, 1)


@pytest.mark.parametrize(
    ("reply", "city", "days", "reason"),
    [
        pytest.param('{"days": 3}', "", 3, "required parameter 'city'", id="dsl-99-required-missing"),
        pytest.param(
            '{"city": "Rome", "days": "3"}', "Rome", 3, "not of type number", id="dsl-99-wrong-type"
        ),
        pytest.param('{"city": "Rome"}', "Rome", 0, "2 parameters were asked for", id="count"),
        pytest.param("Rome", "", 0, "holds no values", id="no-json"),
    ],
)
async def test_what_the_model_gets_wrong_does_not_fail_the_node(
    reply: str, city: str, days: int, reason: str
) -> None:
    model = ScriptedModel(script=script(chunks=[reply]))

    run = await run_node(extractor(reasoning_mode="prompt"), VALUES, models=model)

    assert (run.outputs["city"], run.outputs["days"], run.outputs["__is_success"]) == (city, days, 0)
    assert reason in str(run.outputs["__reason"])


async def test_a_failing_service_fails_the_node() -> None:
    model = ScriptedModel(script=script(error="CredentialsError", message="bad key"))

    run = await run_node(extractor(), VALUES, models=model)

    assert run.error_type == "InvokeAuthorizationError"  # dsl-98
    assert run.context.outputs == {"__is_success": 0, "__reason": "bad key"}


async def test_without_a_query_the_model_is_asked_all_the_same() -> None:
    model = ScriptedModel(script=script(chunks=["{}"]))

    run = await run_node(extractor(), {}, models=model)

    assert (run.context.inputs["query"], len(model.requests)) == ("", 1)


def test_the_node_says_what_it_reads_and_needs() -> None:
    node = build_node(
        make_spec(extractor(vision={"enabled": True, "configs": {"variable_selector": ["a", "f"]}}))
    )

    assert list(node.reads()) == [("sys", "query"), ("start", "country"), ("a", "f")]
    assert node.needs() == (Need("model", "openai/gpt-4o", "node"),)
    assert (node.handles(), node.retry) == (None, None)


@pytest.mark.parametrize("name", ["__reason", "__is_success"])
def test_reserved_names_are_refused_at_load(name: str) -> None:
    with pytest.raises(GraphError) as caught:
        build_node(make_spec(extractor(parameters=[{"name": name, "type": "string", "required": True}])))

    assert [problem.path for problem in caught.value.problems] == [
        "workflow.graph.nodes[0].data.parameters.0.name"
    ]
