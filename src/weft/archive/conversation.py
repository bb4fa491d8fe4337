"""A conversation as the archive keeps it: the guide's fields in the guide's order, and what else there is.

Source: the log file format of the conversation log guide; further fields are additions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, cast

from weft.archive.instant import normalize_instant, parse_instant
from weft.archive.json_text import JsonObject
from weft.errors import InvalidRequestError

_KNOWN = frozenset(
    {
        "conversation_id",
        "app_id",
        "name",
        "status",
        "from_source",
        "created_at",
        "updated_at",
        "dialogue_count",
        "organization_id",
        "messages",
        "logged_at",
    }
)
_KNOWN_BY_ID = _KNOWN | {"id"}
_MESSAGE = frozenset(
    {
        "id",
        "conversation_id",
        "query",
        "answer",
        "created_at",
        "message_tokens",
        "answer_tokens",
        "provider_response_latency",
        "from_source",
        "from_end_user_id",
    }
)
"""Fields that stand first; all others follow them by name."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One person's exchange with one app, whole, as JSON fields.

    Make one with `parse`, which validates; fields are not to be changed afterwards.
    """

    fields: JsonObject
    """All fields in the order of the file, ``messages`` last; ``logged_at`` follows when it was stored."""

    @property
    def id(self) -> str:
        """The conversation's id."""
        return cast(str, self.fields["conversation_id"])

    @property
    def organization_id(self) -> str | None:
        """The organisation that it belongs to."""
        return cast("str | None", self.fields.get("organization_id"))

    @property
    def app_id(self) -> str:
        """The app that answered; empty when unknown."""
        return cast(str, self.fields["app_id"])

    @property
    def name(self) -> str:
        """The title."""
        return cast(str, self.fields["name"])

    @property
    def from_source(self) -> str:
        """Where the questions came from, e.g. ``api`` or ``whatsapp``."""
        return cast(str, self.fields["from_source"])

    @property
    def created_at(self) -> datetime:
        """When it began."""
        return parse_instant(self.fields["created_at"], "created_at")

    @property
    def last_activity(self) -> datetime:
        """The latest of its update and its messages."""
        return parse_instant(self.last_activity_text, "updated_at")

    @property
    def last_activity_text(self) -> str:
        """The same as the file spells it."""
        texts = [self.fields["updated_at"], self.fields["created_at"]]
        texts += [message["created_at"] for message in self.messages]
        return max(cast("list[str]", texts), key=_without_zone)

    @property
    def messages(self) -> Sequence[JsonObject]:
        """Each query with its answer, in the order in which they came."""
        return cast("list[JsonObject]", self.fields["messages"])

    @property
    def logged_at(self) -> datetime | None:
        """When it was stored; none before."""
        text = self.fields.get("logged_at")
        return None if text is None else parse_instant(text, "logged_at")

    @classmethod
    def parse(cls, record: Mapping[str, object]) -> Conversation:
        """Validate a conversation in the guide's format and give it the guide's order.

        Fields that are absent are derived: ``created_at`` from the first message, ``updated_at`` from the
        latest activity, ``dialogue_count`` from the number of messages, ``from_source`` is ``api``. Instants
        may be ISO text or seconds since 1970. ``id`` is accepted for ``conversation_id``.

        Raises:
            InvalidRequestError: No id, no instant to file it under, or a field of the wrong type.
        """
        id = record.get("conversation_id", record.get("id"))
        if not isinstance(id, str) or not id:
            raise InvalidRequestError(
                "a conversation has no conversation_id; give it one", {"conversation_id": "missing"}
            )
        where = f"conversation {id[:60]!r}"
        try:
            return cls(_fields(id, record, where))
        except _MisfitError as misfit:
            raise InvalidRequestError(
                f"{where}{misfit.place}: {misfit.field} must be {misfit.expected}",
                {misfit.field: f"must be {misfit.expected}"},
            ) from None

    def within(self, organization_id: str | None) -> Conversation:
        """The same conversation in this organisation; none leaves it where it is."""
        if organization_id is None or organization_id == self.organization_id:
            return self
        return Conversation.parse({**self.fields, "organization_id": organization_id})


