"""Kinds of fields: how lenient or strict a value is read, decided once.

Pydantic's own rules already fit two of the contract's: booleans are read leniently (``"yes"``,
``"0"``, ``1``, any case) and a number where text is expected is an error. The rest is here. The
texts of these errors reach the caller, see `weft.wire.error.invalid_request`.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, ValidationInfo

from weft.wire.instant import parse_instant

T = TypeVar("T")

JsonObject = dict[str, object]
"""A JSON object whose keys are not fixed by the contract."""

USER_MISSING = "Arg user must be provided."
MAX_USER_CHARS = 255
"""Characters in a `user` text, the width of the column it is kept in."""

_UUID = re.compile("-?".join(f"([0-9a-f]{{{digits}}})" for digits in (8, 4, 4, 4, 12)), re.IGNORECASE)
_PLAIN_INTEGER = re.compile(r"-?[0-9]{1,18}")


def parse_uuid(text: str) -> str:
    """The lower-case hyphenated form of a UUID given in upper case, without hyphens or in braces.

    Raises:
        ValueError: It is none of these.
    """
    bare = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    found = _UUID.fullmatch(bare)
    if found is None:
        raise ValueError("must be a valid UUID")
    return "-".join(found.groups()).lower()


def _uuid_or_none(value: object, info: ValidationInfo) -> str | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            return parse_uuid(value)
    except ValueError:
        pass
    raise ValueError(f"{info.field_name} must be a valid UUID")


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _user(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("user must be a string")
    text = str(value)
    if len(text) > MAX_USER_CHARS:
        raise ValueError(f"user must be at most {MAX_USER_CHARS} characters long")
    return text


def _required_user(value: object) -> str:
    text = _user(value)
    if text is None:
        raise ValueError(USER_MISSING)
    return text


def _plain_integer(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        if _PLAIN_INTEGER.fullmatch(value) is None:
            raise ValueError(f"{info.field_name} must be an integer")
        return int(value)
    return value


def _instant_or_none(value: object, info: ValidationInfo) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, (str, datetime)):
            return parse_instant(value)
    except ValueError:
        pass
    raise ValueError(f"{info.field_name} must be an ISO 8601 date or time")


def _object_from_text(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except (ValueError, RecursionError) as error:
        raise ValueError("must be a JSON object or its text") from error


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _empty_if_none(value: object) -> object:
    return "" if value is None else value


def _object_if_none(value: object) -> object:
    return {} if value is None else value


def _list_if_none(value: object) -> object:
    return [] if value is None else value


def _zero_if_none(value: object) -> object:
    return 0 if value is None else value


Text = Annotated[str, BeforeValidator(_empty_if_none)]
"""Text of an answer; null is read as empty."""
OptionalText = Annotated[str | None, BeforeValidator(_none_if_empty)]
"""Text of a request where empty means "not given"."""
OptionalUuid = Annotated[str | None, BeforeValidator(_uuid_or_none)]
"""UUID of a request, normalised; empty means "not given"."""
TrimmedUuid = Annotated[str | None, BeforeValidator(_uuid_or_none), BeforeValidator(_trimmed)]
"""As `OptionalUuid`, outer blanks ignored."""
User = Annotated[str, BeforeValidator(_required_user)]
"""Who asks: text, or a number that becomes text; 1 to 255 characters."""
OptionalUser = Annotated[str | None, BeforeValidator(_user)]
"""As `User`; absent, null and empty mean the shared default user."""
PLAIN_INTEGER = BeforeValidator(_plain_integer)
"""How an integer of a query string is read: plain decimal digits."""
Limit = Annotated[int, Field(ge=1, le=100), PLAIN_INTEGER]
"""Items per page, 1 to 100."""
InstantFilter = Annotated[datetime | None, BeforeValidator(_instant_or_none)]
"""Moment in a query string, read as an aware UTC datetime; empty means "not given"."""
ObjectOrText = Annotated[JsonObject | None, BeforeValidator(_object_from_text)]
"""JSON object that some servers send as its JSON text."""
Object = Annotated[JsonObject, BeforeValidator(_object_if_none)]
"""JSON object of an answer; null is read as empty."""
ListOf = Annotated[list[T], BeforeValidator(_list_if_none)]
"""List of an answer; null is read as empty."""
Part = Annotated[T, BeforeValidator(_object_if_none)]
"""Model within an answer; null is read as one without keys."""
Count = Annotated[int, BeforeValidator(_zero_if_none)]
"""Integer of an answer; null is read as zero."""
Seconds = Annotated[float, BeforeValidator(_zero_if_none)]
"""Duration in seconds; null is read as zero."""
Price = Annotated[Decimal, BeforeValidator(_zero_if_none)]
"""Decimal number, text on the wire (``"0.001"``, ``"0E-7"``); a JSON number is accepted, null is zero."""
