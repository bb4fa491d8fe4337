from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.graph.apps import END, START, app_text, node
from tests.graph.stand_in import StandIn, build_stand_in
from weft.errors import GraphError, Problem, UnsupportedNodeError
from weft.graph import Graph, compile_graph, load_app


def compiled(nodes: Sequence[object], edges: Sequence[object]) -> Graph[StandIn]:
    return compile_graph(load_app(app_text(nodes, edges)), build_stand_in)


def refusal(nodes: Sequence[object], edges: Sequence[object]) -> GraphError:
    with pytest.raises(GraphError) as caught:
        compiled(nodes, edges)
    return caught.value


def brief(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in problems]


def loop(id: str, start: str, parent: str | None = None, /) -> list[object]:
    return [
        node(id, "loop", {"parentId": parent}, start_node_id=start),
        node(start, "loop-start", {"parentId": id}),
    ]


def test_an_edge_to_an_unknown_node_names_its_place_in_the_file_dsl_6() -> None:
    error = refusal([START, END], [{"source": 3, "target": "end"}, "start > end", "start > gone"])
    (problem,) = error.problems
    assert (problem.code, problem.path, problem.message) == (
        "graph.edge_unknown_node",
        "workflow.graph.edges[2]",
        "the edge from 'start' to 'gone' names the node 'gone', which the file does not have",
    )


def test_an_edge_between_two_unknown_nodes_is_reported_for_both() -> None:
    assert len(refusal([START, END], ["here > there"]).problems) == 2


def test_two_start_nodes_leave_it_open_where_a_run_begins_dsl_6() -> None:
    error = refusal([START, node("second", "start"), END], ["start > end"])
    assert brief(error.problems) == [("graph.root_ambiguous", "workflow.graph.nodes")]


@pytest.mark.parametrize(
    "edges", [[], ["code > start", "start > end"]], ids=["dsl-6-no-start-node", "dsl-6-start-has-in-edge"]
)
def test_a_run_needs_a_start_node_to_begin_at(edges: list[object]) -> None:
    nodes = [START, node("code", "code"), END] if edges else [node("code", "code"), END]
    assert brief(refusal(nodes, edges).problems) == [("graph.invalid_root", "workflow.graph.nodes")]


def test_a_type_that_nobody_knows_is_refused_even_where_nothing_leads_dsl_7() -> None:
    error = refusal([START, END, node("odd", "no-such-type")], ["start > end"])
    assert isinstance(error, UnsupportedNodeError)
    assert brief(error.problems) == [("node.unsupported_type", "workflow.graph.nodes[2].data.type")]


def test_all_problems_of_nodes_and_edges_are_reported_together_dsl_7() -> None:
    nodes: list[object] = [
        START,
        node("a", "no-such-type"),
        node("b", "no-such-type"),
        node("c", "code", broken=True),
        node("d", "loop", start_node_id="gone"),
        node("env", "code"),
        END,
    ]
    error = refusal(nodes, ["start > a", "a > b", "b > c", "c > end", "c > gone"])
    assert isinstance(error, UnsupportedNodeError)
    assert brief(error.problems) == [
        ("node.unsupported_type", "workflow.graph.nodes[1].data.type"),
        ("node.unsupported_type", "workflow.graph.nodes[2].data.type"),
        ("graph.invalid_node_data", "workflow.graph.nodes[3].data.broken"),
        ("graph.invalid_node_id", "workflow.graph.nodes[5].id"),
        ("graph.edge_unknown_node", "workflow.graph.edges[4]"),
        ("graph.invalid_root", "workflow.graph.nodes[4].data.start_node_id"),
    ]


def test_nothing_is_concluded_from_a_node_that_could_not_be_made() -> None:
    start = node("start", "start", broken=True)
    inner: list[object] = [
        node("lo", "loop", start_node_id="s"),
        node("s", "loop-start", {"parentId": "lo"}, broken=True),
    ]
    assert brief(refusal([start, END, *inner], ["start > end"]).problems) == [
        ("graph.invalid_node_data", "workflow.graph.nodes[0].data.broken"),
        ("graph.invalid_node_data", "workflow.graph.nodes[3].data.broken"),
    ]


def test_a_node_runs_in_one_frame_only() -> None:
    nodes = [START, END, *loop("lo", "s"), node("inner", "code", loop_id="lo")]
    error = refusal(nodes, ["start > lo", "lo > end", "s > inner", "inner > end"])
    assert [problem.message for problem in error.problems] == [
        "node 'end' (End) is reached in the main flow and in the container 'lo'"
    ]


def test_two_containers_cannot_share_their_inside() -> None:
    nodes = [START, END, *loop("a", "s"), node("b", "loop", start_node_id="s")]
    error = refusal(nodes, ["start > a", "a > b", "b > end"])
    assert [problem.message for problem in error.problems] == [
        "node 's' (S) is reached in the container 'a' and in the container 'b'"
    ]


def test_a_container_knows_all_that_is_in_it() -> None:
    nodes = [
        START,
        END,
        *loop("outer", "os"),
        *loop("inner", "is", "outer"),
        node("deep", "code", loop_id="inner"),
    ]
    graph = compiled(nodes, ["start > outer", "outer > end", "os > inner", "is > deep"])
    assert {id: plan.member_ids for id, plan in graph.containers.items()} == {
        "outer": {"os", "inner", "is", "deep"},
        "inner": {"is", "deep"},
    }
    assert graph.root.member_ids == frozenset()


def test_edges_of_roots_that_do_not_start_are_skipped_from_the_beginning() -> None:
    nodes = [START, node("hook", "trigger-webhook"), node("prepare", "code"), END]
    graph = compiled(nodes, ["start > end", "hook > prepare", "prepare > end"])
    assert [(edge.source.id, edge.target.id) for edge in graph.root.skipped] == [("prepare", "end")]
