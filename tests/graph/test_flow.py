from __future__ import annotations

import pytest

from tests.graph.apps import END, START, app_text, edge, node
from weft.errors import GraphError
from weft.graph import EdgeSpec, load_app


def parents(*nodes: object) -> dict[str, str | None]:
    return {spec.id: spec.parent_id for spec in load_app(app_text([START, *nodes])).nodes}


def in_wrapper(id: str) -> dict[str, object]:
    return {"parentId": id}


ITERATION = node("it", "iteration", start_node_id="itstart")
ITERATION_START = node("itstart", "iteration-start", in_wrapper("it"))
LOOP = node("lo", "loop", start_node_id="lostart")
LOOP_START = node("lostart", "loop-start", in_wrapper("lo"))


@pytest.mark.parametrize(
    "child",
    [
        node("child", "code", iteration_id="it"),
        node("child", "code", in_wrapper("it")),
        node("child", "code", in_wrapper("it"), iteration_id="it"),
        node("child", "code", in_wrapper("it"), iteration_id="", loop_id=None),
        node("child", "code", in_wrapper("gone"), iteration_id="it"),
    ],
    ids=["data", "wrapper", "both", "empty keys", "one of them unknown"],
)
def test_a_child_of_an_iteration_is_known_by_its_data_or_its_wrapper(child: object) -> None:
    assert parents(ITERATION, ITERATION_START, child) == {
        "start": None,
        "it": None,
        "itstart": "it",
        "child": "it",
    }


def test_a_child_of_a_loop_is_known_by_its_loop_id() -> None:
    assert parents(LOOP, LOOP_START, node("child", "code", loop_id="lo"))["child"] == "lo"


def test_of_two_containers_the_inner_one_counts() -> None:
    inner = node("lo", "loop", in_wrapper("it"), start_node_id="lostart", iteration_id="it")
    child = node("child", "code", in_wrapper("lo"), iteration_id="it", loop_id="lo")
    assert parents(ITERATION, ITERATION_START, inner, LOOP_START, child) == {
        "start": None,
        "it": None,
        "itstart": "it",
        "lo": "it",
        "lostart": "lo",
        "child": "lo",
    }


def test_a_start_node_belongs_to_the_container_that_names_it() -> None:
    assert parents(ITERATION, node("itstart", "iteration-start"))["itstart"] == "it"


@pytest.mark.parametrize("parent", ["gone", "start", "child", "", 3, None])
def test_only_a_container_can_hold_a_node(parent: object) -> None:
    child = node("child", "code", {"parentId": parent}, iteration_id=parent)
    assert parents(ITERATION, ITERATION_START, child)["child"] is None


def test_containers_that_hold_each_other_are_refused() -> None:
    with pytest.raises(GraphError) as caught:
        parents(
            node("a", "iteration", start_node_id="as", iteration_id="b"),
            node("b", "loop", start_node_id="bs", iteration_id="a"),
            node("child", "code", iteration_id="a"),
        )
    assert [(problem.code, problem.message) for problem in caught.value.problems] == [
        ("graph.invalid_node", "the iteration 'a' (A) lies inside itself")
    ]


def test_containers_may_lie_in_each_other_only_so_deep() -> None:
    def nested(count: int) -> list[object]:
        return [
            node(f"c{index}", "loop", in_wrapper(f"c{index - 1}"), start_node_id="gone")
            for index in range(count)
        ]

    assert parents(*nested(21))["c20"] == "c19"
    with pytest.raises(GraphError) as caught:
        parents(*nested(22))
    (problem,) = caught.value.problems
    assert problem.message == "the loop 'c21' (C21) lies inside more than 20 containers"


def test_too_many_nodes_are_refused_unread() -> None:
    with pytest.raises(GraphError) as caught:
        load_app("app: {mode: workflow}\nworkflow: {graph: {nodes: [" + "x," * 5001 + "]}}")
    assert [problem.code for problem in caught.value.problems] == ["graph.too_many_nodes"]


@pytest.mark.parametrize(
    ("title", "version", "expected"),
    [
        (None, None, ("", "1")),
        ("", "", ("", "1")),
        (12, 2, ("12", "2")),
        (1.5, 2.0, ("1.5", "2.0")),
        ("T", "2", ("T", "2")),
        (["x"], {"x": 1}, ("", "1")),
    ],
)
def test_titles_and_versions_are_texts(title: object, version: object, expected: tuple[str, str]) -> None:
    app = load_app(app_text([START, node("a", "assigner", title=title, version=version)]))
    assert (app.nodes[1].title, app.nodes[1].version) == expected


def edges(*items: object) -> tuple[EdgeSpec, ...]:
    return load_app(app_text([START, END], list(items))).edges


@pytest.mark.parametrize("handle", [None, "", 3, ["source"]])
def test_an_edge_leaves_by_source_where_the_file_names_no_handle(handle: object) -> None:
    assert edges(edge("start > end", sourceHandle=handle)) == (EdgeSpec("start", "end", "source"),)


def test_an_edge_needs_nothing_but_its_ends() -> None:
    assert edges({"source": "start", "target": "end"}) == (EdgeSpec("start", "end"),)


def test_an_edge_knows_its_place_in_the_file() -> None:
    (made,) = edges({"source": 1, "target": "end"}, edge("start > end"))
    assert made.path == "workflow.graph.edges[1]"


def test_equal_edges_count_once() -> None:
    assert edges(edge("start > end"), edge("start > end", id="other"), edge("start:x > end")) == (
        EdgeSpec("start", "end"),
        EdgeSpec("start", "end", "x"),
    )


@pytest.mark.parametrize(
    "ends",
    [{"source": 1, "target": "end"}, {"source": "start"}, {"source": "start", "target": None}, {}],
)
def test_an_edge_without_texts_as_ends_is_ignored_with_a_warning(ends: dict[str, object]) -> None:
    app = load_app(app_text([START, END], [ends, "start > end"]))
    assert app.edges == (EdgeSpec("start", "end"),)
    assert [(item.code, item.path) for item in app.warnings] == [
        ("graph.invalid_edge_endpoint", "workflow.graph.edges[0]")
    ]


def test_edges_may_be_missing() -> None:
    text = "app: {mode: workflow}\nworkflow: {graph: {nodes: [{id: a, data: {type: start}}]}}"
    assert load_app(text).edges == ()


def test_edges_must_be_a_list() -> None:
    with pytest.raises(GraphError) as caught:
        load_app(app_text().replace("edges:", "edges: {}\n    other:"))
    assert [problem.code for problem in caught.value.problems] == ["graph.invalid_edges"]
