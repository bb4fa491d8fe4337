from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.graph.apps import END, START, app_text, edge, node
from tests.graph.stand_in import build_stand_in
from weft.errors import GraphError
from weft.graph import AppFile, EdgeSpec, NodeSpec, compile_graph, load_app


def upgraded(type: str, **data: object) -> Mapping[str, object]:
    """The data of a node after loading, without its type and title."""
    spec = load_app(app_text([START, node("node", type, **data)])).nodes[1]
    return {key: value for key, value in spec.data.items() if key not in ("type", "title")}


def load(nodes: list[object], edges: list[object]) -> AppFile:
    return load_app(app_text([START, END, *nodes], ["start > end", *edges]))


CONDITION = {"variable_selector": ["start", "topic"], "comparison_operator": "is", "value": "x"}


def test_an_if_else_of_the_first_era_gets_its_case() -> None:
    assert upgraded("if-else", conditions=[CONDITION], logical_operator="or") == {
        "conditions": [CONDITION],
        "logical_operator": "or",
        "cases": [{"case_id": "true", "logical_operator": "or", "conditions": [CONDITION]}],
    }


def test_conditions_count_where_cases_are_null() -> None:
    assert upgraded("if-else", conditions=[CONDITION], cases=None)["cases"] == [
        {"case_id": "true", "logical_operator": "and", "conditions": [CONDITION]}
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"cases": [{"case_id": "a", "conditions": []}], "conditions": [CONDITION]},
        {"cases": [], "conditions": []},
        {"cases": [], "conditions": [CONDITION]},
        {"cases": []},
        {"conditions": "text"},
    ],
)
def test_an_if_else_with_cases_or_without_conditions_stays(data: dict[str, object]) -> None:
    assert upgraded("if-else", **data) == data


def test_an_iteration_gets_what_parallel_ones_have() -> None:
    data = upgraded("iteration", start_node_id="gone", parallel_nums=None)
    assert data == {
        "start_node_id": "gone",
        "is_parallel": False,
        "parallel_nums": 10,
        "error_handle_mode": "terminated",
    }


def test_an_iteration_that_has_them_keeps_them() -> None:
    given = {
        "start_node_id": "gone",
        "is_parallel": True,
        "parallel_nums": 3,
        "error_handle_mode": "continue-on-error",
    }
    assert upgraded("iteration", **given) == given


def test_settings_of_an_old_tool_are_wrapped() -> None:
    settings = {"size": "1024", "n": 1, "seed": None, "done": {"type": "mixed", "value": "x"}, "list": [1]}
    assert upgraded("tool", tool_configurations=settings, tool_parameters={"a": 1}) == {
        "tool_node_version": "2",
        "tool_configurations": {
            "size": {"type": "constant", "value": "1024"},
            "n": {"type": "constant", "value": 1},
            "seed": {"type": "constant", "value": None},
            "done": {"type": "mixed", "value": "x"},
            "list": [1],
        },
        "tool_parameters": {"a": 1},
    }


@pytest.mark.parametrize("key", ["version", "tool_node_version"])
def test_settings_of_a_newer_tool_stay(key: str) -> None:
    data = {key: "2", "tool_configurations": {"size": "1024"}}
    assert upgraded("tool", **data) == data


def test_a_tool_without_settings_only_gets_its_version() -> None:
    assert upgraded("tool", tool_configurations=None) == {
        "tool_configurations": None,
        "tool_node_version": "2",
    }


def test_an_http_request_gets_no_retry_that_its_file_does_not_have() -> None:
    assert upgraded("http-request", url="http://x") == {"url": "http://x"}


def test_the_graph_of_the_file_is_kept_as_it_is() -> None:
    app = load_app(app_text([START, node("if", "if-else", conditions=[CONDITION])], ["start > if"]))
    assert app.graph == {
        "nodes": [START, node("if", "if-else", conditions=[CONDITION])],
        "edges": [edge("start > if")],
    }


def test_success_branch_is_another_word_for_source() -> None:
    app = load([node("code", "code")], ["code:success-branch > end", "code > end"])
    assert app.edges == (EdgeSpec("start", "end"), EdgeSpec("code", "end"))


def test_a_branch_may_call_its_way_success_branch() -> None:
    app = load([node("if", "if-else")], ["if:success-branch > end"])
    assert app.edges[1].handle == "success-branch"


# Containers without a proper start


def starts(app: AppFile) -> dict[str, object]:
    return {spec.id: spec.data["start_node_id"] for spec in app.nodes if spec.type in ("iteration", "loop")}