def rating_of(message: Mapping[str, object]) -> str | None:
    """``like`` or ``dislike``: what the reader thought of an answer, the end user's word before the editors'.

    Source: Dify service API (``feedback``) and console API (``feedbacks``).
    """
    one = message.get("feedback")
    many = message.get("feedbacks")
    if not one and not many:
        return None
    found = [item for item in (one, *(many if isinstance(many, list) else ())) if isinstance(item, Mapping)]
    found.sort(key=lambda item: item.get("from_source") == "admin")
    return next((str(item["rating"]) for item in found if item.get("rating") in ("like", "dislike")), None)


def _without_zone(instant: str) -> str:
    """Sorts rightly also where one instant has decimals and the other none."""
    return instant[:-1]


class _MisfitError(Exception):
    """A field is not what it has to be."""

    def __init__(self, field: str, expected: str) -> None:
        self.field = field
        self.expected = expected
        self.place = ""
        super().__init__(field)


def _fields(id: str, record: Mapping[str, object], where: str) -> JsonObject:
    raw = record.get("messages", ())
    if raw is None:
        raw = ()
    if not isinstance(raw, list | tuple):
        raise _MisfitError("messages", "a list")
    created_at = record.get("created_at")
    if created_at is None and raw and isinstance(raw[0], Mapping):
        created_at = raw[0].get("created_at")
    begun = normalize_instant(created_at, f"{where}: created_at")
    source = _text(record, "from_source", "api")
    defaults = _Defaults(id, begun, source, record.get("from_end_user_id"))
    messages = [_message(message, defaults, where, number) for number, message in enumerate(raw, 1)]
    updated_at = record.get("updated_at")
    if updated_at is None:
        latest = max((cast(str, message["created_at"]) for message in messages), default=begun)
    else:
        latest = normalize_instant(updated_at, f"{where}: updated_at")
    fields: JsonObject = {
        "conversation_id": id,
        "app_id": _text(record, "app_id", ""),
        "name": _text(record, "name", ""),
        "status": _text(record, "status", "normal"),
        "from_source": source,
        "created_at": begun,
        "updated_at": latest,
        "dialogue_count": _count(record, "dialogue_count", len(messages)),
    }
    if record.get("organization_id") is not None:
        fields["organization_id"] = _text(record, "organization_id", "")
    known = _KNOWN if "conversation_id" in record else _KNOWN_BY_ID
    for field in sorted(record.keys() - known):
        fields[field] = record[field]
    fields["messages"] = messages
    if record.get("logged_at") is not None:
        fields["logged_at"] = normalize_instant(record["logged_at"], f"{where}: logged_at")
    return fields


class _Defaults(NamedTuple):
    """What a message has from its conversation unless it says otherwise."""

    conversation_id: str
    created_at: str
    from_source: str
    from_end_user_id: object


def _message(value: object, defaults: _Defaults, where: str, number: int) -> JsonObject:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(
            f"{where}, message {number} is not an object", {"messages": "not an object"}
        )
    message = cast("Mapping[str, object]", value)
    try:
        created_at = message.get("created_at")
        latency = message.get("provider_response_latency")
        if latency is not None and (isinstance(latency, bool) or not isinstance(latency, int | float)):
            raise _MisfitError("provider_response_latency", "a number of seconds")
        fields: JsonObject = {
            "id": _text(message, "id", ""),
            "conversation_id": defaults.conversation_id,
            "query": _text(message, "query", ""),
            "answer": _text(message, "answer", ""),
            "created_at": defaults.created_at
            if created_at is None
            else normalize_instant(created_at, f"{where}, message {number}"),
            "message_tokens": _count(message, "message_tokens", 0),
            "answer_tokens": _count(message, "answer_tokens", 0),
            "provider_response_latency": latency or 0.0,
            "from_source": _text(message, "from_source", defaults.from_source),
            "from_end_user_id": message.get("from_end_user_id", defaults.from_end_user_id),
        }
    except _MisfitError as misfit:
        misfit.place = f", message {number}"
        raise
    for field in _others(tuple(message)):
        fields[field] = message[field]
    return fields


@lru_cache(maxsize=256)
def _others(names: tuple[str, ...]) -> list[str]:
    """Those of a message's fields that follow by name."""
    return sorted(set(names) - _MESSAGE)


def _text(record: Mapping[str, object], field: str, default: str) -> str:
    value = record.get(field)
    if isinstance(value, str):
        return value
    if value is None:
        return default
    raise _MisfitError(field, "text")


def _count(record: Mapping[str, object], field: str, default: int) -> int:
    value = record.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _MisfitError(field, "a whole number, 0 or more")
    return value
