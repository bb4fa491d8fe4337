"""What was said before, as models remember it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Any

from weft.graph import Graph
from weft.nodes import History, KeptFiles, Node, RunInfo, Turn
from weft.store import Exchange, MessageFile, Store, messages, session_rows
from weft.variables import File, history_context, history_runs, history_text


class StoredHistory:
    """The earlier exchanges of a stored conversation; which of them count is the business of `Exchange`.

    Args:
        store: Where they are.
        app_id: The app.
        conversation_id: The conversation.
        files: Where the files are that came with its questions.
        user: Who talks, as the flow knows them.
    """

    def __init__(
        self, store: Store, app_id: str, conversation_id: str, *, files: KeptFiles, user: str
    ) -> None:
        self._store = store
        self._app_id = app_id
        self._conversation_id = conversation_id
        self._files = files
        self._user = user

    async def recent(self, limit: int) -> list[Turn]:
        """What models remember: the newest exchanges in which a person has read an answer, oldest first."""
        found = await self._exchanges(lambda exchange: exchange.is_remembered, limit)
        ids = [exchange.link.message_id for exchange in found]
        rows = await self._store.read_quick(lambda connection: messages.list_files(connection, ids))
        files = await self._sent(row for some in rows.values() for row in some)
        return [
            Turn(
                exchange.query,
                exchange.answer,
                tuple(files[row.id] for row in rows.get(exchange.link.message_id, ()) if row.id in files),
            )
            for exchange in found
        ]

    async def _sent(self, rows: Iterable[MessageFile]) -> dict[str | None, File]:
        """Files that came with questions, with links that are good from now on, by the id of their row."""
        files = [_file(row) for row in rows if row.belongs_to == "user"]
        if not files:
            return {}
        run = RunInfo(
            run_id="",
            app_id=self._app_id,
            workflow_id="",
            user=self._user,
            conversation_id=self._conversation_id,
        )
        return {file.id: file for file in await self._files.renew(files, run)}

    async def completed(self, limit: int) -> list[tuple[str, str]]:
        """Input and output of the last runs that were answered to the end, oldest first."""
        found = await self._exchanges(lambda exchange: exchange.is_completed, limit)
        return [(history_text(exchange.given), history_text(exchange.made)) for exchange in found]

    async def _exchanges(self, wanted: Callable[[Exchange], bool], limit: int) -> tuple[Exchange, ...]:
        return await self._store.read_quick(
            lambda connection: session_rows.list_exchanges(
                connection, self._app_id, self._conversation_id, wanted, limit=limit
            )
        )


def _file(row: MessageFile) -> File:
    return File(
        id=row.id,
        type=row.type,
        transfer_method=row.transfer_method,
        related_id=row.upload_file_id,
        remote_url=row.url,
        url=row.url,
        filename=row.name,
        extension=PurePosixPath(row.name or "").suffix.lower(),
        mime_type=row.mime_type,
        size=row.size,
    )


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
