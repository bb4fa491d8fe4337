"""The unmodified package `dify-client` against the service API.

It has no stop, audio, deletion or suggestions, returns answers of `requests` as they are, sends ``files:
null`` and a JSON content type on everything, and a query key `pinned` of old.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from tests.contract.caller import Caller
from tests.contract.uploads import PNG

dify = pytest.importorskip("dify_client")
pytestmark = pytest.mark.anyio
T = TypeVar("T")


async def away(fn: Callable[[], T]) -> T:
    """Call something that blocks."""
    return await asyncio.to_thread(fn)


def client_of(caller: Caller, kind: str = "ChatClient") -> Any:
    """A client as its documentation says; only the address is another."""
    client = getattr(dify, kind)(caller.key)
    client.base_url = caller.url
    return client


@pytest.fixture
def client(flow: Caller) -> Any:
    return client_of(flow)


async def test_a_message_is_answered_whole(client: Any, user: str) -> None:
    reply = await away(lambda: client.create_chat_message({"city": "Ulm"}, "hi", user))
    first = reply.json()
    more = await away(
        lambda: client.create_chat_message({}, "again", user, conversation_id=first["conversation_id"])
    )
    assert (reply.status_code, first["answer"], first["mode"]) == (200, "You said: hi", "advanced-chat")
    assert more.json()["conversation_id"] == first["conversation_id"]
    assert more.json()["answer"] == "You said: again"


async def test_a_message_is_answered_as_a_stream_that_its_documented_loop_reads(
    client: Any, user: str
) -> None:
    def read() -> list[dict[str, Any]]:
        events = []
        with client.create_chat_message({}, "hi there", user, response_mode="streaming") as response:
            assert response.status_code == 200
            for line in response.iter_lines(decode_unicode=True):
                _, mark, data = line.partition("data:")
                if mark:
                    events.append(json.loads(data))
        return events

    events = await away(read)
    assert "".join(event["answer"] for event in events if event["event"] == "message") == "You said: hi there"
    assert [event["event"] for event in events][-2:] == ["message_end", "workflow_finished"]


async def test_files_are_uploaded_and_sent_with_a_message(client: Any, user: str) -> None:
    uploaded = await away(lambda: client.file_upload(user, {"file": ("a.png", PNG, "image/png")}))
    file = uploaded.json()
    sent = [{"type": "image", "transfer_method": "local_file", "upload_file_id": file["id"]}]
    reply = await away(lambda: client.create_chat_message({}, "look", user, files=sent))
    page = await away(lambda: client.get_conversation_messages(user, reply.json()["conversation_id"]))
    (message,) = page.json()["data"]
    assert (uploaded.status_code, file["name"], file["size"]) == (201, "a.png", len(PNG))
    assert [(one["upload_file_id"], one["belongs_to"]) for one in message["message_files"]] == [
        (file["id"], "user")
    ]


async def test_conversations_and_messages_are_listed_in_pages(client: Any, user: str) -> None:
    first = (await away(lambda: client.create_chat_message({}, "one", user))).json()
    ids = [first["message_id"]]
    for query in ("two", "three"):
        said = await away(
            lambda query=query: client.create_chat_message(  # type: ignore[misc]
                {}, query, user, conversation_id=first["conversation_id"]
            )
        )
        ids.append(said.json()["message_id"])
    other = (await away(lambda: client.create_chat_message({}, "other", user))).json()

    newest = (await away(lambda: client.get_conversations(user, limit=1, pinned="true"))).json()
    rest = (await away(lambda: client.get_conversations(user, last_id=newest["data"][0]["id"]))).json()
    late = await away(lambda: client.get_conversation_messages(user, first["conversation_id"], limit=2))
    early = await away(
        lambda: client.get_conversation_messages(user, first["conversation_id"], first_id=ids[1])
    )

    assert ([one["id"] for one in newest["data"]], newest["has_more"], newest["limit"]) == (
        [other["conversation_id"]],
        True,
        1,
    )
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([first["conversation_id"]], False)
    assert [one["id"] for one in late.json()["data"]] == ids[1:]
    assert [one["id"] for one in early.json()["data"]] == ids[:1]


async def test_a_conversation_is_renamed(client: Any, user: str) -> None:
    said = (await away(lambda: client.create_chat_message({}, "hi", user))).json()
    renamed = await away(lambda: client.rename_conversation(said["conversation_id"], "New", user))
    assert renamed.status_code == 200
    assert (renamed.json()["id"], renamed.json()["name"]) == (said["conversation_id"], "New")


async def test_an_opinion_is_given_and_taken_back(flow: Caller, client: Any, user: str) -> None:
    said = (await away(lambda: client.create_chat_message({}, "hi", user))).json()
    shown = []
    for rating in ("like", None):
        reply = await away(lambda rating=rating: client.message_feedback(said["message_id"], rating, user))  # type: ignore[misc]
        assert (reply.status_code, reply.json()) == (200, {"result": "success"})
        (message,) = await flow.messages(said["conversation_id"], user=user)
        shown.append(message["feedback"])
    assert shown == [{"rating": "like"}, None]


async def test_the_parameters_of_the_app_are_read(client: Any, user: str) -> None:
    parameters = (await away(lambda: client.get_application_parameters(user))).json()
    assert parameters["opening_statement"] == "Hello {{city}}"
    assert [next(iter(item)) for item in parameters["user_input_form"]] == ["text-input", "select", "number"]


async def test_a_completion_is_refused_by_a_code(flow: Caller, user: str) -> None:
    completion = client_of(flow, "CompletionClient")
    for mode in ("blocking", "streaming"):
        reply = await away(lambda mode=mode: completion.create_completion_message({}, mode, user))  # type: ignore[misc]
        assert (reply.status_code, reply.json()["code"]) == (400, "app_unavailable")


async def test_errors_reach_the_caller_as_they_are(flow: Caller, user: str) -> None:
    stranger = dify.ChatClient("app-nobody")
    stranger.base_url = flow.url
    refused = await away(lambda: stranger.create_chat_message({}, "hi", user))
    absent = await away(lambda: client_of(flow).get_conversation_messages(user, "not-an-id"))
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert (absent.status_code, absent.json()["code"]) == (400, "invalid_param")
