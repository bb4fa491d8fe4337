"""Schemathesis over the server's own document: what it makes up is answered as the document says.

A short round goes with the suite. ``WEFT_FUZZ=long`` asks a few hundred times of each operation.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.console_caller import log_in, make_account
from tests.contract.document import METHODS, document, problems
from tests.contract.house import open_house

pytestmark = pytest.mark.anyio

LONG = os.environ.get("WEFT_FUZZ") == "long"
EXAMPLES = 300 if LONG else 4
SECONDS = 10
"""How long one answer may take."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FALLS_BACK: Mapping[str, str] = {
    "GET /v1/apps/annotations": "page numbers that make no sense fall back to the defaults",
    "POST /v1/apps/annotation-reply/{action}": "settings are not read when it is switched off",
    "DELETE /api/conversation-logs": "keys that nobody knows, such as dry_run[a], are not read",
    "DELETE /api/conversation-logs/": "keys that nobody knows, such as dry_run[a], are not read",
    "GET /api/conversation-logs/jobs": "keys that nobody knows, such as limit[a], are not read",
    "GET /api/conversation-logs/search": "keys that nobody knows, such as limit[a], are not read",
    "POST /console/api/refresh-token": "a body without a token is like none",
    "POST /console/api/refresh": "a body without a token is like none",
    "POST /console/api/logout": "a body without a token is like none",
}
"""Operations that accept what their schema does not have, with the reason."""

OPERATIONS = [
    f"{method.upper()} {path}"
    for path, methods in document()["paths"].items()
    for method in METHODS
    if method in methods
]


def described(label: str) -> dict[str, Any]:
    """What the document says of an operation."""
    method, _, path = label.partition(" ")
    found: dict[str, Any] = document()["paths"][path][method.lower()]
    return found


LAST = ("DELETE /console/api/apps/{app_id}",)
"""What would take away what the others ask about."""


@schemathesis.deserializer("text/event-stream")
def _events(ctx: object, response: Any) -> list[Any]:
    """The payloads of a stream; pings and comments carry none."""
    lines = response.content.decode().splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [text if text == "[DONE]" else json.loads(text) for text in data]


@dataclass(frozen=True)
class Target:
    """A server with something in it."""

    url: str
    headers: Mapping[str, Mapping[str, str]]
    """By the document's tag."""
    ids: Mapping[str, Mapping[str, str]]
    """Of things that are there, by the document's tag and the parameter's name."""
    session: requests.Session


