"""Instants on the wire: integer unix seconds mostly, ISO 8601 text in two places."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

Instant = datetime | int | float | str
"""A moment as callers may give it: a datetime (naive means UTC), unix seconds, or ISO 8601 text."""


def parse_instant(value: Instant) -> datetime:
    """An aware UTC datetime from any form of a moment; text without a zone means UTC.

    Raises:
        ValueError: The text is not ISO 8601, or the moment is out of range.
    """
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value!r} is out of the range of times") from error


def render_instant(value: Instant) -> str:
    """ISO 8601 text in UTC with a final ``Z``, e.g. ``2024-05-01T12:00:00Z``.

    Raises:
        ValueError: As `parse_instant`.
    """
    return parse_instant(value).replace(tzinfo=None).isoformat() + "Z"


def unix_seconds(value: Instant) -> int:
    """Whole unix seconds, rounded down.

    Raises:
        ValueError: As `parse_instant`.
    """
    return int(parse_instant(value).timestamp() // 1)


class Created:
    """Mixin for objects with `created_at`."""

    if TYPE_CHECKING:

        @property
        def created_at(self) -> int | str | None:
            """Unix seconds, or ISO 8601 text."""

    @property
    def created_datetime(self) -> datetime | None:
        """`created_at` as an aware UTC datetime; zero is a valid time."""
        return None if self.created_at is None else parse_instant(self.created_at)


class Updated(Created):
    """Mixin for objects with `created_at` and `updated_at`."""

    if TYPE_CHECKING:

        @property
        def updated_at(self) -> int | str | None:
            """Unix seconds, or ISO 8601 text."""

    @property
    def updated_datetime(self) -> datetime | None:
        """`updated_at` as an aware UTC datetime."""
        return None if self.updated_at is None else parse_instant(self.updated_at)


class Finished(Created):
    """Mixin for objects with `created_at` and `finished_at`."""

    if TYPE_CHECKING:

        @property
        def finished_at(self) -> int | None:
            """Unix seconds."""

    @property
    def finished_datetime(self) -> datetime | None:
        """`finished_at` as an aware UTC datetime; ``None`` while it is not finished."""
        return None if self.finished_at is None else parse_instant(self.finished_at)
