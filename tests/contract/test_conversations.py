"""Conversations: list, rename, delete."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.actor import TITLE
from tests.contract.caller import BOUND, Caller

pytestmark = pytest.mark.anyio

ABSENT = (404, "not_found", "Conversation Not Exists.")


async def begin(caller: Caller, user: str, count: int) -> list[str]:
    """Ids of new conversations, oldest first."""
    return [(await caller.said(f"number {n}", user=user))["conversation_id"] for n in range(count)]


async def rename(caller: Caller, id: str, **body: object) -> Any:
    return await caller.post(f"/conversations/{id}/name", body)


async def delete(caller: Caller, id: str, user: str) -> Any:
    return await caller.delete(f"/conversations/{id}", {"user": user})


@pytest.mark.requirement("api-92")
async def test_conversations_are_listed_newest_first_with_exactly_their_fields(
    flow: Caller, user: str
) -> None:
    ids = await begin(flow, user, 2)
    page = (await flow.get("/conversations", user=user)).ok
    assert (page["limit"], page["has_more"]) == (20, False)
    assert [item["id"] for item in page["data"]] == ids[::-1]
    newest = page["data"][0]
    times = newest.pop("created_at"), newest.pop("updated_at")
    assert (isinstance(times[0], int), times[1] >= times[0]) == (True, True)
    assert newest == {
        "id": ids[1],
        "name": "number 1",
        "inputs": {"city": None, "level": None, "age": None},
        "status": "normal",
        "introduction": "Hello ",
    }


@pytest.mark.requirement("api-93")
async def test_one_users_conversations_are_not_anothers(flow: Caller, user: str) -> None:
    await begin(flow, user, 1)
    assert await flow.conversations(user=f"not {user}") == []


@pytest.mark.requirement("api-94")
async def test_without_a_user_the_shared_users_conversations_are_listed(flow: Caller, user: str) -> None:
    (own,) = await begin(flow, user, 1)
    (shared,) = await begin(flow, "DEFAULT-USER", 1)
    listed = [item["id"] for item in (await flow.get("/conversations", limit=100)).ok["data"]]
    assert (shared in listed, own in listed) == (True, False)


@pytest.mark.requirement("api-95")
async def test_pages_follow_one_another_without_gaps_and_repeats(flow: Caller, user: str) -> None:
    ids = await begin(flow, user, 25)
    pages, last = [], ""
    for _ in range(3):
        page = (await flow.get("/conversations", user=user, limit=10, last_id=last)).ok
        pages.append(page)
        last = page["data"][-1]["id"]
    assert [(len(page["data"]), page["has_more"], page["limit"]) for page in pages] == [
        (10, True, 10),
        (10, True, 10),
        (5, False, 10),
    ]
    assert [item["id"] for page in pages for item in page["data"]] == ids[::-1]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"limit": "0"}, marks=pytest.mark.requirement("api-96")),
        pytest.param({"limit": "101"}, marks=pytest.mark.requirement("api-96")),
        pytest.param({"limit": "x"}, marks=pytest.mark.requirement("api-96")),
        pytest.param({"limit": "1e1"}, marks=pytest.mark.requirement("api-96")),
        pytest.param({"sort_by": "name"}, marks=pytest.mark.requirement("api-97")),
        pytest.param({"last_id": "abc"}, marks=pytest.mark.requirement("api-100")),
    ],
)
async def test_a_wrong_query_is_refused_by_the_name_of_its_field(flow: Caller, query: dict[str, str]) -> None:
    status, code, text = (await flow.get("/conversations", user="u1", **query)).error
    assert (status, code, next(iter(query)) in text) == (400, "invalid_param", True)


@pytest.mark.requirement("api-98")
async def test_conversations_can_be_listed_oldest_first(flow: Caller, user: str) -> None:
    ids = await begin(flow, user, 3)
    first = (await flow.get("/conversations", user=user, sort_by="created_at", limit=2)).ok
    rest = (
        await flow.get("/conversations", user=user, sort_by="created_at", last_id=first["data"][-1]["id"])
    ).ok
    assert [item["id"] for item in (*first["data"], *rest["data"])] == ids


@pytest.mark.requirement("api-99")
async def test_a_cursor_that_is_no_conversation_of_the_user_answers_404(flow: Caller, user: str) -> None:
    (foreign,) = await begin(flow, f"not {user}", 1)
    for id in (str(uuid4()), foreign):
        reply = await flow.get("/conversations", user=user, last_id=id)
        assert reply.error == (404, "not_found", "Last Conversation Not Exists.")


@pytest.mark.requirement("api-101", "api-102")
async def test_an_empty_cursor_means_the_first_page_and_strange_keys_nothing(flow: Caller, user: str) -> None:
    ids = await begin(flow, user, 1)
    page = (await flow.get("/conversations", user=user, last_id="", pinned="true")).ok
    assert [item["id"] for item in page["data"]] == ids


@pytest.mark.requirement("api-103")
async def test_a_new_message_moves_its_conversation_to_the_top(flow: Caller, user: str) -> None:
    old, new = await begin(flow, user, 2)
    before = [item["id"] for item in await flow.conversations(user=user)]
    await flow.said("more", user=user, conversation_id=old)
    after = [item["id"] for item in await flow.conversations(user=user)]
    assert (before, after) == ([new, old], [old, new])


@pytest.mark.requirement("api-104")
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("abcdefghijklmnopqrstuvwxyz1234", "abcdefghijklmnopqrst…"),
        ("abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
        ("你" * 21, "你" * 20 + "…"),
    ],
)
async def test_a_conversation_is_called_after_the_beginning_of_its_query(
    flow: Caller, user: str, query: str, name: str
) -> None:
    await flow.said(query, user=user)
    assert [item["name"] for item in await flow.conversations(user=user)] == [name]


@pytest.mark.requirement("api-105")
async def test_inputs_fill_the_opening_statement_and_stay_with_the_conversation(
    flow: Caller, user: str
) -> None:
    said = await flow.said("hi", user=user, inputs={"city": "Rome"})
    await flow.said("hi", user=user, inputs={"city": "Bonn"}, conversation_id=said["conversation_id"])
    (item,) = await flow.conversations(user=user)
    messages = await flow.messages(said["conversation_id"], user=user)
    assert (item["introduction"], item["inputs"]["city"]) == ("Hello Rome", "Rome")
    assert [message["inputs"]["city"] for message in messages] == ["Rome", "Bonn"]


async def name_of(caller: Caller, user: str, wanted: str) -> str:
    """The name of the user's only conversation, once it is that one."""
    async with asyncio.timeout(BOUND):
        while True:
            (item,) = await caller.conversations(user=user)
            if item["name"] == wanted:
                return str(item["name"])


