"""One row for each day folder of the whole archive, so that a summary opens one file.

The catalogue is written now and then; the journal names the days whose rows may be behind. The truth is
in the manifests, and the catalogue can always be made from them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from weft.archive.json_text import BadJsonError, digest, seal, unseal
from weft.archive.manifest import Manifest, Rollup, dump_manifest
from weft.archive.place import Day, parse_day

FORMAT = 1


class DayRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one day folder holds."""

    manifest_sha256: str
    sequence: int
    totals: Rollup
    apps: dict[str, Rollup]
    first_activity: str
    last_activity: str
    last_logged: str
    packed: bool
    """Whether every file is packed."""


class _Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    format: int = FORMAT
    days: dict[str, DayRow]


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """Days that may have been written since the catalogue was; after a crash, those to be looked at."""

    format: int = FORMAT
    days: list[str]


def make_row(manifest: Manifest, data: bytes | None = None) -> DayRow:
    """The row of a day.

    Args:
        data: The manifest's bytes, if they are at hand.
    """
    activity = [entry.last_activity for entry in manifest.files]
    return DayRow(
        manifest_sha256=digest(dump_manifest(manifest) if data is None else data),
        sequence=manifest.sequence,
        totals=manifest.totals,
        apps=manifest.apps,
        first_activity=min(activity, key=_without_zone, default=""),
        last_activity=max(activity, key=_without_zone, default=""),
        last_logged=max((entry.logged_at for entry in manifest.files), key=_without_zone, default=""),
        packed=all(entry.packed_sha256 is not None for entry in manifest.files),
    )


def dump_catalogue(rows: Mapping[Day, DayRow]) -> bytes:
    """The bytes of ``catalogue.json``."""
    return seal(_Catalogue(days={day.path: rows[day] for day in sorted(rows)}))


def load_catalogue(data: bytes) -> dict[Day, DayRow]:
    """The rows in these bytes.

    Raises:
        BadJsonError: A byte has changed.
    """
    found = unseal(data, _Catalogue, "logs/.weft/catalogue.json")
    return {_day(path): row for path, row in found.days.items()}


def dump_journal(days: Iterable[Day]) -> bytes:
    """The bytes of ``journal.json``."""
    return seal(Journal(days=sorted(day.path for day in days)))


def load_journal(data: bytes) -> set[Day]:
    """The days in these bytes.

    Raises:
        BadJsonError: A byte has changed.
    """
    return {_day(path) for path in unseal(data, Journal, "logs/.weft/journal.json").days}


def _without_zone(instant: str) -> str:
    return instant[:-1]


def _day(path: str) -> Day:
    day = parse_day(path)
    if day is None:
        raise BadJsonError(f"{path!r} is no folder of an archive")
    return day
