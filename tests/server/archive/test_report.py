from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archive.records import NOW
from tests.server.archive.desk import Desk, open_desk
from tests.server.archive.test_schedules import JobClock, hooked, is_ended, receiving, schedules, until

pytestmark = pytest.mark.anyio


async def test_a_report_is_given_in_each_form(desk: Desk) -> None:
    desk.upstream.put(1, 2, 8)
    assert (await desk.save(organization_id="org-1")).ok["saved_count"] == 3
    days = {"start_date": "2025-10-02", "end_date": "2025-10-03"}
    body = (await desk.get("/report", **days)).ok
    assert (body["success"], body["now"]["messages"], body["before"]["messages"]) == (True, 3, 0)
    assert (body["period"]["start"], body["period"]["end"]) == ("2025-10-02", "2025-10-03")
    assert body["archive"]["verified"] == "sound"
    page = await desk.get("/report", format="html", organization_id="org-1", **days)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-disposition"] == (
        'inline; filename="report_org-1_2025-10-02_2025-10-03.html"'
    )
    assert "default-src 'none'" in page.body.decode()
    text = await desk.get("/report", format="markdown", **days)
    assert "| Messages | 3 | 0 | new |" in text.body.decode()


async def test_without_dates_it_is_the_last_full_week(desk: Desk) -> None:
    body = (await desk.get("/report")).ok
    assert (body["period"]["start"], body["period"]["end"]) == ("2025-10-13", "2025-10-19")
    body = (await desk.get("/report", timezone="Europe/Berlin")).ok
    assert body["period"]["begins_at"] == "2025-10-12T22:00:00Z"


async def test_pulls_that_this_server_did_are_counted(desk: Desk) -> None:
    desk.upstream.put(1)
    job = (await desk.save(background=True)).body
    await desk.ended(json.loads(job)["job"]["id"])
    body = (await desk.get("/report", start_date="2025-10-20", end_date="2025-10-20")).ok
    assert body["archive"]["pulls"] == {"succeeded": 1}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "pdf"}, "format"),
        ({"start_date": "2025-10-01"}, "end_date"),
        ({"start_date": "2025-10-02", "end_date": "2025-10-01"}, "1 to 366 days"),
        ({"start_date": "2025-10-02T10:00:00Z", "end_date": "2025-10-03"}, "start_date"),
        ({"timezone": "Mars/Olympus"}, "time zone"),
        ({"excerpts": "perhaps"}, "excerpts"),
    ],
)
async def test_what_is_wrong_is_named(idle: Desk, query: dict[str, str], field: str) -> None:
    reply = await idle.get("/report", **query)
    assert (reply.status, field in reply.body.decode()) == (400, True), reply.body


async def test_a_stranger_gets_no_report(idle: Desk) -> None:
    assert (await idle.call("GET", "/report", token="weft-wrong")).status == 401


async def test_a_report_is_written_when_the_settings_say_so(tmp_path: Path) -> None:
    clock = JobClock(NOW)
    archive = {"report_schedule": "0 6 * * 1", "report_folder": str(tmp_path / "reports")}
    async with open_desk(tmp_path, clock=clock, archive=archive) as desk:
        found = await schedules(desk)
        assert (found["report"]["task"], found["report"]["next_at"]) == ("report", "2025-10-27T06:00:00Z")
        desk.upstream.put(1)
        await desk.save()
        clock.advance(days=7)
        (job,) = await until(desk.archive, "archive-report", 1, is_ended)
        assert job.status == "succeeded", job
        assert isinstance(job.result, dict)
        assert job.result["period"] == {"start": "2025-10-20", "end": "2025-10-26"}
        assert job.result["html"] == str(tmp_path / "reports/report_2025-10-20_2025-10-26.html")
    names = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert names == [f"report_2025-10-20_2025-10-26.{suffix}" for suffix in ("html", "json", "md")]
    async with open_desk(tmp_path, clock=clock) as desk:
        assert "report" not in await schedules(desk)


async def test_it_lies_in_the_archive_unless_the_settings_say_where(tmp_path: Path) -> None:
    clock = JobClock(NOW)
    async with open_desk(tmp_path, clock=clock) as desk:
        body = {"cron": "0 7 * * *", "task": "report", "args": {"organization_id": "org-1"}}
        assert (await desk.call("PUT", "/schedules/mine", body)).status == 200
        clock.advance(days=1)
        (job,) = await until(desk.archive, "archive-report", 1, is_ended)
        assert isinstance(job.result, dict)
        path = desk.root / "logs/reports/report_org-1_2025-10-13_2025-10-19.html"
        assert (job.status, job.result["html"]) == ("succeeded", str(path))
        assert path.is_file()
        refused = await desk.call("PUT", "/schedules/mine", {**body, "args": {"organisation": "x"}})
        assert refused.status == 400


async def test_others_are_told_where_a_report_lies(tmp_path: Path) -> None:
    clock = JobClock(NOW)
    async with (
        receiving() as receiver,
        open_desk(tmp_path, clock=clock, archive=hooked(receiver)) as desk,
    ):
        job = await desk.archive.jobs.enqueue("archive-report")
        await desk.ended(job.id)
        await until(desk.archive, "archive-webhook", 1, is_ended)
    ((headers, body),) = receiver.got
    message = json.loads(body)
    assert (headers["x-weft-event"], message["event"]) == ("archive.report.made", "archive.report.made")
    assert message["result"]["html"].endswith("logs/reports/report_2025-10-13_2025-10-19.html")
