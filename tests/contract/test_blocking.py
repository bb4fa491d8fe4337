"""Sending a message and waiting for the whole answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.caller import Caller, is_id
from tests.contract.house import House, open_house
from weft.providers import ChatRequest
from weft.store import Connection, Workflow, workflows
from weft.store import apps as app_rows

pytestmark = pytest.mark.anyio

USAGE = [
    "completion_price",
    "completion_price_unit",
    "completion_tokens",
    "completion_unit_price",
    "currency",
    "latency",
    "prompt_price",
    "prompt_price_unit",
    "prompt_tokens",
    "prompt_unit_price",
    "time_to_first_token",
    "time_to_generate",
    "total_price",
    "total_tokens",
]
ABSENT = (404, "not_found", "Conversation Not Exists.")


@pytest.mark.requirement("api-28")
async def test_a_message_is_answered_whole_unless_a_stream_is_asked_for(flow: Caller) -> None:
    said = (await flow.post("/chat-messages", {"inputs": {}, "query": "hi", "user": "u1"})).ok
    ids = [said.pop(name) for name in ("task_id", "conversation_id", "message_id", "id")]
    assert (all(map(is_id, ids)), ids[2] == ids[3]) == (True, True)
    assert isinstance(said.pop("created_at"), int)
    said.pop("metadata")
    assert said == {"event": "message", "mode": "advanced-chat", "answer": "You said: hi"}


@pytest.mark.requirement("api-29")
async def test_a_whole_answer_carries_usage_resources_and_a_place_for_an_annotation(
    flow: Caller, user: str
) -> None:
    reply = await flow.chat("hi", user=user, response_mode="blocking")
    metadata = reply.ok["metadata"]
    usage = metadata.pop("usage")
    assert metadata == {"annotation_reply": None, "retriever_resources": []}
    assert sorted(usage) == USAGE
    assert {type(usage[name]) for name in USAGE if name.endswith(("price", "unit"))} == {str}
    tokens = (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"])
    assert (tokens, usage["currency"]) == ((1, 3, 4), "USD")


@pytest.mark.requirement("api-29")
async def test_a_run_without_a_model_has_a_usage_of_zeros(house: House, user: str) -> None:
    flow = await house.serve(
        apps.chatflow([apps.start(), apps.answer("Hello")], "start > answer", name="no model")
    )
    usage = (await flow.said(user=user))["metadata"]["usage"]
    assert {name: usage[name] for name in ("total_tokens", "currency", "latency")} == {
        "total_tokens": 0,
        "currency": "USD",
        "latency": 0,
    }
    assert (sorted(usage), float(usage["total_price"])) == (USAGE, 0.0)


@pytest.mark.requirement("api-30")
async def test_a_null_response_mode_means_blocking(flow: Caller, user: str) -> None:
    assert (await flow.said("hi", user=user, response_mode=None))["event"] == "message"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        pytest.param({"response_mode": "fast"}, "response_mode", marks=pytest.mark.requirement("api-31")),
        pytest.param({"query": ""}, "query is required", marks=pytest.mark.requirement("api-32")),
        pytest.param({"query": "\0"}, "query is required", marks=pytest.mark.requirement("api-32")),
        pytest.param({"query": 5}, "query", marks=pytest.mark.requirement("api-33")),
        pytest.param({"inputs": None}, "inputs", marks=pytest.mark.requirement("api-34")),
        pytest.param({"inputs": []}, "inputs", marks=pytest.mark.requirement("api-34")),
        pytest.param(
            {"conversation_id": "xyz"},
            "conversation_id must be a valid UUID",
            marks=pytest.mark.requirement("api-36"),
        ),
    ],
)
async def test_a_wrong_field_is_refused_by_its_name(
    flow: Caller, fields: dict[str, object], word: str
) -> None:
    status, code, text = (await flow.chat(**{"query": "hi", **fields})).error
    assert (status, code, word in text) == (400, "invalid_param", True), text


@pytest.mark.requirement("api-34")
async def test_a_message_without_inputs_is_refused(flow: Caller) -> None:
    status, code, text = (await flow.post("/chat-messages", {"query": "hi", "user": "u1"})).error
    assert (status, code, "inputs" in text) == (400, "invalid_param", True)


@pytest.mark.requirement("api-35")
async def test_nul_characters_vanish_from_the_query(flow: Caller, user: str) -> None:
    said = await flow.said("a\0b", user=user)
    (message,) = await flow.messages(said["conversation_id"], user=user)
    assert (said["answer"], message["query"]) == ("You said: ab", "ab")


@pytest.mark.requirement("api-37")
@pytest.mark.parametrize("blank", ["  ", "", None])
async def test_a_blank_conversation_id_begins_a_new_conversation(
    flow: Caller, user: str, blank: str | None
) -> None:
    first = await flow.said("hi", user=user)
    second = await flow.said("hi", user=user, conversation_id=blank)
    assert second["conversation_id"] != first["conversation_id"]


@pytest.mark.requirement("api-38")
async def test_an_unknown_conversation_answers_404(flow: Caller) -> None:
    assert (await flow.chat("hi", conversation_id=str(uuid4()))).error == ABSENT


@pytest.mark.requirement("api-39")
async def test_another_users_conversation_answers_404(flow: Caller, user: str) -> None:
    said = await flow.said("hi", user=user)
    reply = await flow.chat("hi", user=f"not {user}", conversation_id=said["conversation_id"])
    assert reply.error == ABSENT


@pytest.mark.requirement("api-40")
async def test_another_apps_conversation_answers_404_for_the_same_user_text(
    flow: Caller, plain: Caller, user: str
) -> None:
    said = await flow.said("hi", user=user)
    reply = await plain.chat("hi", user=user, conversation_id=said["conversation_id"])
    assert reply.error == ABSENT


@pytest.mark.requirement("api-41")
@pytest.mark.parametrize("spelling", [str, str.upper, lambda id: f" {id} ", lambda id: id.replace("-", "")])
async def test_a_conversation_goes_on_under_its_id_however_it_is_written(
    flow: Caller, user: str, spelling: object
) -> None:
    assert callable(spelling)
    first = await flow.said("one", user=user)
    second = await flow.said("two", user=user, conversation_id=spelling(first["conversation_id"]))
    assert second["conversation_id"] == first["conversation_id"]
    assert second["message_id"] != first["message_id"]


@pytest.mark.requirement("api-42")
async def test_a_workflow_id_that_is_no_uuid_is_a_bad_request(flow: Caller) -> None:
    reply = await flow.chat("hi", workflow_id="xyz")
    assert reply.error == (400, "bad_request", "Invalid workflow_id format: 'xyz'. ")


@pytest.mark.requirement("api-43")
async def test_an_unknown_workflow_version_answers_404(flow: Caller, plain: Caller) -> None:
    unknown = str(uuid4())
    for id in (unknown, plain.workflow_id):
        assert (await flow.chat("hi", workflow_id=id)).error == (
            404,
            "not_found",
            f"Workflow not found with id: {id}",
        )


@pytest.mark.requirement("api-44")
async def test_the_draft_cannot_be_run(house: House, flow: Caller) -> None:
    id = house.runtime.ids.new()

    def draw_up(connection: Connection) -> Workflow:
        published = workflows.find_published(connection, flow.app_id)
        assert published is not None
        draft = msgspec.structs.replace(published, id=id, version=workflows.DRAFT)
        return workflows.save_draft(connection, draft)

    draft = await house.runtime.store.write(draw_up)
    reply = await flow.chat("hi", workflow_id=draft.id)
    assert reply.error == (
        400,
        "bad_request",
        f"Cannot use draft workflow version. Workflow ID: {draft.id}. ",
    )


def versioned(text: str, *form: apps.Data) -> apps.Data:
    return apps.chatflow([apps.start(*form), apps.answer(text)], "start > answer", name="V")


@pytest.mark.requirement("api-45")
async def test_an_older_published_version_can_be_asked(house: House, user: str) -> None:
    old = await house.serve(versioned("old"), "versions")
    new = await house.serve(versioned("new"), "versions")
    answers = [
        (await new.said(user=user))["answer"],
        (await new.said(user=user, workflow_id=old.workflow_id))["answer"],
        (await new.said(user=user, workflow_id=new.workflow_id))["answer"],
    ]
    assert (old.app_id == new.app_id, old.key == new.key, answers) == (True, True, ["new", "old", "new"])


@pytest.fixture
async def unpublished(house: House) -> Caller:
    """An app that was never published."""
    caller = await house.serve(versioned("never"), f"unpublished-{house.runtime.ids.new()}")

    def withdraw(connection: Connection) -> None:
        app = app_rows.get_for_update(connection, caller.app_id)
        app_rows.update(connection, msgspec.structs.replace(app, workflow_id=None))

    await house.runtime.store.write(withdraw)
    return caller


@pytest.mark.requirement("api-46")
async def test_an_app_without_a_published_version_cannot_be_asked(unpublished: Caller) -> None:
    assert (await unpublished.chat("hi")).error == (400, "invalid_param", "Workflow not published")


@pytest.mark.requirement("api-47")
async def test_a_run_that_fails_says_why_and_keeps_its_message_as_an_error(
    failing: Caller, user: str
) -> None:
    status, code, text = (await failing.chat("hi", user=user)).error
    assert (status, code) == (400, "invalid_param")
    assert (text.startswith("Run failed: "), "boom" in text) == (True, True)
    (conversation,) = await failing.conversations(user=user)
    (message,) = await failing.messages(conversation["id"], user=user)
    assert (message["status"], message["answer"], "boom" in message["error"]) == ("error", "", True)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        pytest.param(
            {"city": 5},
            "(type 'text-input') city in input form must be a string",
            marks=pytest.mark.requirement("api-48"),
        ),
        pytest.param(
            {"city": "x" * 21},
            "city in input form must be less than 20 characters",
            marks=pytest.mark.requirement("api-49"),
        ),
        pytest.param(
            {"level": "mid"},
            "level in input form must be one of the following: ['low', 'high']",
            marks=pytest.mark.requirement("api-51"),
        ),
        pytest.param(
            {"age": "old"},
            "age in input form must be a valid number",
            marks=pytest.mark.requirement("api-53"),
        ),
        pytest.param(
            {"age": {}},
            "age in input form must be a valid number",
            marks=pytest.mark.requirement("api-53"),
        ),
    ],
)
async def test_an_input_that_does_not_fit_is_refused(
    flow: Caller, user: str, inputs: dict[str, object], text: str
) -> None:
    assert (await flow.chat("hi", user=user, inputs=inputs)).error == (400, "invalid_param", text)
    assert await flow.conversations(user=user) == []


@pytest.mark.parametrize(
    ("inputs", "stored"),
    [
        pytest.param({"city": "x" * 20}, {"city": "x" * 20}, marks=pytest.mark.requirement("api-50")),
        pytest.param({"age": "12"}, {"age": 12}, marks=pytest.mark.requirement("api-52")),
        pytest.param({"age": "1.5"}, {"age": 1.5}, marks=pytest.mark.requirement("api-52")),
        pytest.param({"age": ""}, {"age": None}, marks=pytest.mark.requirement("api-54")),
        pytest.param({"zzz": 1}, {}, marks=pytest.mark.requirement("api-55")),
    ],
)
async def test_inputs_are_stored_as_they_are_declared(
    flow: Caller, user: str, inputs: dict[str, object], stored: dict[str, object]
) -> None:
    said = await flow.said("hi", user=user, inputs=inputs)
    (message,) = await flow.messages(said["conversation_id"], user=user)
    assert message["inputs"] == {"city": None, "level": None, "age": None, **stored}


@pytest.mark.requirement("api-56")
async def test_inputs_are_validated_with_every_message(house: House, user: str) -> None:
    caller = await house.serve(versioned("old", apps.field("city")), "stricter")
    said = await caller.said("hi", user=user, inputs={"city": "Rome"})
    await house.serve(versioned("new", apps.field("city", required=True)), "stricter")
    reply = await caller.chat("hi", user=user, conversation_id=said["conversation_id"])
    assert reply.error == (400, "invalid_param", "city is required in input form")


@pytest.mark.requirement("api-57")
async def test_an_app_that_is_as_busy_as_it_may_be_answers_429_until_a_run_has_ended(folder: Path) -> None:
    gate, actor = Gate(), Actor()

    async def slow(request: ChatRequest) -> AsyncIterator[str]:
        yield "at last"
        await gate.wait()

    actor.play("slow", slow)
    async with open_house(folder, models=actor, server={"max_active_requests": 1}) as house:
        flow = await house.serve(apps.echo_flow())
        other = await house.serve(apps.echo_flow(name="other"))
        running = asyncio.create_task(flow.chat("slow"))
        await gate.seen()
        refused = await flow.chat("hi")
        elsewhere = await other.chat("hi")
        gate.open()
        first = await running
        afterwards = await flow.chat("hi")
    assert refused.error == (
        429,
        "too_many_requests",
        "Too many requests. Please try again later. The current maximum concurrent requests allowed for "
        f"{flow.app_id} is 1.",
    )
    assert (elsewhere.status, first.ok["answer"], afterwards.status) == (200, "at last", 200)


@pytest.mark.requirement("api-58")
async def test_a_parent_message_in_the_request_is_ignored(flow: Caller, user: str) -> None:
    first = await flow.said("one", user=user)
    await flow.said(
        "two",
        user=user,
        conversation_id=first["conversation_id"],
        parent_message_id=first["message_id"],
    )
    messages = await flow.messages(first["conversation_id"], user=user)
    assert [message["parent_message_id"] for message in messages] == [
        "00000000-0000-0000-0000-000000000000"
    ] * 2
