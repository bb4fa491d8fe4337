"""A conversation's file as rows of the index, one for each message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from hashlib import blake2b

import msgspec

from weft.archive.conversation import rating_of
from weft.archive.index.facet import EVERY, facet
from weft.archive.index.row_number import MICROSECOND
from weft.archive.index.token import split_text
from weft.archive.json_text import BadJsonError, decode
from weft.archive.place import Day

COST_PARTS = 10**12
"""Costs are exact to this part of a currency unit; what is finer is rounded half to even."""
_LARGEST_COST = Decimal(10) ** 15
MOST_TOKENS = 2**53
"""Of one message; what claims more is taken for this."""
RATINGS = {None: 0, "like": 1, "dislike": 2}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAILED = frozenset({"error", "failed"})
_MICROSECOND = timedelta(microseconds=1)


_Plain = str | int | float | bool | list[object] | None


class _Usage(msgspec.Struct, frozen=True, gc=False):
    total_price: object = None
    currency: object = None
    model: object = None


class _Metadata(msgspec.Struct, frozen=True, gc=False):
    """What is of use in a message's ``metadata``, most of which is about what was retrieved."""

    usage: _Usage | _Plain = None
    model: object = None


class _Message(msgspec.Struct, frozen=True, gc=False):
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
    metadata: _Metadata | _Plain = None
    feedback: object = None
    feedbacks: object = None
    workflow_run_id: object = None


_MESSAGE = msgspec.json.Decoder(_Message)
_NO_USAGE = _Usage()
_NO_METADATA = _Metadata()


class _Conversation(msgspec.Struct, frozen=True):
    conversation_id: str
    messages: list[msgspec.Raw]
    app_id: str = ""
    name: str = ""
    model_id: object = None
    model_config: object = None


class MessageRow(msgspec.Struct, gc=False):
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
    run: int | None
    """`run_key` of the run that answered, for a message that does not name its model itself."""


def iter_message_rows(data: bytes, day: Day, path: str) -> Iterator[MessageRow]:
    """The rows of a conversation's file.

    Raises:
        BadJsonError: It is no conversation.
    """
    conversation = decode(data, _Conversation, path)
    app = conversation.app_id
    organization = day.organization_id or ""
    default = _first_text(conversation.model_id) or _configured(conversation.model_config)
    salt = msgspec.json.encode([app, organization, default])
    head = _head(app, organization, conversation.conversation_id)
    title, key = conversation.name, _key(salt, conversation.name)
    for number, raw in enumerate(conversation.messages):
        hashed = blake2b(raw, digest_size=8, key=key).digest()
        try:
            message = _MESSAGE.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadJsonError(f"{path}: {error}") from error
        digest = int.from_bytes(hashed) >> 1
        yield _row(message, app, organization, default, number, title, digest, head)
        if number == 0:
            title, key = "", _key(salt, None)


def _key(salt: bytes, title: str | None) -> bytes:
    """The key of a message's hash: what its row is made from besides the message."""
    return blake2b(salt + (b"\xff" if title is None else title.encode()), digest_size=32).digest()


def _row(
    message: _Message,
    app: str,
    organization: str,
    default: str,
    number: int,
    title: str,
    digest: int,
    head: str,
) -> MessageRow:
    metadata = message.metadata if isinstance(message.metadata, _Metadata) else _NO_METADATA
    usage = metadata.usage if isinstance(metadata.usage, _Usage) else _NO_USAGE
    model = message.model_id
    if not isinstance(model, str) or not model:
        model = _first_text(message.model, metadata.model, usage.model) or default
    user = message.from_end_user_id if isinstance(message.from_end_user_id, str) else ""
    price, currency = message.total_price, message.currency
    if price is None:
        price, currency = usage.total_price, usage.currency
    status = message.status if isinstance(message.status, str) and message.status else "normal"
    failed = status in _FAILED or bool(message.error)
    rated = None
    if message.feedback is not None or message.feedbacks is not None:
        rated = rating_of({"feedback": message.feedback, "feedbacks": message.feedbacks})
    run = message.workflow_run_id
    return MessageRow(
        number,
        (datetime.fromisoformat(message.created_at) - _EPOCH) // _MICROSECOND,
        message.id,
        digest,
        split_text(message.query),
        split_text(message.answer),
        split_text(title) if title else "",
        head + _properties(message.from_source, status, user, model, rated, failed),
        app,
        user,
        model,
        message.from_source,
        currency_of(currency) if price is not None else "",
        failed,
        RATINGS[rated],
        min(message.message_tokens, MOST_TOKENS),
        min(message.answer_tokens, MOST_TOKENS),
        cost_of(str(price)) if price is not None else (0, 0),
        _latency(message.provider_response_latency),
        run_key(organization, run) if not model and isinstance(run, str) and run else None,
    )


@lru_cache(maxsize=16)
def _head(app: str, organization: str, conversation: str) -> str:
    words = [EVERY, facet("app", app), facet("conversation", conversation)]
    if organization:
        words.append(facet("org", organization))
    return " ".join(words)


@lru_cache(maxsize=1 << 14)
def _properties(source: str, status: str, user: str, model: str, rated: str | None, failed: bool) -> str:
    words = ["", facet("source", source), facet("status", status)]
    if user:
        words.append(facet("user", user))
    if model:
        words.append(facet("model", model))
    if rated:
        words.append(facet("rating", rated))
    if failed:
        words.append(facet("error", "yes"))
    return " ".join(words)


def run_key(organization: str, id: str) -> int:
    """The number that a run has in the index: 63 bits of a hash."""
    hashed = blake2b(f"{organization}\n{id}".encode("utf-8", "replace"), digest_size=8)
    return int.from_bytes(hashed.digest()) >> 1


def to_microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(at: int) -> datetime:
    """The instant so many microseconds after the beginning of 1970."""
    return _EPOCH + timedelta(microseconds=at)


def to_decimal(whole: int, part: int) -> Decimal:
    """The cost of so many units and parts, without zeros at its end."""
    total = whole * COST_PARTS + part
    digits = Decimal(total).scaleb(-12)
    whole_digits = digits.to_integral_value()
    return whole_digits if digits == whole_digits else digits.normalize()


def currency_of(value: object) -> str:
    """The currency of a price; it is dollars unless something else is said."""
    return str(value) if value else "USD"


@lru_cache(maxsize=4096)
def cost_of(text: str) -> tuple[int, int]:
    """A price as whole units and parts of `COST_PARTS`; nothing for what is no price."""
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
