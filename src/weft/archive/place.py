"""Where things lie in an archive, as values; every path of the archive is made here.

Source: the directory structure of the conversation log guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal

from weft.archive.instant import stamp
from weft.archive.name import decode_name, encode_name

Kind = Literal["conversations", "runs"]
KINDS: tuple[Kind, ...] = ("conversations", "runs")
LOGS = "logs"
INNER = "logs/.weft"
MANIFEST = "manifest.json"
PACKED = ".zst"
TEMPORARY = ".tmp-"
"""Begins the names of files that are still being written."""

_FILE = re.compile(
    r"conversation_(?P<conversation>.+)_(?P<stamp>[0-9]{8}T[0-9]{12}Z)\.json(?:\.zst)?"
    r"|run_(?P<run>.+)\.json(?:\.zst)?"
)


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """One day folder: a kind of record, an organisation and a UTC day."""

    kind: Kind
    organization: str
    """The organisation's name on disk (`encode_name`); empty for records without one."""
    date: date

    @property
    def organization_id(self) -> str | None:
        """The organisation's id."""
        return decode_name(self.organization) if self.organization else None

    @property
    def path(self) -> str:
        """The folder, relative to the archive's root, with slashes."""
        return _folder(self.kind, self.organization, self.date)


@lru_cache(maxsize=4096)
def _folder(kind: Kind, organization: str, day: date) -> str:
    below = f"{organization}/" if organization else ""
    return f"{LOGS}/{kind}/{below}{day.year:04d}/{day.month:02d}/{day.day:02d}"


def day_of(kind: Kind, organization_id: str | None, instant: datetime) -> Day:
    """The day folder of something that was created at this instant.

    Raises:
        InvalidRequestError: The organisation's id cannot name a folder.
    """
    organization = encode_name(organization_id, "organization_id") if organization_id is not None else ""
    return Day(kind, organization, instant.astimezone(UTC).date())


def parse_day(path: str) -> Day | None:
    """The day whose folder this is, or none."""
    parts = path.split("/")
    if len(parts) not in (5, 6) or parts[0] != LOGS or parts[1] not in KINDS:
        return None
    organization = parts[2] if len(parts) == 6 else ""
    if organization and decode_name(organization) is None:
        return None
    try:
        found = date(*(int(part) for part in parts[-3:]))
    except ValueError:
        return None
    kind: Kind = "runs" if parts[1] == "runs" else "conversations"
    day = Day(kind, organization, found)
    return day if day.path == path else None


def conversation_file(conversation_id: str, logged_at: datetime) -> str:
    """``conversation_<id>_<timestamp>.json``.

    Raises:
        InvalidRequestError: The id cannot name a file.
    """
    return f"conversation_{encode_name(conversation_id, 'conversation_id')}_{stamp(logged_at)}.json"


def run_file(run_id: str) -> str:
    """``run_<id>.json``.

    Raises:
        InvalidRequestError: The id cannot name a file.
    """
    return f"run_{encode_name(run_id, 'run_id')}.json"


def parse_file(name: str) -> tuple[Kind, str] | None:
    """What a file's name says that it holds: the kind and the id; none for other files."""
    found = _FILE.fullmatch(name)
    if found is None:
        return None
    kind: Kind = "runs" if found["run"] is not None else "conversations"
    id = decode_name(found["run"] if kind == "runs" else found["conversation"])
    return None if id is None else (kind, id)
