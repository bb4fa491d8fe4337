"""When a cron expression is due next."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from weft.errors import InvalidRequestError


def next_time(cron: str, after: datetime, zone: str = "UTC") -> datetime:
    """The first instant after this one at which the expression is due, in UTC.

    Where clocks are put forward, what falls into the gap is due right after it; where they are put back, it
    is due once.

    Args:
        cron: Five fields.
        after: Aware.
        zone: Name of the time zone in which the fields are meant.

    Raises:
        InvalidRequestError: The expression or the zone is none, or it is never due.
    """
    from cronsim import CronSim, CronSimError  # only who has schedules needs it

    try:
        local = after.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRequestError(
            f"{zone!r} is no time zone; give a name such as UTC or Europe/Berlin", {"zone": "unknown"}
        ) from error
    try:
        if len(cron.split()) != 5:
            raise CronSimError("it needs five fields")
        return next(CronSim(cron, local)).astimezone(UTC)
    except StopIteration as error:
        raise InvalidRequestError(f"{cron!r} is never due", {"cron": "never due"}) from error
    except CronSimError as error:
        raise InvalidRequestError(
            f"{cron!r} is no cron expression: {error}; e.g. '0 2 * * *' is every day at 2:00",
            {"cron": "wrong"},
        ) from error


def check_cron(cron: str, zone: str = "UTC") -> None:
    """Make sure that an expression makes sense.

    Raises:
        InvalidRequestError: It does not.
    """
    next_time(cron, datetime(2024, 1, 1, tzinfo=UTC), zone)
