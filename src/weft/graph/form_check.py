"""Forms that will not reach anybody, or that nobody can send off, and triggers that nothing fires."""

from __future__ import annotations

from collections.abc import Mapping

from weft.graph.app_file import AppFile, NodeSpec
from weft.graph.behaviour import B
from weft.graph.compiled import Graph
from weft.graph.findings import Findings
from weft.graph.flow_check import label


def check_forms(app: AppFile, graph: Graph[B], findings: Findings) -> None:
    """Warn of forms that do not reach everybody they should, or that nobody can send off; of idle triggers.

    Args:
        app: The loaded file.
        graph: Compiled from it.
        findings: Where the warnings go.
    """
    for spec in app.nodes:
        if spec.type == "human-input":
            _check_delivery(spec, findings)
            _check_actions(spec, graph, findings)
        elif spec.type.startswith("trigger-"):
            findings.warn(
                "node.idle_trigger",
                f"{spec.path}.data.type",
                f"{label(spec)} is of type {spec.type!r}, which nothing here fires; runs begin at the start",
                "remove it, or call the API from whatever should start the app",
                node_id=spec.id,
                node_title=spec.title,
            )


def _check_delivery(spec: NodeSpec, findings: Findings) -> None:
    given = spec.data.get("delivery_methods")
    methods = [method for method in given if isinstance(method, Mapping)] if isinstance(given, list) else []
    enabled = [str(method.get("type", "webapp")) for method in methods if method.get("enabled", True)]
    others = sorted({kind for kind in enabled if kind != "webapp"})
    if not others:
        return
    names = ", ".join(others)
    alone = "webapp" not in enabled
    findings.warn(
        "node.undelivered_form",
        f"{spec.path}.data.delivery_methods",
        f"{label(spec)} delivers its form by {names}, and Weft sends none"
        + (": nobody gets a token to answer it, so it waits until its time is over" if alone else ""),
        "enable the delivery to the web app" if alone else "see that callers of the API show the form",
        node_id=spec.id,
        node_title=spec.title,
    )


def _check_actions(spec: NodeSpec, graph: Graph[B], findings: Findings) -> None:
    node = graph.nodes[spec.id]
    if list(node.behaviour.handles() or ()) == ["__timeout"]:
        findings.warn(
            "node.form_without_action",
            f"{spec.path}.data.user_actions",
            f"{label(spec)} has no action, so nobody can send its form off",
            "add an action",
            node_id=spec.id,
            node_title=spec.title,
        )
