"""Single conversations, holds, proving, and taking in what others exported."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from weft.archive import Hold, Imported
from weft.errors import InvalidRequestError
from weft.server.archive_api.call import ArchiveCall
from weft.server.archive_api.desk import VERIFY_JOB
from weft.server.archive_api.duty import verify_view
from weft.server.archive_api.jobs import job_view
from weft.server.archive_api.target import refused
from weft.server.errors import ApiError
from weft.server.reply import json_reply

_HOLD_FIELDS = (
    "id",
    "reason",
    "organization_id",
    "app_id",
    "from_source",
    "end_user_id",
    "conversation_id",
)
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.zst", ".jsonl.zst")
_SHOWN = 100
_ROOM = 2
"""Times the size of an import that has to be free on the disk."""


async def show(call: ArchiveCall) -> Response:
    """`GET .../conversations/{conversation_id}`: one conversation, with all its messages."""
    id = call.request.path_params["conversation_id"]
    async with call.desk.reading() as archive:
        found = await archive.get(id, call.text("organization_id"))
    return json_reply(found.fields)


async def list_holds(call: ArchiveCall) -> Response:
    """`GET .../holds`."""
    async with call.desk.reading() as archive:
        return json_reply({"data": await archive.list_holds()})


async def place_hold(call: ArchiveCall) -> Response:
    """`POST .../holds`: exempt conversations from deletion."""
    body = await call.json()
    if unknown := sorted(set(body) - set(_HOLD_FIELDS)):
        raise refused(unknown[0], f"is unknown; known: {', '.join(_HOLD_FIELDS)}")
    try:
        hold = msgspec.convert({"id": call.desk.ids.new(), "reason": "", **body}, Hold)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(f"the hold is not understood: {error}") from error
    await call.note("archive.hold", target_id=hold.id, reason=hold.reason)
    async with call.desk.writing() as archive:
        return json_reply(await archive.place_hold(hold), 201)


async def release_hold(call: ArchiveCall) -> Response:
    """`DELETE .../holds/{hold_id}`."""
    id = call.request.path_params["hold_id"]
    await call.note("archive.release", target_id=id)
    async with call.desk.writing() as archive:
        return json_reply(await archive.release_hold(id))


async def verify(call: ArchiveCall) -> Response:
    """`POST .../verify`: prove the archive, now or in the background."""
    body = await call.optional_json()
    depth, budget = body.get("depth", "sizes"), body.get("budget_seconds")
    if depth not in ("structure", "sizes", "bytes"):
        raise refused("depth", "is none of structure, sizes, bytes")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | float) or budget < 0):
        raise refused("budget_seconds", "is not a number of seconds")
    background = body.get("background", False)
    if not isinstance(background, bool):
        raise refused("background", "is neither true nor false")
    if background:
        args: dict[str, Any] = {"depth": depth, **({} if budget is None else {"budget_seconds": budget})}
        job = await call.desk.jobs.enqueue(VERIFY_JOB, args, key=VERIFY_JOB, subject="verify")
        return json_reply({"success": True, "job": job_view(job)}, 202)
    async with call.desk.reading() as archive:
        report = await archive.verify(depth, budget_seconds=budget)
    return json_reply({"success": not report.findings, **verify_view(report)})


async def take_in(call: ArchiveCall) -> Response:
    """`POST .../import`: conversations in the guide's format, as they were exported or archived.

    The body is a file: a conversation, an export, a list, or JSON lines, each also packed with zstandard.
    """
    name = call.text("name") or "import.jsonl"
    suffix = next(
        (suffix for suffix in sorted(_SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), None
    )
    if suffix is None:
        raise refused("name", f"has to end in one of: {', '.join(_SUFFIXES)}")
    organization_id = call.text("organization_id")
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="weft-import-"))
    try:
        path = folder / f"import{suffix}"
        size = await _receive(call, path)
        await call.note("archive.import", bytes=size, organization_id=organization_id)
        async with call.desk.writing() as archive:
            done = await archive.import_folder(path, organization_id)
            await call.desk.index(archive)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return json_reply(import_view(done))


def import_view(done: Imported) -> dict[str, object]:
    """An import as JSON."""
    return {
        "success": not done.failed,
        "written": done.written,
        "unchanged": done.unchanged,
        "failed_count": len(done.failed),
        "failed": [asdict(failure) for failure in done.failed[:_SHOWN]],
    }


async def _receive(call: ArchiveCall, path: Path) -> int:
    free = (await asyncio.to_thread(shutil.disk_usage, path.parent)).free
    size = 0
    with path.open("wb") as file:
        try:
            async for chunk in call.request.stream():
                size += len(chunk)
                if size * _ROOM > free:
                    raise ApiError(
                        413, "request_entity_too_large", "There is no room for a file of this size."
                    )
                await asyncio.to_thread(file.write, chunk)
        except ClientDisconnect as error:
            raise InvalidRequestError("the client left before its request was complete") from error
    if not size:
        raise InvalidRequestError("the body is empty; send the file as it is")
    return size
