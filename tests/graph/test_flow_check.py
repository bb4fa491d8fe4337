from __future__ import annotations

import pytest

from tests.graph.apps import ANSWER, END, START, node
from tests.graph.checking import check, loop, messages, warned


def test_a_node_that_nothing_leads_to_is_named() -> None:
    report = check([START, END, node("lost", "code"), node("more", "code")], ["start > end", "lost > more"])
    assert warned(report) == [("graph.unreachable_node", "lost"), ("graph.unreachable_node", "more")]
    assert messages(report)[0] == (
        "node 'lost' (Lost) never runs: no way leads to it from where a run begins"
    )


def test_a_container_that_nothing_leads_to_is_named_once_for_all_in_it() -> None:
    report = check([START, END, *loop("lo", node("in", "code", loop_id="lo"))], ["start > end", "los > in"])
    assert warned(report) == [("graph.unreachable_node", "lo")]


def test_a_node_in_a_container_that_its_start_does_not_lead_to_is_named() -> None:
    inside = [node("in", "code", loop_id="lo"), node("lost", "code", loop_id="lo")]
    report = check([START, END, *loop("lo", *inside)], ["start > lo", "lo > end", "los > in"])
    assert warned(report) == [("graph.unreachable_node", "lost")]


def test_a_node_that_waits_for_one_that_never_runs_is_named() -> None:
    report = check([START, END, node("lost", "code")], ["start > end", "lost > end"])
    assert warned(report) == [("graph.unreachable_node", "lost"), ("graph.never_ready", "end")]


def test_what_another_trigger_leads_to_is_not_lost() -> None:
    hook = node("hook", "trigger-webhook")
    report = check([START, END, hook, node("a", "code")], ["start > end", "hook > a", "a > end"])
    assert warned(report) == [("node.idle_trigger", "hook")]


def test_an_empty_container_is_named() -> None:
    report = check([START, END, *loop()], ["start > lo", "lo > end"])
    assert warned(report) == [("graph.empty_container", "lo")]


@pytest.mark.parametrize(
    ("mode", "nodes", "code"),
    [
        ("advanced-chat", [START, END], "graph.no_answer"),
        ("workflow", [START, ANSWER], "graph.no_end"),
    ],
)
def test_a_run_without_a_result_is_warned_of(mode: str, nodes: list[object], code: str) -> None:
    last = "end" if END in nodes else "answer"
    assert warned(check(nodes, [f"start > {last}"], mode=mode)) == [(code, None)]


def test_an_answer_that_is_never_reached_is_no_answer() -> None:
    report = check([START, END, ANSWER], mode="advanced-chat")
    assert warned(report) == [("graph.unreachable_node", "answer"), ("graph.no_answer", None)]


# Ways out

IF = node("if", "if-else", cases=[{"case_id": "true", "conditions": []}])


def test_a_way_out_that_a_branch_does_not_have_is_never_taken() -> None:
    report = check([START, IF, END], ["start > if", "if:true > end", "if:gone > end"])
    assert warned(report) == [("graph.unknown_handle", "if")]
    (warning,) = report.warnings
    assert (warning.path, warning.message) == (
        "workflow.graph.edges[2]",
        "the edge to 'end' leaves node 'if' (If) by 'gone', so it is never taken; "
        "the ways out are 'true', 'false'",
    )


def test_a_way_out_that_no_branch_has_is_taken_each_time() -> None:
    report = check([START, node("code", "code"), END], ["start > code", "code:fail-branch > end"])
    assert messages(report) == [
        "the edge to 'end' leaves node 'code' (Code) by 'fail-branch', yet it is taken each time; "
        "the ways out are 'source'"
    ]


def test_ways_out_that_a_node_offers_are_no_reason_to_warn() -> None:
    nodes = [
        START,
        IF,
        node("class", "question-classifier", classes=[{"id": "1"}, {"id": "2"}]),
        node("form", "human-input", user_actions=[{"id": "yes"}]),
        node("code", "code", error_strategy="fail-branch"),
        END,
    ]
    edges = [
        "start > if",
        "if:true > class",
        "if:false > end",
        "class:1 > form",
        "class:2 > end",
        "form:yes > code",
        "form:__timeout > end",
        "code > end",
        "code:fail-branch > end",
    ]
    assert warned(check(nodes, edges)) == []
