from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.archive.records import NOW
from tests.contract.caller import BOUND
from tests.jobs.clock import HeldClock
from tests.server.archive.desk import KEY, URL, Desk, open_desk
from weft.archive import FolderSource, SourceApp, SourcePage
from weft.errors import ConfigError
from weft.jobs import Job
from weft.server import ArchiveDesk
from weft.settings import Settings, load_settings
from weft.store import Connection

pytestmark = pytest.mark.anyio
SECRET = "a secret of thirty-two characters"
SOURCE: dict[str, object] = {"kind": "app-key", "url": URL, "app_id": "app-a", "api_key": KEY}


class JobClock(HeldClock):
    """Moved by the test; sleeping in the server does not wait for it."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02))


async def until(desk: ArchiveDesk, name: str, count: int, is_so: Callable[[Job], bool]) -> list[Job]:
    """The jobs of a kind of which something is true, when there are that many."""
    async with asyncio.timeout(BOUND):
        while True:
            found = [job for job in await desk.jobs.list(name=name) if is_so(job)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


def is_ended(job: Job) -> bool:
    return job.is_ended


async def schedules(desk: Desk) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in (await desk.get("/schedules")).ok["data"]}


@pytest.mark.requirement("archive-18", "archive-19")
async def test_the_settings_schedule_pulling_at_two_and_cleaning_on_sundays_at_three(tmp_path: Path) -> None:
    archive = {"auto_pull": True, "retention_days": 30}
    async with open_desk(tmp_path, clock=JobClock(NOW), archive=archive, sources={"shop": SOURCE}) as desk:
        found = await schedules(desk)
        assert {id: (one["task"], one["cron"], one["next_at"]) for id, one in found.items()} == {
            "pull": ("pull", "0 2 * * *", "2025-10-21T02:00:00Z"),
            "clean": ("clean", "0 3 * * 0", "2025-10-26T03:00:00Z"),
        }
        assert (await desk.call("PUT", "/schedules/pull", {"cron": "0 5 * * *"})).status == 403
        assert (await desk.call("DELETE", "/schedules/pull")).status == 403
    async with open_desk(tmp_path, clock=JobClock(NOW)) as desk:
        assert await schedules(desk) == {}


@pytest.mark.requirement("archive-20")
async def test_what_was_missed_is_caught_up_once(tmp_path: Path) -> None:
    archive = {"auto_pull": True}
    clock = JobClock(NOW)
    async with open_desk(tmp_path, clock=clock, archive=archive, sources={"shop": SOURCE}) as desk:
        assert (await desk.get("/jobs")).ok["data"] == []
    clock.advance(days=5)
    async with open_desk(tmp_path, clock=clock, archive=archive, sources={"shop": SOURCE}) as desk:
        desk.upstream.put(1)
        (job,) = await until(desk.archive, "archive-pull", 1, is_ended)
        assert (job.status, job.subject, len(desk.files())) == ("succeeded", "schedule:pull", 1)
        assert (await schedules(desk))["pull"]["next_at"] == "2025-10-26T02:00:00Z"


async def test_a_schedule_cleans_by_the_retention_of_the_settings(tmp_path: Path) -> None:
    clock = JobClock(NOW)
    async with open_desk(tmp_path, clock=clock, archive={"retention_days": 30}) as desk:
        desk.upstream.put(1, 2)
        await desk.save()
        clock.advance(days=31)
        (job,) = await until(desk.archive, "archive-clean", 1, is_ended)
        assert (job.name, job.status) == ("archive-clean", "succeeded")
        assert desk.files() == []


@pytest.mark.requirement("archive-26")
async def test_a_schedule_names_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_API_KEY_SHOP", KEY)
    clock = JobClock(NOW)
    async with open_desk(tmp_path, clock=clock, sources={"shop": SOURCE}) as desk:
        for id, targets in (
            ("by-name", [{"source": "shop"}]),
            ("by-variable", [{"url": URL, "app_id": "app-b", "key_env": "DIFY_API_KEY_SHOP"}]),
        ):
            body = {"cron": "0 1 * * *", "args": {"targets": targets}}
            assert (await desk.call("PUT", f"/schedules/{id}", body)).ok["id"] == id
        for target, said in (
            ({"url": URL, "api_key": KEY}, "keys are never stored"),
            ({"url": URL, "key_env": "WEFT_SECRET"}, "key_env has to be DIFY_API_KEY"),
            ({"url": "file:///x", "key_env": "DIFY_API_KEY"}, "a target has"),
            ({"source": "nowhere"}, "the settings have no source 'nowhere'; known: shop"),
            ({"source": "shop", "path": "/etc"}, "unknown field `path`"),
        ):
            body = {"cron": "0 1 * * *", "args": {"targets": [target]}}
            status, code, message = (await desk.call("PUT", "/schedules/bad", body)).error
            assert (status, code) == (400, "invalid_param")
            assert said in message
        desk.upstream.put(1)
        desk.upstream.put(2, app="app-b")
        clock.advance(days=1)
        jobs = await until(desk.archive, "archive-pull", 2, is_ended)
        assert {job.subject: job.status for job in jobs} == {
            "schedule:by-name": "succeeded",
            "schedule:by-variable": "succeeded",
        }
        assert len(desk.files()) == 2
        assert (await desk.call("DELETE", "/schedules/by-name")).ok == {"success": True}
        assert list(await schedules(desk)) == ["by-variable"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cron": "soon"},
        {"cron": "0 1 * * *", "task": "burn"},
        {"cron": "0 1 * * *", "timezone": "Mars"},
        {"cron": "0 1 * * *", "is_active": "yes"},
        {"cron": "0 1 * * *", "task": "clean", "args": {"days_to_keep": "many"}},
        {"cron": "0 1 * * *", "task": "verify", "args": {"depth": "deep"}},
        {"cron": "0 1 * * *", "args": {"targets": []}},
        {"cron": "0 1 * * *", "more": 1},
    ],
)
async def test_a_schedule_that_makes_no_sense_is_refused(idle: Desk, body: dict[str, object]) -> None:
    assert (await idle.call("PUT", "/schedules/s", body)).error[:2] == (400, "invalid_param")


@dataclass(slots=True)
class Receiver:
    """Takes messages, and answers with the statuses that it is told to."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(
            ({name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        self.came.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    async def message(self, number: int) -> dict[str, Any]:
        """The message of that number, when it has come; its signature has to be right."""
        async with asyncio.timeout(BOUND):
            while len(self.got) <= number:
                self.came.clear()
                await self.came.wait()
        headers, body = self.got[number]
        signed = headers["x-weft-timestamp"].encode() + b"." + body
        wanted = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["x-weft-signature"] == f"v1={wanted}"
        content: dict[str, Any] = json.loads(body)
        assert content["event"] == headers["x-weft-event"]
        return content


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


def hooked(receiver: Receiver, **more: object) -> dict[str, object]:
    return {
        "webhook_urls": receiver.url,
        "webhook_secret": SECRET,
        "webhook_private_addresses": True,
        "min_free_bytes": 0,
        **more,
    }


@pytest.mark.requirement("archive-31")
async def test_a_failed_save_and_its_recovery_are_told_signed_and_until_they_arrive(tmp_path: Path) -> None:
    async with receiving() as receiver:
        clock = JobClock(NOW)
        async with open_desk(tmp_path, clock=clock, archive=hooked(receiver)) as desk:
            receiver.statuses += [500]
            wrong = await desk.save(background=True, api_key="app-wrong")
            first = await receiver.message(0)
            await until(desk.archive, "archive-webhook", 1, lambda job: job.attempts == 1)
            clock.advance(seconds=30)
            again = await receiver.message(1)
            assert first == again
            headers = [got[0]["x-weft-delivery"] for got in receiver.got]
            assert headers[0] == headers[1]
            assert (first["event"], first["job"]["id"]) == ("archive.pull.failed", wrong.json["job"]["id"])
            assert first["error"] == "app-a: UnauthorizedError: Access token is invalid"
            assert "app-wrong" not in json.dumps(first)
            desk.upstream.put(1)
            await desk.save(background=True)
            assert (await receiver.message(2))["event"] == "archive.pull.recovered"
            fine = await desk.save(background=True)
            await desk.ended(fine.json["job"]["id"])
            await until(desk.archive, "archive-webhook", 2, is_ended)
            assert len(receiver.got) == 3


@pytest.mark.requirement("archive-32")
async def test_a_disk_that_fills_up_is_told_once(tmp_path: Path) -> None:
    async with receiving() as receiver:
        clock = JobClock(NOW)
        archive = hooked(receiver, min_free_bytes=10**18)
        async with open_desk(tmp_path, clock=clock, archive=archive) as desk:
            for minutes in (10, 20):
                clock.advance(minutes=10)
                await until(desk.archive, "archive-disk", minutes // 10, is_ended)
            message = await receiver.message(0)
            await until(desk.archive, "archive-webhook", 1, is_ended)
            assert (message["event"], message["result"]["min_free_bytes"]) == ("archive.disk.low", 10**18)
            assert len(receiver.got) == 1


async def test_a_private_address_is_not_told_unless_it_is_allowed(tmp_path: Path) -> None:
    async with receiving() as receiver:
        archive = hooked(receiver, webhook_private_addresses=False)
        async with open_desk(tmp_path, clock=JobClock(NOW), archive=archive) as desk:
            await desk.save(background=True, api_key="app-wrong")
            jobs = await until(desk.archive, "archive-webhook", 1, lambda job: bool(job.error))
            assert (jobs[0].status, receiver.got) == ("queued", [])
            assert "127.0.0.1" in jobs[0].error


async def test_addresses_without_a_secret_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"archive\.webhook_urls needs archive\.webhook_secret"):
        async with open_desk(tmp_path, archive={"webhook_urls": "https://hook.example"}):
            pass


@pytest.mark.requirement("archive-21")
def test_the_guides_environment_variables_are_settings(tmp_path: Path) -> None:

    environ = {
        "DIFY_API_URL": URL,
        "DIFY_APP_ID": "app-1",
        "DIFY_API_KEY": KEY,
        "LOG_RETENTION_DAYS": "30",
        "ENABLE_AUTO_LOGGING": "true",
    }
    archive = load_settings(environ=environ, cwd=tmp_path).archive
    assert archive.api_key is not None
    found = (archive.url, archive.app_id, archive.api_key.get_secret_value(), archive.retention_days)
    assert (found, archive.auto_pull) == ((URL, "app-1", KEY, 30), True)
    assert Settings(data=tmp_path).archive.auto_pull is False


async def test_a_pull_that_wrote_something_has_got_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that one in whose middle many processes ended is only given up if it stands still."""
    stands = asyncio.Event()

    class Standing(FolderSource):
        """Gives its pages and then nothing, not even an end."""

        async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
            async for page in super().iter_pages(app, ""):
                yield page
            stands.set()
            await asyncio.Event().wait()

    def after_five_deaths(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE weft_jobs SET deaths = 5, run_at = 0")

    async with open_desk(tmp_path, clock=JobClock(NOW), sources={"shop": SOURCE}) as desk:
        desk.upstream.put(*range(200))  # some pages, and more than are stored at once
        monkeypatch.setattr("tests.server.archive.desk.FolderSource", Standing)
        jobs = desk.archive.jobs
        later = NOW.replace(year=2026)
        job = await jobs.enqueue("archive-pull", {"targets": [{"source": "shop"}]}, run_at=later)
        await desk.archive.store.write(after_five_deaths)
        async with asyncio.timeout(BOUND):
            await stands.wait()
        (found,) = await until(desk.archive, "archive-pull", 1, lambda one: one.deaths == 0)
        assert (found.status, found.progress["written"] in range(1, 201)) == ("running", True)
        await jobs.cancel(job.id)
