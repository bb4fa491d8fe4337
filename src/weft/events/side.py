"""What nodes do besides returning outputs."""

from __future__ import annotations

from typing import Literal

import msgspec

from weft.events.frame import ROOT, Frame
from weft.variables import File, Selector, Value, ValueType


class VariableUpdated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An assigner changed a conversation or loop variable."""

    selector: Selector
    value: Value
    value_type: ValueType
    node_id: str


class ResourcesRetrieved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A model was given passages of documents."""

    resources: list[dict[str, Value]]
    node_id: str


class AgentLogged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One line of an agent's log; a line with a known id is a new state of that line."""

    id: str
    label: str
    parent_id: str | None
    error: str | None
    status: Literal["start", "success", "error"]
    data: dict[str, Value]
    metadata: dict[str, Value]
    node_id: str
    execution_id: str
    frame: Frame = ROOT


class FileProduced(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The run made a file that belongs to its answer."""

    file: File
    node_id: str
