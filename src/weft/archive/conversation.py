"""A conversation as the archive keeps it: the guide's fields in the guide's order, and what else there is.

Source: the log file format of the conversation log guide; further fields are additions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from weft.archive.instant import parse_instant, render_instant
from weft.archive.json_text import JsonObject
from weft.errors import InvalidRequestError

_HEAD = (
    "conversation_id",
    "app_id",
    "name",
    "status",
    "from_source",
    "created_at",
    "updated_at",
    "dialogue_count",
)
_MESSAGE = (
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
)


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
        texts = [self.fields["updated_at"], self.fields["created_at"]]
        texts += [message["created_at"] for message in self.messages]
        latest = max(cast("list[str]", texts), key=lambda text: text[:-1])
        return parse_instant(latest, "updated_at")

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
        raw = _list(record.get("messages"), where)
        created_at = _created_at(record, raw, where)
        defaults = {
            "conversation_id": id,
            "created_at": created_at,
            "from_source": _text(record, "from_source", "api", where),
            "from_end_user_id": record.get("from_end_user_id"),
        }
        messages = [_message(message, defaults, f"{where}, message {n}") for n, message in enumerate(raw, 1)]
        latest = max((cast(str, message["created_at"]) for message in messages), default=created_at)
        fields: JsonObject = {
            "conversation_id": id,
            "app_id": _text(record, "app_id", "", where),
            "name": _text(record, "name", "", where),
            "status": _text(record, "status", "normal", where),
            "from_source": defaults["from_source"],
            "created_at": created_at,
            "updated_at": _instant(record.get("updated_at"), latest, f"{where}: updated_at"),
            "dialogue_count": _count(record, "dialogue_count", len(messages), where),
        }
        organization = _optional_text(record, "organization_id", where)
        known = {*_HEAD, "messages", "logged_at", "organization_id"}
        if "conversation_id" not in record:
            known.add("id")
        if organization is not None:
            fields["organization_id"] = organization
        fields.update(_additions(record, known))
        fields["messages"] = messages
        if record.get("logged_at") is not None:
            fields["logged_at"] = render_instant(parse_instant(record["logged_at"], f"{where}: logged_at"))
        return cls(fields)

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
    found = [item for item in (one, *(many if isinstance(many, list) else ())) if isinstance(item, Mapping)]
    found.sort(key=lambda item: item.get("from_source") == "admin")
    return next((str(item["rating"]) for item in found if item.get("rating") in ("like", "dislike")), None)


def _message(value: object, defaults: Mapping[str, object], where: str) -> JsonObject:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"{where} is not an object", {"messages": "not an object"})
    message = cast("Mapping[str, object]", value)
    latency = message.get("provider_response_latency")
    if latency is not None and (isinstance(latency, bool) or not isinstance(latency, int | float)):
        raise _wrong(where, "provider_response_latency", "a number of seconds")
    fields: JsonObject = {
        "id": _text(message, "id", "", where),
        "conversation_id": defaults["conversation_id"],
        "query": _text(message, "query", "", where),
        "answer": _text(message, "answer", "", where),
        "created_at": _instant(message.get("created_at"), cast(str, defaults["created_at"]), where),
        "message_tokens": _count(message, "message_tokens", 0, where),
        "answer_tokens": _count(message, "answer_tokens", 0, where),
        "provider_response_latency": latency or 0.0,
        "from_source": _text(message, "from_source", cast(str, defaults["from_source"]), where),
        "from_end_user_id": message.get("from_end_user_id", defaults["from_end_user_id"]),
    }
    fields.update(_additions(message, set(_MESSAGE)))
    return fields


def _created_at(record: Mapping[str, object], messages: Sequence[object], where: str) -> str:
    value = record.get("created_at")
    if value is None and messages and isinstance(messages[0], Mapping):
        value = messages[0].get("created_at")
    return render_instant(parse_instant(value, f"{where}: created_at"))


def _additions(record: Mapping[str, object], known: set[str]) -> JsonObject:
    return {key: record[key] for key in sorted(record) if key not in known}


def _instant(value: object, default: str, field: str) -> str:
    return default if value is None else render_instant(parse_instant(value, field))


def _text(record: Mapping[str, object], field: str, default: str, where: str) -> str:
    value = record.get(field)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _wrong(where, field, "text")
    return value


def _optional_text(record: Mapping[str, object], field: str, where: str) -> str | None:
    return _text(record, field, "", where) if record.get(field) is not None else None


def _count(record: Mapping[str, object], field: str, default: int, where: str) -> int:
    value = record.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(where, field, "a whole number, 0 or more")
    return value


def _list(value: object, where: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise _wrong(where, "messages", "a list")
    return list(value)


def _wrong(where: str, field: str, expected: str) -> InvalidRequestError:
    return InvalidRequestError(f"{where}: {field} must be {expected}", {field: f"must be {expected}"})
