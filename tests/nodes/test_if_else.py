from __future__ import annotations

from typing import Any

import pytest

from weft.errors import GraphError
from weft.nodes import build_node
from weft.testing.node_harness import make_spec, run_node
from weft.variables import Value

pytestmark = pytest.mark.anyio


def condition(operator: str, value: Any, selector: str = "start.q") -> dict[str, Any]:
    return {
        "id": "c",
        "variable_selector": selector.split("."),
        "comparison_operator": operator,
        "value": value,
    }


def case(case_id: str, *conditions: dict[str, Any], logical_operator: str = "and") -> dict[str, Any]:
    return {
        "case_id": case_id,
        "id": case_id,
        "logical_operator": logical_operator,
        "conditions": list(conditions),
    }


def if_else(**data: Any) -> dict[str, Any]:
    return {"type": "if-else", "title": "If", **data}


async def test_the_first_case_that_holds_decides_and_the_record_says_why() -> None:
    cases = [case("true", condition("is", "x")), case("c2", condition("is", "{{#start.q#}}")), case("c3")]

    run = await run_node(if_else(cases=cases), {"start.q": "a"})

    assert (run.outputs, run.handle) == ({"result": True, "selected_case_id": "c2"}, "c2")
    assert run.context.inputs == {
        "conditions": [{"actual_value": "a", "expected_value": "a", "comparison_operator": "is"}]
    }

    def group(case_id: str, value: str) -> Value:
        compared: dict[str, Value] = {
            "variable_selector": ["start", "q"],
            "comparison_operator": "is",
            "value": value,
        }
        return {
            "case_id": case_id,
            "logical_operator": "and",
            "conditions": [{**compared, "sub_variable_condition": None}],
        }

    assert run.context.process_data == {
        "condition_results": [
            {"group": group("true", "x"), "results": [False], "final_result": False},
            {"group": group("c2", "{{#start.q#}}"), "results": [True], "final_result": True},
        ]
    }


async def test_when_no_case_holds_the_else_branch_is_taken() -> None:
    run = await run_node(if_else(cases=[case("true", condition("is", "x"))]), {"start.q": "a"})

    assert (run.outputs, run.handle) == ({"result": False, "selected_case_id": "false"}, "false")


async def test_a_missing_variable_behind_the_case_that_holds_does_no_harm() -> None:
    cases = [case("true", condition("is", "a")), case("c2", condition("is", "b", "gone.x"))]

    run = await run_node(if_else(cases=cases), {"start.q": "a"})  # dsl-79b

    assert run.handle == "true"


async def test_a_condition_that_cannot_be_judged_fails_the_node_and_keeps_the_record() -> None:
    cases = [
        case("true", condition("is", "x")),
        case("c2", condition("not empty", ""), condition("exists", "", "gone.x")),
    ]

    run = await run_node(
        if_else(cases=cases, retry_config={"retry_enabled": True, "max_retries": 3}), {"start.q": "a"}
    )

    assert str(run.error) == (
        "condition on 'gone.x': the variable was not found; no node that ran has set it"
    )
    assert getattr(run.error, "error_type", None) == ""
    assert run.context.inputs == {
        "conditions": [{"actual_value": "a", "expected_value": "", "comparison_operator": "not empty"}]
    }
    assert [item["final_result"] for item in run.context.process_data["condition_results"]] == [False]  # type: ignore[union-attr,index,call-overload]


@pytest.mark.parametrize(
    ("data", "handle"),
    [
        pytest.param(
            {"conditions": [condition("is", "a")], "logical_operator": "and"}, "true", id="old shape holds"
        ),
        pytest.param(
            {"conditions": [condition("is", "b")], "logical_operator": None}, "false", id="old shape fails"
        ),
        pytest.param({"conditions": [condition("is", "a")], "cases": []}, "false", id="dsl-80a-no-case"),
        pytest.param(
            {"conditions": [condition("is", "a")], "cases": [case("true", condition("is", "b"))]},
            "false",
            id="dsl-80a",
        ),
        pytest.param(
            {"conditions": [condition("is", "a")], "cases": None}, "true", id="null is the old shape"
        ),
        pytest.param({}, "true", id="no conditions at all"),
        pytest.param({"conditions": None, "logical_operator": "or"}, "false", id="no conditions, or"),
    ],
)
async def test_files_of_every_age_are_understood(data: dict[str, Any], handle: str) -> None:
    run = await run_node(if_else(**data), {"start.q": "a"})

    assert run.handle == handle
    assert run.outputs == {"result": handle != "false", "selected_case_id": handle}


async def test_the_only_case_of_an_old_file_has_no_name_in_the_record() -> None:
    run = await run_node(if_else(conditions=[condition("is", "a")]), {"start.q": "a"})

    assert run.context.process_data == {
        "condition_results": [{"group": "default", "results": [True], "final_result": True}]
    }


@pytest.mark.parametrize("value", ["true", "false"])
async def test_a_boolean_is_compared_with_a_text_for_one(value: str) -> None:
    data = if_else(conditions=[condition("is", value, "start.enabled")], logical_operator="and")

    run = await run_node(data, {"start.enabled": True})

    assert run.handle == value


def test_the_node_tells_what_it_reads_and_where_it_may_go() -> None:
    cases = [
        case("true", condition("is", "{{#env.limit#}}")),
        case("c2", condition("empty", "", "sys.files"), condition("is", "x")),
    ]
    node = build_node(make_spec(if_else(cases=cases)))

    assert node.reads() == [("start", "q"), ("env", "limit"), ("sys", "files"), ("start", "q")]
    assert node.handles() == ["true", "c2", "false"]
    assert (node.kind, node.instant, node.retry, node.writes()) == ("branch", True, None, ())


def test_retry_settings_of_a_branch_are_ignored() -> None:
    retry = {"retry_enabled": True, "max_retries": 3, "retry_interval": 100}

    assert build_node(make_spec(if_else(retry_config=retry))).retry is None  # dsl-27


def test_an_unknown_operator_is_a_problem_of_the_file() -> None:
    with pytest.raises(GraphError) as raised:
        build_node(make_spec(if_else(cases=[case("true", condition("like", "x"))])))

    [problem] = raised.value.problems
    assert problem.path == "workflow.graph.nodes[0].data.cases.0.conditions.0.comparison_operator"
