"""What was said before, as models remember it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.graph import Graph
from weft.nodes import History, Node, Turn
from weft.store import Message, Run, Store, messages, session_rows
from weft.variables import history_context, history_runs, history_text


class StoredHistory:
    """The earlier exchanges of a stored conversation."""

    def __init__(self, store: Store, app_id: str, conversation_id: str) -> None:
        self._store = store
        self._app_id = app_id
        self._conversation_id = conversation_id

    async def recent(self, limit: int) -> list[Turn]:
        """The newest answered exchanges, oldest first."""
        rows = await self._store.read_quick(
            lambda connection: messages.list_answered(
                connection, self._app_id, self._conversation_id, limit=limit
            )
        )
        return [Turn(row.query, row.answer) for row in rows]

    async def completed(self, limit: int) -> list[tuple[str, str]]:
        """Input and output of the last runs that were answered to the end, oldest first."""
        found = await self._store.read_quick(
            lambda connection: session_rows.list_completed(
                connection, self._app_id, self._conversation_id, limit=limit
            )
        )
        return [_pair(message, run) for message, run in found]


def _pair(message: Message, run: Run | None) -> tuple[str, str]:
    given = message.query or (message.inputs if run is None else _own_inputs(run))
    made = message.answer or (None if run is None else run.outputs)
    return history_text(given), history_text(made)


def _own_inputs(run: Run) -> dict[str, object]:
    return {name: value for name, value in run.inputs.items() if not name.startswith("sys.")}


def told_histories(graph: Graph[Node[Any]]) -> dict[str, int]:
    """The system variables that tell a flow of earlier runs, as far as its nodes look at them.

    Returns:
        Name to number of runs.
    """
    found: dict[str, int] = {}
    for node in graph.nodes.values():
        read: Iterable[object] = (*node.behaviour.reads(), *node.behaviour.segments())
        for selector in read:
            if isinstance(selector, tuple) and len(selector) > 1 and selector[0] == "sys":
                count = history_runs(selector[1])
                if count is not None:
                    found[selector[1]] = count
    return found


async def tell_history(history: History, count: int) -> str:
    """The last runs as the text that sessions give too; empty where there are none."""
    if isinstance(history, StoredHistory):
        pairs = await history.completed(count)
    else:
        pairs = [(turn.query, turn.answer) for turn in await history.recent(count)]
    return history_context(pairs) or ""
