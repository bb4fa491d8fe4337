"""Leaving a loop from inside."""

from __future__ import annotations

from typing import ClassVar

from weft.graph import NodeSpec
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node


class LoopEndNode(Node[NodeConfig]):
    """Ends the loop that it belongs to, after the present round."""

    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Note which loop is meant: the one it names, else the container that holds it."""
        self._loop_id = str(spec.data.get("loop_id") or spec.parent_id or "")

    async def run(self, context: Context) -> NodeResult:
        """Say so."""
        context.end_loop(self._loop_id)
        return NodeResult()
