"""Bodies and the user in them, in the order in which they are checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.house import open_house

pytestmark = pytest.mark.anyio

NO_JSON = (400, "bad_request", "Invalid JSON payload received or JSON payload is empty.")
NO_USER = (400, "invalid_param", "Arg user must be provided.")


def headers(caller: Caller, content_type: str) -> dict[str, str]:
    return {"authorization": f"Bearer {caller.key}", "content-type": content_type}


@pytest.mark.requirement("api-16")
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_of_another_content_type_is_refused(flow: Caller, content_type: str) -> None:
    reply = await flow.call("POST", "/chat-messages", data=b"{}", headers=headers(flow, content_type))
    assert reply.error == (
        415,
        "unsupported_media_type",
        "Did not attempt to load JSON data because the request Content-Type was not 'application/json'.",
    )


async def test_a_charset_beside_the_content_type_is_fine(flow: Caller, user: str) -> None:
    body = f'{{"inputs":{{}},"query":"hi","user":"{user}","auto_generate_name":false}}'.encode()
    sent = headers(flow, "application/json; charset=utf-8")
    reply = await flow.call("POST", "/chat-messages", data=body, headers=sent)
    assert reply.ok["answer"] == "You said: hi"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"query":', marks=pytest.mark.requirement("api-17"), id="cut off"),
        pytest.param(b"", marks=pytest.mark.requirement("api-18"), id="empty"),
        pytest.param(b"[]", marks=pytest.mark.requirement("api-19"), id="a list"),
        pytest.param(b'"text"', marks=pytest.mark.requirement("api-19"), id="a text"),
        pytest.param(b"null", marks=pytest.mark.requirement("api-19"), id="null"),
        pytest.param(b"\xff\xfe", marks=pytest.mark.requirement("api-17"), id="not UTF-8"),
        pytest.param(b"[" * 100_000, marks=pytest.mark.requirement("api-17"), id="deep"),
        pytest.param(b'{"a":NaN}', marks=pytest.mark.requirement("api-17"), id="NaN"),
    ],
)
async def test_a_body_that_is_no_json_object_is_a_bad_request(flow: Caller, body: bytes) -> None:
    sent = headers(flow, "application/json")
    reply = await flow.call("POST", "/chat-messages", data=body, headers=sent)
    assert reply.error == NO_JSON


@pytest.mark.requirement("api-20", "api-22")
@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": None}, {"inputs": 5, "query": 5}])
async def test_a_missing_user_is_told_first(flow: Caller, body: dict[str, object]) -> None:
    assert (await flow.post("/chat-messages", body)).error == NO_USER


@pytest.mark.requirement("api-21")
async def test_a_message_without_anything_is_refused_by_the_name_of_a_field(flow: Caller) -> None:
    status, code, text = (await flow.post("/chat-messages", {"user": "u1"})).error
    assert (status, code, "inputs" in text or "query" in text) == (400, "invalid_param", True)


@pytest.mark.requirement("api-23")
async def test_a_number_as_user_is_the_user_of_that_text(flow: Caller) -> None:
    said = (await flow.chat("hi", user=42)).ok
    ids = [conversation["id"] for conversation in await flow.conversations(user="42")]
    assert ids == [said["conversation_id"]]


@pytest.mark.requirement("api-24")
async def test_a_wrong_kind_of_app_is_told_before_the_body_is_validated(work: Caller) -> None:
    assert (await work.post("/chat-messages", {"user": "u1"})).error == (
        400,
        "not_chat_app",
        "Please check if your app mode matches the right API route.",
    )


@pytest.mark.requirement("api-25")
async def test_a_missing_user_is_told_before_a_wrong_kind_of_app(work: Caller) -> None:
    assert (await work.post("/chat-messages", {})).error == NO_USER


@pytest.mark.requirement("api-26")
async def test_keys_that_nobody_knows_are_ignored(flow: Caller, user: str) -> None:
    said = await flow.said("hi", user=user, retriever_from="app", colour="green", nested={"a": [1]})
    assert said["answer"] == "You said: hi"


@pytest.mark.requirement("api-27")
async def test_a_user_of_more_than_255_characters_is_refused(flow: Caller) -> None:
    refused = await flow.chat("hi", user="x" * 256)
    accepted = await flow.chat("hi", user="x" * 255)
    assert (refused.error[:2], accepted.status) == ((400, "invalid_param"), 200)


@pytest.mark.parametrize("user", [True, ["u1"], {"id": "u1"}])
async def test_a_user_that_is_neither_text_nor_number_is_refused(flow: Caller, user: object) -> None:
    assert (await flow.chat("hi", user=user)).error[:2] == (400, "invalid_param")


async def test_the_user_of_a_list_may_be_left_out(flow: Caller) -> None:
    assert (await flow.get("/conversations")).status == 200


async def test_a_body_larger_than_allowed_is_refused(folder: Path) -> None:
    async with open_house(folder, models=Actor(), server={"max_body_bytes": 1024}) as house:
        flow = await house.serve(apps.echo_flow())
        refused = await flow.chat("x" * 1024)
        accepted = await flow.chat("x" * 512)
    assert (refused.error[:2], accepted.status) == ((413, "request_entity_too_large"), 200)
