"""What the server's own OpenAPI document says about an answer, and whether the answer is like that."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from weft.server.openapi import Description

METHODS = ("get", "post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    """The document of a server with everything switched off that can be."""
    return Description("1.2.3", ()).document()


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Paths as patterns, fixed parts before names, as routes are looked up."""
    paths = sorted(document()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of a method of a path; nothing if there is no such thing."""
    if "%2F" in path.upper():
        return None  # it is read as another path
    for pattern, template in _templates():
        if pattern.fullmatch(path):
            found: dict[str, Any] | None = document()["paths"][template].get(method.lower())
            return found
    return None


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    whole = {**json.loads(schema), "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole)


def problems_of(value: object, schema: Mapping[str, Any]) -> list[str]:
    """Where a value is not as a schema of the document says."""
    found = _validator(json.dumps(schema)).iter_errors(value)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message[:200]}" for error in found]


def problems(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Where an answer is not as the document says; a path that is not in it may answer anything."""
    operation = operation_of(method, path.partition("?")[0])
    if operation is None:
        return []
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [f"{method} {path}: {status} is not documented: {body[:200]!r}"]
    content = answer.get("content")
    if content is None:
        return [] if not body else [f"{method} {path}: {status} has a body: {body[:200]!r}"]
    kind = headers.get("content-type", "").partition(";")[0].strip()
    for media in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if media in content:
            break
    else:
        return [f"{method} {path}: {status} is {kind!r}, not one of {sorted(content)}"]
    if media != "application/json":
        return []
    found = problems_of(json.loads(body), content[media]["schema"])
    return [f"{method} {path}: {status} {problem}" for problem in found]


def event_problems(event: Mapping[str, Any]) -> list[str]:
    """Where an event is not as the document says."""
    schema = document()["components"]["schemas"]
    name = next((name for name, kind in schema.items() if _event_of(kind) == event.get("event")), None)
    if name is None:
        return [f"{event.get('event')}: not documented"]
    found = problems_of(event, {"$ref": f"#/components/schemas/{name}"})
    return [f"event {event['event']} {problem}" for problem in found]


def _event_of(schema: Mapping[str, Any]) -> str | None:
    fact = schema.get("properties", {}).get("event", {})
    found: str | None = fact.get("const")
    return found
