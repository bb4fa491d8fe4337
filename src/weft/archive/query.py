"""Which conversations are meant; decided from manifests alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal

from weft.archive.instant import render_instant
from weft.archive.manifest import Entry
from weft.archive.name import encode_name
from weft.archive.place import Day, Kind
from weft.archive.vault import Vault

Rating = Literal["like", "dislike", "none"]


@dataclass(frozen=True, slots=True)
class Query:
    """A selection of conversations; what is left out does not restrict."""

    organization_id: str | None = None
    """None means the whole archive, all organisations included, as in the guide."""
    start: date | datetime | None = None
    """Created at this instant or later; a date means its first moment in UTC."""
    end: date | datetime | None = None
    """Created at this instant or earlier; a date means its last moment in UTC."""
    app_ids: frozenset[str] | None = None
    from_sources: frozenset[str] | None = None
    end_user_id: str | None = None
    rating: Rating | None = None
    """``like`` or ``dislike``: at least one answer was rated so; ``none``: no answer was rated."""
    conversation_ids: frozenset[str] | None = None

    @property
    def organization(self) -> str | None:
        """The organisation's name on disk."""
        if self.organization_id is None:
            return None
        return encode_name(self.organization_id, "organization_id")

    def covers(self, day: Day) -> bool:
        """Whether anything that was created on this day can match."""
        first, last = _day(self.start), _day(self.end)
        return (first is None or day.date >= first) and (last is None or day.date <= last)

    def matches(self, entry: Entry) -> bool:
        """Whether the conversation of this row is meant."""
        created = entry.created_at[:-1]
        if self.start is not None and created < _bound(self.start, time.min):
            return False
        if self.end is not None and created > _bound(self.end, time.max):
            return False
        return (
            (self.app_ids is None or entry.app_id in self.app_ids)
            and (self.from_sources is None or entry.from_source in self.from_sources)
            and (self.end_user_id is None or entry.end_user_id == self.end_user_id)
            and (self.conversation_ids is None or entry.id in self.conversation_ids)
            and rated(entry, self.rating)
        )


@dataclass(frozen=True, slots=True)
class Count:
    """How much a query matches."""

    conversations: int = 0
    messages: int = 0
    rows: int = 0
    """Rows of a table with one row for each message, and one for a conversation without any."""


def rated(entry: Entry, rating: Rating | None) -> bool:
    """Whether the conversation of this row was rated so."""
    if rating is None:
        return True
    if rating == "none":
        return not entry.likes and not entry.dislikes
    return (entry.likes if rating == "like" else entry.dislikes) > 0


def iter_entries(
    vault: Vault, query: Query, after: tuple[Day, tuple[str, str]] | None = None, kind: Kind = "conversations"
) -> Iterator[tuple[Day, Entry]]:
    """Rows that match, in order of organisation, day, creation and id; one manifest is held at a time.

    Args:
        after: Day and `Entry.order` of the last row that is not wanted any more.
    """
    for day in vault.days(kind, query.organization):
        if not query.covers(day) or (after is not None and day < after[0]):
            continue
        manifest = vault.find_manifest(day)
        for entry in manifest.files if manifest is not None else ():
            if after is not None and day == after[0] and entry.order <= after[1]:
                continue
            if query.matches(entry):
                yield day, entry


def count(vault: Vault, query: Query) -> Count:
    """How many match, from manifests alone."""
    conversations = messages = rows = 0
    for _, entry in iter_entries(vault, query):
        conversations += 1
        messages += entry.messages
        rows += max(1, entry.messages)
    return Count(conversations, messages, rows)


def _day(value: date | datetime | None) -> date | None:
    if not isinstance(value, datetime):
        return value
    return _aware(value).date()


def _bound(value: date | datetime, moment: time) -> str:
    instant = value if isinstance(value, datetime) else datetime.combine(value, moment, UTC)
    return render_instant(_aware(instant))[:-1]


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
