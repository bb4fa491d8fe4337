"""The OpenAPI document of a server, put together from the tables of operations and the models of the wire."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from weft.server import signed_files
from weft.server.openapi import archive, console, openai, service
from weft.server.openapi.operation import (
    BINARY,
    BYTES,
    JSON,
    STATUS_OF,
    TEXT,
    Content,
    Operation,
    Schema,
    Security,
)
from weft.server.openapi.schema import Key, Mode, schemas_of
from weft.wire import WireModel

_UUID: Final[Schema] = {"type": "string", "format": "uuid"}
_PART = re.compile(r"\{(\w+)(?::\w+)?\}")
_SECURITY: Final[Mapping[Security, list[dict[str, list[str]]]]] = {
    "app_key": [{"appKey": []}],
    "console": [{"consoleToken": []}, {"consoleCookie": [], "consoleCsrf": []}],
    "operator": [{"operatorToken": []}],
    "none": [],
}
_SCHEMES: Final = {
    "appKey": {"type": "http", "scheme": "bearer", "description": "The key of an app: app-..."},
    "consoleToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The access token of a login, or the operator's token: weft-...",
    },
    "consoleCookie": {"type": "apiKey", "in": "cookie", "name": "access_token"},
    "consoleCsrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
    "operatorToken": {"type": "http", "scheme": "bearer", "description": "The token for the metrics."},
}
_SIGNATURE: Final[Mapping[str, Schema]] = {
    "timestamp": TEXT,
    "nonce": TEXT,
    "sign": TEXT,
    "as_attachment": {"type": "boolean"},
}
_SIGNED: Final = tuple(
    Operation(
        method="GET",
        path=route.path,
        handler=route.endpoint,
        more_query=_SIGNATURE,
        answers={200: {"*/*": BINARY, BYTES: BINARY}, 206: {"*/*": BINARY}},
        errors="invalid_param not_found range_not_satisfiable",
    )
    for route in signed_files.ROUTES
)


@dataclass(frozen=True, slots=True)
class Api:
    """One of the APIs that a server speaks."""

    name: str
    prefix: str
    about: str
    security: Security
    operations: tuple[Operation, ...]
    common: str
    """Errors of all its operations that are not open to everybody."""
    error: Schema | None = None
    """The body of its errors, if it has one of its own."""


def apis(others: Iterable[Operation]) -> tuple[Api, ...]:
    """All of them.

    Args:
        others: Operations outside of the APIs.
    """
    return (
        Api(
            "service",
            "/v1",
            "The Chatflow App API, called with the key of an app",
            "app_key",
            service.OPERATIONS,
            service.COMMON,
        ),
        Api(
            "openai",
            "/v1",
            "The same apps for clients of OpenAI's models",
            "app_key",
            openai.OPERATIONS,
            openai.COMMON,
            openai.ERROR,
        ),
        Api(
            "console",
            "/console/api",
            "Apps, logs and numbers, called with a login",
            "console",
            console.OPERATIONS,
            console.COMMON,
        ),
        Api(
            "archive",
            "/api/conversation-logs",
            "The archive of conversations, called with the operator's token or an administrator's login",
            "console",
            archive.OPERATIONS,
            archive.COMMON,
        ),
        Api(
            "server",
            "",
            "Signed files, and what whoever runs the server asks",
            "none",
            (*_SIGNED, *others),
            "",
        ),
    )


def build(version: str, others: Iterable[Operation]) -> dict[str, Any]:
    """The document as JSON values.

    Args:
        version: This program's own.
        others: Operations outside of the APIs.
    """
    known = apis(others)
    schemas, components = schemas_of(dict(_types(known)))
    paths: dict[str, dict[str, object]] = {}
    for api in known:
        for operation in api.operations:
            path = api.prefix + _PART.sub(r"{\1}", operation.path)
            described = _described(api, operation, schemas)
            paths.setdefault(path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Weft",
            "version": version,
            "description": "Runs Dify-compatible chatflows and keeps every conversation.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": api.name, "description": api.about} for api in known],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


def _types(known: Iterable[Api]) -> Iterator[tuple[Key, object]]:
    """Everything that needs a schema, each with a key that it is found by again."""
    for api in known:
        for operation in api.operations:
            for content, mode in (
                (operation.body, "validation"),
                *((answer, "serialization") for answer in operation.answers.values()),
            ):
                for kind in content.values():
                    if not isinstance(kind, dict):
                        yield (_key(kind), cast(Mode, mode)), kind


def _key(kind: object) -> Hashable:
    return kind if isinstance(kind, type) else repr(kind)


def _described(api: Api, operation: Operation, schemas: Mapping[Key, Schema]) -> dict[str, object]:
    security = operation.security or api.security
    described: dict[str, object] = {
        "tags": [api.name],
        "summary": operation.words,
        "operationId": _operation_id(api, operation),
        "security": _SECURITY[security],
    }
    parameters = [*_path_parameters(operation), *_query_parameters(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": _content(operation.body, "validation", schemas),
        }
    described["responses"] = {
        str(status): answer for status, answer in sorted(_answers(api, operation, security, schemas).items())
    }
    return described


def _operation_id(api: Api, operation: Operation) -> str:
    handler = operation.handler
    module = handler.__module__.rpartition(".")[2]
    name = getattr(handler, "__name__", "").strip("_")
    if module in ("statistics", "login"):
        name = re.sub(r"\W+", "_", operation.path.rpartition("{app_id}/")[2].strip("/"))
    return "_".join(dict.fromkeys((api.name, module, name, *_told_apart(operation))))


def _told_apart(operation: Operation) -> tuple[str, ...]:
    """What tells operations apart that one handler serves."""
    if operation.path == "/":
        return ("slash",)
    return ("post",) if (operation.method, operation.path) == ("POST", "/workspaces/current") else ()


def _path_parameters(operation: Operation) -> Iterator[dict[str, object]]:
    for name in _PART.findall(operation.path):
        schema = operation.path_schemas.get(name, _UUID)
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: Operation) -> Iterator[dict[str, object]]:
    if operation.query is not None:
        model: type[WireModel] = operation.query
        schema = model.model_json_schema()
        required = schema.get("required", [])
        for name, fact in schema["properties"].items():
            shown = {key: value for key, value in _without_null(fact).items() if key != "title"}
            yield {"name": name, "in": "query", "required": name in required, "schema": shown}
    for name, fact in operation.more_query.items():
        yield {"name": name, "in": "query", "required": False, "schema": fact}


def _without_null(fact: Schema) -> Schema:
    """A query string has no null: what may be null may be left out."""
    parts = [part for part in cast("list[Schema]", fact.get("anyOf", [])) if part != {"type": "null"}]
    if len(parts) == 1:
        fact = {**{key: value for key, value in fact.items() if key != "anyOf"}, **parts[0]}
    return {key: value for key, value in fact.items() if (key, value) != ("default", None)}


def _content(content: Content, mode: Mode, schemas: Mapping[Key, Schema]) -> dict[str, object]:
    return {
        media: {"schema": kind if isinstance(kind, dict) else schemas[_key(kind), mode]}
        for media, kind in content.items()
    }


def _answers(
    api: Api, operation: Operation, security: Security, schemas: Mapping[Key, Schema]
) -> dict[int, dict[str, Any]]:
    answers: dict[int, dict[str, Any]] = {}
    for status, content in operation.answers.items():
        answers[status] = {"description": "Done." if content else "Done, nothing to say."}
        if content:
            answers[status]["content"] = _content(content, "serialization", schemas)
    for status, codes in _errors(api, operation, security).items():
        error = api.error or _error_body(status, codes)
        if api.error is not None and status == 404:
            # What no route of that API reads is refused like any unknown path.
            error = {"anyOf": [api.error, _error_body(404, {"not_found"})]}
        known = answers.get(status)
        if known is not None:
            error = {"anyOf": [known["content"][JSON]["schema"], error]}
        text = f"Refused: {', '.join(sorted(codes))}."
        answers[status] = {"description": text, "content": {JSON: {"schema": error}}}
        if status == 401:
            answers[status]["headers"] = {"WWW-Authenticate": {"schema": TEXT}}
        if status in (429, 503):
            answers[status]["headers"] = {"Retry-After": {"schema": TEXT}}
    return answers


def _errors(api: Api, operation: Operation, security: Security) -> dict[int, set[str]]:
    codes = set(operation.errors.split()) | {"internal_server_error"}
    if security != "none":
        codes |= set(api.common.split())
    if operation.query is not None:
        codes.add("invalid_param")
    names = set(_PART.findall(operation.path)) - set(operation.path_schemas)
    if names - {"app_id"}:
        codes.add("not_found")
    found: dict[int, set[str]] = {}
    for code in codes:
        found.setdefault(STATUS_OF[code], set()).add(code)
    return found


def _error_body(status: int, codes: set[str]) -> Schema:
    return {
        "type": "object",
        "properties": {
            "code": {"type": "string", "enum": sorted(codes)},
            "message": TEXT,
            "status": {"type": "integer", "const": status},
        },
        "required": ["code", "message", "status"],
        "additionalProperties": False,
    }
