"""A console that answers from memory after a while, as a server far away does.

python -m benchmarks._console_stand_in --conversations 2000 --delay 0.02
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
from typing import cast

APP = "11111111-1111-4111-8111-111111111111"
TURNS = 3
_BEGIN = 1_700_000_000
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_TARGET = re.compile(rb"(GET|POST) ([^ ]+) HTTP")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PARAMETER = re.compile(r"[?&](page|conversation_id)=([^&]+)")


def _id(number: int) -> str:
    return f"22222222-2222-4222-8222-{number:012d}"


def _row(number: int) -> dict[str, object]:
    return {
        "id": _id(number),
        "status": "normal",
        "from_source": "api",
        "from_end_user_id": "u",
        "from_end_user_session_id": "ann",
        "from_account_id": None,
        "from_account_name": None,
        "name": f"Chat {number}",
        "summary": "What is it?",
        "read_at": None,
        "created_at": _BEGIN + number,
        "updated_at": _BEGIN + number,
        "annotated": False,
        "model_config": {"model": None, "pre_prompt": None},
        "message_count": TURNS,
        "user_feedback_stats": {"like": 0, "dislike": 0},
        "admin_feedback_stats": {"like": 0, "dislike": 0},
        "status_count": {"success": TURNS, "failed": 0, "partial_success": 0},
    }


def _message(id: str, turn: int) -> dict[str, object]:
    return {
        "id": f"{turn:08d}{id[8:]}",
        "conversation_id": id,
        "inputs": {},
        "query": "What is it that you want to know about this order? " * 2,
        "message": "",
        "message_tokens": 30,
        "answer": "It is on its way and will be with you tomorrow. " * 12,
        "answer_tokens": 130,
        "provider_response_latency": 0.8,
        "from_source": "api",
        "from_end_user_id": "u",
        "from_account_id": None,
        "feedbacks": [],
        "workflow_run_id": None,
        "annotation": None,
        "annotation_hit_history": None,
        "created_at": _BEGIN + turn,
        "agent_thoughts": [],
        "message_files": [],
        "metadata": {"usage": {"total_tokens": 160}},
        "status": "normal",
        "error": None,
        "parent_message_id": None,
    }


class Console:
    """What the console knows."""

    def __init__(self, conversations: int) -> None:
        self.conversations = conversations

    def answer(self, target: str) -> object:
        """The body for a path with its query."""
        path, _, _ = target.partition("?")
        query = dict(_PARAMETER.findall(target))
        if path.endswith("/login"):
            return {"result": "success", "data": {"access_token": "t", "refresh_token": "r"}}
        if path.endswith("/account/profile"):
            return {"id": "a", "name": "A", "email": "a@b.c", "timezone": "UTC"}
        if path.endswith("/chat-messages"):
            data = [_message(query["conversation_id"], turn) for turn in range(TURNS)]
            return {"limit": 100, "has_more": False, "data": data}
        if path.endswith("/chat-conversations"):
            first = (int(query["page"]) - 1) * 100
            numbers = range(first, min(first + 100, self.conversations))
            rows = [_row(self.conversations - number) for number in numbers]
            more = first + 100 < self.conversations
            return {"page": 1, "limit": 100, "total": self.conversations, "has_more": more, "data": rows}
        return {"id": APP, "name": "App", "mode": "advanced-chat"}


class StandIn(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, console: Console, delay: float) -> None:
        self._console = console
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        target = _TARGET.match(head)
        self._received = b""
        assert target is not None
        body = json.dumps(self._console.answer(target[2].decode())).encode()
        answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(
            body
        )
        asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer + body)


async def serve(console: Console, delay: float) -> None:
    """Answer until the process is asked to end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: StandIn(console, delay), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks._console_stand_in", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--conversations", type=int, default=2000, help="in its only app (default: 2000)")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds to each answer (default: 0.02)")
    chosen = parser.parse_args()
    asyncio.run(serve(Console(chosen.conversations), chosen.delay))


if __name__ == "__main__":
    main()
