"""Questions to ask next."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, pieces, raising
from tests.contract.caller import Caller
from tests.contract.house import House
from weft.errors import BadReplyError

pytestmark = pytest.mark.anyio

QUESTIONS = '["And tomorrow?", "Why?", "Where?"]'


@pytest.fixture(autouse=True)
def asks(actor: Actor) -> object:
    """The model has questions to suggest."""
    actor.play("suggested-questions", pieces([QUESTIONS]))
    yield
    actor.forget()


@pytest.mark.requirement("api-137")
async def test_questions_are_suggested_by_the_apps_model(flow: Caller, user: str, actor: Actor) -> None:
    first = await flow.said("rain?", user=user)
    second = await flow.said("snow?", user=user, conversation_id=first["conversation_id"])
    await flow.said("hail?", user=user, conversation_id=first["conversation_id"])

    reply = await flow.get(f"/messages/{second['message_id']}/suggested", user=user)

    assert reply.ok == {"result": "success", "data": ["And tomorrow?", "Why?", "Where?"]}
    asked = [request for request in actor.requests if request.node_id == "suggested-questions"][-1]
    assert [message.text for message in asked.messages[:-1]] == [
        "rain?",
        "You said: rain?",
        "snow?",
        "You said: snow?",
    ]
    assert asked.model == "gpt-4o"


async def test_a_model_that_fails_suggests_nothing(flow: Caller, user: str, actor: Actor) -> None:
    said = await flow.said(user=user)
    actor.play("suggested-questions", raising(BadReplyError("no", provider="openai", model="gpt-4o"), '["A'))
    reply = await flow.get(f"/messages/{said['message_id']}/suggested", user=user)
    assert reply.ok == {"result": "success", "data": []}


async def test_the_feature_may_name_a_model_and_instructions_of_its_own(
    house: House, user: str, actor: Actor
) -> None:
    feature = {
        "enabled": True,
        "prompt": "Ask like a pirate.",
        "model": {"provider": "openai", "name": "gpt-4o-mini", "completion_params": {"temperature": 0.7}},
    }
    app = apps.echo_flow(name="pirate", features={"suggested_questions_after_answer": feature})
    caller = await house.serve(app)
    said = await caller.said(user=user)

    await caller.get(f"/messages/{said['message_id']}/suggested", user=user)

    asked = actor.requests[-1]
    assert (asked.model, asked.parameters) == ("gpt-4o-mini", {"temperature": 0.7})
    assert asked.messages[-1].text.startswith("Ask like a pirate.")


async def test_an_app_without_a_model_suggests_nothing(house: House, user: str) -> None:
    app = apps.chatflow(
        [apps.start(), apps.answer("yes")],
        "start > answer",
        name="modelless",
        features={"suggested_questions_after_answer": {"enabled": True}},
    )
    caller = await house.serve(app)
    said = await caller.said(user=user)
    reply = await caller.get(f"/messages/{said['message_id']}/suggested", user=user)
    assert reply.ok == {"result": "success", "data": []}


@pytest.mark.requirement("api-138")
async def test_suggestions_need_a_user(flow: Caller) -> None:
    reply = await flow.get(f"/messages/{uuid4()}/suggested")
    assert reply.error == (400, "invalid_param", "Arg user must be provided.")


@pytest.mark.requirement("api-139", "api-141")
async def test_suggestions_need_an_own_message(flow: Caller, plain: Caller, user: str) -> None:
    said = await flow.said(user=user)
    absent = (404, "not_found", "Message Not Exists.")
    for caller, message_id, who in (
        (flow, said["message_id"], f"not {user}"),
        (flow, str(uuid4()), user),
        (plain, str(uuid4()), user),
    ):
        assert (await caller.get(f"/messages/{message_id}/suggested", user=who)).error == absent


@pytest.mark.requirement("api-140")
async def test_suggestions_can_be_off(plain: Caller, user: str) -> None:
    said = await plain.said(user=user)
    reply = await plain.get(f"/messages/{said['message_id']}/suggested", user=user)
    assert reply.error == (400, "bad_request", "Suggested Questions Is Disabled.")


async def test_a_workflow_app_suggests_nothing(work: Caller) -> None:
    reply = await work.get(f"/messages/{uuid4()}/suggested", user="u1")
    assert reply.error[:2] == (400, "not_chat_app")
