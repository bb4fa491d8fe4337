"""Kinds of fields in the console's queries and bodies, read strictly: what comes in here is trusted later."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo

from weft.wire import parse_instant, parse_uuid

_DIGITS = re.compile(r"-?[0-9]{1,18}")


def _integer(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        if _DIGITS.fullmatch(value) is None:
            raise ValueError(f"{info.field_name} must be an integer")
        return int(value)
    return value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _uuid(value: object, info: ValidationInfo) -> object:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            return parse_uuid(value)
    except ValueError:
        pass
    raise ValueError(f"{info.field_name} must be a valid UUID")


def _needed_uuid(value: object, info: ValidationInfo) -> object:
    found = _uuid(value, info)
    if found is None:
        raise ValueError(f"{info.field_name} must be a valid UUID")
    return found


def _instant(value: object, info: ValidationInfo) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            return parse_instant(value)
    except ValueError:
        pass
    raise ValueError(f"{info.field_name} must be an ISO 8601 date or time")


def _day(value: object, info: ValidationInfo) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        pass
    shown = value[:40] if isinstance(value, str) else type(value).__name__
    raise ValueError(f"Parameter validation error: Invalid {info.field_name} format: {shown}. Use YYYY-MM-DD")


def _false_if_empty(value: Any) -> Any:
    return False if value in (None, "") else value


PageNumber = Annotated[int, Field(ge=1, le=99999), BeforeValidator(_integer)]
"""Pages are counted from 1."""
Limit = Annotated[int, Field(ge=1, le=100), BeforeValidator(_integer)]
"""Items on a page."""
Count = Annotated[int | None, BeforeValidator(_integer)]
"""A number of things, also none and less; absent means "not given"."""
OptionalText = Annotated[str | None, BeforeValidator(_none_if_empty)]
"""Text where empty means "not given"."""
OptionalId = Annotated[str | None, BeforeValidator(_uuid)]
"""UUID, normalised; empty means "not given"."""
Id = Annotated[str, BeforeValidator(_needed_uuid)]
"""UUID, normalised."""
Moment = Annotated[datetime | None, BeforeValidator(_instant)]
"""ISO 8601 date or time, UTC where it has no zone."""
Day = Annotated[datetime | None, BeforeValidator(_day)]
"""``YYYY-MM-DD``, its first instant in UTC."""
Flag = Annotated[bool, BeforeValidator(_false_if_empty)]
"""A switch in a query string, read leniently; empty means off."""