@pytest.mark.requirement("api-106")
async def test_a_new_conversation_gets_a_title_in_the_background_and_only_a_new_one(
    flow: Caller, user: str
) -> None:
    said = await flow.said("a first message of some length", user=user, auto_generate_name=True)
    id = said["conversation_id"]
    assert await name_of(flow, user, TITLE) == TITLE
    await rename(flow, id, name="Mine", user=user)
    await flow.said("second", user=user, conversation_id=id, auto_generate_name=True)
    assert await name_of(flow, user, "Mine") == "Mine"


@pytest.mark.requirement("api-107")
async def test_a_conversation_can_be_renamed(flow: Caller, user: str) -> None:
    (id,) = await begin(flow, user, 1)
    (before,) = await flow.conversations(user=user)
    renamed = (await rename(flow, id, name="N", user=user)).ok
    assert renamed["updated_at"] >= before["updated_at"]
    assert renamed == {**before, "name": "N", "updated_at": renamed["updated_at"]}
    assert await flow.conversations(user=user) == [renamed]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(
            {}, "name is required when auto_generate is false", marks=pytest.mark.requirement("api-108")
        ),
        pytest.param(
            {"name": "  "},
            "name is required when auto_generate is false",
            marks=pytest.mark.requirement("api-109"),
        ),
        pytest.param({"name": "x" * 256}, "name", marks=pytest.mark.requirement("api-112")),
        pytest.param({"name": 5}, "name", marks=pytest.mark.requirement("api-108")),
    ],
)
async def test_a_rename_without_a_usable_name_is_refused(
    flow: Caller, user: str, body: dict[str, object], text: str
) -> None:
    (id,) = await begin(flow, user, 1)
    status, code, message = (await rename(flow, id, user=user, **body)).error
    assert (status, code, text in message) == (400, "invalid_param", True), message


@pytest.mark.requirement("api-110")
async def test_a_name_can_be_made_up_on_request(flow: Caller, user: str) -> None:
    (id,) = await begin(flow, user, 1)
    renamed = (await rename(flow, id, auto_generate=True, name="ignored", user=user)).ok
    assert renamed["name"] == TITLE


@pytest.mark.requirement("api-111", "api-113")
async def test_nobody_but_the_owner_renames_or_deletes(flow: Caller, plain: Caller, user: str) -> None:
    (id,) = await begin(flow, user, 1)
    other = f"not {user}"
    assert (await rename(flow, id, name="N", user=other)).error == ABSENT
    assert (await rename(flow, id, auto_generate=True, user=other)).error == ABSENT
    assert (await rename(plain, id, name="N", user=user)).error == ABSENT
    assert (await delete(flow, id, other)).error == ABSENT
    assert (await delete(plain, id, user)).error == ABSENT
    (item,) = await flow.conversations(user=user)
    assert item["name"] == "number 0"


@pytest.mark.requirement("api-114")
async def test_deleting_demands_a_json_body(flow: Caller, user: str) -> None:
    (id,) = await begin(flow, user, 1)
    reply = await flow.call("DELETE", f"/conversations/{id}")
    assert reply.error[:2] == (415, "unsupported_media_type")


@pytest.mark.requirement("api-115", "api-116", "api-117")
async def test_a_deleted_conversation_is_gone_but_its_run_stays(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user)
    id = stream.events[0]["conversation_id"]
    reply = await delete(flow, id, user)
    assert (reply.status, reply.body, reply.headers["content-type"]) == (204, b"", "application/json")
    assert await flow.conversations(user=user) == []
    assert (await flow.get("/messages", conversation_id=id, user=user)).error == ABSENT
    assert (await flow.get(f"/conversations/{id}/variables", user=user)).error == ABSENT
    assert (await delete(flow, id, user)).error == ABSENT
    assert (await flow.chat("hi", user=user, conversation_id=id)).error == ABSENT
    assert (await rename(flow, id, name="N", user=user)).error == ABSENT
    assert (await flow.run_detail(stream.finished["id"]))["status"] == "succeeded"


@pytest.mark.requirement("api-118")
async def test_a_workflow_app_has_no_conversations(work: Caller) -> None:
    for path in ("/conversations", "/messages"):
        assert (await work.get(path, user="u1")).error[:2] == (400, "not_chat_app")
