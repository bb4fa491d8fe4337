"""What a paused run is on disk: everything that it needs to go on, in any process, as data for JSON.

Nodes are named by their ids, edges by their place among those of their node, so that a graph that was
compiled anew from the same file fits. A change of these classes that older data does not fit needs another
`FORMAT`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

import msgspec

from weft.errors import RunError
from weft.events import PauseReason
from weft.providers import Usage

FORMAT = 1
"""Version of the form of what is saved."""


class SavedSource(msgspec.Struct, kw_only=True):
    """An output that is shown piece by piece."""

    selector: tuple[str, ...]
    pieces: list[Any]
    closed: bool


class SavedSession(msgspec.Struct, kw_only=True):
    """How far a response has been shown."""

    node_id: str
    position: int
    cursor: int
    opened: bool
    finished: bool


class SavedStream(msgspec.Struct, kw_only=True):
    """The answer stream of a frame."""

    sources: list[SavedSource]
    sessions: list[SavedSession]
    queue: list[str]
    active: str | None
    skipped: list[str]
    taken: list[tuple[str, int]]
    """Edges by the node that they leave and their place among its edges."""


class SavedWait(msgspec.Struct, kw_only=True):
    """An execution that waits; values are frozen."""

    node_id: str
    execution_id: str
    index: int
    predecessor: str | None
    started_at: datetime
    elapsed: float
    key: str
    reason: PauseReason | None
    state: Any
    inputs: Any
    process_data: Any
    metadata: Any
    children: dict[str, SavedFrame]
    """Of a container: its frames that have not ended, by item or round."""


class SavedFrame(msgspec.Struct, kw_only=True):
    """A frame that has not ended."""

    undecided: dict[str, int]
    reached: list[str]
    waits: list[SavedWait]
    deferred: list[tuple[str, str | None]]
    """Nodes that are ready and were not started, with those that made them ready."""
    stream: SavedStream | None
    outputs: Any
    child_outputs: list[tuple[str, int, Any]]
    ended_loops: list[str]
    usage: Usage


class SavedRun(msgspec.Struct, kw_only=True):
    """A run that has not ended."""

    frame: SavedFrame
    pool: dict[str, Any]
    outputs: Any
    usage: Usage
    steps: int
    executions: int
    exceptions_count: int
    elapsed_time: float

    def dump(self) -> dict[str, Any]:
        """As data for JSON."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data


def load_saved(state: Mapping[str, Any]) -> SavedRun:
    """What `SavedRun.dump` gave.

    Raises:
        RunError: It is something else.
    """
    try:
        return msgspec.convert(state, SavedRun, strict=False)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise RunError(f"the saved state of this run cannot be read: {error}") from error


def awaited_keys(state: Mapping[str, Any]) -> set[str]:
    """The keys of all answers that a saved run waits for.

    Raises:
        RunError: It is no saved run.
    """
    return {wait.key for wait in _all_waits(load_saved(state).frame.waits) if wait.key}


def reasons_of(waits: Sequence[SavedWait]) -> list[PauseReason]:
    """What these nodes, and those in the frames of containers among them, wait for."""
    return [wait.reason for wait in _all_waits(waits) if wait.reason is not None]


def _all_waits(waits: Sequence[SavedWait]) -> Iterator[SavedWait]:
    for wait in waits:
        yield wait
        for child in wait.children.values():
            yield from _all_waits(child.waits)


def can_go_on(frame: SavedFrame, keys: Set[str]) -> bool:
    """Whether there is something to do in a frame once these answers are there."""
    return bool(frame.deferred) or any(wait_can_go_on(wait, keys) for wait in frame.waits)


def wait_can_go_on(wait: SavedWait, keys: Set[str]) -> bool:
    """Whether a node that waits has something to do once these answers are there."""
    return wait.key in keys or any(can_go_on(child, keys) for child in wait.children.values())
