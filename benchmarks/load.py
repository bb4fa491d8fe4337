"""A client that drives a streaming server and stays out of the way of the measurement.

One protocol object per connection, a parser written in C, no task per event; it keeps times and counts, not
bodies. It needs about as much CPU per event as the floor server does: give it another core than the server's.

    python -m benchmarks.load http://127.0.0.1:8600/v1/chat-messages --streams 50 --answers 1000 \\
        --header 'Authorization: Bearer app-...' --body @request.json --expect message_end
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

import httptools

Body = bytes | Callable[[int], bytes]
TAIL = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked, where, and by how many at a time."""

    host: str
    port: int
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b"{}"
    """What is sent, or a function from the number of the request (from 0) to it."""
    streams: int = 1
    """Answers that are under way at the same time, each on a connection of its own."""
    interval: float | None = None
    """Seconds between two events at their source; when given, the delay of each event is measured."""
    expect: bytes = b""
    """What the last 4 KiB of a complete answer contain; an answer without it is an error."""
    timeout: float = 60.0
    """Seconds until an answer that is not complete counts as an error."""


@dataclass(slots=True)
class LoadReport:
    """What came back; times in seconds."""

    seconds: float = 0.0
    answers: int = 0
    """Complete answers with status 200."""
    events: int = 0
    """Events of those answers."""
    received: int = 0
    """Bytes of their bodies."""
    errors: Counter[str] = field(default_factory=Counter)
    """Kind of failure to number of answers that failed so."""
    sample: str = ""
    """The end of the first body that came with an error."""
    first_event: list[float] = field(default_factory=list)
    """From the last byte of the request to the first event, per answer."""
    whole: list[float] = field(default_factory=list)
    """From the last byte of the request to the end of the answer, per answer."""
    delays: list[float] = field(default_factory=list)
    """How much later than its time each event came, counted from the first; paced streams only."""

    @property
    def answers_per_second(self) -> float:
        return self.answers / self.seconds if self.seconds else 0.0


class AnswerError(Exception):
    """One answer did not come as it should; the message is the kind of failure."""


class _Connection(asyncio.Protocol):
    """A keep-alive connection that has one request under way at most."""

    def __init__(self, target: Target, report: LoadReport) -> None:
        self._target = target
        self.report = report
        self.usable = False
        self._answer: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.usable = True

    def ask(self, request: bytes) -> asyncio.Future[None]:
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._tail = b""
        self._half = False
        self._events = self._bytes = 0
        self._first = 0.0
        self._arrivals: list[float] = []
        self._transport.write(request)
        self._sent = self._now = time.perf_counter()
        return self._answer

    def close(self) -> None:
        self.usable = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._now = time.perf_counter()
        if self._answer is None or self._answer.done():
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"not HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._fail("connection lost")

    # What the parser calls.

    def on_body(self, body: bytes) -> None:
        count = body.count(b"\n\n") + (self._half and body.startswith(b"\n"))
        self._half = body.endswith(b"\n") and not body.endswith(b"\n\n")
        if count:
            if not self._events:
                self._first = self._now
            self._events += count
            if self._target.interval is not None:
                self._arrivals += [self._now] * count
        self._bytes += len(body)
        if len(body) >= TAIL:
            self._tail = body
        else:
            self._tail = self._tail[-TAIL:] + body

    def on_message_complete(self) -> None:
        assert self._answer is not None
        self.usable = self._parser.should_keep_alive()
        if (status := self._parser.get_status_code()) != 200:
            self._fail(f"status {status}")
        elif not self._events:
            self._fail("no event")
        elif self._target.expect not in self._tail:
            self._fail("incomplete")
        else:
            self._count()
            self._answer.set_result(None)

    def _count(self) -> None:
        report, interval = self.report, self._target.interval
        report.answers += 1
        report.events += self._events
        report.received += self._bytes
        report.first_event.append(self._first - self._sent)
        report.whole.append(self._now - self._sent)
        if interval is not None:
            report.delays += [
                arrival - self._first - number * interval for number, arrival in enumerate(self._arrivals)
            ]

    def _fail(self, kind: str) -> None:
        assert self._answer is not None
        self.report.sample = self.report.sample or self._tail[-500:].decode(errors="replace")
        self._answer.set_exception(AnswerError(kind))


