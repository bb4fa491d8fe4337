"""The history of a conversation."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.contract.caller import Caller

pytestmark = pytest.mark.anyio


async def talk(caller: Caller, user: str, count: int) -> tuple[str, list[str]]:
    """A conversation of so many messages: its id and theirs, oldest first."""
    conversation_id, ids = "", []
    for n in range(count):
        said = await caller.said(f"number {n}", user=user, conversation_id=conversation_id)
        conversation_id = said["conversation_id"]
        ids.append(said["message_id"])
    return conversation_id, ids


@pytest.mark.requirement("api-119")
async def test_messages_are_listed_oldest_first_with_all_their_fields(flow: Caller, user: str) -> None:
    conversation_id, ids = await talk(flow, user, 2)
    page = (await flow.get("/messages", conversation_id=conversation_id, user=user)).ok
    assert (page["limit"], page["has_more"]) == (20, False)
    assert all(isinstance(item.pop("created_at"), int) for item in page["data"])
    assert page["data"] == [
        {
            "id": id,
            "conversation_id": conversation_id,
            "parent_message_id": "00000000-0000-0000-0000-000000000000",
            "inputs": {"city": None, "level": None, "age": None},
            "query": f"number {n}",
            "answer": f"You said: number {n}",
            "feedback": None,
            "retriever_resources": [],
            "agent_thoughts": [],
            "message_files": [],
            "status": "normal",
            "error": None,
            "extra_contents": [],
        }
        for n, id in enumerate(ids)
    ]


@pytest.mark.requirement("api-120")
async def test_pages_lead_back_in_time(flow: Caller, user: str) -> None:
    conversation_id, ids = await talk(flow, user, 25)
    pages, first = [], ""
    for _ in range(3):
        reply = await flow.get(
            "/messages", conversation_id=conversation_id, user=user, limit=10, first_id=first
        )
        pages.append(reply.ok)
        first = reply.ok["data"][0]["id"]
    found = [([item["id"] for item in page["data"]], page["has_more"]) for page in pages]
    assert found == [(ids[15:], True), (ids[5:15], True), (ids[:5], False)]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        pytest.param({}, "conversation_id", marks=pytest.mark.requirement("api-121")),
        pytest.param(
            {"conversation_id": "abc"}, "must be a valid UUID", marks=pytest.mark.requirement("api-123")
        ),
        pytest.param(
            {"conversation_id": str(uuid4()), "limit": "101"},
            "limit",
            marks=pytest.mark.requirement("api-126"),
        ),
        pytest.param(
            {"conversation_id": str(uuid4()), "first_id": "abc"},
            "must be a valid UUID",
            marks=pytest.mark.requirement("api-123"),
        ),
    ],
)
async def test_a_wrong_query_is_refused(flow: Caller, query: dict[str, str], text: str) -> None:
    status, code, message = (await flow.get("/messages", user="u1", **query)).error
    assert (status, code, text in message) == (400, "invalid_param", True), message


@pytest.mark.requirement("api-122")
async def test_an_empty_conversation_id_has_no_messages(flow: Caller) -> None:
    page = (await flow.get("/messages", conversation_id="", user="u1")).ok
    assert page == {"limit": 20, "has_more": False, "data": []}


@pytest.mark.requirement("api-124")
async def test_messages_of_nobody_or_somebody_else_answer_404(flow: Caller, plain: Caller, user: str) -> None:
    conversation_id, _ = await talk(flow, user, 1)
    absent = (404, "not_found", "Conversation Not Exists.")
    for caller, id, who in (
        (flow, str(uuid4()), user),
        (flow, conversation_id, f"not {user}"),
        (plain, conversation_id, user),
    ):
        reply = await caller.get("/messages", conversation_id=id, user=who)
        assert reply.error == absent


@pytest.mark.requirement("api-125")
async def test_a_cursor_of_another_conversation_answers_404(flow: Caller, user: str) -> None:
    conversation_id, _ = await talk(flow, user, 1)
    _, (foreign,) = await talk(flow, user, 1)
    for first_id in (foreign, str(uuid4())):
        reply = await flow.get("/messages", conversation_id=conversation_id, user=user, first_id=first_id)
        assert reply.error == (404, "not_found", "First Message Not Exists.")


async def test_of_a_repeated_query_key_the_first_value_counts(flow: Caller, user: str) -> None:
    conversation_id, _ = await talk(flow, user, 3)
    path = f"/messages?limit=2&limit=1&user={user}&conversation_id={conversation_id}"
    page = (await flow.get(path)).ok
    assert (page["limit"], len(page["data"])) == (2, 2)
