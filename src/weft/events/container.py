"""An iteration or a loop begins, goes on to its next item or round, or is done.

They come in addition to the node's own events, between its start and its end.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from weft.events.frame import ROOT, ContainerKind, Frame
from weft.variables import Value


class ContainerStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The container knows what it will work through."""

    kind: ContainerKind
    execution_id: str
    node_id: str
    node_type: str
    title: str
    inputs: dict[str, Value]
    length: int
    """Items of an iteration, or the most rounds of a loop."""
    at: datetime
    frame: Frame = ROOT


class ContainerAdvanced(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An item or round begins."""

    kind: ContainerKind
    execution_id: str
    node_id: str
    node_type: str
    title: str
    index: int
    """Zero-based."""
    at: datetime
    frame: Frame = ROOT


class ContainerFinished(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All items or rounds are done, or one of them ended the container."""

    kind: ContainerKind
    execution_id: str
    node_id: str
    node_type: str
    title: str
    status: Literal["succeeded", "failed", "stopped"]
    inputs: dict[str, Value]
    outputs: dict[str, Value]
    error: str | None
    steps: int
    elapsed_time: float
    total_tokens: int
    metadata: dict[str, Value]
    started_at: datetime
    at: datetime
    frame: Frame = ROOT
