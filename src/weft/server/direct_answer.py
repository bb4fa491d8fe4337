"""How an answer is told that an annotation gave: like any other, but with nothing of a run.

Source: Dify service API, order of the event stream. That it came from an annotation is not told.
"""

from __future__ import annotations

from starlette.responses import Response

from weft.runs import DirectAnswer
from weft.server.json_text import encode
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.wire import encode_frame

_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def stream_direct(answer: DirectAnswer) -> Response:
    """The whole text as one piece, and the end."""
    message = answer.message
    common = {
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "created_at": seconds(message.created_at),
        "task_id": answer.task_id,
        "id": message.id,
    }
    events = (
        {"event": "message", **common, "answer": message.answer, "from_variable_selector": None},
        {"event": "message_end", **common, "metadata": _metadata(answer), "files": []},
    )
    body = b"".join(encode_frame(encode(event)) for event in events)
    return Response(body, 200, _HEADERS, media_type="text/event-stream")


def whole_direct(answer: DirectAnswer, mode: str) -> Response:
    """The blocking form."""
    message = answer.message
    return json_reply(
        {
            "event": "message",
            "task_id": answer.task_id,
            "id": message.id,
            "message_id": message.id,
            "conversation_id": message.conversation_id,
            "mode": mode,
            "answer": message.answer,
            "metadata": _metadata(answer),
            "created_at": seconds(message.created_at),
        }
    )


def _metadata(answer: DirectAnswer) -> dict[str, object]:
    metadata = answer.message.metadata or {}
    return {name: value for name, value in metadata.items() if name != "annotation_reply"}
