"""Checking small files with stand-ins for nodes."""

from __future__ import annotations

from collections.abc import Sequence

from tests.graph.apps import app_text, node
from tests.graph.stand_in import build_stand_in
from weft.graph import CheckReport, check_app


def check(
    nodes: Sequence[object],
    edges: Sequence[object] = ("start > end",),
    workflow: dict[str, object] | None = None,
    *,
    mode: str = "workflow",
) -> CheckReport:
    return check_app(app_text(nodes, edges, workflow, mode=mode), build_stand_in)


def warned(report: CheckReport) -> list[tuple[str, str | None]]:
    assert report.problems == ()
    assert all(warning.severity == "warning" and warning.fix for warning in report.warnings)
    return [(warning.code, warning.node_id) for warning in report.warnings]


def messages(report: CheckReport) -> list[str]:
    assert report.ok
    return [warning.message for warning in report.warnings]


def loop(id: str = "lo", *inside: object) -> list[object]:
    return [
        node(id, "loop", start_node_id=f"{id}s"),
        node(f"{id}s", "loop-start", {"parentId": id}),
        *inside,
    ]


def iteration(*inside: object) -> list[object]:
    return [
        node("it", "iteration", start_node_id="its", iterator_selector=["start", "topic"]),
        node("its", "iteration-start", {"parentId": "it"}),
        *inside,
    ]
