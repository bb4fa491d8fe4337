"""Reports: what they count, how they compare, and that nothing they quote does anything."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from tests.archive.fake_source import FakeSource
from tests.archive.records import StoppedClock, open_archive, tree
from weft.archive import (
    REPORT_FOLDER,
    Archive,
    ArchiveFullError,
    AsyncArchive,
    Conversation,
    Hold,
    LocalFileSystem,
    PullNote,
    Report,
    ReportPeriod,
    last_full_week,
    render_report,
    report_name,
    write_report,
)
from weft.errors import InvalidRequestError

NOW = datetime(2025, 10, 22, 9, 0, tzinfo=UTC)
WEEK = ReportPeriod(date(2025, 10, 13), date(2025, 10, 19))
EVIL = '<script>alert("x")</script><img src=//evil.example/a onerror=b>'


def talk(id: str, *messages: dict[str, object], app: str = "shop", **fields: object) -> Conversation:
    """A conversation; messages say only what is not usual."""
    return Conversation.parse(
        {
            "conversation_id": id,
            "app_id": app,
            "created_at": messages[0]["created_at"],
            "messages": [
                {
                    "id": f"{id}-{number}",
                    "query": "Where is it?",
                    "answer": "There.",
                    "message_tokens": 10,
                    "answer_tokens": 5,
                    "total_price": "0.0000012",
                    "currency": "USD",
                    "provider_response_latency": 2.0,
                    "from_end_user_id": "ann",
                    **message,
                }
                for number, message in enumerate(messages)
            ],
            **fields,
        }
    )


def at(day: int, hour: int = 10, **fields: object) -> dict[str, object]:
    return {"created_at": f"2025-10-{day:02d}T{hour:02d}:15:00Z", **fields}


def fill(archive: Archive) -> None:
    disliked = {"rating": "dislike", "content": "not what I asked"}
    archive.save(
        [
            talk("before", at(7), at(8)),
            talk("early", at(13, 0), at(14, 9), at(19, 23)),
            talk("bob", at(15, 9, from_end_user_id="bob", feedback={"rating": "like"}), app="<b>help</b>"),
            talk("bad", at(16, 9, from_end_user_id="cy", feedback=disliked, query=EVIL)),
            talk(
                "failed",
                at(17, 9, status="error", error="Request 17 to model timed out after 30.5 s\ntrace"),
                at(17, 10, status="error", error="Request 18 to model timed out after 31 s"),
                at(17, 11, status="error", error=EVIL),
            ),
            talk("after", at(20)),
        ]
    )
    archive.place_hold(Hold(id="h-1", reason=EVIL, conversation_id="bad"))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    with open_archive(tmp_path / "archive", clock=StoppedClock(NOW)) as archive:
        fill(archive)
        return archive


@pytest.fixture
def report(archive: Archive) -> Report:
    with open_archive(archive.root, clock=StoppedClock(NOW)) as again:
        return again.report(excerpts=True)


def test_the_last_full_week_is_reported_and_compared_with_the_one_before(report: Report) -> None:
    assert report.period == WEEK
    now, before = report.now, report.before
    assert (now.messages, now.conversations, now.users, now.tokens, now.errors) == (8, 4, 3, 120, 3)
    assert (before.messages, before.conversations, before.users) == (2, 1, 1)
    assert (now.likes, now.dislikes, now.satisfaction) == (1, 1, 0.5)
    assert now.cost == {"USD": Decimal("0.0000096")}
    assert (report.new_users.now, report.new_users.before) == (2, 1)
    assert now.latency is not None
    assert now.latency.p95 == pytest.approx(2.0, rel=0.03)
    assert report.by_day == [
        *(("2025-10-13", 1), ("2025-10-14", 1), ("2025-10-15", 1), ("2025-10-16", 1)),
        *(("2025-10-17", 3), ("2025-10-18", 0), ("2025-10-19", 1)),
    ]
    assert [(part.key, part.now.messages, part.before.messages) for part in report.by_app] == [
        ("shop", 7, 2),
        ("<b>help</b>", 1, 0),
    ]
    assert report.days_behind == 0


def test_busy_hours_are_those_of_the_clock_on_the_wall(archive: Archive) -> None:
    with open_archive(archive.root, clock=StoppedClock(NOW)) as again:
        utc = again.report(WEEK)
        berlin = again.report(ReportPeriod(WEEK.start, WEEK.end, "Europe/Berlin"))
        by_default = again.report(zone="Europe/Berlin")
    assert (utc.hours[0][0], utc.hours[4][9:12], utc.busiest) == (1, [1, 1, 1], (0, 0))
    assert (berlin.hours[0][2], berlin.hours[4][11:14]) == (1, [1, 1, 1])
    assert sum(map(sum, utc.hours)) == 8
    # 23:15 on Sunday is Monday there already.
    assert (berlin.now.messages, sum(map(sum, berlin.hours))) == (7, 7)
    assert by_default.period == berlin.period


def test_an_hour_that_comes_twice_is_counted_and_one_that_does_not_come_is_missing() -> None:
    autumn = ReportPeriod(date(2025, 10, 26), date(2025, 10, 26), "Europe/Berlin")
    spring = ReportPeriod(date(2025, 3, 30), date(2025, 3, 30), "Europe/Berlin")
    assert [hour for _, hour, _, _ in autumn.iter_hours()] == [0, 1, 2, *range(2, 24)]
    assert [hour for _, hour, _, _ in spring.iter_hours()] == [0, 1, *range(3, 24)]
    for period in (autumn, spring):
        spans = [(begin, end) for _, _, begin, end in period.iter_hours()]
        assert (spans[0][0], spans[-1][1]) == (period.begins_at, period.ends_at)
        assert all(end + timedelta(microseconds=1) == begin for (_, end), (begin, _) in pairwise(spans))


def test_like_errors_are_counted_together(report: Report) -> None:
    assert [(error.message, error.count, error.conversation_id) for error in report.errors] == [
        ("Request # to model timed out after # s", 2, "failed"),
        (EVIL, 1, "failed"),
    ]
    assert report.errors_read == 3


def test_questions_and_comments_are_quoted_only_when_asked_for(archive: Archive, report: Report) -> None:
    (one,) = report.disliked
    assert (one.conversation_id, one.comment, one.query) == ("bad", "not what I asked", EVIL)
    with open_archive(archive.root, clock=StoppedClock(NOW)) as again:
        quiet = again.report()
    assert [(one.comment, one.query) for one in quiet.disliked] == [("", "")]
    for format in ("html", "markdown", "json"):
        assert "not what I asked" not in render_report(quiet, format)


def test_the_state_of_the_archive_is_told(tmp_path: Path) -> None:
    clock = StoppedClock(NOW)
    source = FakeSource({"a": {1: 1, 2: 1}})

    def refuse(app: str, id: str) -> None:
        if id == "conv-2":
            raise InvalidRequestError("row 17 is broken")

    source.before_load = refuse
    with open_archive(tmp_path, clock=clock) as archive:
        archive.pull(source)
        archive.save([talk("old", at(1))])
        archive.clean_old_logs(20)
        clock.advance(days=7)
        notes = [PullNote(NOW, "succeeded"), PullNote(NOW, "failed", EVIL), PullNote(NOW, "failed")]
        report = archive.report(pulls=notes)
        size = archive.get_logs_summary().total_size_bytes
    state = report.state
    assert (state.conversations, state.runs, state.archived, state.deleted) == (1, 1, 1, 1)
    assert state.stored_bytes > state.archived_bytes == size > 0
    assert (state.missed, state.missed_reasons[0].message) == (1, "InvalidRequestError: row # is broken")
    assert (state.last_archived, state.verified, state.pulls) == (
        "2025-10-22T09:00:00Z",
        "sound",
        {"failed": 2, "succeeded": 1},
    )
    assert state.pull_errors == [f"2025-10-22T09:00:00Z {EVIL}"]


def test_a_damaged_archive_is_reported_as_such(archive: Archive) -> None:
    path = next(path for path in tree(archive.root) if "/conversation_before" in path)
    (archive.root / path).unlink()
    with open_archive(archive.root, clock=StoppedClock(NOW)) as again:
        again.index.refresh()
    with open_archive(archive.root, clock=StoppedClock(NOW), read_only=True) as again:
        report = again.report()
    assert (report.state.verified, report.state.verify_findings) == ("damaged", [f"missing-file {path}"])
    assert "The archive is damaged; see below." in render_report(report, "html")


class _Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found.get("content") or ""


def test_the_page_runs_nothing_and_loads_nothing(report: Report) -> None:
    text = render_report(report, "html")
    page = _Page()
    page.feed(text)
    assert "default-src 'none'; style-src 'sha256-" in page.policy
    assert not page.tags & {"script", "img", "link", "iframe", "object", "a", "form", "base", "b"}
    assert not page.attributes & {"src", "href", "style", "onerror", "onload", "action"}
    assert "//" not in text.replace("http://www.w3.org/2000/svg", "").replace("//evil.example/a", "")
    assert EVIL not in text
    assert text.count("&lt;script&gt;") == 3  # the error, the question, the hold
    assert "&lt;b&gt;help&lt;/b&gt;" in text


def test_the_policy_allows_the_pages_own_style(report: Report) -> None:
    text = render_report(report, "html")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in text


def test_markdown_quotes_without_forming_anything(report: Report) -> None:
    text = render_report(report, "markdown")
    assert "<script>" not in text
    assert r"\<b\>help\</b\>" in text
    assert "| Messages | 8 | 2 | +300 % |" in text
    assert "| Cost in USD | 0.0000096 | 0.0000024 | +300 % |" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 5, 6, 7, 8, 10) for line in lines)


def test_nothing_at_all_is_a_report_too(tmp_path: Path) -> None:
    with open_archive(tmp_path, clock=StoppedClock(NOW)) as archive:
        report = archive.report()
    assert (report.now.messages, report.hours, report.errors, report.busiest) == (0, (), [], None)
    for format in ("html", "markdown", "json"):
        assert "2025-10-13" in render_report(report, format)


def test_only_one_organisations_figures(tmp_path: Path) -> None:
    with open_archive(tmp_path, clock=StoppedClock(NOW)) as archive:
        archive.save([talk("one", at(15))], "org/1")
        archive.save([talk("two", at(15), at(16))])
        report = archive.report(organization_id="org/1")
    assert (report.now.messages, report.new_users.now, sum(map(sum, report.hours))) == (1, 1, 1)
    assert report_name(report, "html") == "report_org%2f1_2025-10-13_2025-10-19.html"


def test_a_period_ends_after_it_begins_and_within_a_year() -> None:
    for start, end in ((date(2025, 10, 2), date(2025, 10, 1)), (date(2024, 1, 1), date(2025, 6, 1))):
        with pytest.raises(InvalidRequestError, match="1 to 366 days"):
            ReportPeriod(start, end)
    with pytest.raises(InvalidRequestError, match="no time zone"):
        ReportPeriod(WEEK.start, WEEK.end, "Mars/Olympus")
    assert WEEK.before() == ReportPeriod(date(2025, 10, 6), date(2025, 10, 12))


@pytest.mark.parametrize(
    ("now", "zone", "monday"),
    [
        ("2025-10-20T00:00:00Z", "UTC", "2025-10-13"),
        ("2025-10-19T23:59:59Z", "UTC", "2025-10-06"),
        ("2025-10-19T22:30:00Z", "Europe/Berlin", "2025-10-13"),
        ("2025-10-20T03:00:00Z", "America/New_York", "2025-10-06"),
    ],
)
def test_a_week_is_full_when_its_sunday_is_over_there(now: str, zone: str, monday: str) -> None:
    found = last_full_week(datetime.fromisoformat(now), zone)
    assert (found.start.isoformat(), found.days) == (monday, 7)


def test_reports_lie_in_the_archive_and_it_is_sound_with_them(archive: Archive, report: Report) -> None:
    files = write_report(report, archive.root / REPORT_FOLDER, LocalFileSystem())
    assert files.html == archive.root / "logs/reports/report_2025-10-13_2025-10-19.html"
    assert sorted(path.suffix for path in files.html.parent.iterdir()) == [".html", ".json", ".md"]
    write_report(report, archive.root / REPORT_FOLDER, LocalFileSystem())
    with open_archive(archive.root, clock=StoppedClock(NOW)) as again:
        assert again.verify().findings == []
        assert again.count().conversations == 6


def test_a_report_for_which_there_is_no_room_is_not_half_there(tmp_path: Path, report: Report) -> None:
    class Full(LocalFileSystem):
        def sync_file(self, path: Path) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(ArchiveFullError, match="make room"):
        write_report(report, tmp_path / "reports", Full())
    assert list((tmp_path / "reports").iterdir()) == []


@pytest.mark.anyio
async def test_the_asynchronous_archive_gives_the_same_report(archive: Archive, report: Report) -> None:
    again = AsyncArchive(open_archive(archive.root, clock=StoppedClock(NOW)))
    async with again:
        found = await again.report(excerpts=True)
    state = replace(found.state, free_bytes=report.state.free_bytes)
    assert replace(found, state=state) == report
