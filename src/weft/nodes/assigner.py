"""The assigner: writes conversation and loop variables.

A file says which version of the node it means; versions that nobody knows yet are taken for the latest.
"""

from __future__ import annotations

from typing import Any

from weft.graph import NodeSpec
from weft.nodes.assigner_v1 import AssignerV1Node
from weft.nodes.assigner_v2 import AssignerV2Node
from weft.nodes.config import NodeConfig
from weft.nodes.node import Node


class AssignerNode(Node[NodeConfig]):
    """Stands for both versions; `build` makes the one that the file means."""

    @classmethod
    def build(cls, spec: NodeSpec) -> Node[Any]:
        """Check the configuration and make the node.

        Raises:
            GraphError: With every problem of the configuration.
        """
        version: type[Node[Any]] = AssignerV1Node if spec.version == "1" else AssignerV2Node
        return version.build(spec)
