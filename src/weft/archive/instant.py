"""Instants as the archive's files spell them: ISO 8601 in UTC with a ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime

from weft.errors import InvalidRequestError

_PUNCTUATION = str.maketrans("", "", "-:.")
_FIRST_YEAR = 1970
_LAST_YEAR = 9998


def parse_instant(value: object, field: str) -> datetime:
    """An aware UTC instant from ISO text (without a zone: UTC), seconds since 1970, or a datetime.

    Raises:
        InvalidRequestError: It is none of these, or lies outside of the years 1970 to 9998.
    """
    found = _read(value)
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
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
            return datetime.fromtimestamp(value, UTC)
        else:
            return None
        if found.tzinfo is None:
            return found.replace(tzinfo=UTC)
        return found if found.tzinfo is UTC else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def render_instant(value: datetime) -> str:
    """``2025-10-15T10:30:00Z``, with six decimals where there are any."""
    found = value if value.tzinfo is UTC else value.astimezone(UTC)
    return found.isoformat().removesuffix("+00:00") + "Z"


def normalize_instant(value: object, field: str) -> str:
    """What `parse_instant` takes, as the archive spells it.

    Raises:
        InvalidRequestError: It is no instant.
    """
    return render_instant(parse_instant(value, field))


def stamp(value: datetime) -> str:
    """The instant as it stands in a file's name, ``20251015T103000000000Z``.

    It is given to the microsecond, so that a later file has a later name.
    """
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{text.translate(_PUNCTUATION)}Z"
