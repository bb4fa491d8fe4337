"""Deleting whole conversations by rule, and nothing that was not read back and proven first.

The decision is a pure function of rows, rules, holds and the time; `preview` shows it, `apply` does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from weft.archive.audit import AuditLine, AuditLog
from weft.archive.conversation import Conversation
from weft.archive.errors import DamagedFileError, RetentionError
from weft.archive.hold import Hold, check_holds, list_holds
from weft.archive.instant import parse_instant, render_instant
from weft.archive.json_text import BadJsonError, decode_object
from weft.archive.manifest import Entry
from weft.archive.place import Day
from weft.archive.query import Query, Rating, iter_entries, rated
from weft.archive.vault import DayChange, Vault
from weft.errors import InvalidRequestError

LONGEST_SILENCE = timedelta(days=366)
"""When the clock is further ahead of the archive's latest write than this, it may be wrong."""


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How long conversations of a kind are kept; fields that are left out do not restrict.

    The first rule that fits a conversation decides; one that no rule fits is kept.
    """

    name: str
    keep_days: float | None
    """Days after its last activity; none keeps it for ever."""
    organization_id: str | None = None
    app_id: str | None = None
    from_source: str | None = None
    rating: Rating | None = None

    def __post_init__(self) -> None:
        if self.keep_days is not None and not 0 <= self.keep_days <= 36_500:
            raise InvalidRequestError(
                f"rule {self.name!r}: keep_days must be 0 to 36500", {"keep_days": "out of range"}
            )

    def fits(self, organization_id: str | None, entry: Entry) -> bool:
        """Whether the rule speaks of this conversation."""
        return (
            self.organization_id in (None, organization_id)
            and self.app_id in (None, entry.app_id)
            and self.from_source in (None, entry.from_source)
            and rated(entry, self.rating)
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A conversation that may be deleted."""

    day: Day
    entry: Entry
    rule: str

    @property
    def path(self) -> str:
        """Its file, relative to the archive's root."""
        return f"{self.day.path}/{self.entry.file}"


@dataclass(slots=True)
class RetentionPlan:
    """What retention would do now."""

    total: int = 0
    """Conversations that were looked at."""
    candidates: list[Candidate] = field(default_factory=list)
    held: int = 0
    """Old enough, and exempt by a hold."""
    size_bytes: int = 0
    """What the candidates take on the disk."""

    @property
    def share(self) -> float:
        """Candidates among all, 0 to 1."""
        return len(self.candidates) / self.total if self.total else 0.0


@dataclass(slots=True)
class RetentionReport:
    """What retention did."""

    deleted: int = 0
    """Conversations."""
    deleted_runs: int = 0
    deleted_bytes: int = 0
    """On the disk, runs and attached files included."""
    held: int = 0
    damaged: list[str] = field(default_factory=list)
    """Files that were to be deleted, could not be proven, and were left."""


def plan_retention(
    rows: Iterable[tuple[Day, Entry]], rules: Sequence[RetentionRule], holds: Sequence[Hold], now: datetime
) -> RetentionPlan:
    """Decide which conversations are to go; reads and changes nothing."""
    plan = RetentionPlan()
    bounds = {
        rule.name: render_instant(now - timedelta(days=rule.keep_days))[:-1]
        for rule in rules
        if rule.keep_days is not None
    }
    for day, entry in rows:
        plan.total += 1
        organization_id = day.organization_id
        rule = next((rule for rule in rules if rule.fits(organization_id, entry)), None)
        if rule is None or rule.keep_days is None or entry.last_activity[:-1] >= bounds[rule.name]:
            continue
        if any(hold.covers(organization_id, entry) for hold in holds):
            plan.held += 1
            continue
        plan.candidates.append(Candidate(day, entry, rule.name))
        plan.size_bytes += entry.stored_size
    return plan


def preview_retention(
    vault: Vault, rules: Sequence[RetentionRule], organization_id: str | None = None
) -> RetentionPlan:
    """What `apply_retention` would delete at this moment."""
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise InvalidRequestError("two retention rules have the same name; rename one", {"name": "twice"})
    rows = iter_entries(vault, Query(organization_id=organization_id))
    return plan_retention(rows, rules, list_holds(vault), vault.clock.now())


