"""The server: HTTP in, stream events out; everything in between is done by the rooms below.

It translates and decides nothing of its own: keys to apps, bodies to requests, events to frames, errors to
codes.
"""

from weft.server.app import create_app
from weft.server.archive_api import (
    ArchiveDesk,
    ArchiveTail,
    RestoreArgs,
    ThinArgs,
    make_desk,
    read_schedule,
    restore_to_store,
    schedule_view,
    tail_view,
    thin_store,
)
from weft.server.rate_limit import RateLimiter
from weft.server.request_id import RequestIdFilter
from weft.server.serving import Serving, serving

__all__ = [
    "ArchiveDesk",
    "ArchiveTail",
    "RateLimiter",
    "RequestIdFilter",
    "RestoreArgs",
    "Serving",
    "ThinArgs",
    "create_app",
    "make_desk",
    "read_schedule",
    "restore_to_store",
    "schedule_view",
    "serving",
    "tail_view",
    "thin_store",
]
