"""uvicorn's HTTP protocol with bounds: no client can hold a connection, or memory, for ever.

The head of a request has a most in bytes and in time, its body a most in time (the routes bound its bytes),
and a client that takes nothing of its answer is let go. Whatever is refused here is told in the form of every
other error.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from weft.server.json_text import encode

log = logging.getLogger(__name__)

TellLeaving: TypeAlias = Callable[[Callable[[], None] | None], None]
"""Takes who is to be told, at once if the client has left already; ``None`` for nobody any more."""

ABORT: Final = "weft.abort"
"""Name of the ASGI extension that drops a connection together with what waits in it."""
LEAVING: Final = "weft.leaving"
"""Name of the ASGI extension that tells when the client has left, without a task that waits for it."""
_MAX_HEADERS: Final = 100
_LINGER_SECONDS: Final = 30.0
"""How long a client may go on sending a body that was refused, so that it can read why."""
_TEXTS: Final = {
    400: ("bad_request", "The request is no proper HTTP."),
    408: ("request_timeout", "The request took too long to arrive."),
    431: ("request_header_fields_too_large", "The request's address and headers are too large."),
}


@dataclass(slots=True)
class ConnectionLimits:
    """What one connection may use, and what was refused so far."""

    max_head_bytes: int
    """Of address and headers together."""
    max_head_seconds: float
    """For the head of a request to arrive; also for the first byte on a new connection."""
    max_upload_seconds: float
    """For a request's body to arrive."""
    max_stall_seconds: float
    """Without any progress of an answer that waits to be taken."""
    refused: Counter[int] = field(default_factory=Counter)
    """Requests by the status that they were refused with, before any route saw them."""
    stalled: int = 0
    """Connections that were closed because their client took nothing."""


