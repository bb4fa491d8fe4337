from __future__ import annotations

from typing import Any

import pytest

from weft.errors import NodeFailedError
from weft.nodes.structured_output import StructuredOutput
from weft.providers import Feature, Message, Rule, Script, ScriptedModel
from weft.testing.node_harness import run_node

pytestmark = pytest.mark.anyio

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "number"}},
    "required": ["name"],
    "additionalProperties": False,
}


class Unbound(ScriptedModel):
    """A model that cannot be bound to a schema."""

    def features(self, model: str) -> frozenset[Feature]:
        return frozenset()


def llm(**more: Any) -> dict[str, Any]:
    return {
        "type": "llm",
        "model": {"provider": "openai", "name": "gpt-4o"},
        "prompt_template": [{"role": "user", "text": "Who?"}],
        "structured_output_enabled": True,
        "structured_output": {"schema": SCHEMA},
        **more,
    }


def says(*chunks: str) -> Script:
    return Script([Rule(chunks=list(chunks))])


async def test_a_model_that_can_is_bound_to_the_schema() -> None:
    model = ScriptedModel(script=says('{"name":', ' "Ada"}'))

    run = await run_node(llm(), models=model)

    assert run.outputs["structured_output"] == {"name": "Ada"}  # dsl-103
    assert run.outputs["text"] == run.streamed == '{"name": "Ada"}'
    [request] = model.requests
    assert (request.response_schema, request.messages) == (SCHEMA, [Message("user", "Who?")])


async def test_other_models_are_told_the_schema() -> None:
    model = Unbound(script=says("<think>{}</think>Here:\n```json\n{'name': 'Ada', 'age': 36,}\n```"))

    run = await run_node(llm(), models=model)

    assert run.outputs["structured_output"] == {"name": "Ada", "age": 36}
    [request] = model.requests
    assert request.response_schema is None
    assert [message.role for message in request.messages] == ["system", "user"]
    assert '"required": ["name"]' in request.messages[0].text


async def test_the_schema_joins_the_system_message_that_is_there() -> None:
    model = Unbound(script=says('{"name": "Ada"}'))
    prompt = [{"role": "system", "text": "Be kind."}, {"role": "user", "text": "Who?"}]

    await run_node(llm(prompt_template=prompt), models=model)

    [request] = model.requests
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.messages[0].text.startswith("Be kind.\n\n")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        pytest.param('{"age": 3}', "'name' is a required property", id="dsl-103-violates"),
        pytest.param('{"name": 3}', r"at \$\.name: 3 is not of type", id="dsl-103-wrong-type"),
        pytest.param("Ada", "no JSON object", id="no-json"),
    ],
)
async def test_a_reply_that_does_not_follow_the_schema_fails_the_node(reply: str, message: str) -> None:
    run = await run_node(llm(), models=ScriptedModel(script=says(reply)))

    assert run.error_type == "LLMNodeError"
    with pytest.raises(NodeFailedError, match=message):
        raise run.error or AssertionError
    assert run.context.outputs["text"] == reply
    assert run.context.usage is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"structured_output": {}},
        {"structured_output": None},
        {"structured_output": {"schema": {}}},
        {"structured_output": {"schema": {"type": "nonsense"}}},
    ],
)
async def test_without_a_schema_the_node_fails_before_it_asks(settings: dict[str, Any]) -> None:
    model = ScriptedModel()

    run = await run_node(llm(**settings), models=model)

    assert (run.error_type, len(model.requests)) == ("LLMNodeError", 0)


async def test_the_old_name_of_the_switch_is_understood() -> None:
    data = llm(structured_output_switch_on=True)
    del data["structured_output_enabled"]

    run = await run_node(data, models=ScriptedModel(script=says('{"name": "Ada"}')))

    assert run.outputs["structured_output"] == {"name": "Ada"}


async def test_switched_off_there_is_no_such_output() -> None:
    run = await run_node(llm(structured_output_enabled=False))

    assert "structured_output" not in run.outputs


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/schema.json", "#/$defs/gone"])
def test_a_reference_to_elsewhere_is_never_followed(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda request, **more: asked.append(request))
    output = StructuredOutput({"type": "object", "properties": {"a": {"$ref": reference}}})

    with pytest.raises(NodeFailedError, match="refers to what it does not hold"):
        output.parse('{"a": 1}')
    assert asked == []


def test_references_inside_the_schema_work() -> None:
    output = StructuredOutput(
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/n"}},
            "$defs": {"n": {"type": "number"}},
        }
    )

    assert output.parse('{"a": 1}') == {"a": 1}
    with pytest.raises(NodeFailedError, match="not of type 'number'"):
        output.parse('{"a": "x"}')
