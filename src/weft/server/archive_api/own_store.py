"""This server's own records: thinned by what the archive has, and filled again from it."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.responses import Response

from weft.errors import InvalidRequestError
from weft.jobs import Job
from weft.server.archive_api import thinning
from weft.server.archive_api.call import ArchiveCall
from weft.server.archive_api.desk import RESTORE_JOB, THIN_JOB
from weft.server.archive_api.jobs import job_view
from weft.server.reply import json_reply

S = TypeVar("S", thinning.ThinArgs, thinning.RestoreArgs)


async def thin(call: ArchiveCall) -> Response:
    """`POST .../thin`: delete from the own store what the archive has; with ``dry_run``, only say what goes.

    The work is a job; with ``dry_run`` only if ``background`` is true.
    """
    body = await call.optional_json()
    background = body.pop("background", None)
    if background not in (None, True, False):
        raise InvalidRequestError("background: is neither true nor false", {"background": "wrong type"})
    args = _read(body, thinning.ThinArgs).check(call.desk.settings.archive.store_days)
    await call.note("archive.thin", older_than_days=args.older_than_days, dry_run=args.dry_run)
    if not args.dry_run or background:
        key = None if args.dry_run else THIN_JOB
        return _put_in(await call.desk.jobs.enqueue(THIN_JOB, _plain(args), key=key, subject="thin"))
    return json_reply(await thinning.thin(call.desk, _Quiet(), args))


async def restore(call: ArchiveCall) -> Response:
    """`POST .../restore`: put archived conversations back into the own store, as a job."""
    args = _read(await call.optional_json(), thinning.RestoreArgs)
    args.query()  # what makes no sense is said before anything is begun
    await thinning.check_restore(call.desk, args)
    await call.note("archive.restore", target_id=args.app_id)
    return _put_in(await call.desk.jobs.enqueue(RESTORE_JOB, _plain(args), subject="restore"))


class _Quiet:
    """Work that nobody watches and that is done at once."""

    async def step(self, name: str, run: thinning.Deed) -> object:
        return await run()

    def tell(self, **progress: object) -> None:
        return None

    def advance(self) -> None:
        return None


def _read(body: dict[str, object], kind: type[S]) -> S:
    try:
        return msgspec.convert(body, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidRequestError(f"the body is not understood: {error}") from error


def _plain(args: S) -> dict[str, object]:
    built: dict[str, object] = msgspec.to_builtins(args)
    return built


def _put_in(job: Job) -> Response:
    told = {"success": True, "message": "The work goes on in the background", "job": job_view(job)}
    return json_reply(told, 202)
