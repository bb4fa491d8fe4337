"""What routes answer with."""

from __future__ import annotations

from starlette.responses import Response

from weft.server.json_text import encode
from weft.wire import WireModel


def json_reply(body: object, status: int = 200) -> Response:
    """A JSON body, UTF-8, not ASCII-escaped."""
    data = body.to_json() if isinstance(body, WireModel) else encode(body)
    return Response(data, status, media_type="application/json")


def no_content() -> Response:
    """Done, nothing to say; the content type is there because clients have seen it there."""
    return Response(status_code=204, media_type="application/json")


SUCCESS = {"result": "success"}
