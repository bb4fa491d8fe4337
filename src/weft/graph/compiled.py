"""A graph ready to run: who follows whom, what each frame holds, which answers may stream when.

Compiled once per published version and shared by all of its runs; nothing in here changes afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from weft.errors import GraphError, Problem, UnsupportedNodeError
from weft.graph.app_file import AppFile, NodeSpec
from weft.graph.behaviour import B, Behaviour, ErrorStrategy, NodeBuilder, NodeKind, Retry
from weft.variables import RESERVED, Selector, Value

_ROOT_TYPES = ("start", "datasource", "trigger-webhook", "trigger-schedule", "trigger-plugin")
UNFIRED = "node.unsupported_root"
"""Code of the problem of an app that only a trigger could begin."""
_START_TYPES = ("iteration-start", "loop-start")


@dataclass(slots=True, eq=False)
class Edge(Generic[B]):
    """One connection between two nodes of the same frame."""

    source: GraphNode[B]
    target: GraphNode[B]
    handle: str
    blocking: bool = False
    """Whether an answer behind it must wait until it is taken."""


@dataclass(slots=True, eq=False)
class GraphNode(Generic[B]):
    """A node and its place in the graph."""

    id: str
    type: str
    title: str
    behaviour: B
    kind: NodeKind
    """As the scheduler sees it: a node with the strategy ``fail-branch`` is a branch."""
    error_strategy: ErrorStrategy | None
    default_outputs: dict[str, Value]
    retry: Retry | None
    parent_id: str | None
    out: list[Edge[B]] = field(default_factory=list)
    in_degree: int = 0
    slot: int = -1
    """Position among the nodes of its frame; -1 for a node that nothing leads to."""


@dataclass(frozen=True, slots=True, eq=False)
class Response(Generic[B]):
    """An answer or end node, and when it may begin to stream."""

    node: GraphNode[B]
    segments: tuple[str | Selector, ...]
    barrier: int
    """Index into `FramePlan.barriers`."""


@dataclass(frozen=True, slots=True, eq=False)
class FramePlan(Generic[B]):
    """What runs when the root, or one item or round of a container, runs."""

    container_id: str | None
    start: GraphNode[B]
    nodes: tuple[GraphNode[B], ...]
    """Everything that the start leads to, by slot."""
    in_degrees: tuple[int, ...]
    member_ids: frozenset[str]
    """All nodes that belong to the container, those of containers inside it included."""
    skipped: tuple[Edge[B], ...]
    """Edges that are decided from the beginning: those of roots that did not start this run."""
    responses: tuple[Response[B], ...]
    barriers: tuple[frozenset[str], ...]
    """Sets of assigner node ids that hold back a response in addition to the blocking edges."""
    sources: frozenset[Selector]
    """Selectors that some response of this frame streams."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph(Generic[B]):
    """A compiled graph."""

    nodes: dict[str, GraphNode[B]]
    root: FramePlan[B]
    containers: dict[str, FramePlan[B]]
    """By node id of the iteration or loop."""


def compile_graph(app: AppFile, build: NodeBuilder[B]) -> Graph[B]:
    """Make the nodes, check how they hang together, and plan the frames.

    Raises:
        UnsupportedNodeError: Types that cannot be run, all of them, and every other problem along with them.
        GraphError: Every problem of the graph.
    """
    problems: list[Problem] = []
    unsupported = False
    nodes: dict[str, GraphNode[B]] = {}
    for spec in app.nodes:
        try:
            node = _make_node(spec, build(spec))
        except GraphError as error:
            problems.extend(error.problems)
            unsupported |= isinstance(error, UnsupportedNodeError)
            continue
        nodes[spec.id] = node
        if spec.id in RESERVED:
            problems.append(_reserved_id(spec))
    _connect(app, nodes, problems)
    root = _find_root(app, nodes, problems)
    unsupported |= any(problem.code == UNFIRED for problem in problems)
    starts = _find_container_starts(app, nodes, problems)
    if root is not None:
        _check_frames([(None, root), *starts.items()], problems)
    if problems or root is None:
        raise (UnsupportedNodeError if unsupported else GraphError)(problems)
    members = _members(nodes)
    return Graph(
        nodes=nodes,
        root=_plan(None, root, find_idle_roots(root, nodes), frozenset()),
        containers={id: _plan(id, start, (), frozenset(members.get(id, ()))) for id, start in starts.items()},
    )


