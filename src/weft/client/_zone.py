"""Times in the account's own zone, as the console's filters want them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from typing import TYPE_CHECKING, TypeVar

from weft import wire
from weft.client._call import Call, Minute
from weft.errors import ConfigError, InvalidRequestError

if TYPE_CHECKING:
    from weft.wire import Instant

T = TypeVar("T")


def minute(value: Instant | None, *, up: bool = False) -> Minute | None:
    """A filter by time, to the minute.

    Args:
        value: A datetime (naive means UTC), unix seconds, or ISO 8601 text.
        up: Whether a part of a minute counts as a whole one, for ends that are exclusive.

    Raises:
        InvalidRequestError: It is no time.
    """
    if value is None:
        return None
    try:
        moment = wire.parse_instant(value)
    except ValueError as error:
        raise InvalidRequestError(f"{value!r} is no time: {error}") from None
    whole = moment.replace(second=0, microsecond=0)
    return Minute(whole + timedelta(minutes=1) if up and whole != moment else whole)


def in_zone(call: Call[T], zone: tzinfo) -> Call[T]:
    """The request with its filters by time written in that zone."""
    texts = {name: f"{at.moment.astimezone(zone):%Y-%m-%d %H:%M}" for name, at in call.minutes.items()}
    return replace(call, query={**call.query, **texts}, minutes={})


def zone_of(account: wire.console.Account) -> tzinfo:
    """The account's zone; UTC if it has none.

    Raises:
        ConfigError: This machine does not know the zone.
    """
    if not account.timezone or account.timezone == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # few programs need it

    try:
        return ZoneInfo(account.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"the account's time zone {account.timezone!r} is not known on this machine; pip install tzdata"
        ) from error
