from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.graph.apps import ANSWER, END, START, app_text, node
from tests.graph.checking import check, iteration, loop, warned
from tests.graph.stand_in import StandIn
from weft.graph import check_app
from weft.variables import Selector


def reading(*selectors: list[str], id: str = "reader", **data: object) -> dict[str, object]:
    return node(id, "code", reads_all=[{"reads": selector} for selector in selectors], **data)


def reads(
    selector: list[str],
    *others: object,
    edges: Sequence[object] = (),
    mode: str = "workflow",
) -> list[str]:
    """What is said about a node that reads the variable, behind the start and beside other nodes."""
    declared = [{"name": "known", "value_type": "string", "value": ""}]
    report = check(
        [START, reading(selector), END, ANSWER, *others],
        ["start > reader", "reader > end", "reader > answer", *edges],
        {"environment_variables": declared, "conversation_variables": declared},
        mode=mode,
    )
    return [
        f"{warning.code}: {warning.message}"
        for warning in report.warnings
        if warning.node_id == "reader" or not report.ok
    ]


@pytest.mark.parametrize(
    "selector",
    [
        ["start", "topic"],
        ["start", "sys.query"],
        ["sys", "files"],
        ["sys", "user_id"],
        ["sys", "timestamp"],
        ["env", "known"],
    ],
)
def test_variables_that_exist_are_no_reason_to_warn(selector: list[str]) -> None:
    assert reads(selector) == []


@pytest.mark.parametrize("selector", [["sys", "query"], ["sys", "dialogue_count"], ["conversation", "known"]])
def test_variables_of_chatflows_exist_only_there(selector: list[str]) -> None:
    assert reads(selector, mode="advanced-chat") == []
    (message,) = reads(selector)
    assert "only chatflows have" in message


def test_a_query_that_only_the_node_type_asks_for_is_no_reason_to_warn() -> None:
    class Asking(StandIn):
        def reads(self) -> list[Selector]:
            return [("sys", "query")]

    text = app_text([START, node("llm", "llm", memory={}), END], ["start > llm", "llm > end"])
    assert check_app(text, Asking).warnings == ()


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        (["gone", "text"], "the app has no node 'gone'"),
        (["start", "gone"], "node 'start' (Start) has no output of that name"),
        (["sys", "gone"], "there is no such system variable"),
        (["env", "gone"], "the app declares no such environment variable"),
        (["conversation", "gone"], "the app declares no such conversation variable"),
        (["rag", "shared"], "only pipelines have such variables"),
        (["reader", "text"], "node 'reader' (Reader) does not run before it"),
        (["end", "topic"], "node 'end' (End) does not run before it"),
    ],
)
def test_variables_that_nothing_provides_are_warned_of(selector: list[str], why: str) -> None:
    assert reads(selector, mode="advanced-chat") == [
        f"graph.unknown_variable: node 'reader' (Reader) reads {'.'.join(selector)!r}, but {why}"
    ]


def test_a_variable_of_a_parallel_branch_is_warned_of() -> None:
    (message,) = reads(["side", "text"], node("side", "llm"), edges=["start > side"])
    assert message.endswith("but node 'side' (Side) does not run before it")


def test_any_node_on_a_way_to_the_reader_may_provide() -> None:
    assert reads(["side", "text"], node("side", "llm"), edges=["start > side", "side > reader"]) == []


def test_outputs_of_code_are_those_that_it_declares() -> None:
    code = node("side", "code", outputs={"result": {"type": "string"}})
    edges = ["start > side", "side > reader"]
    assert reads(["side", "result"], code, edges=edges) == []
    assert reads(["side", "error_message"], code, edges=edges) == []
    (message,) = reads(["side", "gone"], code, edges=edges)
    assert message.endswith("but node 'side' (Side) has no output of that name")


def test_a_variable_is_warned_of_once_for_each_reader() -> None:
    report = check(
        [START, node("a", "answer", answer="{{#gone.x#}} {{#gone.x.y#}} {{#gone.x#}}"), END],
        ["start > a", "a > end"],
    )
    assert warned(report) == [("graph.unknown_variable", "a")]


def test_nodes_that_never_run_are_not_looked_at() -> None:
    assert warned(check([START, END, reading(["gone", "x"])])) == [("graph.unreachable_node", "reader")]


# Variables in and around containers


def around(inside: list[object], container: list[object], *, reader: object = None) -> list[str]:
    """What is said about variables in: start > before > container > reader > end, with the nodes inside."""
    id = "lo" if any(item["id"] == "lo" for item in container if isinstance(item, dict)) else "it"
    report = check(
        [START, node("before", "llm"), *container, *inside, reader or node("after", "llm"), END],
        [
            "start > before",
            f"before > {id}",
            f"{id} > {'reader' if reader else 'after'}",
            f"{'reader' if reader else 'after'} > end",
            f"{id}s > in",
            "in > last",
        ],
    )
    return [str(warning.node_id) for warning in report.warnings if warning.code == "graph.unknown_variable"]


@pytest.mark.parametrize("container", [loop(), iteration()], ids=["loop", "iteration"])
@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (["before", "text"], []),
        (["start", "topic"], []),
        (["in", "text"], []),
        (["after", "text"], ["last"]),
        (["last", "text"], ["last"]),
    ],
)
def test_a_node_inside_sees_what_ran_before_its_container(
    container: list[object], selector: list[str], expected: list[str]
) -> None:
    id = str(container[0]["id"]) if isinstance(container[0], dict) else ""
    inside: list[object] = [
        node("in", "llm", {"parentId": id}),
        {**reading(selector, id="last"), "parentId": id},
    ]
    assert around(inside, container) == expected


@pytest.mark.parametrize(
    ("container", "selector"), [(loop(), ["lo", "count"]), (iteration(), ["it", "item"])]
)
def test_a_node_inside_sees_the_variables_of_its_container(
    container: list[object], selector: list[str]
) -> None:
    id = selector[0]
    inside: list[object] = [
        node("in", "llm", {"parentId": id}),
        {**reading(selector, id="last"), "parentId": id},
    ]
    assert around(inside, container) == []


def test_a_container_may_read_of_itself_and_of_what_is_in_it() -> None:
    own = node(
        "lo", "loop", start_node_id="los", all=[{"reads": ["lo", "count"]}, {"reads": ["last", "text"]}]
    )
    inside: list[object] = [node("in", "llm", loop_id="lo"), node("last", "llm", loop_id="lo")]
    assert around(inside, [own, node("los", "loop-start", {"parentId": "lo"})]) == []


@pytest.mark.parametrize(
    ("id", "container", "expected"), [("lo", loop(), []), ("it", iteration(), ["reader"])]
)
def test_only_a_loop_shows_its_inside_to_what_comes_after(
    id: str, container: list[object], expected: list[str]
) -> None:
    inside: list[object] = [node("in", "llm", {"parentId": id}), node("last", "llm", {"parentId": id})]
    assert around(inside, container, reader=reading(["last", "text"])) == expected
