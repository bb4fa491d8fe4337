"""From an error to what the caller is told: one table, looked up along the class hierarchy."""

from __future__ import annotations

import logging
from math import ceil

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from weft.errors import (
    ConflictError,
    CredentialsError,
    ForbiddenError,
    GraphError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
    QuotaExceededError,
    RateLimitedError,
    RunError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedModelError,
    VariableError,
    WeftError,
)
from weft.server.json_text import encode
from weft.server.request_id import TEMPLATE

log = logging.getLogger(__name__)

_TABLE: dict[type[BaseException], tuple[int, str]] = {
    InvalidRequestError: (400, "invalid_param"),
    UnauthorizedError: (401, "unauthorized"),
    ForbiddenError: (403, "forbidden"),
    NotFoundError: (404, "not_found"),
    ConflictError: (409, "conflict"),
    TooManyRequestsError: (429, "too_many_requests"),
    UnavailableError: (503, "service_unavailable"),
    CredentialsError: (400, "provider_not_initialize"),
    QuotaExceededError: (400, "provider_quota_exceeded"),
    UnsupportedModelError: (400, "model_currently_not_support"),
    RateLimitedError: (429, "rate_limit_error"),
    ProviderError: (400, "completion_request_error"),
    RunError: (400, "invalid_param"),
    GraphError: (400, "invalid_param"),
    VariableError: (400, "invalid_param"),
}
INTERNAL = (500, "internal_server_error", "Internal server error.")

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_entity_too_large",
    415: "unsupported_media_type",
}
_TEXTS = {
    404: "The requested URL was not found on the server.",
    405: "The method is not allowed for the requested URL.",
}


class ApiError(WeftError):
    """An error that the contract gives a code of its own, different from its class's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


def error_response(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """The body that every error has: code, message and the status again."""
    body = encode({"code": code, "message": message, "status": status})
    return Response(body, status, headers, media_type="application/json")


def describe(error: Exception) -> tuple[int, str, str]:
    """Status, code and message for an error; what is not the caller's business stays in the log."""
    if isinstance(error, ApiError):
        return error.status, error.code, str(error)
    for kind in type(error).__mro__:
        found = _TABLE.get(kind)
        if found is not None:
            return *found, str(error)
    return INTERNAL


async def answer_error(request: Request, error: Exception) -> Response:
    """The response to whatever a route raised."""
    if isinstance(error, HTTPException):
        status = error.status_code
        text = _TEXTS.get(status, error.detail)
        return error_response(status, _CODES.get(status, "bad_request"), text, dict(error.headers or {}))
    status, code, message = describe(error)
    headers: dict[str, str] = {}
    if status == 500:
        log.error("%s %s failed", request.method, request.scope.get(TEMPLATE, "none"), exc_info=error)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="api"'
    retry_after = getattr(error, "retry_after", None)
    if status == 429 and retry_after:
        headers["Retry-After"] = str(max(1, ceil(retry_after)))
    if status == 503:
        headers["Retry-After"] = "1"
    return error_response(status, code, message, headers)
