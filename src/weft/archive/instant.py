"""Instants as the archive's files spell them: ISO 8601 in UTC with a ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from weft.errors import InvalidRequestError

STAMP = "%Y%m%dT%H%M%S%fZ"
"""How an instant stands in a file's name: to the microsecond, so that a later file has a later name."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


def parse_instant(value: object, field: str) -> datetime:
    """An aware UTC instant from ISO text (without a zone: UTC), seconds since 1970, or a datetime.

    Raises:
        InvalidRequestError: It is none of these, or lies outside of the years 1970 to 9998.
    """
    found = _read(value)
    if found is None or not _EARLIEST <= found < _LATEST:
        raise InvalidRequestError(
            f"{field}: {str(value)[:60]!r} is not an instant; give ISO 8601 such as 2025-10-15T10:30:00Z, "
            "or seconds since 1970",
            {field: "not an instant"},
        )
    return found


def _read(value: object) -> datetime | None:
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, str):
            found = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = _EARLIEST + timedelta(seconds=value)
        else:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def render_instant(value: datetime) -> str:
    """``2025-10-15T10:30:00Z``, with six decimals where there are any."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def stamp(value: datetime) -> str:
    """The instant as it stands in a file's name, ``20251015T103000000000Z``."""
    return value.astimezone(UTC).strftime(STAMP)
