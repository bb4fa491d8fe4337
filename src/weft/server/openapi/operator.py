"""The operations of whoever runs the server."""

from __future__ import annotations

from typing import Final

from weft.server.openapi.operation import JSON, TEXT, Handler, Operation, Schema, get
from weft.server.operations import Operations

_WELCOME: Final[Schema] = {
    "type": "object",
    "properties": {"welcome": TEXT, "api_version": {"const": "v1"}, "server_version": TEXT},
    "required": ["welcome", "api_version", "server_version"],
}
_HEALTH: Final[Schema] = {
    "type": "object",
    "properties": {"status": {"const": "ok"}, "version": TEXT, "running": {"type": "integer"}},
    "required": ["status", "version", "running"],
}
_READY: Final[Schema] = {
    "type": "object",
    "properties": {
        "status": {"enum": ["ready", "unready"]},
        "checks": {"type": "object", "additionalProperties": TEXT},
    },
    "required": ["status", "checks"],
}


def operator_operations(operations: Operations, welcome: Handler) -> tuple[Operation, ...]:
    """Those that a server has.

    Args:
        operations: Answers them; without numbers there is no operation to read them.
        welcome: Answers at the root of the API.
    """
    paths = {route.path for route in operations.routes()}
    described = (
        get("/v1/", welcome, _WELCOME, summary="The API is here; needs no key."),
        get("/health", operations.health, _HEALTH),
        Operation(
            method="GET",
            path="/ready",
            handler=operations.ready,
            answers={200: {JSON: _READY}, 503: {JSON: _READY}},
        ),
        Operation(
            method="GET",
            path="/metrics",
            handler=operations.metrics,
            answers={200: {"text/plain": TEXT}},
            errors="unauthorized",
            security="operator",
        ),
    )
    return tuple(one for one in described if one.path == "/v1/" or one.path in paths)
