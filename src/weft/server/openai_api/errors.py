"""Errors in the form that OpenAI's clients understand.

Source: OpenAI API reference, error codes; official client libraries, error classes by status.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from weft.errors import InvalidRequestError, UnauthorizedError
from weft.server.errors import describe
from weft.server.json_text import encode

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]

_TYPES = {403: "permission_error", 429: "rate_limit_error", 503: "server_error"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def error_body(status: int, code: str | None, message: str, *, param: str | None = None) -> dict[str, object]:
    """The object under ``error``.

    Args:
        status: Of HTTP, from which the type follows.
        code: Ours; a status that clients know by a code of OpenAI's has that one.
        message: What is wrong.
        param: The field that is wrong.
    """
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": _CODES.get(status, code)}}


def openai_errors(endpoint: Endpoint) -> Endpoint:
    """A route whose errors have this form."""

    @functools.wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # the border of a request
            status, code, message = describe(error)
            if status == 500:
                log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            param = next(iter(error.fields), None) if isinstance(error, InvalidRequestError) else None
            headers = {}
            if isinstance(error, UnauthorizedError):
                headers["WWW-Authenticate"] = 'Bearer realm="api"'
            retry_after = getattr(error, "retry_after", None)
            if status == 429 and retry_after:
                headers["Retry-After"] = str(max(1, round(retry_after)))
            body = encode(error_body(status, code, message, param=param))
            return Response(body, status, headers, media_type="application/json")

    return answer
