"""What a chatflow file says: any era of export to one typed app file, and from there to a graph ready to run.

Two steps, because they answer two questions. `load_app` reads and upgrades the text and finds what is wrong
with the file; `compile_graph` makes the nodes (with the node types that it is given) and finds what is wrong
with the flow. Each reports every problem at once. `check_app` does both and adds what looks suspicious.
"""

from weft.graph.app_file import AppFile, AppMode, EdgeSpec, NodeSpec, VariableDeclaration
from weft.graph.behaviour import Behaviour, ErrorStrategy, Need, NodeBuilder, NodeKind, Retry
from weft.graph.check import CheckReport, check_app
from weft.graph.compiled import Edge, FramePlan, Graph, GraphNode, Response, compile_graph, needs_of
from weft.graph.features import MODERATION_TYPES
from weft.graph.load import load_app
from weft.graph.yaml_text import parse_yaml

__all__ = [
    "MODERATION_TYPES",
    "AppFile",
    "AppMode",
    "Behaviour",
    "CheckReport",
    "Edge",
    "EdgeSpec",
    "ErrorStrategy",
    "FramePlan",
    "Graph",
    "GraphNode",
    "Need",
    "NodeBuilder",
    "NodeKind",
    "NodeSpec",
    "Response",
    "Retry",
    "VariableDeclaration",
    "check_app",
    "compile_graph",
    "load_app",
    "needs_of",
    "parse_yaml",
]
