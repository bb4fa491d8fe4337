from __future__ import annotations

import pytest

from tests.graph.apps import END, START, app_data, app_text, dump, edge, node
from tests.graph.checking import check, warned
from tests.graph.stand_in import build_stand_in
from weft.graph import CheckReport, Need, check_app


def test_a_report_tells_what_a_file_is_and_needs() -> None:
    model = {"provider": "openai", "name": "gpt-4o"}
    data = {
        **app_data(
            [START, node("a", "llm", model=model), node("b", "llm", model=model), END],
            ["start > a", "a > b", "b > end"],
        ),
        "dependencies": [
            {"type": "marketplace", "value": {"marketplace_plugin_unique_identifier": "org/x:1.0@ab"}},
            {"type": "github", "value": {"github_plugin_unique_identifier": "org/y:2.0@cd"}},
            {"type": "package", "value": {"plugin_unique_identifier": "org/z:3.0@ef"}},
            {"type": "package", "value": None},
        ],
    }
    assert check_app(dump(data), build_stand_in) == CheckReport(
        name="Test app",
        mode="workflow",
        version="0.5.0",
        needs=(Need("model", "openai/gpt-4o", "a"), Need("model", "openai/gpt-4o", "b")),
        node_counts={"llm": 2, "start": 1, "end": 1},
        dependencies=("org/x:1.0", "org/y:2.0", "org/z:3.0"),
    )


@pytest.mark.parametrize("text", ["", "a: [", b"\xff\xfe\x00", "[]", "kind: graph"])
def test_a_file_that_cannot_be_read_is_a_report_with_a_problem(text: str | bytes) -> None:
    report = check_app(text, build_stand_in)
    assert not report.ok
    assert len(report.problems) == 1
    assert report == CheckReport(problems=report.problems)


def test_the_mode_of_an_app_that_cannot_be_run_is_shown() -> None:
    report = check_app("app: {mode: chat, name: Bot}", build_stand_in)
    assert (report.name, report.mode, report.ok) == ("Bot", "chat", False)


def test_problems_of_file_and_nodes_are_reported_together() -> None:
    nodes = [START, {"id": "x"}, node("a", "no-such-type"), node("b", "code", broken=1), END]
    report = check(nodes, ["start > end"], {"features": []})
    assert [problem.code for problem in report.problems] == [
        "graph.invalid_node",
        "graph.invalid_features",
        "node.unsupported_type",
        "graph.invalid_node_data",
    ]


def test_problems_of_nodes_and_flow_are_reported_once() -> None:
    report = check([START, node("a", "no-such-type"), END], ["start > gone"])
    assert [problem.code for problem in report.problems] == [
        "node.unsupported_type",
        "graph.edge_unknown_node",
    ]


def test_warnings_of_loading_come_along() -> None:
    report = check_app(app_text().replace("0.5.0", "9.0.0"), build_stand_in)
    assert warned(report) == [("parse.newer_version", None)]


def test_edges_may_be_given_twice_without_a_warning() -> None:
    assert warned(check([START, END], ["start > end", edge("start > end", id="again")])) == []
