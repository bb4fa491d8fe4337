"""A conversation's file as rows of the index, one for each message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from hashlib import blake2b

import msgspec

from weft.archive.conversation import rating_of
from weft.archive.index.facet import EVERY, facet
from weft.archive.index.schema import MICROSECOND
from weft.archive.index.token import split_text
from weft.archive.json_text import decode
from weft.archive.place import Day

COST_PARTS = 10**12
"""Costs are exact to this part of a currency unit; what is finer is rounded half to even."""
_LARGEST_COST = Decimal(10) ** 15
RATINGS = {None: 0, "like": 1, "dislike": 2}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAILED = frozenset({"error", "failed"})


class _Message(msgspec.Struct, frozen=True):
    created_at: str
    id: str = ""
    query: str = ""
    answer: str = ""
    message_tokens: int = 0
    answer_tokens: int = 0
    provider_response_latency: float = 0.0
    from_source: str = ""
    from_end_user_id: object = None
    status: object = None
    error: object = None
    model_id: object = None
    model: object = None
    total_price: object = None
    currency: object = None
    metadata: object = None
    feedback: object = None
    feedbacks: object = None


class _Conversation(msgspec.Struct, frozen=True):
    conversation_id: str
    messages: list[msgspec.Raw]
    app_id: str = ""
    name: str = ""
    model_id: object = None
    model_config: object = None


@dataclass(slots=True)
class MessageRow:
    """What the index keeps of a message; texts are cut into words already."""

    number: int
    at: int
    """Microseconds since 1970."""
    message_id: str
    digest: int
    """63 bits of a hash of everything that the row is made from."""
    query: str
    answer: str
    name: str
    """The conversation's title, with its first message only."""
    facets: str
    app: str
    user: str
    model: str
    source: str
    currency: str
    failed: bool
    rating: int
    message_tokens: int
    answer_tokens: int
    cost: tuple[int, int]
    """Whole units, and parts of `COST_PARTS`."""
    latency: int
    """Microseconds; 0 when it was not measured."""


def iter_message_rows(data: bytes, day: Day, path: str) -> Iterator[MessageRow]:
    """The rows of a conversation's file.

    Raises:
        BadJsonError: It is no conversation.
    """
    conversation = decode(data, _Conversation, path)
    organization = day.organization_id or ""
    default = _first_text(conversation.model_id) or _configured(conversation.model_config)
    salt = msgspec.json.encode([conversation.app_id, organization, default])
    head = [EVERY, facet("app", conversation.app_id), facet("conversation", conversation.conversation_id)]
    if organization:
        head.append(facet("org", organization))
    words = " ".join(head)
    for number, raw in enumerate(conversation.messages):
        title = conversation.name if number == 0 else ""
        hashed = blake2b(salt, digest_size=8)
        hashed.update(title.encode() if number == 0 else b"\xff")
        hashed.update(raw)
        digest = int.from_bytes(hashed.digest()) >> 1
        yield _row(decode(raw, _Message, path), conversation.app_id, default, number, title, digest, words)


def _row(
    message: _Message, app: str, default: str, number: int, title: str, digest: int, head: str
) -> MessageRow:
    metadata = message.metadata if isinstance(message.metadata, dict) else {}
    usage = metadata.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    model = _first_text(message.model_id, message.model, metadata.get("model"), usage.get("model")) or default
    user = message.from_end_user_id if isinstance(message.from_end_user_id, str) else ""
    price, currency = message.total_price, message.currency
    if price is None:
        price, currency = usage.get("total_price"), usage.get("currency")
    status = message.status if isinstance(message.status, str) and message.status else "normal"
    failed = status in _FAILED or bool(message.error)
    rated = None
    if message.feedback is not None or message.feedbacks is not None:
        rated = rating_of({"feedback": message.feedback, "feedbacks": message.feedbacks})
    words = [head, facet("source", message.from_source), facet("status", status)]
    for name, value in (
        ("user", user),
        ("model", model),
        ("rating", rated),
        ("error", "yes" if failed else ""),
    ):
        if value:
            words.append(facet(name, value))
    return MessageRow(
        number=number,
        at=microseconds(message.created_at),
        message_id=message.id,
        digest=digest,
        query=split_text(message.query),
        answer=split_text(message.answer),
        name=split_text(title),
        facets=" ".join(words),
        app=app,
        user=user,
        model=model,
        source=message.from_source,
        currency=(str(currency) if currency else "USD") if price is not None else "",
        failed=failed,
        rating=RATINGS[rated],
        message_tokens=min(message.message_tokens, 2**53),
        answer_tokens=min(message.answer_tokens, 2**53),
        cost=_cost(str(price)) if price is not None else (0, 0),
        latency=_latency(message.provider_response_latency),
    )


def microseconds(text: str) -> int:
    """An instant of a file as microseconds since 1970."""
    return to_microseconds(datetime.fromisoformat(text))


def to_microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(at: int) -> datetime:
    """The instant so many microseconds after the beginning of 1970."""
    return _EPOCH + timedelta(microseconds=at)


def to_decimal(whole: int, part: int) -> Decimal:
    """The cost of so many units and parts, without zeros at its end."""
    total = whole * COST_PARTS + part
    digits = Decimal(total).scaleb(-12)
    whole_digits = digits.to_integral_value()
    return whole_digits if digits == whole_digits else digits.normalize()


@lru_cache(maxsize=4096)
def _cost(text: str) -> tuple[int, int]:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return 0, 0
    if not amount.is_finite() or abs(amount) > _LARGEST_COST:
        return 0, 0
    return divmod(int(amount.scaleb(12).to_integral_value(ROUND_HALF_EVEN)), COST_PARTS)


def _latency(seconds: float) -> int:
    return round(seconds * MICROSECOND) if 0 < seconds < 1e9 else 0


def _first_text(*values: object) -> str:
    for value in values:
        if isinstance(value, str) and value:
            return value
    return ""


def _configured(config: object) -> str:
    """The model in a conversation's ``model_config``, which Dify writes as an object or as a name."""
    if not isinstance(config, dict):
        return ""
    model = config.get("model")
    if isinstance(model, dict):
        return _first_text(model.get("name"), model.get("model"))
    return _first_text(config.get("model_id"), model)
