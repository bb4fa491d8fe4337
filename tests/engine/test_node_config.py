"""What the data of all nodes have in common, and how their mistakes are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.harness import Data, answer, do, fail, graph, loop, play, retried, start
from weft.errors import GraphError, Problem, UnsupportedNodeError
from weft.graph import Retry


def problems(**nodes: Data) -> tuple[Problem, ...]:
    with pytest.raises(GraphError) as caught:
        graph({"start": start(), **nodes})
    return caught.value.problems


def defaults(*items: Data) -> Data:
    return {"error_strategy": "default-value", "default_value": list(items)}


@pytest.mark.parametrize(
    ("type", "given", "value"),
    [
        ("string", "a", "a"),
        ("string", "1", "1"),
        ("string", None, None),
        ("number", "132123", 132123),
        ("number", "1.5", 1.5),
        ("number", "1e3", 1000),
        ("number", 7, 7),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", {"a": 1}, {"a": 1}),
        ("array[string]", '["a"]', ["a"]),
        ("array[number]", [1], [1]),
        ("array[object]", "[]", []),
        ("array[file]", [], []),
        ("boolean", "true", True),
    ],
)
@pytest.mark.anyio
async def test_default_values_are_parsed_as_their_type_demands(
    type: str, given: object, value: object
) -> None:
    settings = defaults({"key": "x", "type": type, "value": given, "junk": 1})
    told = await play({"start": start(), "n": fail("boom", **settings)}, "start > n")
    assert told.finished("n").outputs == {"x": value, "error_message": "boom", "error_type": "Boom"}
    assert told.finished("n").outputs["x"].__class__ is value.__class__


@pytest.mark.parametrize(
    ("type", "given"),
    [
        ("number", "many"),
        ("object", "[]"),
        ("object", "{"),
        ("array[string]", "a"),
        ("string", 1),
        ("boolean", 1),
    ],
)
def test_a_default_value_of_another_type_is_refused_when_the_file_is_read(type: str, given: object) -> None:
    (problem,) = problems(n=fail(**defaults({"key": "x", "type": type, "value": given})))
    assert (problem.code, problem.path, problem.node_id) == ("graph.invalid_node_data", "nodes[1].data", "n")


@pytest.mark.anyio
async def test_old_files_have_a_plain_mapping_of_default_values() -> None:
    values = {"a": "x", "b": 1, "c": {"d": 1}, "e": [{}], "f": True}
    nodes = {"start": start(), "n": fail(error_strategy="default-value", default_value=values)}
    told = await play(nodes, "start > n")
    assert told.finished("n").outputs == {**values, "error_message": "boom", "error_type": "Boom"}


@pytest.mark.parametrize("strategy", [None, "", "none"])
def test_no_strategy_has_several_spellings(strategy: object) -> None:
    made = graph({"start": start(), "n": fail(error_strategy=strategy, default_value=None)}, "start > n")
    assert made.nodes["n"].error_strategy is None


@pytest.mark.parametrize(
    ("settings", "retry"),
    [
        pytest.param({}, None, id="nothing-said"),
        pytest.param({"retry_config": None}, None, id="null"),
        pytest.param({"retry_config": {"retry_enabled": True, "max_retries": 0}}, None, id="no-times"),
        pytest.param({"retry_config": {"retry_enabled": False, "max_retries": 3}}, None, id="off"),
        pytest.param(retried(3, 1500), Retry(3, 1.5), id="milliseconds-become-seconds"),
        pytest.param(retried(3, -5), Retry(3, 0.0), id="no-negative-wait"),
        pytest.param(
            {
                "retry_config": {
                    "retry_enabled": True,
                    "max_retries": 2,
                    "retry_interval": 0,
                    "enabled": False,
                    "exponential_backoff": {"enabled": True},
                }
            },
            Retry(2, 0.0),
            id="junk",
        ),
    ],
)
def test_retry_settings(settings: Data, retry: Retry | None) -> None:
    made = graph({"start": start(), "n": do(lambda _: {}, **settings)}, "start > n")
    assert made.nodes["n"].retry == retry


def test_all_mistakes_in_a_node_are_told_at_once_and_where_they_are() -> None:
    broken: dict[str, Any] = {**loop(0), "logical_operator": "xor", "error_strategy": "retry"}
    found = problems(lo=broken)
    assert sorted(problem.path for problem in found) == [
        "nodes[1].data.error_strategy",
        "nodes[1].data.logical_operator",
        "nodes[1].data.loop_count",
    ]
    assert {(problem.code, problem.node_id, problem.node_title) for problem in found} == {
        ("graph.invalid_node_data", "lo", "The lo")
    }


def test_an_unknown_type_is_told_along_with_the_types_that_there_are() -> None:
    with pytest.raises(UnsupportedNodeError) as caught:
        graph({"start": start(), "n": {"type": "teleport"}})
    (problem,) = caught.value.problems
    assert (problem.code, problem.path, problem.node_id) == (
        "node.unsupported_type",
        "nodes[1].data.type",
        "n",
    )
    assert "known types: " in problem.fix
    assert "llm" in problem.fix


def test_keys_that_nobody_knows_do_no_harm() -> None:
    graph(
        {"start": start(), "a": {**answer("x"), "selected": False, "variables": [], "desc": None}},
        "start > a",
    )
