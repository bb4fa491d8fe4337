"""New conversations as they are archived, as an event stream."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import Iterator
from typing import Final

import msgspec
from starlette.responses import Response

from weft.archive import Archive, Day, Entry, Query
from weft.errors import ArchiveError
from weft.server.archive_api.call import ArchiveCall
from weft.server.archive_api.desk import ArchiveDesk
from weft.server.archive_api.target import refused
from weft.server.json_text import encode
from weft.server.sse import FrameStream

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 2.0
"""How often to look for what other processes have written."""
_MOST: Final = 1000
"""Conversations that are told at once."""
Mark = tuple[str, str]
"""Of an archived version: when it was stored, and its id."""


class Tail:
    """Finds what was stored after a mark.

    Days whose checksum has not changed since the last look are not opened.
    """

    def __init__(self, query: Query, after: Mark) -> None:
        self.after = after
        self._query = query
        self._seen: dict[Day, str] = {}

    def look(self, archive: Archive) -> list[tuple[Day, Entry]]:
        """What is new, oldest first, and move the mark behind it."""
        rows = archive.rows("conversations", self._query.organization_id)
        found: list[tuple[Day, Entry]] = []
        bound = self.after[0]
        for day, row in rows.items():
            if row.last_logged[:-1] < bound[:-1] or self._seen.get(day) == row.manifest_sha256:
                continue
            found += self._new_of(archive, day)
            self._seen[day] = row.manifest_sha256
        found.sort(key=lambda pair: _key(mark_of(pair[1])))
        if found:
            self.after = mark_of(found[-1][1])
        return found

    def _new_of(self, archive: Archive, day: Day) -> Iterator[tuple[Day, Entry]]:
        manifest = archive.vault.find_manifest(day)
        for entry in manifest.files if manifest is not None else ():
            is_new = _key(mark_of(entry)) > _key(self.after)
            if is_new and self._query.matches(entry):
                yield day, entry


def mark_of(entry: Entry) -> Mark:
    """Where a version stands in the order of the tail."""
    return entry.logged_at, entry.id


def view(day: Day, entry: Entry) -> dict[str, object]:
    """A version as it is told."""
    return {
        "conversation_id": entry.id,
        "app_id": entry.app_id,
        "organization_id": day.organization_id,
        "from_source": entry.from_source,
        "end_user_id": entry.end_user_id,
        "created_at": entry.created_at,
        "updated_at": entry.last_activity,
        "logged_at": entry.logged_at,
        "dialogue_count": entry.messages,
        "path": f"{day.path}/{entry.file}",
    }


async def tail(call: ArchiveCall) -> Response:
    """`GET .../tail`: an event ``conversation`` for each that is archived from now on.

    ``Last-Event-ID``, or ``after``, goes on where an earlier stream ended; ``since`` begins at an instant.
    """
    query, after = call.select(), _mark(call)
    desk = call.desk
    stream: FrameStream
    task: asyncio.Task[None]

    def leave(left: bool) -> None:
        task.cancel()

    stream = FrameStream(
        ping_seconds=desk.settings.server.ping_seconds,
        on_leave=leave,
        headers=((b"x-accel-buffering", b"no"),),
    )
    stream.put((b": ready\n\n",))
    task = asyncio.create_task(_follow(desk, Tail(query, after), stream), name="weft-archive-tail")
    return stream


async def _follow(desk: ArchiveDesk, found: Tail, stream: FrameStream) -> None:
    changed = asyncio.Event()
    desk.watchers.add(changed)
    try:
        while not desk.is_ending:
            changed.clear()
            async with desk.reading() as archive:
                new = await archive.call(found.look, archive.archive)
            stream.put(_frame(day, entry) for day, entry in new[:_MOST])
            if len(new) > _MOST:
                stream.put((b'event: skipped\ndata: {"count":%d}\n\n' % (len(new) - _MOST),))
            with contextlib.suppress(TimeoutError):
                # What other processes have written has to be looked for.
                await asyncio.wait_for(changed.wait(), _LOOK_SECONDS)
    except ArchiveError as error:
        log.warning("a tail of the archive ends: %s", error)
        stream.put((b"event: error\ndata: " + encode({"message": str(error)}) + b"\n\n",))
    finally:
        desk.watchers.discard(changed)
        stream.end()


def _frame(day: Day, entry: Entry) -> bytes:
    id = base64.urlsafe_b64encode(msgspec.json.encode(mark_of(entry)))
    return b"id: " + id + b"\nevent: conversation\ndata: " + encode(view(day, entry)) + b"\n\n"


def _mark(call: ArchiveCall) -> Mark:
    text = call.request.headers.get("last-event-id") or call.text("after")
    if text is not None:
        try:
            return msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=tuple[str, str])
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise refused("after", "is no mark of an earlier stream") from None
    since = call.date("since")
    at = call.desk.clock.now().isoformat() if since is None else since.isoformat()
    return at.replace("+00:00", "") + "Z", ""


def _key(mark: Mark) -> Mark:
    return mark[0].removesuffix("Z"), mark[1]
