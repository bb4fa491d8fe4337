"""Searching messages and counting them, over the archive's index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeVar, cast, get_args

from starlette.responses import Response

from weft.archive import ArchiveIndex, AsyncArchive, Query, SearchPage
from weft.server.archive_api.call import ArchiveCall
from weft.server.archive_api.desk import ArchiveDesk
from weft.server.archive_api.target import refused
from weft.server.reply import json_reply

T = TypeVar("T")
By = Literal["app", "user", "model", "source", "org", "day", "week", "month"]
_GROUPS: Final[tuple[str, ...]] = get_args(By)


async def search(call: ArchiveCall) -> Response:
    """`GET .../search?q=...`: messages that match, the newest first unless relevance is asked for."""
    text, query = call.text("q"), call.select()
    order, cursor = call.text("order") or "newest", call.text("cursor")
    limit = call.number("limit", 20, least=1, most=200)
    if text is None:
        raise refused("q", "is missing; say what to search for")
    if order not in ("newest", "relevance"):
        raise refused("order", f"{order[:40]!r} is unknown; known: newest, relevance")
    wanted = text
    page = await ask(call.desk, lambda index: _search(index, wanted, query, order, limit, cursor))
    return json_reply({"success": True, **page.to_dict()})


async def statistics(call: ArchiveCall) -> Response:
    """`GET .../statistics`: messages, users, tokens, costs, ratings and latencies, also in groups."""
    query, by = call.select(), call.text("by")
    zone = call.text("timezone") or "UTC"
    if by is not None and by not in _GROUPS:
        raise refused("by", f"{by[:40]!r} is unknown; known: {', '.join(_GROUPS)}")
    group = cast("By | None", by)
    found = await ask(call.desk, lambda index: index.statistics(query, by=group, zone=zone))
    return json_reply({"success": True, **found.to_dict()})


async def ask(desk: ArchiveDesk, question: Callable[[ArchiveIndex], T]) -> T:
    """Ask the index, which is made first when there is none yet.

    Raises:
        ArchiveLockedError: There is none, and another process writes to the archive.
    """
    async with desk.reading() as archive:
        if await archive.call(_exists, archive):
            return await archive.call(_ask, archive, question)
    async with desk.writing() as archive:
        await desk.index(archive)
        return await archive.call(_ask, archive, question)


def _exists(archive: AsyncArchive) -> bool:
    index = ArchiveIndex(archive.archive.vault)
    return index.path.exists()


def _ask(archive: AsyncArchive, question: Callable[[ArchiveIndex], T]) -> T:
    index = ArchiveIndex(archive.archive.vault)
    try:
        return question(index)
    finally:
        index.close()


def _search(
    index: ArchiveIndex, text: str, query: Query, order: str, limit: int, cursor: str | None
) -> SearchPage:
    return index.search(
        text, query, order="relevance" if order == "relevance" else "newest", limit=limit, cursor=cursor
    )
