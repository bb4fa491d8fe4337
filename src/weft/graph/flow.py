"""The nodes and edges of a file, as typed specifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from weft.graph.app_file import EdgeSpec, NodeSpec
from weft.graph.findings import Findings, kind_of_value

CONTAINER_TYPES = ("iteration", "loop")
MAX_NODES: Final = 5_000
"""In one file; the editor becomes unusable long before."""
MAX_NESTING: Final = 20
"""Containers around a node."""
_NODES = "workflow.graph.nodes"
_EDGES = "workflow.graph.edges"


def read_flow(graph: Mapping[str, object], findings: Findings) -> tuple[list[NodeSpec], list[EdgeSpec]]:
    """Nodes without notes, each with the container around it, and edges without those that mean nothing.

    What is wrong goes to `findings`; nodes and edges that cannot be read are left out.

    Args:
        graph: The file's ``workflow.graph``.
        findings: Where problems and warnings go.
    """
    nodes, notes = _read_nodes(graph.get("nodes"), findings)
    return nodes, _read_edges(graph.get("edges"), notes, findings)


def _read_nodes(value: object, findings: Findings) -> tuple[list[NodeSpec], set[str]]:
    if not isinstance(value, list):
        findings.error(
            "graph.invalid_nodes",
            _NODES,
            f"nodes must be a list, but is {kind_of_value(value)}",
            "export the app again",
        )
        return [], set()
    if len(value) > MAX_NODES:
        findings.error(
            "graph.too_many_nodes",
            _NODES,
            f"the app has {len(value)} nodes, more than the {MAX_NODES} that are allowed",
            "split the app into several",
        )
        return [], set()
    nodes: dict[str, NodeSpec] = {}
    wrappers: dict[str, str] = {}
    notes: set[str] = set()
    errors_before = len(findings.errors)
    for index, item in enumerate(value):
        path = f"{_NODES}[{index}]"
        if isinstance(item, dict) and item.get("type") == "custom-note":
            notes.add(str(item.get("id")))
            continue
        spec = _read_node(item, path, findings)
        if spec is None:
            continue
        if spec.id in nodes:
            findings.error(
                "graph.duplicate_node_id",
                f"{path}.id",
                f"the node id {spec.id!r} is used by {nodes[spec.id].path} already",
                "give one of the two another id",
                node_id=spec.id,
                node_title=spec.title,
            )
            continue
        nodes[spec.id] = spec
        parent_id = item.get("parentId")
        if isinstance(parent_id, str):
            wrappers[spec.id] = parent_id
    if not nodes and len(findings.errors) == errors_before:
        findings.error(
            "graph.invalid_nodes",
            _NODES,
            "the app has no node" + (", only notes" if notes else ""),
            "an app needs at least a start node",
        )
    return _with_parents(nodes, wrappers, findings), notes


def _read_node(item: object, path: str, findings: Findings) -> NodeSpec | None:
    if not isinstance(item, dict):
        findings.error(
            "graph.invalid_node", path, f"a node must be a mapping, but is {kind_of_value(item)}", "remove it"
        )
        return None
    data, node_id = item.get("data"), item.get("id")
    title = _text(data.get("title")) if isinstance(data, dict) else ""
    known_id = node_id if isinstance(node_id, str) else None
    if not isinstance(node_id, str) or not node_id:
        is_number = isinstance(node_id, int | float)
        findings.error(
            "graph.invalid_node_id",
            f"{path}.id",
            f"a node's id must be a text, but is {kind_of_value(node_id) if node_id != '' else 'empty'}",
            f'put it in quotes: id: "{node_id}"' if is_number else "give the node an id",
            node_title=title or None,
        )
    if not isinstance(data, dict):
        findings.error(
            "graph.invalid_node",
            f"{path}.data",
            f"a node's data must be a mapping, but is {kind_of_value(data)}",
            "export the app again",
            node_id=known_id,
        )
        return None
    type_name = data.get("type")
    if not isinstance(type_name, str) or not type_name:
        findings.error(
            "graph.invalid_node_type",
            f"{path}.data.type",
            f"the type of node {node_id!r} ({title or 'untitled'}) must be a text, but is "
            f"{kind_of_value(type_name) if type_name != '' else 'empty'}",
            "set data.type to the node's type",
            node_id=known_id,
            node_title=title,
        )
        return None
    if not known_id:
        return None
    return NodeSpec(
        id=known_id,
        type=type_name,
        title=title,
        version=_text(data.get("version")) or "1",
        data=data,
        parent_id=None,
        path=path,
    )


def _with_parents(nodes: dict[str, NodeSpec], wrappers: dict[str, str], findings: Findings) -> list[NodeSpec]:
    """The nodes, each with the innermost container that holds it."""
    containers = {spec.id: spec for spec in nodes.values() if spec.type in CONTAINER_TYPES}
    claims: dict[str, list[str]] = {}
    for spec in nodes.values():
        named = (spec.data.get("iteration_id"), spec.data.get("loop_id"), wrappers.get(spec.id))
        ids = (id for id in named if isinstance(id, str) and id in containers and id != spec.id)
        claims[spec.id] = list(dict.fromkeys(ids))
    for container in containers.values():
        # The start of a container belongs to it even where only the container says so.
        start = container.data.get("start_node_id")
        if (
            isinstance(start, str)
            and start in nodes
            and nodes[start].type == f"{container.type}-start"
            and not claims[start]
        ):
            claims[start].append(container.id)
    parents = {id: _innermost(claimed, claims) for id, claimed in claims.items()}
    for spec in nodes.values():
        trouble = _nesting_trouble(spec.id, parents)
        if trouble:
            findings.error(
                "graph.invalid_node",
                f"{spec.path}.data",
                f"the {spec.type} {spec.id!r} ({spec.title or 'untitled'}) {trouble}",
                "correct its iteration_id, loop_id or parentId",
                node_id=spec.id,
                node_title=spec.title,
            )
            parents[spec.id] = None
    return [
        spec if (parent := parents[spec.id]) is None else replace(spec, parent_id=parent)
        for spec in nodes.values()
    ]


def _innermost(claimed: Sequence[str], claims: Mapping[str, Sequence[str]]) -> str | None:
    """Of the containers that a node names, the one that lies in another of them."""
    for id in claimed[1:]:
        if any(other in claims[id] for other in claimed):
            return id
    return claimed[0] if claimed else None


def _nesting_trouble(id: str, parents: Mapping[str, str | None]) -> str:
    """What is wrong with the containers around a node; nothing if they are in order."""
    parent, seen = parents[id], set[str]()
    while parent is not None and parent not in seen:
        if parent == id:
            return "lies inside itself"
        seen.add(parent)
        if len(seen) > MAX_NESTING:
            return f"lies inside more than {MAX_NESTING} containers"
        parent = parents[parent]
    return ""


def _read_edges(value: object, notes: set[str], findings: Findings) -> list[EdgeSpec]:
    if value is None:
        return []
    if not isinstance(value, list):
        findings.error(
            "graph.invalid_edges",
            _EDGES,
            f"edges must be a list, but is {kind_of_value(value)}",
            "export the app again",
        )
        return []
    edges: dict[EdgeSpec, EdgeSpec] = {}
    for index, item in enumerate(value):
        path = f"{_EDGES}[{index}]"
        if not isinstance(item, dict):
            findings.error(
                "graph.invalid_edge",
                path,
                f"an edge must be a mapping, but is {kind_of_value(item)}",
                "remove it",
            )
            continue
        source, target, handle = item.get("source"), item.get("target"), item.get("sourceHandle")
        if not isinstance(source, str) or not isinstance(target, str):
            findings.warn(
                "graph.invalid_edge_endpoint",
                path,
                f"the edge leads from {kind_of_value(source)} to {kind_of_value(target)}; "
                "it is ignored because both ends must be texts",
                "name two nodes, or remove the edge",
            )
            continue
        if source in notes or target in notes:
            findings.warn(
                "graph.invalid_edge_endpoint", path, "the edge is tied to a note and is ignored", "remove it"
            )
            continue
        edge = EdgeSpec(source, target, handle if isinstance(handle, str) and handle else "source", path)
        edges.setdefault(edge, edge)
    return list(edges)


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case int() | float():
            return str(value)
        case _:
            return ""