class LoadClient:
    """Connections to one target, kept between runs, so that a warm-up also warms them."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._connections: list[_Connection | None] = [None] * target.streams
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            if connection is not None:
                connection.close()

    async def run(self, answers: int) -> LoadReport:
        """Ask that many times, `streams` at a time; failures count as asked."""
        report = LoadReport()
        left = iter(range(answers))
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for place in range(min(self.target.streams, answers)):
                group.create_task(self._work(place, left, report))
        report.seconds = time.perf_counter() - began
        return report

    async def _work(self, place: int, left: Iterator[int], report: LoadReport) -> None:
        for _ in left:  # all workers take from one iterator, so the quick ones ask more often
            try:
                async with asyncio.timeout(self.target.timeout):
                    await self._ask(place, report)
            except AnswerError as error:
                report.errors[str(error)] += 1
            except TimeoutError:
                report.errors["timeout"] += 1
            except OSError as error:
                report.errors[f"no connection: {error.strerror or error}"] += 1
            else:
                continue
            self._drop(place)

    async def _ask(self, place: int, report: LoadReport) -> None:
        connection = self._connections[place]
        if connection is None or not connection.usable:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self.target, report), self.target.host, self.target.port
            )
            self._connections[place] = connection
        connection.report = report
        await connection.ask(self._request())

    def _drop(self, place: int) -> None:
        connection, self._connections[place] = self._connections[place], None
        if connection is not None:
            connection.close()

    def _request(self) -> bytes:
        target = self.target
        body = target.body if isinstance(target.body, bytes) else target.body(next(self._numbers))
        headers = {
            "host": f"{target.host}:{target.port}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            **{name.lower(): value for name, value in target.headers.items()},
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {target.path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of all do not exceed; NaN without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def summary(report: LoadReport) -> dict[str, object]:
    """The report in numbers that fit a line; times in milliseconds."""
    spread = {
        name: {
            f"p{round(share * 100)}": round(percentile(values, share) * 1000, 3)
            for share in (0.5, 0.95, 0.99)
        }
        for name, values in (
            ("first_event_ms", report.first_event),
            ("whole_ms", report.whole),
            ("delay_ms", report.delays),
        )
        if values
    }
    return {
        "answers": report.answers,
        "errors": dict(report.errors),
        "seconds": round(report.seconds, 3),
        "answers_per_second": round(report.answers_per_second, 1),
        "events": report.events,
        "bytes": report.received,
        **spread,
        **({"sample": report.sample} if report.sample else {}),
    }


async def _drive(target: Target, answers: int, warmup: int) -> LoadReport:
    async with LoadClient(target) as client:
        await client.run(warmup)
        return await client.run(answers)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("url")
    parser.add_argument("--streams", type=int, default=10, help="answers at the same time (default: 10)")
    parser.add_argument("--answers", type=int, default=200, help="answers in all (default: 200)")
    parser.add_argument("--warmup", type=int, default=0, help="answers before the clock starts")
    parser.add_argument("--header", action="append", default=[], metavar="NAME: VALUE")
    parser.add_argument("--body", default="{}", help="what is sent; @FILE reads it from a file")
    parser.add_argument("--interval-ms", type=float, help="pace of the events at their source")
    parser.add_argument("--expect", default="", help="text at the end of a complete answer")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds per answer (default: 60)")
    chosen = parser.parse_args()
    address = urlsplit(chosen.url)
    text: str = chosen.body
    target = Target(
        host=address.hostname or "127.0.0.1",
        port=address.port or 80,
        path=(address.path or "/") + (f"?{address.query}" if address.query else ""),
        headers=dict(header.split(": ", 1) for header in chosen.header),
        body=Path(text[1:]).read_bytes() if text.startswith("@") else text.encode(),
        streams=chosen.streams,
        interval=None if chosen.interval_ms is None else chosen.interval_ms / 1000,
        expect=chosen.expect.encode(),
        timeout=chosen.timeout,
    )
    report = asyncio.run(_drive(target, chosen.answers, chosen.warmup))
    print(json.dumps(summary(report), indent=2))


if __name__ == "__main__":
    main()