def _make_node(spec: NodeSpec, behaviour: B) -> GraphNode[B]:
    strategy = behaviour.error_strategy
    return GraphNode(
        id=spec.id,
        type=spec.type,
        title=spec.title,
        behaviour=behaviour,
        kind="branch" if strategy == "fail-branch" else behaviour.kind,
        error_strategy=strategy,
        default_outputs=behaviour.default_outputs,
        retry=behaviour.retry,
        parent_id=spec.parent_id,
    )


def _connect(app: AppFile, nodes: dict[str, GraphNode[B]], problems: list[Problem]) -> None:
    broken = _broken(app, nodes)
    for spec in app.edges:
        source, target = nodes.get(spec.source), nodes.get(spec.target)
        if source is not None and target is not None:
            blocking = source.kind in ("branch", "container", "response")
            source.out.append(Edge(source, target, spec.handle, blocking))
            target.in_degree += 1
            continue
        for missing in (spec.source, spec.target):
            if missing not in nodes and missing not in broken:
                problems.append(
                    Problem(
                        code="graph.edge_unknown_node",
                        path=spec.path or "workflow.graph.edges",
                        message=f"the edge from {spec.source!r} to {spec.target!r} "
                        f"names the node {missing!r}, which the file does not have",
                        fix="remove the edge, or add the node",
                    )
                )


def _broken(app: AppFile, nodes: dict[str, GraphNode[B]]) -> dict[str, str]:
    """Types, by id, of nodes that could not be made; that is reported already, so nothing follows from it."""
    return {spec.id: spec.type for spec in app.nodes if spec.id not in nodes}


def _find_root(app: AppFile, nodes: dict[str, GraphNode[B]], problems: list[Problem]) -> GraphNode[B] | None:
    outer = [node for node in nodes.values() if node.parent_id is None and node.in_degree == 0]
    roots = [node for node in outer if node.type in _ROOT_TYPES]
    starts = [node for node in roots if node.type == "start"]
    if len(starts) > 1:
        names = ", ".join(repr(node.id) for node in starts)
        problems.append(
            Problem(
                code="graph.root_ambiguous",
                path="workflow.graph.nodes",
                message=f"the file has {len(starts)} start nodes ({names}); "
                "a run would not know where to begin",
                fix="keep one of them",
            )
        )
        return None
    if starts:
        return starts[0]
    if roots:
        problems.append(_unfired_root(roots[0]))
        return None
    if any(type_name in _ROOT_TYPES for type_name in _broken(app, nodes).values()):
        return None
    problems.append(
        Problem(
            code="graph.invalid_root",
            path="workflow.graph.nodes",
            message="the file has no start node without incoming edges, so a run cannot begin",
            fix="add a start node",
        )
    )
    return None


def _find_container_starts(
    app: AppFile, nodes: dict[str, GraphNode[B]], problems: list[Problem]
) -> dict[str, GraphNode[B]]:
    starts: dict[str, GraphNode[B]] = {}
    broken = _broken(app, nodes)
    for spec in app.nodes:
        node = nodes.get(spec.id)
        if node is None or node.behaviour.kind != "container":
            continue
        start_id = node.behaviour.start_node_id or ""
        start = nodes.get(start_id)
        if start_id in broken:
            continue
        if start is None or start.type not in _START_TYPES:
            problems.append(
                Problem(
                    code="graph.invalid_root",
                    path=f"{spec.path}.data.start_node_id",
                    node_id=spec.id,
                    node_title=spec.title,
                    message=f"the {spec.type} {spec.id!r} begins at {start_id!r}, "
                    f"which is no {spec.type}-start node of this file",
                    fix=f"set start_node_id to the id of its {spec.type}-start node",
                )
            )
        else:
            starts[spec.id] = start
    return starts


def _check_frames(starts: Iterable[tuple[str | None, GraphNode[B]]], problems: list[Problem]) -> None:
    """Report nodes that two frames would run: each node belongs to the main flow or to one container."""
    owners: dict[GraphNode[B], str | None] = {}
    for container_id, start in starts:
        for node in _reachable([start]):
            owner = owners.setdefault(node, container_id)
            if owner == container_id:
                continue
            places = " and in ".join(
                "the main flow" if place is None else f"the container {place!r}"
                for place in (owner, container_id)
            )
            problems.append(
                Problem(
                    code="graph.frames_overlap",
                    path="workflow.graph.edges",
                    node_id=node.id,
                    node_title=node.title,
                    message=f"node {node.id!r} ({node.title or 'untitled'}) is reached in {places}",
                    fix="remove the edge that leads into or out of the container",
                )
            )
            break


