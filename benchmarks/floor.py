"""The floor: a server that sends a streamed answer and does nothing else.

It reads a request to its end, throws it away and writes the same server-sent events each time, encoded
beforehand. Each event leaves by itself, in its own turn of the event loop, as in a server whose events
come one by one from a model. What another server needs on top of this is the price of what it does.

    python -m benchmarks.floor --chunks 100 --event-bytes 300 --interval-ms 0 --port 0
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
from collections.abc import Sequence
from typing import cast

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def encode_answer(chunks: int, event_bytes: int) -> list[bytes]:
    """The pieces that one answer is written in: head, one HTTP chunk for each event, end.

    Args:
        chunks: Events in the answer.
        event_bytes: Length of one event, its `data: ` and the blank line included; at least 8.
    """
    event = b"data: " + b"x" * (event_bytes - 8) + b"\n\n"
    return [HEAD, *[b"%x\r\n%b\r\n" % (len(event), event)] * chunks, END]


class FloorProtocol(asyncio.Protocol):
    """One connection: requests one after the other, each answered with the same pieces."""

    def __init__(self, pieces: Sequence[bytes], interval: float = 0.0, *, together: bool = False) -> None:
        self._pieces = [b"".join(pieces)] if together else pieces
        self._interval = interval
        self._received = b""
        self._next = 0
        self._paused = False
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head)
        if len(body) >= (int(length[1]) if length else 0):
            self._received = b""
            self._next = 0
            self._answering = True
            self._began = self._loop.time()
            self._write_next()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._answering:
            self._write_next()

    def _write_next(self) -> None:
        if self._paused or self._transport.is_closing():
            return
        self._transport.write(self._pieces[self._next])
        self._next += 1
        if self._next == len(self._pieces):
            self._answering = False
        elif self._interval and 1 < self._next < len(self._pieces) - 1:
            # Counted from the beginning, so that late timers do not add up.
            self._loop.call_at(self._began + (self._next - 1) * self._interval, self._write_next)
        else:
            self._loop.call_soon(self._write_next)


async def serve(host: str, port: int, pieces: Sequence[bytes], interval: float, together: bool) -> None:
    """Serve until the process is told to stop; the address is printed once connections are accepted."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(
        lambda: FloorProtocol(pieces, interval, together=together), host, port, backlog=4096
    )
    print(f"http://{host}:{server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--chunks", type=int, default=100, help="events in an answer (default: 100)")
    parser.add_argument("--event-bytes", type=int, default=300, help="length of an event (default: 300)")
    parser.add_argument("--interval-ms", type=float, default=0.0, help="time between two events (default: 0)")
    parser.add_argument("--together", action="store_true", help="write the whole answer in one piece")
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    pieces = encode_answer(chosen.chunks, chosen.event_bytes)
    factory = None
    if chosen.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(chosen.host, chosen.port, pieces, chosen.interval_ms / 1000, chosen.together))


if __name__ == "__main__":
    main()