def apply_retention(
    vault: Vault,
    audit: AuditLog,
    rules: Sequence[RetentionRule],
    *,
    max_share: float,
    organization_id: str | None = None,
    trust_clock: bool = False,
) -> RetentionReport:
    """Delete what the rules say, day by day, each file read back and written to the audit log first.

    Raises:
        RetentionError: More than `max_share` of the conversations would go, or the clock is more than a
            year ahead of everything in the archive; nothing was deleted.
        DamagedFileError: A hold that was placed is missing, or the audit log was changed; likewise.
        ArchiveError: The disk refused; what was deleted until then stands in the audit log.
    """
    vault.check_writable()
    check_holds(vault, audit)
    plan = preview_retention(vault, rules, organization_id)
    if not trust_clock:
        _check_clock(vault)
    if plan.share > max_share:
        raise RetentionError(
            f"the rules would delete {len(plan.candidates)} of {plan.total} conversations, more than the "
            f"share {max_share:g} that one run may delete; look at the preview, then raise max_share"
        )
    report = RetentionReport(held=plan.held)
    proven = [candidate for candidate in plan.candidates if _prove(vault, candidate, report)]
    # Runs first: after a kill in between the conversation is still there, and with it the reason to go on.
    _delete_runs(vault, audit, proven, report)
    for day, candidates in _by_day(proven):
        audit.append([_line(candidate) for candidate in candidates])
        change = DayChange(removals=[candidate.entry.id for candidate in candidates])
        report.deleted_bytes += vault.apply({day: change})
        report.deleted += len(candidates)
        report.deleted_bytes += sum(candidate.entry.stored_size for candidate in candidates)
    vault.checkpoint()
    return report


def _check_clock(vault: Vault) -> None:
    latest = max((row.last_logged for row in vault.rows().values()), key=lambda text: text[:-1], default="")
    if latest and vault.clock.now() - parse_instant(latest, "logged_at") > LONGEST_SILENCE:
        raise RetentionError(
            f"the clock says {render_instant(vault.clock.now())}, but the archive was last written at "
            f"{latest}; set the clock, or pass trust_clock=True if it is right"
        )


def _by_day(candidates: Sequence[Candidate]) -> Iterator[tuple[Day, list[Candidate]]]:
    days: dict[Day, list[Candidate]] = {}
    for candidate in candidates:
        days.setdefault(candidate.day, []).append(candidate)
    yield from days.items()


def _prove(vault: Vault, candidate: Candidate, report: RetentionReport) -> bool:
    """Whether the file is what its row says, down to the conversation in it."""
    try:
        data = vault.read_stored(candidate.day, candidate.entry)
        if candidate.entry.packed_sha256 is not None:
            data = vault.packer.unpack(data, candidate.path)
        found = Conversation.parse(decode_object(data, candidate.path))
    except (DamagedFileError, BadJsonError, InvalidRequestError):
        report.damaged.append(candidate.path)
        return False
    proven = (found.id, render_instant(found.last_activity)) == (
        candidate.entry.id,
        candidate.entry.last_activity,
    )
    if not proven:
        report.damaged.append(candidate.path)
    return proven


def _delete_runs(
    vault: Vault, audit: AuditLog, conversations: Sequence[Candidate], report: RetentionReport
) -> None:
    """The runs of conversations that are deleted go with them."""
    by_organization: dict[str, set[str]] = {}
    for candidate in conversations:
        by_organization.setdefault(candidate.day.organization, set()).add(candidate.entry.id)
    for organization, gone in by_organization.items():
        for day in vault.days("runs", organization):
            manifest = vault.find_manifest(day)
            rows = manifest.files if manifest is not None else []
            runs = [
                Candidate(day, row, "with its conversation") for row in rows if row.conversation_id in gone
            ]
            proven = []
            for run in runs:
                try:
                    vault.read(day, run.entry)
                    proven.append(run)
                except DamagedFileError as error:
                    report.damaged.append(error.path)
            if not proven:
                continue
            audit.append([_line(run) for run in proven])
            vault.apply({day: DayChange(removals=[run.entry.id for run in proven])})
            report.deleted_runs += len(proven)
            report.deleted_bytes += sum(run.entry.stored_size for run in proven)


def _line(candidate: Candidate) -> AuditLine:
    return AuditLine(
        at="",
        action="delete",
        path=candidate.path,
        id=candidate.entry.id,
        organization_id=candidate.day.organization_id,
        sha256=candidate.entry.sha256,
        reason=f"retention rule {candidate.rule!r}",
        previous="",
    )
