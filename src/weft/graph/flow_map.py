"""What of a graph can run at all, and what has run before what."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Generic

from weft.graph.behaviour import B
from weft.graph.compiled import Graph, GraphNode, find_idle_roots


class FlowMap(Generic[B]):
    """A compiled graph seen from above."""

    def __init__(self, graph: Graph[B]) -> None:
        self._graph = graph
        self._homes: dict[str, str | None] = {node.id: node.parent_id for node in graph.nodes.values()}
        for container_id, plan in graph.containers.items():
            self._homes.update((node.id, container_id) for node in plan.nodes)
        self._homes.update((node.id, None) for node in graph.root.nodes)
        self.running = self._find_running()
        """Ids of the nodes that some run may reach, whatever its branches decide."""
        self._bits, self._before = _find_ancestors(graph.nodes)

    def container_of(self, node_id: str) -> str | None:
        """The container whose frame holds the node."""
        return self._homes[node_id]

    def is_before(self, source: str, reader: str) -> bool:
        """Whether what `source` puts out may be there when `reader` runs.

        True for a node on a way to the reader or to a container around it, for a container around the reader,
        for what a container reads of itself and of the nodes in it, and for nodes of loops that ran before:
        loops share their variables with what comes after them, iterations do not.
        """
        around = [reader, *self._containers_around(reader)]
        if source in around[1:]:
            return True
        if reader in self._graph.containers and (
            source == reader or reader in self._containers_around(source)
        ):
            return True
        candidates = [source]
        for container in self._containers_around(source):
            if self._graph.nodes[container].type != "loop":
                break
            candidates.append(container)
        before = 0
        for id in around:
            before |= self._before[id]
        return any(before >> self._bits[id] & 1 for id in candidates)

    def _containers_around(self, node_id: str) -> list[str]:
        around: list[str] = []
        container = self._homes[node_id]
        while container is not None and container in self._homes and container not in around:
            around.append(container)
            container = self._homes[container]
        return around

    def _find_running(self) -> frozenset[str]:
        graph = self._graph
        roots = [graph.root.start, *find_idle_roots(graph.root.start, graph.nodes)]
        seen: set[str] = set()
        waiting: deque[GraphNode[B]] = deque(roots)
        while waiting:
            node = waiting.popleft()
            if node.id in seen:
                continue
            seen.add(node.id)
            waiting.extend(edge.target for edge in node.out)
            if node.id in graph.containers:
                waiting.append(graph.containers[node.id].start)
        return frozenset(seen)


def _find_ancestors(nodes: Mapping[str, GraphNode[B]]) -> tuple[dict[str, int], dict[str, int]]:
    """A bit for each node, and for each node the bits of all that lie on ways to it."""
    bits = {id: bit for bit, id in enumerate(nodes)}
    before = dict.fromkeys(nodes, 0)
    waiting = {id: node.in_degree for id, node in nodes.items()}
    ready = [id for id, count in waiting.items() if count == 0]
    while ready:
        id = ready.pop()
        reach = before[id] | 1 << bits[id]
        for edge in nodes[id].out:
            target = edge.target.id
            before[target] |= reach
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return bits, before
