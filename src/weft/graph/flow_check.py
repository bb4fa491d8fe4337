"""Flows that can be run but surely do not do what their author meant."""

from __future__ import annotations

from collections.abc import Mapping

from weft.graph.app_file import AppFile, NodeSpec
from weft.graph.behaviour import B
from weft.graph.compiled import Graph
from weft.graph.findings import Findings
from weft.graph.flow_map import FlowMap

Specs = Mapping[str, NodeSpec]


def check_flow(app: AppFile, graph: Graph[B], flow: FlowMap[B], findings: Findings) -> None:
    """Warn of nodes that never run, edges that are never or always taken, and runs without a result.

    Args:
        app: The loaded file.
        graph: Compiled from it.
        flow: The map of that graph.
        findings: Where the warnings go.
    """
    specs = {spec.id: spec for spec in app.nodes}
    _check_unreachable(specs, flow, findings)
    _check_waiting(specs, graph, flow, findings)
    _check_handles(app, specs, graph, flow, findings)
    _check_empty_containers(specs, graph, flow, findings)
    _check_result(app, flow, findings)


def label(spec: NodeSpec) -> str:
    """What to call a node in a message."""
    return f"node {spec.id!r} ({spec.title or spec.type})"


def _check_unreachable(specs: Specs, flow: FlowMap[B], findings: Findings) -> None:
    for spec in specs.values():
        if spec.id in flow.running:
            continue
        container = flow.container_of(spec.id)
        if container in specs and container not in flow.running:
            continue  # said once, for the container and all that is in it
        findings.warn(
            "graph.unreachable_node",
            spec.path,
            f"{label(spec)} never runs: no way leads to it from where a run begins",
            "connect it, or remove it",
            node_id=spec.id,
            node_title=spec.title,
        )


def _check_waiting(specs: Specs, graph: Graph[B], flow: FlowMap[B], findings: Findings) -> None:
    for node in graph.nodes.values():
        if node.id in flow.running:
            continue
        for edge in node.out:
            target = specs[edge.target.id]
            if target.id in flow.running:
                findings.warn(
                    "graph.never_ready",
                    target.path,
                    f"{label(target)} never runs: it waits for {label(specs[node.id])}, which never runs",
                    "remove the edge between the two, or connect the one that comes first",
                    node_id=target.id,
                    node_title=target.title,
                )


def _check_handles(app: AppFile, specs: Specs, graph: Graph[B], flow: FlowMap[B], findings: Findings) -> None:
    for edge in app.edges:
        node = graph.nodes[edge.source]
        offered = list(node.behaviour.handles() or ("source",))
        if node.error_strategy == "fail-branch":
            offered += ["source", "fail-branch"]
        if edge.handle in offered or node.id not in flow.running:
            continue
        spec, known = specs[node.id], ", ".join(repr(handle) for handle in dict.fromkeys(offered))
        is_branch = node.kind == "branch"
        what = "so it is never taken" if is_branch else "yet it is taken each time"
        findings.warn(
            "graph.unknown_handle",
            edge.path or spec.path,
            f"the edge to {edge.target!r} leaves {label(spec)} by {edge.handle!r}, {what}; "
            f"the ways out are {known}",
            "remove the edge, or draw it again from the right way out",
            node_id=spec.id,
            node_title=spec.title,
        )


def _check_empty_containers(specs: Specs, graph: Graph[B], flow: FlowMap[B], findings: Findings) -> None:
    for container_id, plan in graph.containers.items():
        if len(plan.nodes) == 1 and container_id in flow.running:
            spec = specs[container_id]
            findings.warn(
                "graph.empty_container",
                spec.path,
                f"{label(spec)} runs nothing: no edge leaves its start node",
                "connect its start to the first node inside it",
                node_id=spec.id,
                node_title=spec.title,
            )


def _check_result(app: AppFile, flow: FlowMap[B], findings: Findings) -> None:
    wanted, what = ("answer", "says nothing") if app.mode == "advanced-chat" else ("end", "gives no outputs")
    if not any(spec.type == wanted and spec.id in flow.running for spec in app.nodes):
        findings.warn(
            f"graph.no_{wanted}",
            "workflow.graph.nodes",
            f"a run {what}, because no {wanted} node is ever reached",
            f"add a node of type {wanted} and connect it",
        )
