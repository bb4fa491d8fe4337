"""Options that all these commands have, and what they say: which archive, which conversations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import Parameter

from weft.cli.failure import BadCallError
from weft.cli.options import settings_of

if TYPE_CHECKING:
    from weft.archive import Archive, Query
    from weft.settings import Settings

ArchiveOption: TypeAlias = Annotated[
    Path | None,
    Parameter(
        "--archive", help="The archive's folder; conversations lie below `logs` in it.", show_default=False
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Where:
    """Which archive."""

    archive: ArchiveOption = None
    data: Annotated[
        str | None, Parameter("--data", help="The folder for everything that is kept.", show_default=False)
    ] = None
    config: Annotated[
        str | None,
        Parameter(
            "--config", help="Settings file; weft.toml of this folder, if there is one.", show_default=False
        ),
    ] = None

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            ConfigError: A value is not allowed.
        """
        given = {"data": self.data, "config": self.config, "archive.folder": self.archive}
        return settings_of(given, {})


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which conversations."""

    organization_id: Annotated[
        str | None, Parameter("--organization-id", help="Only this organisation's.", show_default=False)
    ] = None
    start: Annotated[
        str | None,
        Parameter("--start", help="Created on this day or later, e.g. 2025-10-01.", show_default=False),
    ] = None
    end: Annotated[
        str | None,
        Parameter("--end", help="Created on this day or earlier, that day included.", show_default=False),
    ] = None
    app_id: Annotated[str | None, Parameter("--app-id", help="Only this app's.", show_default=False)] = None
    from_source: Annotated[
        str | None,
        Parameter("--from-source", help="Only those that came this way, e.g. api.", show_default=False),
    ] = None

    def query(self) -> Query:
        """The selection.

        Raises:
            BadCallError: A date is none.
        """
        from weft.archive import Query

        start, end = read_date(self.start, "--start"), read_date(self.end, "--end")
        return Query(
            organization_id=self.organization_id,
            start=start,
            end=end,
            app_ids=None if self.app_id is None else frozenset({self.app_id}),
            from_sources=None if self.from_source is None else frozenset({self.from_source}),
        )


def folder_of(settings: Settings) -> Path:
    """Where the archive of these settings is."""
    return settings.archive.folder or settings.data / "archive"


@contextmanager
def reading(where: Where) -> Iterator[Archive]:
    """The archive for reading.

    Raises:
        BadCallError: There is none.
    """
    from weft.archive import Archive  # costs more than the rest of a start

    folder = folder_of(where.settings)
    if not (folder / "logs").is_dir():
        raise BadCallError(f"{folder}: there is no archive; name one with --archive, or pull into it first")
    with Archive.open(folder, read_only=True) as archive:
        yield archive


@contextmanager
def writing(settings: Settings) -> Iterator[Archive]:
    """The archive for writing; the search index is brought up to date at the end.

    Raises:
        ArchiveLockedError: Another process writes to it.
    """
    from weft.archive import Archive, ArchiveIndex, FileRules, Redactor

    redactor = Redactor() if settings.archive.redact else None
    rules = FileRules.of(settings.archive)
    key = settings.archive.redact_key
    with Archive.open(
        folder_of(settings),
        redactor=redactor,
        file_rules=rules,
        secret_key=None if key is None else key.get_secret_value(),
        stable_tokens=settings.archive.redact_tokens == "archive",
    ) as archive:
        yield archive
        index = ArchiveIndex(archive.vault)
        try:
            index.refresh()
        finally:
            index.close()


def read_date(text: str | None, option: str) -> date | datetime | None:
    """A day or an instant of an option.

    Raises:
        BadCallError: It is neither.
    """
    if text is None:
        return None
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadCallError(f"{option} {text!r} is not a date; give a day such as 2025-10-15") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def print_json(content: object) -> None:
    """Print a result for programs."""
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:,.0f} {unit}" if unit == "bytes" else f"{amount:,.1f} {unit}"
        amount /= 1024
    raise AssertionError
