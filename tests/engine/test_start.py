"""The start node in a run: what it shows, and what it refuses only then."""

from __future__ import annotations

import pytest

from tests.engine.harness import Data, end, graph, play, start
from weft.errors import GraphError
from weft.variables import Value

pytestmark = pytest.mark.anyio

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}


def json_field(schema: object = SCHEMA, **more: object) -> Data:
    return {"variable": "person", "type": "json_object", "json_schema": schema, **more}


async def test_outputs_are_the_inputs_and_the_system_variables() -> None:
    told = await play(
        {"start": start(), "end": end()},
        "start > end",
        inputs={"city": "Köln", "age": None},
        values={"sys.query": "Hi", "sys.files": [], "env.key": "secret", "conversation.topic": "x"},
    )
    outputs: dict[str, Value] = {"city": "Köln", "age": None, "sys.query": "Hi", "sys.files": []}
    assert (told.finished("start").outputs, told.finished("start").inputs) == (outputs, outputs)


@pytest.mark.parametrize(
    "schema",
    [SCHEMA, '{"type": "object", "required": ["name"], "properties": {"age": {"type": "integer"}}}'],
    ids=["mapping", "text"],
)
@pytest.mark.parametrize(
    ("person", "complaint"),
    [
        pytest.param({"name": "Ada", "age": 36}, None, id="dsl-75-valid"),
        pytest.param({"name": "Ada", "age": "old"}, "'old' is not of type 'integer'", id="dsl-75-mismatch"),
        pytest.param({"age": 36}, "'name' is a required property", id="dsl-75-missing-property"),
        pytest.param({}, None, id="dsl-75-empty-is-not-looked-at"),
        pytest.param(None, None, id="dsl-75-absent-is-not-looked-at"),
    ],
)
async def test_an_object_has_to_match_its_schema(
    schema: object, person: Value, complaint: str | None
) -> None:
    nodes = {"start": start(json_field(schema)), "end": end(who="start.person")}
    told = await play(nodes, "start > end", inputs={"person": person})
    if complaint is None:
        assert told.end == ("succeeded", {"who": person}, 0)
    else:
        assert told.end == ("failed", {}, 1)
        assert told.outcome.error == f"JSON object for 'person' does not match its schema: {complaint}"


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ("{", "json_schema is not valid JSON"),
        ({"type": 5}, "json_schema is no JSON Schema"),
    ],
)
def test_a_schema_that_is_none_is_refused_when_the_file_is_read(schema: object, complaint: str) -> None:
    with pytest.raises(GraphError) as caught:
        graph({"start": start(json_field(schema))})
    (problem,) = caught.value.problems
    assert (problem.code, problem.node_id, complaint in problem.message) == (
        "graph.invalid_node_data",
        "start",
        True,
    )


async def test_a_schema_fetches_nothing_from_elsewhere() -> None:
    schema = {"type": "object", "properties": {"name": {"$ref": "https://example.org/name.json"}}}
    nodes = {"start": start(json_field(schema)), "end": end()}
    told = await play(nodes, "start > end", inputs={"person": {"name": "Ada"}})
    assert told.outcome.status == "failed"
    assert "example.org" in str(told.outcome.error)
