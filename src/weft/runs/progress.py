"""How far a run has come, for those who join it later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from weft.events import Event, NodeFinished, NodeStarted, NodeStatus


class Progress:
    """The nodes of a run that began in this process.

    What nodes were given and gave is not kept: a run of many rounds would hold all of it.
    """

    __slots__ = ("_ended", "_started")

    def __init__(self) -> None:
        self._started: dict[str, NodeStarted] = {}
        self._ended: dict[str, tuple[NodeStatus, datetime, float]] = {}

    def start(self, event: NodeStarted) -> None:
        """A node starts."""
        self._started[event.execution_id] = event

    def end(self, event: NodeFinished) -> None:
        """A node is done."""
        self._ended[event.execution_id] = (event.status, event.at, event.elapsed_time)

    def at_work(self) -> list[NodeStarted]:
        """The nodes that have started and not ended, oldest first."""
        return [event for id, event in self._started.items() if id not in self._ended]

    def story(self) -> Iterator[tuple[str, list[Event]]]:
        """Execution ids in order, each with what is told of it without details."""
        for id, started in self._started.items():
            ended = self._ended.get(id)
            yield id, [started] if ended is None else [started, without_details(started, *ended)]


def without_details(
    started: NodeStarted, status: NodeStatus, at: datetime, elapsed_time: float
) -> NodeFinished:
    """The end of an execution, without what it was given and gave."""
    return NodeFinished(
        execution_id=started.execution_id,
        node_id=started.node_id,
        node_type=started.node_type,
        title=started.title,
        index=started.index,
        status=status,
        started_at=started.at,
        at=at,
        elapsed_time=elapsed_time,
        predecessor_id=started.predecessor_id,
        frame=started.frame,
    )
