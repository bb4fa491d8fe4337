"""Old shapes become new ones, as they do when Dify's editor opens an old app and saves it.

What to do is told by the shape of a node's data, never by the version that the file claims. One upgrade of
the editor is left out on purpose: it gives http-request nodes a retry, which changes what they do.

Source: Dify app DSL, migrations at load time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from weft.graph.app_file import EdgeSpec, NodeSpec
from weft.graph.cycle import find_cycles
from weft.graph.findings import Findings
from weft.graph.flow import CONTAINER_TYPES

Data = Mapping[str, object]

_OWN_HANDLES = ("if-else", "question-classifier", "human-input")
"""Types whose ways out are named by the file, so that no name may be taken for another."""
_ITERATION_DEFAULTS = {"is_parallel": False, "parallel_nums": 10, "error_handle_mode": "terminated"}


def upgrade(
    nodes: Sequence[NodeSpec], edges: Sequence[EdgeSpec], findings: Findings
) -> tuple[tuple[NodeSpec, ...], tuple[EdgeSpec, ...]]:
    """The flow in its newest shape; equal edges are joined into one, edges of a cycle are removed.

    Args:
        nodes: Those that could be read.
        edges: Those between them.
        findings: Gets a warning for each cycle.
    """
    upgraded = {spec.id: _upgrade_data(spec) for spec in nodes}
    edges = [_upgrade_handle(edge, upgraded) for edge in edges]
    edges = _add_container_starts(upgraded, edges)
    edges = _without_cycles(list(dict.fromkeys(edges)), findings)
    return tuple(upgraded.values()), tuple(edges)


def _upgrade_data(spec: NodeSpec) -> NodeSpec:
    change = _CHANGES.get(spec.type)
    data = None if change is None else change(spec.data)
    return spec if data is None else replace(spec, data=data)


def _if_else(data: Data) -> Data | None:
    """The oldest nodes have one unnamed case; newer ones may still carry it beside their cases.

    An empty list of cases is a newer node without any, so none of them holds.
    """
    conditions = data.get("conditions")
    if data.get("cases") is not None or not isinstance(conditions, list) or not conditions:
        return None
    operator = data.get("logical_operator") or "and"
    return {
        **data,
        "cases": [{"case_id": "true", "logical_operator": operator, "conditions": conditions}],
    }


def _iteration(data: Data) -> Data | None:
    missing = {key: value for key, value in _ITERATION_DEFAULTS.items() if data.get(key) in (None, "")}
    return {**data, **missing} if missing else None


def _tool(data: Data) -> Data | None:
    if data.get("version") or data.get("tool_node_version"):
        return None
    upgraded: dict[str, object] = {**data, "tool_node_version": "2"}
    settings = data.get("tool_configurations")
    if isinstance(settings, dict):
        upgraded["tool_configurations"] = {
            name: value if isinstance(value, dict | list) else {"type": "constant", "value": value}
            for name, value in settings.items()
        }
    return upgraded


_CHANGES: dict[str, Callable[[Data], Data | None]] = {
    "if-else": _if_else,
    "iteration": _iteration,
    "tool": _tool,
}


def _upgrade_handle(edge: EdgeSpec, nodes: Mapping[str, NodeSpec]) -> EdgeSpec:
    if edge.handle != "success-branch":
        return edge
    source = nodes.get(edge.source)
    return edge if source is not None and source.type in _OWN_HANDLES else replace(edge, handle="source")


def _add_container_starts(nodes: dict[str, NodeSpec], edges: Sequence[EdgeSpec]) -> list[EdgeSpec]:
    """Give containers without a proper start node one; `nodes` grows, the edges are returned."""
    edges = list(edges)
    children: dict[str, list[NodeSpec]] = {}
    for spec in nodes.values():
        if spec.parent_id is not None:
            children.setdefault(spec.parent_id, []).append(spec)
    counts = dict.fromkeys(CONTAINER_TYPES, 0)
    for container in [spec for spec in nodes.values() if spec.type in CONTAINER_TYPES]:
        start, first = _find_start(container, children.get(container.id, ()), nodes)
        if start is None:
            start = _new_start(container, nodes, counts)
            if start is None:
                continue
            nodes[start.id] = start
            if first is not None:
                edges.append(EdgeSpec(start.id, first.id))
        if container.data.get("start_node_id") != start.id:
            nodes[container.id] = replace(container, data={**container.data, "start_node_id": start.id})
    return edges


def _find_start(
    container: NodeSpec, children: Sequence[NodeSpec], nodes: Mapping[str, NodeSpec]
) -> tuple[NodeSpec | None, NodeSpec | None]:
    """The container's start node if it has one, and otherwise the child that it is to lead to, if any."""
    start_types = [f"{name}-start" for name in CONTAINER_TYPES]
    named_id = container.data.get("start_node_id")
    named = nodes.get(named_id) if isinstance(named_id, str) else None
    if named is not None and named.type in start_types:
        return named, None
    for child in children:
        if child.type in start_types:
            return child, None
    if named is not None and named.parent_id == container.id:
        return None, named
    for child in children:
        if child.data.get("isIterationStart") or child.data.get("isLoopStart"):
            return None, child
    return None, None


def _new_start(container: NodeSpec, nodes: Mapping[str, NodeSpec], counts: dict[str, int]) -> NodeSpec | None:
    """A start node for the container; none if it names one that is not its own, which is reported later."""
    named = container.data.get("start_node_id")
    if isinstance(named, str) and named and (named not in nodes or nodes[named].parent_id != container.id):
        return None
    index = counts[container.type]
    while f"{container.id}start{index}" in nodes:
        index += 1
    counts[container.type] = index + 1
    flag = "isInIteration" if container.type == "iteration" else "isInLoop"
    return NodeSpec(
        id=f"{container.id}start{index}",
        type=f"{container.type}-start",
        title="",
        version="1",
        data={"type": f"{container.type}-start", "title": "", "desc": "", flag: True},
        parent_id=container.id,
        path=container.path,
    )


def _without_cycles(edges: Sequence[EdgeSpec], findings: Findings) -> Sequence[EdgeSpec]:
    removed: set[int] = set()
    for group in find_cycles(edges):
        removed.update(group)
        shown = ", ".join(f"{edges[index].source!r} to {edges[index].target!r}" for index in group[:5])
        findings.warn(
            "graph.cycle",
            edges[group[0]].path,
            f"{len(group)} edges go round in a circle and are left out ({shown}"
            f"{', ...' if len(group) > 5 else ''}); a run cannot go back",
            "remove them, or use a loop node",
        )
    return [edge for index, edge in enumerate(edges) if index not in removed] if removed else edges
