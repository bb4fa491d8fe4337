"""Which nodes of a frame may run: those whose ways in are all decided, one of them taken."""

from __future__ import annotations

from typing import Any, TypeAlias

from weft.engine.answer_stream import AnswerStream
from weft.graph import Edge, FramePlan, GraphNode
from weft.nodes import Node

AnyNode: TypeAlias = Node[Any]
Plan: TypeAlias = FramePlan[AnyNode]
PlannedNode: TypeAlias = GraphNode[AnyNode]


class Readiness:
    """The ways between the nodes of a frame, as far as they are decided.

    Args:
        plan: The nodes.
        stream: Hears what was decided, if the frame shows anything.
    """

    __slots__ = ("_stream", "reached", "undecided")

    def __init__(self, plan: Plan, stream: AnswerStream | None) -> None:
        self._stream = stream
        self.undecided = list(plan.in_degrees)
        """For each node by its slot, how many ways into it are still undecided."""
        self.reached = bytearray(len(plan.nodes))
        """And whether one was taken."""

    def _take(self, edge: Edge[AnyNode], ready: list[PlannedNode]) -> None:
        target = edge.target
        slot = target.slot
        self.undecided[slot] -= 1
        self.reached[slot] = 1
        if self._stream is not None:
            self._stream.take(edge)
        if self.undecided[slot] == 0:
            ready.append(target)

    def skip(self, edge: Edge[AnyNode], ready: list[PlannedNode]) -> None:
        """Decide against an edge, and against everything that only it led to."""
        stack = [edge]
        while stack:
            target = stack.pop().target
            slot = target.slot
            self.undecided[slot] -= 1
            if self.undecided[slot] == 0:
                if self.reached[slot]:
                    ready.append(target)
                else:
                    if self._stream is not None:
                        self._stream.skip(target.id)
                    stack.extend(reversed(target.out))

    def leave(self, node: PlannedNode, handle: str | None) -> list[PlannedNode]:
        """Decide all ways out of a node; returns the nodes that are ready now."""
        ready: list[PlannedNode] = []
        if node.kind == "branch":
            for edge in node.out:
                if edge.handle != handle:
                    self.skip(edge, ready)
            for edge in node.out:
                if edge.handle == handle:
                    self._take(edge, ready)
        else:
            for edge in node.out:
                self._take(edge, ready)
        return ready
