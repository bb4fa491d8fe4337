"""How the values of a report read, the same in every rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weft.archive.index import Figures
from weft.archive.report.findings import Change, Part, Report

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text below a heading."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remark: str = ""
    """Said below it."""
    is_text: bool = False
    """Whether the cells are text; otherwise all but the first of a row are numbers."""


def tables(report: Report) -> list[Table]:
    """Everything that a report says as tables, in order; charts come in addition."""
    return [
        _overview(report),
        _parts("By app", "app", report.by_app),
        _parts("By model", "model", report.by_model),
        _latency(report),
        _errors(report),
        _feedback(report),
        _archive(report),
        *_trouble(report),
    ]


def warnings(report: Report) -> list[str]:
    """What a reader has to know before trusting the figures."""
    said = list(report.notes)
    if report.days_behind:
        said.append(f"{report.days_behind:,} days of the archive changed and are not counted yet.")
    if report.state.verified == "damaged":
        said.append("The archive is damaged; see below.")
    return said


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in _UNITS[:-1]:
        if amount < 1024:
            return f"{amount:,.0f} {unit}" if unit == "bytes" else f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} {_UNITS[-1]}"


def busiest(report: Report) -> str:
    """The hour with most messages, in words."""
    found = report.busiest
    if found is None:
        return ""
    weekday, hour = found
    count = report.hours[weekday][hour]
    messages = f"{count:,} message{'s' * (count != 1)}"
    return f"Busiest: {WEEKDAYS[weekday]}, {hour:02d}:00 to {hour:02d}:59, {messages}."


def _overview(report: Report) -> Table:
    now, before = report.now, report.before
    counts: list[tuple[str, Callable[[Figures], int]]] = [
        ("Conversations begun", lambda figures: figures.conversations),
        ("Messages", lambda figures: figures.messages),
        ("Users", lambda figures: figures.users),
        ("Tokens of questions", lambda figures: figures.message_tokens),
        ("Tokens of answers", lambda figures: figures.answer_tokens),
        ("Errors", lambda figures: figures.errors),
        ("Likes", lambda figures: figures.likes),
        ("Dislikes", lambda figures: figures.dislikes),
    ]
    rows: list[Sequence[str]] = [_changed(name, Change(read(now), read(before))) for name, read in counts]
    rows.insert(3, _changed("New users", report.new_users))
    for currency in sorted({*now.cost, *before.cost}):
        one, other = now.cost.get(currency), before.cost.get(currency)
        change = Change(float(one or 0), float(other or 0))
        texts = [_exact(amount) for amount in (one, other)]
        rows.append((f"Cost in {currency}", *texts, _share(change)))
    rows.append(("Satisfaction", _percent(now.satisfaction), _percent(before.satisfaction), ""))
    rows.append(("Share of errors", _percent(now.error_rate), _percent(before.error_rate), ""))
    return Table(
        "Overview",
        ("", "this period", "the one before", "change"),
        rows,
        f"Before: {report.period.before()}.",
    )


def _parts(title: str, name: str, parts: Sequence[Part]) -> Table:
    columns = (
        name,
        "messages",
        "before",
        "conversations",
        "users",
        "tokens",
        "cost",
        "errors",
        "satisfaction",
    )
    rows = [
        (
            part.key or "(not named)",
            f"{part.now.messages:,}",
            f"{part.before.messages:,}",
            f"{part.now.conversations:,}",
            f"{part.now.users:,}",
            f"{part.now.tokens:,}",
            _costs(part.now),
            f"{part.now.errors:,}",
            _percent(part.now.satisfaction),
        )
        for part in parts
    ]
    return Table(title, columns, rows)


def _latency(report: Report) -> Table:
    pairs = [("this period", report.now.latency), ("the one before", report.before.latency)]
    rows = [
        (name, f"{one.measured:,}", *(f"{value:.2f}" for value in (one.p50, one.p90, one.p95, one.p99)))
        for name, one in pairs
        if one is not None
    ]
    columns = ("seconds", "measured", "half within", "90 % within", "95 % within", "99 % within")
    return Table("Time to answer", columns, rows)


def _errors(report: Report) -> Table:
    rows = [(error.message, f"{error.count:,}", error.conversation_id) for error in report.errors]
    remark = ""
    if report.errors_read < report.now.errors:
        remark = f"Of the latest {report.errors_read:,} of {report.now.errors:,} errors."
    return Table(
        "Most frequent errors", ("error", "times", "latest conversation"), rows, remark, is_text=True
    )


def _feedback(report: Report) -> Table:
    quoted = any(one.comment or one.query for one in report.disliked)
    columns = ("when", "app", "conversation", *(("comment", "question") if quoted else ()))
    rows = [
        (one.at, one.app_id, one.conversation_id, *((one.comment, one.query) if quoted else ()))
        for one in report.disliked
    ]
    remark = ""
    if len(rows) < report.now.dislikes:
        remark = f"The latest {len(rows):,} of {report.now.dislikes:,}."
    return Table("Answers that were not liked", columns, rows, remark, is_text=True)


def _archive(report: Report) -> Table:
    state = report.state
    rows = [
        ("Conversations", f"{state.conversations:,}"),
        ("Runs", f"{state.runs:,}"),
        ("On the disk", size(state.stored_bytes)),
        ("Attached files", size(state.file_bytes)),
        ("Room left", "unknown" if state.free_bytes is None else size(state.free_bytes)),
        ("Archived in this period", f"{state.archived:,} conversations, {size(state.archived_bytes)}"),
        ("Deleted in this period", f"{state.deleted:,}"),
        ("Last archived", state.last_archived or "never"),
        (
            "Pulls in this period",
            ", ".join(f"{count} {status}" for status, count in state.pulls.items()) or "-",
        ),
        ("Could not be had", f"{state.missed:,}"),
        ("Verified", state.verified or "not looked at"),
        ("Holds", f"{len(state.holds):,}"),
    ]
    return Table("The archive", ("", ""), rows, f"As of {report.made_at}.", is_text=True)


def _trouble(report: Report) -> list[Table]:
    state = report.state
    missed = [(one.message, f"{one.count:,}", one.conversation_id) for one in state.missed_reasons]
    found = [
        Table(
            "Conversations that could not be had", ("reason", "times", "one of them"), missed, is_text=True
        ),
        Table("Pulls that failed", ("what was said",), [(one,) for one in state.pull_errors], is_text=True),
        Table(
            "Findings of the verification",
            ("finding",),
            [(one,) for one in state.verify_findings],
            is_text=True,
        ),
        Table(
            "Holds",
            ("id", "reason", "placed"),
            [(hold["id"], hold["reason"], hold["placed_at"]) for hold in state.holds],
            is_text=True,
        ),
    ]
    return [table for table in found if table.rows]


def _changed(name: str, change: Change) -> tuple[str, str, str, str]:
    return name, f"{change.now:,.0f}", f"{change.before:,.0f}", _share(change)


def _share(change: Change) -> str:
    share = change.share
    if share is None:
        return "" if not change.now else "new"
    return f"{share:+.0%}".replace("+0%", "±0%").replace("-0%", "±0%").replace("%", " %")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}".replace("%", " %")


def _exact(amount: object) -> str:
    return "0" if amount is None else f"{amount:f}"


def _costs(figures: Figures) -> str:
    return ", ".join(f"{amount:f} {currency}" for currency, amount in figures.cost.items()) or "-"
