"""Graphs: the draft that is edited and the versions that are published.

Source: Dify console API, `/apps/{id}/workflows`. A draft is read and written back whole, so these models
keep everything: keys nobody knows, nulls, whole numbers beside fractions.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from weft.wire._field import JsonObject, ListOf, Object, Part
from weft.wire._model import WireModel
from weft.wire.console._base import ConsoleModel, SparseConsoleModel
from weft.wire.page import Page

Number = int | float
"""A length on the canvas, whole or not, as it came."""


class Viewport(SparseConsoleModel):
    """Which part of the canvas is seen."""

    x: Number | None = 0
    y: Number | None = 0
    zoom: Number | None = 1


class GraphNodeData(SparseConsoleModel):
    """What all kinds of nodes are configured with; a reading help for `GraphNode.data`."""

    type: str = ""
    """The node type, such as ``llm``."""
    title: str | None = ""
    description: str | None = Field(default="", alias="desc")
    variables: Part[list[object]] | None = Field(default_factory=list)


class GraphNode(SparseConsoleModel):
    """One node."""

    id: str
    type: str | None = "custom"
    """The kind of box on the canvas; what the node does is `node_type`."""
    data: JsonObject
    """Its configuration; may be changed in place."""
    position: JsonObject | None = None
    targetPosition: str | None = None  # noqa: N815  # the wire's own name, as are those below
    sourcePosition: str | None = None  # noqa: N815
    positionAbsolute: JsonObject | None = None  # noqa: N815
    width: Number | None = None
    height: Number | None = None

    @property
    def node_type(self) -> str:
        """The node type, such as ``llm``; empty when there is none."""
        found = self.data.get("type")
        return found if isinstance(found, str) else ""

    @property
    def node_data(self) -> GraphNodeData:
        """The part of the configuration that all node types share."""
        return GraphNodeData.from_dict(self.data)


class GraphEdgeData(SparseConsoleModel):
    """What an edge knows of its ends."""

    sourceType: str | None = None  # noqa: N815
    targetType: str | None = None  # noqa: N815
    isInIteration: bool | None = False  # noqa: N815
    isInLoop: bool | None = None  # noqa: N815


class GraphEdge(SparseConsoleModel):
    """One edge."""

    id: str | None = None
    type: str | None = "custom"
    source: str
    sourceHandle: str | None = None  # noqa: N815
    target: str
    targetHandle: str | None = None  # noqa: N815
    data: GraphEdgeData | None = None
    zIndex: Number | None = None  # noqa: N815


class Graph(SparseConsoleModel):
    """Nodes, edges and what is seen of them."""

    nodes: ListOf[GraphNode] = Field(default_factory=list)
    edges: ListOf[GraphEdge] = Field(default_factory=list)
    viewport: Viewport | None = Field(default_factory=Viewport)

    def node(self, node_id: str) -> GraphNode:
        """The node of that id.

        Raises:
            KeyError: There is none.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)


class WorkflowDraft(SparseConsoleModel):
    """A graph with its features and variables: the draft, or one published version."""

    id: str | None = None
    graph: Graph | None = Field(default_factory=Graph)
    features: Object = Field(default_factory=dict)
    environment_variables: ListOf[JsonObject] = Field(default_factory=list)
    """Secret values are masked when read."""
    conversation_variables: ListOf[JsonObject] = Field(default_factory=list)
    rag_pipeline_variables: ListOf[JsonObject] = Field(default_factory=list)
    hash: str | None = None
    """Which state of the draft this is; sent along when it is written back."""
    version: str | None = None
    """``draft``, or the label of a published version."""
    marked_name: str | None = None
    marked_comment: str | None = None
    tool_published: bool | None = None
    created_by: JsonObject | str | None = None
    created_at: int | None = None
    """Unix seconds."""
    updated_by: JsonObject | str | None = None
    updated_at: int | None = None
    """Unix seconds."""


class WorkflowVersionPage(Page[WorkflowDraft]):
    """A page of published versions, newest first."""

    data: list[WorkflowDraft] = Field(alias="items")


class DraftRequest(WireModel):
    """Body that writes the draft."""

    graph: JsonObject
    features: JsonObject
    hash: str | None = None
    """State that is overwritten; absent means any, which only some servers allow."""
    environment_variables: list[JsonObject] | None = None
    conversation_variables: list[JsonObject] | None = None


class DraftSaved(ConsoleModel):
    """The draft was written."""

    result: str = "success"
    hash: str | None = None
    updated_at: int | str | None = None  # type: ignore[assignment]  # some servers send text


class PublishRequest(WireModel):
    """Body that publishes the draft."""

    marked_name: Annotated[str, Field(max_length=20)] | None = None
    marked_comment: Annotated[str, Field(max_length=100)] | None = None


class Published(ConsoleModel):
    """The draft was published."""

    result: str = "success"
    created_at: int | None = None
    """Unix seconds."""
