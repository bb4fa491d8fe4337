"""Packing and copying to a bucket as a scheduled job."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.archive.records import NOW, open_archive
from tests.server.archive.desk import Desk, open_desk
from tests.server.archive.test_schedules import JobClock, is_ended, schedules, until
from weft.archive import Bucket
from weft.jobs import Job

pytestmark = pytest.mark.anyio


async def test_the_settings_schedule_packing_and_copying_at_four(tmp_path: Path) -> None:
    clock, url = JobClock(NOW), f"file://{tmp_path}/bucket"
    settings = {"pack_after_days": 5, "bucket": url}
    async with open_desk(tmp_path, clock=clock, archive=settings) as desk:
        found = (await schedules(desk))["copy"]
        assert (found["task"], found["cron"], found["next_at"]) == (
            "copy",
            "0 4 * * *",
            "2025-10-21T04:00:00Z",
        )
        assert (await desk.call("DELETE", "/schedules/copy")).status == 403
        desk.upstream.put(1, 2)
        await desk.save()
        clock.advance(days=1)
        (job,) = await until(desk.archive, "archive-copy", 1, is_ended)
        assert (job.status, job.error, job.subject) == ("succeeded", "", "schedule:copy")
        assert isinstance(job.result, dict)
        assert job.result["packed"]["files"] == 2
        assert (job.result["copied"]["days"], job.result["copied"]["damaged"]) == (2, [])
    with open_archive(tmp_path / "back") as archive:
        assert archive.restore_from_bucket(Bucket.open(url)).written == 2
    async with open_desk(tmp_path, clock=clock) as desk:
        assert await schedules(desk) == {}


async def tried(desk: Desk, clock: JobClock) -> Job:
    """A copy that was tried as often as it is."""
    job = await desk.archive.jobs.enqueue("archive-copy", {})
    for attempt in range(1, 4):
        await until(desk.archive, "archive-copy", 1, partial(has_failed, attempt))
        clock.advance(hours=1)
    return await desk.ended(job.id)


def has_failed(times: int, job: Job) -> bool:
    return job.attempts >= times


async def test_a_bucket_that_refuses_fails_the_job_and_the_webhook_is_told(tmp_path: Path) -> None:
    clock = JobClock(NOW)
    (tmp_path / "bucket").write_text("no folder")
    settings = {
        "bucket": f"file://{tmp_path}/bucket/below",
        "webhook_urls": "http://127.0.0.1:9/hook",
        "webhook_secret": "a secret of thirty-two characters",
    }
    async with open_desk(tmp_path, clock=clock, archive=settings) as desk:
        ended = await tried(desk, clock)
        assert (ended.status, "cannot be opened" in ended.error) == ("failed", True)
        (told, *_) = await until(desk.archive, "archive-webhook", 1, lambda one: True)
        assert told.args["event"] == "archive.copy.failed"


async def test_a_damaged_file_makes_the_copy_a_part_of_one(tmp_path: Path) -> None:
    clock = JobClock(NOW)
    settings = {"bucket": f"file://{tmp_path}/bucket"}
    async with open_desk(tmp_path, clock=clock, archive=settings) as desk:
        desk.upstream.put(1, 2)
        await desk.save()
        path = desk.files()[0]
        (desk.root / path).write_text("{}")
        job = await desk.ended((await desk.archive.jobs.enqueue("archive-copy", {})).id)
        assert (job.status, path in job.error) == ("partial-succeeded", True)


async def test_a_schedule_of_ones_own_may_copy(tmp_path: Path) -> None:
    clock = JobClock(NOW)
    async with open_desk(tmp_path, clock=clock) as desk:
        body = {"cron": "0 1 * * *", "task": "copy"}
        assert (await desk.call("PUT", "/schedules/mine", body)).ok["task"] == "copy"
        assert (await desk.call("PUT", "/schedules/mine", {**body, "args": {"to": "s3://x"}})).status == 400
        assert (await desk.call("DELETE", "/schedules/mine")).status == 200
        ended = await tried(desk, clock)
        said = "neither archive.pack_after_days nor archive.bucket is set"
        assert (ended.status, said in ended.error) == ("failed", True)


async def test_masked_texts_that_another_book_keeps_from_the_bucket_are_told(tmp_path: Path) -> None:
    for name, status in (("one", "succeeded"), ("two", "partial-succeeded")):
        settings = {
            "bucket": f"file://{tmp_path}/bucket",
            "redact": True,
            "redact_key": f"the key of {name}, long enough to be one",
        }
        async with open_desk(tmp_path / name, clock=JobClock(NOW), archive=settings) as desk:
            desk.upstream.put(1, answer="Write to ann@example.com!")
            await desk.save()
            job = await desk.ended((await desk.archive.jobs.enqueue("archive-copy", {})).id)
            assert (job.status, "masked texts were not copied" in job.error) == (status, name == "two")