def find_idle_roots(root: GraphNode[B], nodes: dict[str, GraphNode[B]]) -> list[GraphNode[B]]:
    """Where the main flow might begin, but does not."""
    return [
        node
        for node in nodes.values()
        if node is not root and node.parent_id is None and node.in_degree == 0 and node.type in _ROOT_TYPES
    ]


def _plan(
    container_id: str | None,
    start: GraphNode[B],
    idle_roots: Sequence[GraphNode[B]],
    member_ids: frozenset[str],
) -> FramePlan[B]:
    reached = _reachable([start])
    for slot, node in enumerate(reached):
        node.slot = slot
    inside = set(reached)
    skipped = tuple(
        edge
        for node in _reachable(idle_roots)
        if node not in inside
        for edge in node.out
        if edge.target in inside
    )
    responses, barriers = _plan_responses(reached)
    return FramePlan(
        container_id=container_id,
        start=start,
        nodes=tuple(reached),
        in_degrees=tuple(node.in_degree for node in reached),
        member_ids=member_ids,
        skipped=skipped,
        responses=responses,
        barriers=barriers,
        sources=frozenset(
            segment for response in responses for segment in response.segments if isinstance(segment, tuple)
        ),
    )


def _reachable(starts: Sequence[GraphNode[B]]) -> list[GraphNode[B]]:
    seen = dict.fromkeys(starts)
    queue = deque(starts)
    while queue:
        for edge in queue.popleft().out:
            if edge.target not in seen:
                seen[edge.target] = None
                queue.append(edge.target)
    return list(seen)


def _members(nodes: dict[str, GraphNode[B]]) -> dict[str, set[str]]:
    """Ids of all nodes in each container, those of containers inside it included."""
    members: dict[str, set[str]] = {}
    for node in nodes.values():
        parent, seen = node.parent_id, {node.id}
        while parent is not None and parent not in seen:
            members.setdefault(parent, set()).add(node.id)
            seen.add(parent)
            parent = nodes[parent].parent_id if parent in nodes else None
    return members


def _plan_responses(
    reached: Iterable[GraphNode[B]],
) -> tuple[tuple[Response[B], ...], tuple[frozenset[str], ...]]:
    """Responses, each with the assigners whose writing it must wait for."""
    nodes = list(reached)
    writers: dict[Selector, set[str]] = {}
    for node in nodes:
        for selector in node.behaviour.writes():
            writers.setdefault(selector[:2], set()).add(node.id)
    barriers: dict[frozenset[str], int] = {}
    responses = []
    for node in sorted(nodes, key=lambda node: node.id):  # those that may begin together do so in this order
        if node.behaviour.kind != "response":
            continue
        segments = tuple(node.behaviour.segments())
        barrier = frozenset(
            writer
            for segment in segments
            if isinstance(segment, tuple)
            for writer in writers.get(segment[:2], ())
        )
        responses.append(Response(node, segments, barriers.setdefault(barrier, len(barriers))))
    return tuple(responses), tuple(barriers)


def needs_of(behaviours: Iterable[Behaviour]) -> list[tuple[str, str]]:
    """What nodes need from outside, as (kind, name), each once and in order."""
    return list(dict.fromkeys((need.kind, need.name) for node in behaviours for need in node.needs()))


def _unfired_root(node: GraphNode[B]) -> Problem:
    return Problem(
        code=UNFIRED,
        path="workflow.graph.nodes",
        node_id=node.id,
        node_title=node.title,
        message=f"the app begins with node {node.id!r} of type {node.type!r}, which nothing here fires",
        fix="add a start node, and call the API from whatever should start the app",
    )


def _reserved_id(spec: NodeSpec) -> Problem:
    return Problem(
        code="graph.invalid_node_id",
        path=f"{spec.path}.id",
        node_id=spec.id,
        node_title=spec.title,
        message=f"the node id {spec.id!r} is reserved for variables",
        fix="rename the node",
    )
