"""An exported app as typed data, the same for files of every era."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from weft.errors import Problem
from weft.variables import Value, ValueType

AppMode = Literal["advanced-chat", "workflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node as the file has it, after upgrades."""

    id: str
    type: str
    title: str
    version: str
    data: Mapping[str, object]
    """The node's own configuration; unknown keys are kept."""
    parent_id: str | None
    """Node id of the container that holds it."""
    path: str
    """Where it stands in the file, for messages."""


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """One connection."""

    source: str
    target: str
    handle: str = "source"
    """Which way out of the source it leaves by."""
    path: str = field(default="", compare=False)
    """Where it stands in the file, for messages; empty for an edge that an upgrade made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableDeclaration:
    """An environment or conversation variable with its value or default."""

    id: str
    name: str
    value_type: ValueType
    value: Value
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFile:
    """Everything that an export says, checked and upgraded, with nothing run yet."""

    name: str
    mode: AppMode
    description: str = ""
    icon_type: str = "emoji"
    icon: str = ""
    icon_background: str = "#FFFFFF"
    use_icon_as_answer_icon: bool = False
    version: str | None = None
    """Version of the file format as written in the file; ``None`` in the oldest files."""
    nodes: tuple[NodeSpec, ...] = ()
    edges: tuple[EdgeSpec, ...] = ()
    features: Mapping[str, object] = field(default_factory=dict)
    environment_variables: tuple[VariableDeclaration, ...] = ()
    conversation_variables: tuple[VariableDeclaration, ...] = ()
    dependencies: tuple[Mapping[str, object], ...] = ()
    graph: Mapping[str, object] = field(default_factory=dict)
    """Nodes, edges and viewport exactly as in the file."""
    warnings: tuple[Problem, ...] = ()
    """What looks wrong but does not stop the app from running."""
