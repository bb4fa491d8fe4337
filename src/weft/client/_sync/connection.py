# Written by scripts/unasync.py from ../_async/connection.py; change that file instead.
"""The only module that touches the HTTP library: sends requests, opens streams, translates failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import httpx2

from weft.client._call import ApiKey, Call
from weft.client._core import Reply
from weft.client._retry import Timeouts, retry_after
from weft.errors import TransportError
from weft.version import __version__

pause = time.sleep


class Connection:
    """Connections to one server, kept open between requests."""

    def __init__(
        self,
        base: str,
        key: ApiKey,
        *,
        timeouts: Timeouts,
        transport: httpx2.BaseTransport | None,
        now: Callable[[], datetime],
    ) -> None:
        self._base = base
        self._key = key
        self._timeouts = timeouts
        self._now = now
        self._http = httpx2.Client(
            headers={"Authorization": key.header(), "User-Agent": f"weft/{__version__}"},
            transport=transport,
        )

    def send(self, call: Call[object]) -> Reply:
        """Send a request and read its whole answer.

        Raises:
            TransportError: There was none.
        """
        answer = self.open(call)
        try:
            return answer.read_all()
        finally:
            answer.close()

    def open(self, call: Call[object], *, accept: str = "application/json") -> Answer:
        """Send a request and wait for the head of its answer; the caller closes it.

        Raises:
            TransportError: There was none.
        """
        headers = {"Accept": accept}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        request = self._http.build_request(
            call.method,
            self._base + call.path,
            params=call.query or None,
            content=call.body,
            headers=headers,
            timeout=self._timeout(call),
        )
        try:
            response = self._http.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise _failure(call, error) from error
        return Answer(call, response, self._key, self._now)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _timeout(self, call: Call[object]) -> httpx2.Timeout:
        waits = self._timeouts
        read = waits.run if call.waits_for_run else waits.read
        return httpx2.Timeout(connect=waits.connect, read=read, write=waits.write, pool=waits.pool)


class Answer:
    """An answer whose body is still to be read."""

    def __init__(
        self, call: Call[object], response: httpx2.Response, key: ApiKey, now: Callable[[], datetime]
    ) -> None:
        self.status = response.status_code
        self.headers = dict(response.headers)
        self._call = call
        self._response = response
        self._key = key
        self._now = now
        self._chunks = response.iter_bytes()

    def read_all(self) -> Reply:
        """The whole answer; the key is masked in errors, should the server have echoed it.

        Raises:
            TransportError: The connection failed on the way.
        """
        try:
            body = self._response.read()
        except httpx2.HTTPError as error:
            raise _failure(self._call, error) from error
        if self.status >= 300:
            body = self._key.hide_in(body)
        wait = retry_after(self.headers.get("retry-after"), self._now())
        return Reply(self.status, self.headers, body, wait)

    def chunk(self) -> bytes | None:
        """The next piece of the body, or ``None`` at its end.

        Raises:
            TransportError: The connection failed on the way.
        """
        try:
            return next(self._chunks, None)
        except httpx2.HTTPError as error:
            raise _failure(self._call, error) from error

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._response.close()


def _failure(call: Call[object], error: httpx2.HTTPError) -> TransportError:
    return TransportError(f"{call}: no answer: {type(error).__name__}: {error}".rstrip(": "))
