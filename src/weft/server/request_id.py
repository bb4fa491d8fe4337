"""Which request something is done for: told to its client, and noted in what is logged meanwhile."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

TEMPLATE: Final = "weft.route"
"""Key in a request's scope: the path of its route, with names in place of ids and tokens."""
APP_ID: Final = "weft.app_id"
"""Key in a request's scope: the app that it is for, once that is known."""
_GOOD = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(frozen=True, slots=True)
class CurrentRequest:
    """The request that a task works for, and whatever the task has begun."""

    id: str
    traceparent: str | None = None
    """Where in somebody's trace it belongs (W3C trace context)."""
    tracestate: str | None = None


current: ContextVar[CurrentRequest | None] = ContextVar("weft_request", default=None)


def given_id(header: bytes | None) -> str | None:
    """The id that a client gave its request, if it can be one."""
    if header is None or _GOOD.fullmatch(header) is None:
        return None
    return header.decode("ascii")


class RequestIdFilter(logging.Filter):
    """Notes the request in every record, as `request_id`; ``None`` where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record."""
        request = current.get()
        record.request_id = None if request is None else request.id
        return True
