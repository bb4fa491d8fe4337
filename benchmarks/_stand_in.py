"""A server that answers every message from memory, blocking or streaming, in the contract's own shapes.

Clients are measured against it: it costs the same whoever asks, and says what they parse.

    python -m benchmarks._stand_in --chunks 100
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
from typing import cast

from weft import wire

CONVERSATION, MESSAGE, TASK, RUN = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 5))
COMMON: dict[str, object] = {
    "conversation_id": CONVERSATION,
    "message_id": MESSAGE,
    "created_at": 1_700_000_000,
    "task_id": TASK,
}
WORD = "lorem ipsum "
METADATA: dict[str, object] = {
    "annotation_reply": None,
    "retriever_resources": [],
    "usage": wire.Usage().to_dict(),
}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def _json(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def blocking_answer() -> bytes:
    """A whole answer of some 600 bytes."""
    body = _json(
        {
            "event": "message",
            **COMMON,
            "id": MESSAGE,
            "mode": "advanced-chat",
            "answer": WORD * 10,
            "metadata": {
                "annotation_reply": None,
                "retriever_resources": [],
                "usage": wire.Usage().to_dict(),
            },
        }
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


def streamed_answer(chunks: int) -> list[bytes]:
    """The pieces of a streamed answer: each event leaves by itself."""
    run = {"id": RUN, "workflow_id": RUN, "created_at": 1_700_000_000}
    events: list[dict[str, object]] = [
        {"event": "workflow_started", **COMMON, "workflow_run_id": RUN, "data": {**run, "inputs": {}}},
        *(
            {"event": "message", **COMMON, "id": MESSAGE, "answer": WORD, "from_variable_selector": None}
            for _ in range(chunks)
        ),
        {
            "event": "message_end",
            **COMMON,
            "id": MESSAGE,
            "metadata": {
                "annotation_reply": None,
                "retriever_resources": [],
                "usage": wire.Usage().to_dict(),
            },
            "files": None,
        },
        {
            "event": "workflow_finished",
            **COMMON,
            "workflow_run_id": RUN,
            "data": {**run, "status": "succeeded", "outputs": {"answer": ""}, "elapsed_time": 0.1},
        },
    ]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    frames = (wire.encode_frame(_json(event)) for event in events)
    return [head, *(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames), b"0\r\n\r\n"]


class StandIn(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, blocking: bytes, streamed: list[bytes]) -> None:
        self._blocking = blocking
        self._streamed = streamed
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        if b'"streaming"' in body:
            for piece in self._streamed:
                self._transport.write(piece)
        else:
            self._transport.write(self._blocking)


async def serve(chunks: int) -> None:
    """Answer until the process is asked to end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    blocking, streamed = blocking_answer(), streamed_answer(chunks)
    server = await loop.create_server(lambda: StandIn(blocking, streamed), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks._stand_in", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--chunks", type=int, default=100, help="message events in an answer (default: 100)")
    asyncio.run(serve(parser.parse_args().chunks))


if __name__ == "__main__":
    main()