def old_iteration(id: str = "it", first: str = "first", **data: object) -> list[object]:
    return [
        node(id, "iteration", start_node_id=first, startNodeType="code", **data),
        node(first, "code", {"parentId": id}, iteration_id=id, isIterationStart=True),
    ]


def test_an_iteration_that_begins_at_an_ordinary_node_gets_a_start_node_dsl_10() -> None:
    app = load(old_iteration(), ["start > it"])
    assert starts(app) == {"it": "itstart0"}
    assert app.nodes[-1] == NodeSpec(
        id="itstart0",
        type="iteration-start",
        title="",
        version="1",
        data={"type": "iteration-start", "title": "", "desc": "", "isInIteration": True},
        parent_id="it",
        path="workflow.graph.nodes[2]",
    )
    assert app.edges == (
        EdgeSpec("start", "end"),
        EdgeSpec("start", "it"),
        EdgeSpec("itstart0", "first"),
    )
    graph = compile_graph(app, build_stand_in)
    assert [item.id for item in graph.containers["it"].nodes] == ["itstart0", "first"]


def test_start_nodes_are_numbered_as_the_editor_numbers_them() -> None:
    loop: list[object] = [
        node("lo", "loop", start_node_id="third"),
        node("third", "code", loop_id="lo"),
    ]
    app = load([*old_iteration("a", "first"), *old_iteration("b", "second"), *loop], [])
    assert starts(app) == {"a": "astart0", "b": "bstart1", "lo": "lostart0"}


def test_a_start_node_gets_an_id_that_is_free() -> None:
    app = load([*old_iteration(), node("itstart0", "code")], [])
    assert starts(app) == {"it": "itstart1"}


def test_a_container_without_any_start_gets_one_that_leads_to_the_marked_child() -> None:
    marked = node("first", "code", loop_id="lo", isLoopStart=True)
    app = load([node("lo", "loop"), node("other", "code", loop_id="lo"), marked], [])
    assert starts(app) == {"lo": "lostart0"}
    assert app.edges[1:] == (EdgeSpec("lostart0", "first"),)


def test_a_container_without_start_and_mark_gets_one_that_leads_nowhere() -> None:
    app = load([node("lo", "loop", start_node_id=""), node("other", "code", loop_id="lo")], [])
    assert starts(app) == {"lo": "lostart0"}
    assert app.edges == (EdgeSpec("start", "end"),)


def test_a_start_node_that_the_container_forgot_to_name_is_found() -> None:
    app = load([node("lo", "loop", start_node_id=""), node("s", "loop-start", {"parentId": "lo"})], [])
    assert starts(app) == {"lo": "s"}
    assert len(app.nodes) == 4


def test_a_proper_container_stays_as_it_is() -> None:
    nodes: list[object] = [
        node("lo", "loop", start_node_id="s"),
        node("s", "loop-start", {"parentId": "lo"}),
    ]
    app = load(nodes, [])
    assert [spec.data for spec in app.nodes[2:]] == [
        {"type": "loop", "title": "Lo", "start_node_id": "s"},
        {"type": "loop-start", "title": "S"},
    ]


@pytest.mark.parametrize("start", ["gone", "start"])
def test_a_container_that_begins_at_a_stranger_is_left_for_the_compiler_to_report(start: str) -> None:
    app = load([node("lo", "loop", start_node_id=start)], [])
    assert starts(app) == {"lo": start}
    with pytest.raises(GraphError) as caught:
        compile_graph(app, build_stand_in)
    assert [(problem.code, problem.path) for problem in caught.value.problems] == [
        ("graph.invalid_root", "workflow.graph.nodes[2].data.start_node_id")
    ]


# Cycles


def test_edges_that_go_in_a_circle_are_left_out_with_a_warning() -> None:
    nodes: list[object] = [node(name, "code") for name in "abc"]
    app = load(nodes, ["start > a", "a > b", "b > c", "c > a", "c > end"])
    assert app.edges == (EdgeSpec("start", "end"), EdgeSpec("start", "a"), EdgeSpec("c", "end"))
    (warning,) = app.warnings
    assert (warning.code, warning.path, warning.message) == (
        "graph.cycle",
        "workflow.graph.edges[2]",
        "3 edges go round in a circle and are left out ('a' to 'b', 'b' to 'c', 'c' to 'a'); "
        "a run cannot go back",
    )


def test_each_circle_has_its_own_warning() -> None:
    nodes: list[object] = [node(name, "code") for name in "abc"]
    app = load(nodes, ["a > a", "b > c", "c > b"])
    assert app.edges == (EdgeSpec("start", "end"),)
    assert [warning.path for warning in app.warnings] == [
        "workflow.graph.edges[1]",
        "workflow.graph.edges[2]",
    ]
