from __future__ import annotations

from typing import Any

import pytest

from weft.errors import GraphError
from weft.nodes import build_node
from weft.testing.node_harness import make_spec, run_node
from weft.variables import Value

pytestmark = pytest.mark.anyio


def aggregator(type: str = "variable-aggregator", **data: Any) -> dict[str, Any]:
    return {
        "type": type,
        "title": "Join",
        "output_type": "string",
        "variables": [["a", "text"], ["b", "out", "key"]],
        **data,
    }


def grouped(*groups: tuple[str, list[list[str]]], enabled: bool = True) -> dict[str, Any]:
    return {
        "group_enabled": enabled,
        "groups": [
            {"group_name": name, "groupId": name, "output_type": "string", "variables": variables}
            for name, variables in groups
        ],
    }


@pytest.mark.parametrize(
    ("values", "outputs", "inputs"),
    [
        pytest.param(
            {"a.text": "A", "b.out": {"key": "B"}}, {"output": "A"}, {"text": "A"}, id="dsl-85-both"
        ),
        pytest.param({"a.text": "A"}, {"output": "A"}, {"text": "A"}, id="dsl-85-first"),
        pytest.param({"b.out": {"key": 5}}, {"output": 5}, {"out.key": 5}, id="dsl-85-second"),
        pytest.param({}, {}, {}, id="dsl-85-none"),
        pytest.param(
            {"a.text": None, "b.out": {"key": 5}}, {"output": None}, {"text": None}, id="null exists"
        ),
        pytest.param({"a.text": ""}, {"output": ""}, {"text": ""}, id="empty exists"),
    ],
)
@pytest.mark.parametrize("type", ["variable-aggregator", "variable-assigner"])
@pytest.mark.parametrize("settings", [None, grouped(("g", [["b", "out"]]), enabled=False)])
async def test_the_first_variable_that_there_is_becomes_the_output(
    type: str,
    settings: dict[str, Any] | None,
    values: dict[str, Value],
    outputs: dict[str, Value],
    inputs: dict[str, Value],
) -> None:
    run = await run_node(aggregator(type, advanced_settings=settings), values)

    assert run.outputs == outputs
    assert run.context.inputs == inputs


@pytest.mark.parametrize(
    ("values", "outputs"),
    [
        ({"a.x": 1, "b.x": 2, "c.x": 3}, {"one": {"output": 1}, "two": {"output": 3}}),
        ({"b.x": 2}, {"one": {"output": 2}}),
        ({"c.x": None}, {"two": {"output": None}}),
        ({}, {}),
    ],
)
async def test_each_group_has_an_output_of_its_own(
    values: dict[str, Value], outputs: dict[str, Value]
) -> None:
    settings = grouped(("one", [["a", "x"], ["b", "x"]]), ("two", [["c", "x"]]))

    run = await run_node(aggregator(advanced_settings=settings), {**values, "a.text": "not asked for"})

    assert run.outputs == outputs


def test_the_node_reads_what_it_may_take() -> None:
    settings = grouped(("one", [["a", "x"], []]), ("two", [["c", "x"]]))

    plain = build_node(make_spec(aggregator()))
    groups = build_node(make_spec(aggregator(advanced_settings=settings)))

    assert plain.reads() == [("a", "text"), ("b", "out", "key")]
    assert groups.reads() == [("a", "x"), ("c", "x")]
    assert (plain.kind, plain.instant) == ("executable", True)


async def test_a_node_without_variables_has_no_output() -> None:
    assert (await run_node(aggregator(variables=None), {"a.text": "A"})).outputs == {}
    assert (await run_node(aggregator(variables=[[]]), {"a.text": "A"})).outputs == {}


def test_a_group_without_a_name_is_a_problem_of_the_file() -> None:
    with pytest.raises(GraphError, match="Field required"):
        build_node(
            make_spec(aggregator(advanced_settings={"group_enabled": True, "groups": [{"variables": []}]}))
        )
