"""Where an item of an iteration or a round of a loop begins."""

from __future__ import annotations

from typing import ClassVar

from weft.graph import NodeKind
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node


class FrameStartNode(Node[NodeConfig]):
    """Does nothing; the stream does not show it."""

    kind: ClassVar[NodeKind] = "root"
    instant: ClassVar[bool] = True

    async def run(self, context: Context) -> NodeResult:
        """Go on."""
        return NodeResult()
