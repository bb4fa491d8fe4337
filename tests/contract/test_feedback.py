"""What people think of answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.contract import apps
from tests.contract.caller import Caller, is_id
from tests.contract.house import House
from weft.store import Connection, Feedback, feedbacks
from weft.store import messages as message_rows

pytestmark = pytest.mark.anyio

DONE = {"result": "success"}


async def rate(caller: Caller, message_id: str, user: str, **fields: object) -> Any:
    return (await caller.post(f"/messages/{message_id}/feedbacks", {"user": user, **fields})).ok


async def shown(caller: Caller, said: Any, user: str) -> Any:
    """The feedback in the history of the message's user."""
    (message,) = await caller.messages(said["conversation_id"], user=user)
    return message["feedback"]


async def own(house: House, user: str) -> tuple[Caller, Any]:
    """An app of the test's own, with one message."""
    caller = await house.serve(apps.echo_flow(name=f"rated by {user}"))
    return caller, await caller.said(user=user)


@pytest.mark.requirement("api-127")
async def test_a_message_can_be_liked(flow: Caller, user: str) -> None:
    said = await flow.said(user=user)
    assert await rate(flow, said["message_id"], user, rating="like", content="good") == DONE
    assert await shown(flow, said, user) == {"rating": "like"}


@pytest.mark.requirement("api-128", "api-135")
async def test_a_second_rating_takes_the_place_of_the_first(house: House, user: str) -> None:
    caller, said = await own(house, user)
    await rate(caller, said["message_id"], user, rating="like", content="good")
    await rate(caller, said["message_id"], user, rating="dislike")

    body = (await caller.get("/app/feedbacks", limit=101)).ok
    assert list(body) == ["data"]
    (item,) = body["data"]
    assert is_id(item.pop("id"))
    end_user_id = item.pop("from_end_user_id")
    assert (await caller.get(f"/end-users/{end_user_id}")).ok["session_id"] == user
    for name in ("created_at", "updated_at"):
        text = item.pop(name)
        assert text.endswith("Z")
        assert datetime.fromisoformat(text).tzinfo is not None
    assert item == {
        "app_id": caller.app_id,
        "conversation_id": said["conversation_id"],
        "message_id": said["message_id"],
        "rating": "dislike",
        "content": None,
        "from_source": "user",
        "from_account_id": None,
    }


@pytest.mark.parametrize(
    "taken_back",
    [
        pytest.param({"rating": None}, marks=pytest.mark.requirement("api-129")),
        pytest.param({}, marks=pytest.mark.requirement("api-131")),
    ],
)
@pytest.mark.requirement("api-130")
async def test_a_rating_can_be_taken_back_once(flow: Caller, user: str, taken_back: Any) -> None:
    said = await flow.said(user=user)
    await rate(flow, said["message_id"], user, rating="like")
    assert await rate(flow, said["message_id"], user, **taken_back) == DONE
    assert await shown(flow, said, user) is None

    again = await flow.post(f"/messages/{said['message_id']}/feedbacks", {"user": user, **taken_back})
    assert again.error == (400, "invalid_param", "rating cannot be None when feedback not exists")


@pytest.mark.requirement("api-133")
async def test_nobody_rates_another_users_message(flow: Caller, plain: Caller, user: str) -> None:
    said = await flow.said(user=user)
    absent = (404, "not_found", "Message Not Exists.")
    for caller, message_id, who in (
        (flow, said["message_id"], f"not {user}"),
        (plain, said["message_id"], user),
        (flow, str(uuid4()), user),
        (flow, "no-id", user),
    ):
        reply = await caller.post(f"/messages/{message_id}/feedbacks", {"rating": "like", "user": who})
        assert reply.error == absent


async def test_a_message_of_a_deleted_conversation_is_not_rated(flow: Caller, user: str) -> None:
    said = await flow.said(user=user)
    await flow.delete(f"/conversations/{said['conversation_id']}", {"user": user})
    reply = await flow.post(f"/messages/{said['message_id']}/feedbacks", {"rating": "like", "user": user})
    assert reply.error == (404, "not_found", "Message Not Exists.")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({"rating": "meh", "user": "u1"}, "rating", marks=pytest.mark.requirement("api-132")),
        pytest.param(
            {"rating": "like"}, "Arg user must be provided.", marks=pytest.mark.requirement("api-134")
        ),
        pytest.param({"rating": "like", "content": 5, "user": "u1"}, "content"),
    ],
)
async def test_a_wrong_rating_is_refused(flow: Caller, body: dict[str, Any], text: str) -> None:
    status, code, message = (await flow.post(f"/messages/{uuid4()}/feedbacks", body)).error
    assert (status, code, text in message) == (400, "invalid_param", True), message


@pytest.mark.requirement("api-135")
async def test_all_feedback_is_listed_newest_first_in_pages(house: House, user: str) -> None:
    caller, _ = await own(house, user)
    rated: list[str] = []
    for rating in ("like", "dislike", "like"):
        said = await caller.said(user=user)
        await rate(caller, said["message_id"], user, rating=rating)
        rated.insert(0, said["message_id"])
    pages = [(await caller.get("/app/feedbacks", limit=2, page=page)).ok["data"] for page in (1, 2, 3)]
    assert [[item["message_id"] for item in page] for page in pages] == [rated[:2], rated[2:], []]
    assert (await caller.get("/app/feedbacks", page="9" * 18)).ok == {"data": []}


@pytest.mark.parametrize("query", [{"limit": 102}, {"limit": 0}, {"page": 0}, {"page": "x"}])
@pytest.mark.requirement("api-136")
async def test_the_list_of_feedback_has_bounds(flow: Caller, query: dict[str, Any]) -> None:
    assert (await flow.get("/app/feedbacks", **query)).error[:2] == (400, "invalid_param")


async def test_what_the_makers_of_an_app_think_is_listed_but_not_shown_to_users(
    house: House, user: str
) -> None:
    caller, said = await own(house, user)
    runtime = house.runtime

    def write(connection: Connection) -> None:
        message = message_rows.find(connection, caller.app_id, said["message_id"])
        assert message is not None
        now = runtime.clock.now()
        judgement = Feedback(
            id=runtime.ids.new(),
            app_id=caller.app_id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            rating="dislike",
            from_source="admin",
            created_at=now,
            updated_at=now,
        )
        feedbacks.put(connection, judgement)

    await runtime.store.write(write)
    assert await shown(caller, said, user) is None
    (item,) = (await caller.get("/app/feedbacks")).ok["data"]
    assert (item["from_source"], item["rating"]) == ("admin", "dislike")
