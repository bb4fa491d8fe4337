"""Roots that something else than a message starts. Nothing here fires them, so they stay idle."""

from __future__ import annotations

from typing import ClassVar

from weft.errors import NodeFailedError
from weft.graph import NodeKind
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node

TRIGGERS = frozenset({"trigger-webhook", "trigger-schedule", "trigger-plugin"})


class TriggerNode(Node[NodeConfig]):
    """A trigger of an app that has a start node, too; it and what only it leads to are left out of a run."""

    kind: ClassVar[NodeKind] = "root"
    instant: ClassVar[bool] = True

    async def run(self, context: Context) -> NodeResult:
        """Refuse.

        Raises:
            NodeFailedError: Always; a graph that would begin here is not compiled.
        """
        raise NodeFailedError(f"node {self.id!r} is a {self.type}, which nothing here fires", node_id=self.id)
