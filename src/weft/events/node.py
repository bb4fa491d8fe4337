"""A node starts, tries again, or is done."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from weft.events.frame import ROOT, Frame
from weft.variables import File, Value

NodeStatus = Literal["pending", "running", "succeeded", "failed", "exception", "stopped", "paused", "retry"]


class NodeStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A node execution begins; retries of it keep its id.

    One that has waited begins once more, under the same id, when the run goes on.
    """

    execution_id: str
    node_id: str
    node_type: str
    title: str
    index: int
    """Running number in the whole run, from 1."""
    at: datetime
    predecessor_id: str | None = None
    """Node id of the one whose end made this one ready."""
    frame: Frame = ROOT
    extras: dict[str, Value] = {}
    agent_strategy: dict[str, Value] | None = None
    """Of an agent: how it goes about its task."""


class NodeFinished(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A node execution is over.

    ``exception`` means that it failed and its error strategy stepped in; ``stopped`` that the run ended
    around it.
    """

    execution_id: str
    node_id: str
    node_type: str
    title: str
    index: int
    status: NodeStatus
    started_at: datetime
    at: datetime
    elapsed_time: float
    """Seconds."""
    predecessor_id: str | None = None
    frame: Frame = ROOT
    inputs: dict[str, Value] = {}
    process_data: dict[str, Value] = {}
    outputs: dict[str, Value] = {}
    error: str | None = None
    error_type: str | None = None
    metadata: dict[str, Value] = {}
    """Tokens, price and the like; the record calls it execution metadata."""
    files: list[File] = []
    extras: dict[str, Value] = {}


class NodeRetried(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An attempt failed and another one follows."""

    execution_id: str
    node_id: str
    node_type: str
    title: str
    index: int
    retry_index: int
    """From 1."""
    error: str
    error_type: str | None
    started_at: datetime
    at: datetime
    elapsed_time: float
    predecessor_id: str | None = None
    frame: Frame = ROOT
    inputs: dict[str, Value] = {}
    process_data: dict[str, Value] = {}
    outputs: dict[str, Value] = {}
    metadata: dict[str, Value] = {}