@pytest.fixture(scope="module")
async def target(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    async with open_house(tmp_path_factory.mktemp("fuzzed"), models=Actor()) as house:
        await make_account(house, "fuzz@b.c")
        token = (await log_in(house, "fuzz@b.c")).ok["data"]["access_token"]
        talked = await house.serve(apps.echo_flow(features=apps.FEATURES, variables=apps.VARIABLES))
        shown = await house.serve(apps.echo_flow(name="Shown", variables=apps.VARIABLES))
        key = {"authorization": f"Bearer {talked.key}"}
        with requests.Session() as session:
            yield Target(
                house.serving.service_api.removesuffix("/v1"),
                {
                    "service": key,
                    "openai": key,
                    "console": {"authorization": f"Bearer {token}"},
                    "archive": {"authorization": f"Bearer {house.runtime.operator_token}"},
                    "server": {},
                },
                {"service": await known(talked), "console": await known(shown)},
                session,
            )


async def known(caller: Caller) -> dict[str, str]:
    """Ids of a conversation of an app and of what belongs to it."""
    said = await caller.said("hi", user="DEFAULT-USER")
    conversation_id = said["conversation_id"]
    page = await caller.get(f"/conversations/{conversation_id}/variables")
    run = (await caller.get("/workflows/logs")).ok["data"][0]
    return {
        "app_id": caller.app_id,
        "conversation_id": conversation_id,
        "message_id": said["message_id"],
        "task_id": said["task_id"],
        "end_user_id": run["created_by_end_user"]["id"],
        "run_id": run["workflow_run"]["id"],
        "workflow_run_id": run["workflow_run"]["id"],
        "workflow_id": caller.workflow_id,
        "variable_id": page.ok["data"][0]["id"],
    }


def as_read(schema: Any) -> Any:
    """A request's schema with what is read leniently besides: the document says what should be sent."""
    match schema:
        case {"type": "boolean"}:
            words = ["true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0"]
            return {"anyOf": [schema, {"enum": [0, 1]}, {"enum": [*words, *map(str.upper, words)]}]}
        case {"type": "number"}:
            return {"anyOf": [schema, {"type": ["string", "boolean"]}]}
        case {"format": "date-time"}:
            return {name: value for name, value in schema.items() if name != "format"}
        case dict():
            read = {name: as_read(value) for name, value in schema.items()}
            user = read.get("properties", {}).get("user")
            if isinstance(user, dict):
                read["properties"]["user"] = {"anyOf": [user, {"type": ["number", "string", "null"]}]}
            return read
        case list():
            return [as_read(value) for value in schema]
        case _:
            return schema


def _loaded() -> Any:
    told = copy.deepcopy(document())
    for methods in told["paths"].values():
        for operation in methods.values():
            operation["security"] = []  # the key is always sent; that it is needed is shown below
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = as_read(parameter["schema"])
                if parameter["in"] == "query" and "archive" in operation["tags"]:
                    parameter["schema"] = {"anyOf": [parameter["schema"], {"const": ""}]}  # is like none
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["schema"] = as_read(content["schema"])
    for name in _read(told):
        told["components"]["schemas"][name] = as_read(told["components"]["schemas"][name])
    return schemathesis.openapi.from_dict(told)


def _read(told: Mapping[str, Any]) -> set[str]:
    """Components of requests."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str):
                name = reference.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    look(told["components"]["schemas"][name])
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    for methods in told["paths"].values():
        for operation in methods.values():
            look(operation.get("requestBody", {}))
    return found


SCHEMA = _loaded()


def wrong_is_refused(ctx: Any, response: Any, case: Any) -> bool | None:
    """What is outside of the schema is answered with an error; 431 is one that the original does not know."""
    return None if response.status_code == 431 else negative_data_rejection(ctx, response, case)


def fuzz(target: Target, label: str, mode: GenerationMode) -> None:
    method, _, path = label.partition(" ")
    operation = SCHEMA[path][method]
    tag = described(label)["tags"][0]
    ids = target.ids.get(tag, {})
    positive = mode is GenerationMode.POSITIVE
    checks = list(CHECKS)
    if not positive and label not in FALLS_BACK:
        checks.append(wrong_is_refused)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not LONG,
        phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def ask(case: Any, real: bool) -> None:
        if real and positive:
            for place in (case.path_parameters, case.query):
                for name in set(place or ()) & set(ids):
                    place[name] = ids[name]
        case.call_and_validate(
            base_url=target.url,
            session=target.session,
            headers=dict(target.headers[tag]),
            checks=checks,
            timeout=SECONDS,
        )

    try:
        ask()
    except Unsatisfiable:
        if positive:
            raise
        # Nothing that can be sent as text is outside of its schema.
    except BaseExceptionGroup as found:
        # Groups stand for cancelled tasks where tests run; what was found is a text.
        raise AssertionError("\n".join(str(one) for one in found.exceptions)) from None


ENDLESS = ("GET /api/conversation-logs/tail",)
"""Streams that only their reader ends."""
FUZZED = [label for label in OPERATIONS if label not in ENDLESS]


@pytest.mark.parametrize("label", sorted(FUZZED, key=lambda label: (label in LAST, label)))
async def test_an_operation_answers_as_the_document_says(target: Target, label: str) -> None:
    await asyncio.to_thread(fuzz, target, label, GenerationMode.POSITIVE)
    if takes_something(label):
        await asyncio.to_thread(fuzz, target, label, GenerationMode.NEGATIVE)


def takes_something(label: str) -> bool:
    """Whether there is anything that could be wrong."""
    operation = described(label)
    return bool(operation.get("parameters") or operation.get("requestBody"))


@pytest.mark.parametrize("label", [label for label in OPERATIONS if described(label)["security"]])
async def test_no_operation_answers_without_its_key(target: Target, label: str) -> None:
    method, _, path = label.partition(" ")
    url = target.url + path.format_map(Anything())
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic d3Jvbmc6d3Jvbmc="}):

        def ask(headers: dict[str, str] = headers) -> requests.Response:
            return target.session.request(method, url, headers=headers, timeout=SECONDS)

        answer = await asyncio.to_thread(ask)
        assert problems(method, path, answer.status_code, answer.headers, answer.content) == []
        assert answer.status_code == 401


class Anything(dict[str, str]):
    """An id for any part of a path."""

    def __missing__(self, name: str) -> str:
        return "00000000-0000-4000-8000-000000000000"


ANOTHER_READS: Mapping[str, str] = {
    "/console/api/apps/imports": "/console/api/apps/{app_id}",
    "/console/api/apps/{app_id}/workflows/draft": "/console/api/apps/{app_id}/workflows/{workflow_id}",
    "/console/api/apps/{app_id}/workflows/publish": "/console/api/apps/{app_id}/workflows/{workflow_id}",
}
"""Paths whose last word another path takes for an id, so that its methods are there too."""


@pytest.mark.parametrize("path", sorted(document()["paths"]))
async def test_a_method_that_a_path_does_not_have_is_refused(target: Target, path: str) -> None:
    url = target.url + path.format_map(Anything())
    known = {method.upper() for method in document()["paths"][path]}
    also = {method.upper() for method in document()["paths"].get(ANOTHER_READS.get(path, ""), ())}
    for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"} - known - also):

        def ask(method: str = method) -> requests.Response:
            return target.session.request(method, url, timeout=SECONDS)

        answer = await asyncio.to_thread(ask)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), method
        assert {one.strip() for one in answer.headers["allow"].split(",")} - {"HEAD"} == known or also
