"""A run whose rows are on disk and that has not begun, or not gone on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from weft.events import Event
from weft.nodes import History, NoHistory
from weft.runs.app_version import AppVersion
from weft.runs.live import LiveRun
from weft.runs.moderation import OutputModeration
from weft.runs.recorder import Recorder
from weft.variables import Value, VariablePool


@dataclass(slots=True, kw_only=True)
class Prepared:
    """All that an engine is made of, and what is told before it begins."""

    live: LiveRun
    recorder: Recorder
    version: AppVersion
    pool: VariablePool
    user: str
    """What the flow knows the caller as."""
    inputs: Mapping[str, Value] = field(default_factory=dict)
    history: History = field(default_factory=NoHistory)
    call_depth: int = 0
    reason: Literal["initial", "resumption"] = "initial"
    saved: Mapping[str, Any] | None = None
    """Where it goes on."""
    answers: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """What has come for it meanwhile."""
    news: Sequence[Event] = ()
    """What is told of that."""
    moderation: OutputModeration | None = None
    """Judges what it says, where its app wants that."""
    can_go_on: bool = False
    """It has paused, and could go on at once: what it waits for came before it did."""
