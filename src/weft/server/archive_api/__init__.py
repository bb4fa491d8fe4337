"""The archive's REST API under ``/api/conversation-logs``, and the work behind it.

The five operations of the conversation log guide have its paths, bodies and fields; everything else is an
addition below the same path. Every call needs the operator's token or the login of an administrator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.archive import open_source as open_any_source
from weft.clock import Clock
from weft.egress import Egress
from weft.files import FileStore
from weft.ids import Ids
from weft.server.archive_api import duty, find, jobs, logs, own_store, records, report, tail
from weft.server.archive_api.call import Endpoint, answering
from weft.server.archive_api.desk import ArchiveDesk, OpenSource
from weft.server.archive_api.jobs import read_schedule, schedule_view
from weft.server.archive_api.tail import Tail as ArchiveTail
from weft.server.archive_api.tail import view as tail_view
from weft.server.archive_api.thinning import RestoreArgs, ThinArgs
from weft.server.archive_api.thinning import restore as restore_to_store
from weft.server.archive_api.thinning import thin as thin_store
from weft.settings import Settings
from weft.store import Store

_BASE = "/api/conversation-logs"
_GUIDE: dict[str, Endpoint] = {"POST": logs.save, "GET": logs.look, "DELETE": logs.clean}
_ENDPOINTS: dict[str, dict[str, Endpoint]] = {
    "": _GUIDE,
    "/": _GUIDE,  # what clients make of a base address and an empty path
    "/scheduled": {"POST": logs.save_scheduled},
    "/search": {"GET": find.search},
    "/statistics": {"GET": find.statistics},
    "/report": {"GET": report.report},
    "/tail": {"GET": tail.tail},
    "/conversations/{conversation_id:path}": {"GET": records.show},
    "/holds": {"GET": records.list_holds, "POST": records.place_hold},
    "/holds/{hold_id:path}": {"DELETE": records.release_hold},
    "/verify": {"POST": records.verify},
    "/import": {"POST": records.take_in},
    "/thin": {"POST": own_store.thin},
    "/restore": {"POST": own_store.restore},
    "/jobs": {"GET": jobs.list_jobs},
    "/jobs/{job_id}": {"GET": jobs.show_job},
    "/jobs/{job_id}/cancel": {"POST": jobs.cancel_job},
    "/schedules": {"GET": jobs.list_schedules},
    "/schedules/{schedule_id}": {"PUT": jobs.put_schedule, "DELETE": jobs.remove_schedule},
}


def routes() -> list[Route]:
    """All routes, one for each path, so that a wrong method is told all right ones."""
    return [
        Route(_BASE + path, _choosing(endpoints), methods=sorted(endpoints))
        for path, endpoints in _ENDPOINTS.items()
    ]


def make_desk(
    settings: Settings,
    store: Store,
    *,
    clock: Clock,
    ids: Ids,
    open_source: OpenSource = open_any_source,
    egress: Egress | None = None,
    files: FileStore | None = None,
    lease_seconds: float = 30.0,
) -> ArchiveDesk:
    """The archive of these settings, with everything that can be done on it; see `ArchiveDesk`.

    Args:
        settings: Every setting.
        store: Where jobs are kept, and this server's own records.
        clock: The time.
        ids: For jobs.
        open_source: Makes sources.
        egress: Sends messages about failures; made of the settings unless given.
        files: The bytes of this server's own files, which a pull of its records brings along.
        lease_seconds: See `weft.jobs.JobEngine`.

    Raises:
        ConfigError: A setting cannot be right.
    """
    return ArchiveDesk(
        settings,
        store,
        clock=clock,
        ids=ids,
        kinds=duty.kinds,
        on_end=duty.tell_end,
        open_source=open_source,
        egress=egress,
        files=files,
        lease_seconds=lease_seconds,
    )


def _choosing(endpoints: dict[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    answers = {method: answering(endpoint) for method, endpoint in endpoints.items()}

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await answers[method](request)

    return answer


__all__ = [
    "ArchiveDesk",
    "ArchiveTail",
    "OpenSource",
    "RestoreArgs",
    "ThinArgs",
    "make_desk",
    "read_schedule",
    "restore_to_store",
    "routes",
    "schedule_view",
    "tail_view",
    "thin_store",
]
