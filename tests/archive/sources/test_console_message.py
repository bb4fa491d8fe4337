"""Messages are read the fast way to the same values as by their model."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft import wire
from weft.archive.sources import console_message
from weft.archive.sources.console_message import MessagePage, read_messages
from weft.wire.console import ChatMessage

FULL = {
    "id": "m1",
    "conversation_id": "c1",
    "inputs": {"a": 1},
    "query": "q ☃",
    "answer": "a",
    "message": [{"role": "user", "text": "q"}],
    "message_tokens": 3,
    "answer_tokens": 4,
    "provider_response_latency": 1,
    "from_source": "api",
    "from_end_user_id": "e",
    "from_account_id": None,
    "feedbacks": [{"rating": "like", "from_source": "user", "note": "kept"}],
    "workflow_run_id": "r",
    "annotation": {"content": "x"},
    "annotation_hit_history": None,
    "created_at": 1_760_000_000,
    "agent_thoughts": [{"id": "t", "thought": "hm", "created_at": 5}],
    "message_files": [{"id": "f", "url": "/files/f", "size": None}],
    "metadata": {"usage": {"total_tokens": 7}},
    "status": "normal",
    "error": None,
    "parent_message_id": None,
    "extra_contents": [],
}
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(0, 9), st.text(max_size=3))
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=1),
    st.dictionaries(st.sampled_from(["id", "rating", "type", "size", "x"]), SCALARS, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(["id", "rating", "type", "size"]), SCALARS), max_size=2),
)
MESSAGES = st.dictionaries(st.sampled_from([*FULL, "new"]), VALUES, max_size=6).map(
    lambda more: {"id": "m"} | more
)


def by_model(body: bytes) -> MessagePage | None:
    try:
        page = wire.parse_answer(wire.console.ChatMessagePage, body)
    except ValueError:
        return None
    return MessagePage([message.to_dict() for message in page.data], page.has_more)


def by_us(body: bytes) -> MessagePage | None:
    try:
        return read_messages(body)
    except ValueError:
        return None


def test_every_field_of_the_model_is_read_the_fast_way() -> None:
    bodies = [
        json.dumps({"data": [FULL], "has_more": True, "limit": 5}).encode(),
        b'{"data": [{"id": "m"}]}',
        b'{"data": []}',
    ]
    wanted = [by_model(body) for body in bodies]
    with patch.object(wire, "parse_answer", side_effect=AssertionError("the slow way")):
        assert [by_us(body) for body in bodies] == wanted
    assert set(console_message._Message.__struct_fields__) == set(ChatMessage.model_fields)


@given(st.lists(st.one_of(MESSAGES, MESSAGES.map(lambda more: FULL | more)), max_size=3))
def test_whatever_a_server_says_is_read_as_the_model_reads_it(messages: list[object]) -> None:
    body = json.dumps({"limit": 100, "has_more": False, "data": messages}).encode()
    assert by_us(body) == by_model(body)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"data": 5}', b'{"data": [{}]}', b"\xff", b'{"data": null}']
)
def test_what_is_no_page_of_messages_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_messages(body)
