"""Conversations in several scripts for the tests of searching and counting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from weft.archive import Conversation

BEGIN = datetime(2025, 10, 1, 22, tzinfo=UTC)
WORDS = ["refund", "Refunds", "order", "e-mail", "Größe", "GROSSE", "café", "über", "a1"]
WORDS += [
    "退款",
    "退款申请",
    "申请",
    "我",
    "iPhone手机壳",
    "手机",
    "返品したい",
    "かな",
    "환불",
    "환불 요청",
    "заказ",
    "Δοκιμή",
]
SIGNS = [" ", " ", "", ", ", "\n", "-", "。"]
APPS = ["shop", "help-desk"]
USERS = ["ann", "bo@example.org", "王"]

texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SIGNS)), max_size=5).map(
    lambda parts: "".join(word + sign for word, sign in parts)
)


@st.composite
def conversations(draw: st.DrawFn, most: int = 5) -> list[Conversation]:
    """Some conversations with different ids."""
    return [draw(conversation(number)) for number in range(draw(st.integers(1, most)))]


@st.composite
def conversation(draw: st.DrawFn, number: int) -> Conversation:
    start = BEGIN + timedelta(hours=draw(st.integers(0, 60)))
    turns: Sequence[int] = draw(st.lists(st.integers(0, 4), max_size=4))
    messages = [
        {
            "id": f"m-{number}-{turn}",
            "query": draw(texts),
            "answer": draw(texts),
            "created_at": (start + timedelta(hours=hours)).isoformat(),
            "message_tokens": draw(st.integers(0, 50)),
            "answer_tokens": draw(st.integers(0, 50)),
            "provider_response_latency": draw(st.sampled_from([0, 0.25, 1.5, 30])),
            "from_end_user_id": draw(st.sampled_from([*USERS, None])),
            "feedback": draw(st.sampled_from([None, {"rating": "like"}, {"rating": "dislike"}])),
            "status": draw(st.sampled_from(["normal", "error"])),
            "model_id": draw(st.sampled_from([None, "gpt-x", "qwen"])),
            "metadata": draw(
                st.sampled_from(
                    [
                        {},
                        {"usage": {"total_price": "0.0000015", "currency": "USD"}},
                        {"usage": {"total_price": "12.10", "currency": "EUR"}},
                    ]
                )
            ),
        }
        for turn, hours in enumerate(sorted(turns))
    ]
    return Conversation.parse(
        {
            "conversation_id": f"c-{number}",
            "app_id": draw(st.sampled_from(APPS)),
            "name": draw(texts),
            "from_source": draw(st.sampled_from(["api", "whats app"])),
            "created_at": start.isoformat(),
            "messages": messages,
        }
    )
