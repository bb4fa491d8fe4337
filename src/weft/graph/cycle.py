"""Finding edges that go round in a circle."""

from __future__ import annotations

from collections.abc import Sequence

from weft.graph.app_file import EdgeSpec


def find_cycles(edges: Sequence[EdgeSpec]) -> list[list[int]]:
    """Groups of edges, as positions in `edges`, of which each lies on a cycle with the others of its group.

    These are the edges inside the strongly connected components of the graph, in file order.
    """
    follow: dict[str, list[str]] = {}
    in_degree: dict[str, int] = {}
    for edge in edges:
        follow.setdefault(edge.source, []).append(edge.target)
        in_degree[edge.target] = in_degree.get(edge.target, 0) + 1
    left = _left_after_peeling(follow, in_degree)
    if not left:
        return []
    component = _components({id: [next for next in follow.get(id, ()) if next in left] for id in left})
    groups: dict[int, list[int]] = {}
    for index, edge in enumerate(edges):
        if edge.source in left and component[edge.source] == component.get(edge.target):
            groups.setdefault(component[edge.source], []).append(index)
    return list(groups.values())


def _left_after_peeling(follow: dict[str, list[str]], in_degree: dict[str, int]) -> dict[str, None]:
    """Node ids that remain when nodes without in-edges are taken away one after the other."""
    waiting = dict(in_degree)
    ready = [id for id in follow if id not in waiting]
    while ready:
        for target in follow.get(ready.pop(), ()):
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return {id: None for id, count in waiting.items() if count > 0}


def _components(follow: dict[str, list[str]]) -> dict[str, int]:
    """The number of each node's strongly connected component (Tarjan's algorithm, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    component: dict[str, int] = {}
    open_nodes: list[str] = []
    for root in follow:
        if root in order:
            continue
        work = [(root, iter(follow[root]))]
        order[root] = low[root] = len(order)
        open_nodes.append(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in order:
                    order[target] = low[target] = len(order)
                    open_nodes.append(target)
                    work.append((target, iter(follow[target])))
                    break
                if target not in component:
                    low[node] = min(low[node], order[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    while open_nodes:
                        member = open_nodes.pop()
                        component[member] = order[node]
                        if member == node:
                            break
    return component