class _Refusal(Exception):
    """Ends the parsing of a request."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class GuardedProtocol(HttpToolsProtocol):
    """One connection. Made by uvicorn; `guarded_protocol` gives it its limits."""

    limits: ConnectionLimits

    # Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """A client has connected."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._silent_bytes = 0
        """Received since the parser last made something of it."""
        self._in_head = True
        self._refused_with = 400
        self._extensions = {ABORT: self._abort, LEAVING: self._tell_leaving}
        self._is_lost = False
        self._on_leave: Callable[[], None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due: tuple[float] | None = None
        """Seconds of the timer; another one every time that it is set."""
        self._is_parsing = False
        self._set_timer(self.limits.max_head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._set_timer(None)
        if self._stall is not None:
            self._stall.cancel()
        super().connection_lost(exc)
        self._is_lost = True
        if self._on_leave is not None:
            self._on_leave()

    def _tell_leaving(self, tell: Callable[[], None] | None) -> None:
        self._on_leave = tell
        if tell is not None and self._is_lost:
            tell()

    # Reading

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._silent_bytes += len(data)
        before = self._due
        self._is_parsing = True
        super().data_received(data)
        self._is_parsing = False
        if self._due is not before:
            self._arm()
        if self._silent_bytes > self.limits.max_head_bytes and not self.transport.is_closing():
            # A header, a trailer or the size of a chunk that does not end.
            self._refuse(431 if self._in_head else 400)
        elif self._timer is None and self._is_idle():
            # Blank lines between two requests are allowed, and would keep the connection open for ever.
            self._in_head, self._head_bytes = True, 0
            self._set_timer(self.limits.max_head_seconds)

    def _is_idle(self) -> bool:
        return (
            self.timeout_keep_alive_task is None
            and (cycle := self._cycle()) is not None
            and cycle.response_complete
        )

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = self._extensions
        self._in_head = True
        self._head_bytes = self._silent_bytes = self._headers_seen = 0
        self._set_timer(self.limits.max_head_seconds)

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which counts like one and is told to nobody."""
        self._headers_seen += 1
        if self._headers_seen > _MAX_HEADERS:
            self._stop_parsing(431)
        self._count(len(name) + len(value))
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete, and the app is called."""
        super().on_headers_complete()
        self._in_head = False
        self._silent_bytes = 0
        self._set_timer(self.limits.max_upload_seconds)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._silent_bytes = 0
        self._set_timer(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is complete, perhaps before its request."""
        super().on_response_complete()
        if self._timer is not None and not self._in_head and not self.transport.is_closing():
            self._set_timer(min(_LINGER_SECONDS, self.limits.max_upload_seconds))

    def _cycle(self) -> RequestResponseCycle | None:
        """The latest request; none on a new connection, which uvicorn's annotation does not say."""
        return cast("RequestResponseCycle | None", self.cycle)

    def _count(self, size: int) -> None:
        self._silent_bytes = 0
        self._head_bytes += size
        if self._head_bytes > self.limits.max_head_bytes:
            self._stop_parsing(431)

    def _stop_parsing(self, status: int) -> None:
        self._refused_with = status
        raise _Refusal(status)

    # Time

    def _set_timer(self, seconds: float | None) -> None:
        self._due = None if seconds is None else (seconds,)
        if not self._is_parsing:  # most requests come in one piece, and need no timer at all
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._due
        self._timer = None if due is None else self.loop.call_later(due[0], self._too_late, due[0])

    def _too_late(self, seconds: float) -> None:
        if self.transport.is_closing():
            return
        cycle = self._cycle()
        answering = cycle is not None and not cycle.response_complete
        if self.flow.read_paused or (self._in_head and answering):
            # It is us who do not read, or an earlier request is still being answered.
            self._set_timer(seconds)
        elif self._in_head and not self._head_bytes:
            self.transport.close()
        else:
            self._refuse(408)

    # Writing

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        self._watch_stall(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client has taken what it was sent."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def _watch_stall(self, left: int) -> None:
        self._stall = self.loop.call_later(self.limits.max_stall_seconds, self._look_at_stall, left)

    def _look_at_stall(self, left: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < left:
            self._watch_stall(waiting)
            return
        self.limits.stalled += 1
        log.info(
            "a client took nothing for %g s and is let go; what it was sent of its answer is lost to it",
            self.limits.max_stall_seconds,
        )
        self._abort()

    def _abort(self) -> None:
        self.transport.abort()

    # Refusing

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed; uvicorn calls this whatever the reason."""
        self._refuse(self._refused_with)

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: a request to speak another protocol is answered as if it were none."""

    def _refuse(self, status: int) -> None:
        """Tell why, unless an answer has begun, and close the connection."""
        if self.transport.is_closing():
            return
        self.limits.refused[status] += 1
        self._set_timer(None)
        cycle = self._cycle()
        if cycle is None or cycle.response_complete or not cycle.response_started:
            if cycle is None or not cycle.response_complete or self._in_head:
                self.transport.write(_refusal(status))
            self.transport.close()
        else:
            self.transport.abort()
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()


def guarded_protocol(limits: ConnectionLimits) -> type[GuardedProtocol]:
    """The protocol with these limits, for uvicorn's configuration."""
    return type("GuardedProtocol", (GuardedProtocol,), {"limits": limits})


def abort_of(scope: Any) -> Callable[[], None] | None:
    """What drops the connection of a request, where the server offers it."""
    return cast("Callable[[], None] | None", _extensions_of(scope).get(ABORT))


def leaving_of(scope: Any) -> TellLeaving | None:
    """What takes who is to be told when the client of a request leaves, where the server offers it."""
    return cast("TellLeaving | None", _extensions_of(scope).get(LEAVING))


def _extensions_of(scope: Any) -> Mapping[str, object]:
    return cast("Mapping[str, object]", scope.get("extensions") or {})


def _refusal(status: int) -> bytes:
    code, message = _TEXTS[status]
    body = encode({"code": code, "message": message, "status": status})
    return b"".join(
        (
            STATUS_LINE[status],
            b"content-type: application/json\r\nx-content-type-options: nosniff\r\nconnection: close\r\n",
            b"content-length: %d\r\n\r\n" % len(body),
            body,
        )
    )
