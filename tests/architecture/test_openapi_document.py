"""The server's own OpenAPI document has every route of the server, and all that the published one has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Route

from tests.contract.house import VERSION, open_house
from weft.server.door import told_routes
from weft.server.openapi import Description

Json = dict[str, Any]

CONTRACT: Json = json.loads((Path(__file__).parent.parent / "wire/chatflow_api.json").read_text("utf-8"))
OURS: Json = Description("1.2.3", ()).document()

DIVERGENCES: dict[str, set[str]] = {
    "switching off needs no settings": {
        "POST /apps/annotation-reply/{action}: the body is optional",
    },
    "the original demands a JSON body although its document does not": {
        "DELETE /conversations/{conversation_id}: the body is required",
    },
}
"""Differences from the published document that are meant, by the reason for them."""


def operations(document: Json) -> set[tuple[str, str]]:
    """Methods and paths."""
    return {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}


@pytest.mark.anyio
async def test_every_route_of_a_server_is_in_its_document_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routed: set[tuple[str, str]] = set()

    def noted(routes: Iterable[Route]) -> list[BaseRoute]:
        kept = list(routes)
        for route in kept:
            path = re.sub(r":\w+\}", "}", route.path)
            routed.update((method, path) for method in (route.methods or set()) - {"HEAD"})
        return told_routes(kept)

    monkeypatch.setattr("weft.server.app.told_routes", noted)
    async with open_house(tmp_path, server={"metrics": True}) as house:
        url = house.serving.service_api.removesuffix("/v1")
        async with house.session.get(f"{url}/openapi.json") as response:
            assert (response.status, response.content_type) == (200, "application/json")
            told = await response.json()
    assert (told["openapi"], told["info"]["version"]) == ("3.1.0", VERSION)
    assert operations(told) - routed == set()
    assert routed - operations(told) == set()


def test_operations_have_ids_of_their_own_and_say_what_they_do() -> None:
    all_of_them = [one for methods in OURS["paths"].values() for one in methods.values()]
    ids = [one["operationId"] for one in all_of_them]
    assert sorted(ids) == sorted(set(ids))
    assert [one["operationId"] for one in all_of_them if not one["summary"].endswith(".")] == []


def test_everything_that_is_referred_to_is_there_and_used() -> None:
    known = {f"#/components/schemas/{name}" for name in OURS["components"]["schemas"]}
    assert set(references(OURS)) == known


def references(value: Any) -> Iterator[str]:
    """All references in a document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for name, item in value.items():
            yield from references(item) if name != "mapping" else ()
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_the_published_document_is_in_ours_except_as_recorded() -> None:
    found = {line for label, facts in CONTRACT["operations"].items() for line in _missing(label, facts)}
    assert found == set().union(*DIVERGENCES.values())


def _missing(label: str, facts: Json) -> Iterator[str]:
    method, _, path = label.partition(" ")
    ours = OURS["paths"].get(f"/v1{path}", {}).get(method.lower())
    if ours is None:
        yield f"{label}: missing"
        return
    parameters = {one["name"]: one for one in ours.get("parameters", ())}
    for name, fact in facts["parameters"].items():
        own = parameters.get(name)
        if own is None:
            yield f"{label}: no parameter {name}"
            continue
        known = ("type", "default", "minimum", "maximum", "minLength", "maxLength", "enum")
        for key in ("in", "required", *(key for key in known if key in fact)):
            shown = own if key in ("in", "required") else own["schema"]
            if shown.get(key) != fact[key]:
                yield f"{label}: {name} has {key} {shown.get(key)!r}, not {fact[key]!r}"
    yield from _missing_answers(label, facts, ours)
    media = facts.get("request", {})
    body = ours.get("requestBody", {"content": {}, "required": False})
    for kind in set(media) - set(body["content"]):
        yield f"{label}: no body of {kind}"
    required = facts.get("request_required", bool(media) and method != "DELETE")
    if media and body["required"] != required:
        yield f"{label}: the body is {'required' if body['required'] else 'optional'}"


def _missing_answers(label: str, facts: Json, ours: Json) -> Iterator[str]:
    answers = ours["responses"]
    for status, content in facts["success"].items():
        if status not in answers:
            yield f"{label}: no answer {status}"
            continue
        for kind in set(content) - set(answers[status].get("content", {})):
            yield f"{label}: no {kind} with {status}"
    for status, code in facts["errors"]:
        if code not in _codes(answers.get(str(status), {})):
            yield f"{label}: no {code} with {status}"


def _codes(answer: Json) -> list[str]:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    found: list[str] = schema.get("properties", {}).get("code", {}).get("enum", [])
    return found
