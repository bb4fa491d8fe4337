"""From an archive to the values of a report; reads, and changes nothing."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from weft.archive.audit import AuditLog
from weft.archive.conversation import Conversation
from weft.archive.cursor import iter_cursors
from weft.archive.errors import DamagedFileError
from weft.archive.file_shelf import FOLDER as FILES
from weft.archive.file_system import iter_files
from weft.archive.hold import list_holds
from weft.archive.index import ArchiveIndex, By, Figures, Group, SearchHit
from weft.archive.instant import render_instant
from weft.archive.json_text import BadJsonError, JsonObject, decode_object
from weft.archive.place import Kind, parse_day
from weft.archive.query import Query
from weft.archive.report.findings import (
    ArchiveState,
    Change,
    ErrorCount,
    Feedback,
    Part,
    PullNote,
    Report,
)
from weft.archive.report.period import HOURS_UP_TO_DAYS, ReportPeriod
from weft.archive.vault import Vault
from weft.archive.verify import Depth, verify_archive

ERRORS_READ = 500
ERRORS_SHOWN = 10
DISLIKED_SHOWN = 10
PARTS_SHOWN = 20
FINDINGS_SHOWN = 10
HOLDS_SHOWN = 50
EXCERPT = 160
"""Characters of an error, a question or a comment."""
VERIFY_SECONDS = 60.0
_VARYING = re.compile(
    r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|\d+(?:\.\d+)?)\b", re.I
)


def make_report(
    vault: Vault,
    index: ArchiveIndex,
    audit: AuditLog,
    period: ReportPeriod,
    *,
    organization_id: str | None = None,
    excerpts: bool = False,
    verify: Depth | None = "structure",
    pulls: Sequence[PullNote] = (),
) -> Report:
    """Put together what happened in a period.

    Args:
        vault: The archive's files.
        index: What figures are asked of, as it is; `Report.days_behind` says what it lacks.
        audit: What was deleted.
        organization_id: Only this organisation's figures; the state of the archive is that of all of it.
        excerpts: Quote questions and comments of answers that were not liked.
        verify: How deep to look at the archive, for a minute at most; None does not look.
        pulls: Pulls of the period, where somebody keeps account of them.

    Raises:
        ArchiveError: There is no index, or something cannot be read.
    """
    asked = _Asked(index, organization_id, period.zone)
    now, behind = asked.figures(period)
    before, _ = asked.figures(period.before())
    errors, errors_read = _errors(vault, index, period, organization_id)
    return Report(
        period=period,
        organization_id=organization_id,
        made_at=render_instant(vault.clock.now().replace(microsecond=0)),
        now=now,
        before=before,
        new_users=Change(asked.new_users(period), asked.new_users(period.before())),
        by_day=asked.days(period),
        by_app=asked.parts(period, "app"),
        by_model=asked.parts(period, "model"),
        hours=asked.hours(period) if now.messages and period.days <= HOURS_UP_TO_DAYS else (),
        errors=errors,
        errors_read=errors_read,
        disliked=list(_disliked(vault, index, period, organization_id, excerpts=excerpts)),
        state=_state(vault, audit, period, verify, pulls),
        days_behind=behind,
    )


class _Asked:
    """Figures of the index for one organisation or all."""

    def __init__(self, index: ArchiveIndex, organization_id: str | None, zone: str) -> None:
        self._index = index
        self._organization_id = organization_id
        self._zone = zone

    def figures(self, period: ReportPeriod) -> tuple[Figures, int]:
        found = self._index.statistics(self._query(period), zone=self._zone)
        return found.totals, found.days_behind

    def new_users(self, period: ReportPeriod) -> int:
        """Everybody until the end without those until the beginning."""
        until = Query(organization_id=self._organization_id, end=period.end)
        earlier = replace(until, end=period.start - timedelta(days=1))
        return self._users(until) - self._users(earlier)

    def days(self, period: ReportPeriod) -> list[tuple[str, int]]:
        found = self._index.statistics(self._query(period), by="day", zone=self._zone)
        counts = {group.key: group.figures.messages for group in found.groups}
        days = ((period.start + timedelta(days=number)).isoformat() for number in range(period.days))
        return [(day, counts.get(day, 0)) for day in days]

    def parts(self, period: ReportPeriod, by: By) -> list[Part]:
        """Those with most messages, compared with themselves before."""
        now, before = (
            {group.key: group.figures for group in self._groups(one, by)} for one in (period, period.before())
        )
        keys = sorted({*now, *before}, key=lambda key: _weight(key, now, before))
        return [Part(key, now.get(key, Figures()), before.get(key, Figures())) for key in keys[:PARTS_SHOWN]]

    def hours(self, period: ReportPeriod) -> list[list[int]]:
        counts = [[0] * 24 for _ in range(7)]
        for weekday, hour, begin, end in period.iter_hours():
            query = Query(organization_id=self._organization_id, start=begin, end=end)
            counts[weekday][hour] += self._index.statistics(query).totals.messages
        return counts

    def _groups(self, period: ReportPeriod, by: By) -> Sequence[Group]:
        found = self._index.statistics(self._query(period), by=by, zone=self._zone)
        return found.groups

    def _users(self, query: Query) -> int:
        return self._index.statistics(query, zone=self._zone).totals.users

    def _query(self, period: ReportPeriod) -> Query:
        return Query(organization_id=self._organization_id, start=period.start, end=period.end)


def _weight(key: str, now: Mapping[str, Figures], before: Mapping[str, Figures]) -> tuple[int, int, str]:
    nothing = Figures()
    return -now.get(key, nothing).messages, -before.get(key, nothing).messages, key


def _errors(
    vault: Vault, index: ArchiveIndex, period: ReportPeriod, organization_id: str | None
) -> tuple[list[ErrorCount], int]:
    """The most frequent reasons among the latest failed messages, and how many were read."""
    counts: Counter[str] = Counter()
    latest: dict[str, str] = {}
    for hit, message in _messages(vault, index, "error:yes", period, organization_id, ERRORS_READ):
        said = message.get("error")
        reason = _alike(said if isinstance(said, str) and said else f"status {message.get('status')}")
        counts[reason] += 1
        latest.setdefault(reason, hit.conversation_id)
    found = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:ERRORS_SHOWN]
    return [ErrorCount(reason, count, latest[reason]) for reason, count in found], counts.total()


def _disliked(
    vault: Vault, index: ArchiveIndex, period: ReportPeriod, organization_id: str | None, *, excerpts: bool
) -> Iterator[Feedback]:
    found = _messages(vault, index, "rating:dislike", period, organization_id, DISLIKED_SHOWN)
    for hit, message in found:
        yield Feedback(
            at=render_instant(hit.created_at),
            app_id=hit.app_id,
            organization_id=hit.organization_id,
            conversation_id=hit.conversation_id,
            comment=_excerpt(_comment(message)) if excerpts else "",
            query=_excerpt(str(message.get("query", ""))) if excerpts else "",
        )


def _messages(
    vault: Vault,
    index: ArchiveIndex,
    text: str,
    period: ReportPeriod,
    organization_id: str | None,
    most: int,
) -> Iterator[tuple[SearchHit, JsonObject]]:
    """The latest messages that a search finds; what cannot be read any more is left out."""
    query = Query(organization_id=organization_id, start=period.begins_at, end=period.ends_at)
    cursor: str | None = None
    conversation: tuple[str, Conversation | None] = ("", None)
    while most > 0:
        page = index.search(text, query, limit=min(most, 200), cursor=cursor, snippets=False)
        most -= len(page.hits)
        for hit in page.hits:
            if conversation[0] != hit.path:
                conversation = (hit.path, _read(vault, hit))
            found = conversation[1]
            if found is not None and hit.number < len(found.messages):
                yield hit, found.messages[hit.number]
        cursor = page.cursor
        if cursor is None:
            return


def _read(vault: Vault, hit: SearchHit) -> Conversation | None:
    day = parse_day(hit.path.rpartition("/")[0])
    try:
        entry = None if day is None else vault.find_entry(day, hit.conversation_id)
        if day is None or entry is None:
            return None
        return Conversation(decode_object(vault.read(day, entry), hit.path))
    except (DamagedFileError, BadJsonError):
        return None


def _state(
    vault: Vault, audit: AuditLog, period: ReportPeriod, verify: Depth | None, pulls: Sequence[PullNote]
) -> ArchiveState:
    rows = vault.rows()
    archived, archived_bytes = _archived(vault, period)
    missed = [item for cursor in iter_cursors(vault) for item in cursor.failed]
    reasons = Counter(_alike(item.reason) for item in missed)
    report = None if verify is None else verify_archive(vault, audit, verify, budget_seconds=VERIFY_SECONDS)
    begin, end = render_instant(period.begins_at)[:-1], render_instant(period.ends_at)[:-1]

    def files(kind: Kind) -> int:
        return sum(row.totals.files for day, row in rows.items() if day.kind == kind)

    return ArchiveState(
        conversations=files("conversations"),
        runs=files("runs"),
        stored_bytes=sum(row.totals.stored_bytes for row in rows.values()),
        file_bytes=sum(_size(vault, path) for path in iter_files(vault.files, vault.root / FILES)),
        free_bytes=_free(vault),
        archived=archived,
        archived_bytes=archived_bytes,
        deleted=_deleted(audit, begin, end),
        missed=len(missed),
        missed_reasons=[
            ErrorCount(reason, count, next(one.item.id for one in missed if _alike(one.reason) == reason))
            for reason, count in reasons.most_common(ERRORS_SHOWN)
        ],
        last_archived=max((row.last_logged for row in rows.values()), key=lambda at: at[:-1], default=None),
        verified=None if report is None else _VERIFIED[int(report.result)],
        verify_findings=[
            f"{finding.code} {finding.path}"
            for finding in (report.findings[:FINDINGS_SHOWN] if report is not None else ())
        ],
        holds=_holds(vault),
        pulls=dict(sorted(Counter(note.status for note in pulls).items())),
        pull_errors=[
            f"{render_instant(note.at.replace(microsecond=0))} {_excerpt(note.error)}"
            for note in pulls
            if note.error
        ][:ERRORS_SHOWN],
    )


_VERIFIED: tuple[Literal["sound"], Literal["damaged"], Literal["incomplete"]] = (
    "sound",
    "damaged",
    "incomplete",
)
"""By `VerifyResult`."""


def _archived(vault: Vault, period: ReportPeriod) -> tuple[int, int]:
    """Conversations whose present version was stored in the period, and their bytes on the disk."""
    begin, end = render_instant(period.begins_at)[:-1], render_instant(period.ends_at)[:-1]
    count = size = 0
    for day, row in vault.rows().items():
        if day.kind != "conversations" or row.last_logged[:-1] < begin:
            continue
        manifest = vault.find_manifest(day)
        for entry in manifest.files if manifest is not None else ():
            if begin <= entry.logged_at[:-1] <= end:
                count += 1
                size += entry.stored_size
    return count, size


def _deleted(audit: AuditLog, begin: str, end: str) -> int:
    try:
        return sum(line.action == "delete" and begin <= line.at[:-1] <= end for line in audit.iter())
    except DamagedFileError:
        return 0  # the verification says so


def _holds(vault: Vault) -> list[dict[str, str]]:
    try:
        holds = list_holds(vault)
    except DamagedFileError:
        return []  # likewise
    return [
        {"id": hold.id, "reason": hold.reason, "placed_at": hold.placed_at} for hold in holds[:HOLDS_SHOWN]
    ]


def _size(vault: Vault, path: Path) -> int:
    try:
        return vault.files.size(path)
    except FileNotFoundError:
        return 0  # it went away at this moment


def _free(vault: Vault) -> int | None:
    try:
        return shutil.disk_usage(vault.root).free
    except OSError:
        return None


def _comment(message: JsonObject) -> str:
    """What was said with the dislike."""
    one, many = message.get("feedback"), message.get("feedbacks")
    for item in (one, *(many if isinstance(many, list) else ())):
        if isinstance(item, Mapping) and item.get("rating") == "dislike" and item.get("content"):
            return str(item["content"])
    return ""


def _alike(reason: str) -> str:
    """The first line of a reason without what differs from one time to the next."""
    return _excerpt(_VARYING.sub("#", (reason.strip().splitlines() or [""])[0]))


def _excerpt(text: str) -> str:
    clean = " ".join(text.split())
    return clean if len(clean) <= EXCERPT else clean[: EXCERPT - 1] + "…"
