"""The server's own records: thinned by the archive, put back from it, and the files that nobody needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.archive.records import NOW
from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import BOUND, JSON, Caller, Reply
from tests.contract.house import House, open_house
from tests.contract.uploads import PNG, fetched, local, uploaded
from tests.jobs.clock import HeldClock
from tests.server.archive.desk import PATH
from weft.archive import Archive, AsyncArchive, RetentionRule, delete_archived
from weft.errors import ConfigError
from weft.store import (
    Annotation,
    Compacted,
    Connection,
    app_annotations,
    conversations,
    files,
    free_share,
)

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


class JobClock(HeldClock):
    """Moved by the test; sleeping in the server does not wait for it."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02))


@dataclass(slots=True)
class Place:
    """A server, and whoever runs it."""

    house: House
    clock: JobClock

    async def call(self, method: str, path: str, body: object = None) -> Reply:
        headers = {"authorization": f"Bearer {self.house.runtime.operator_token}", **JSON}
        url = self.house.serving.url + PATH + path
        async with (
            asyncio.timeout(BOUND),
            self.house.session.request(method, url, json=body, headers=headers) as response,
        ):
            return Reply(response.status, response.headers.copy(), await response.read())

    async def done(self, path: str, body: object) -> Json:
        """Put a job in; it, when it has ended."""
        answer = await self.call("POST", path, body)
        assert answer.status == 202, answer
        return await self.ended(answer.json["job"]["id"])

    async def ended(self, id: str) -> Json:
        async with asyncio.timeout(BOUND):
            while True:
                job: Json = (await self.call("GET", f"/jobs/{id}")).ok
                if job["status"] in ("succeeded", "partial-succeeded", "failed"):
                    return job
                await asyncio.sleep(0.02)

    async def scheduled(self, name: str) -> Json:
        """The job that a schedule puts in, when it has ended."""
        async with asyncio.timeout(BOUND):
            while True:
                for job in (await self.call("GET", f"/jobs?name={name}")).ok["data"]:
                    return await self.ended(job["id"])
                await asyncio.sleep(0.02)

    async def pull(self) -> None:
        assert (await self.call("POST", "", {"source": "own"})).ok["success"]

    async def present(self, app_id: str, *ids: str) -> list[bool]:
        def look(connection: Connection) -> list[bool]:
            found = (conversations.find(connection, app_id, id, end_user_id=None) for id in ids)
            return [one is not None for one in found]

        return await self.house.runtime.store.read(look)


@asynccontextmanager
async def open_place(folder: Path, **settings: Any) -> AsyncIterator[Place]:
    clock = JobClock(NOW)
    async with open_house(folder, models=Actor(), clock=clock, **settings) as house:
        yield Place(house, clock)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with open_place(tmp_path) as opened:
        yield opened


async def said(flow: Caller, text: str, user: str = "ann") -> str:
    return str((await flow.said(text, user=user))["conversation_id"])


async def test_what_is_archived_goes_and_comes_back_the_same(place: Place) -> None:
    flow = await place.house.serve(apps.echo_flow())
    old = [await said(flow, f"old {number}") for number in range(3)]
    await place.pull()
    export = f"?action=export&start_date={NOW:%Y-%m-%d}&end_date={NOW:%Y-%m-%d}&format=jsonl"
    before = (await place.call("GET", export)).body
    place.clock.advance(days=40)
    new = await said(flow, "new")

    preview = (await place.call("POST", "/thin", {"older_than_days": 30, "dry_run": True})).ok
    assert (preview["conversations"], preview["candidates"], preview["deleted"]) == (4, 3, 0)
    assert (preview["messages"], preview["runs"], preview["kept"]) == (3, 3, {})
    assert preview["size_bytes"] > 1000
    assert await place.present(flow.app_id, *old) == [True] * 3

    job = await place.done("/thin", {"older_than_days": 30})
    assert (job["status"], job["result"]["deleted"], job["result"]["candidates"]) == ("succeeded", 3, 3)
    assert job["result"]["disk"]["error"] == ""
    assert job["result"]["disk"]["after"] <= job["result"]["disk"]["before"]
    assert await place.present(flow.app_id, *old, new) == [False] * 3 + [True]

    back = (await place.done("/restore", {"app_id": flow.app_id}))["result"]
    assert (back["success"], back["conversations"], back["messages"], back["runs"]) == (True, 3, 3, 3)
    again = (await place.done("/restore", {}))["result"]
    assert (again["conversations"], again["present"], again["apps_left"]) == (0, 3, [])
    await place.pull()
    assert (await place.call("GET", export)).body == before
    assert [one["answer"] for one in await flow.messages(old[0], user="ann")] == ["You said: old 0"]


async def test_the_room_is_given_back_by_whoever_goes_on_with_a_thinning(place: Place) -> None:
    flow = await place.house.serve(apps.echo_flow())
    await said(flow, "a long story " * 3_000)
    await place.pull()
    place.clock.advance(days=40)
    store, root = place.house.runtime.store, place.house.runtime.settings.data / "archive"
    async with await AsyncArchive.open(root, clock=place.clock) as archive:  # and then its process ended
        gone = await delete_archived(store, archive.archive, [RetentionRule("old", 30)], max_share=1)
    assert gone.deleted == 1
    assert await free_share(store) > 0
    job = await place.done("/thin", {"older_than_days": 30})
    assert (job["status"], job["result"]["deleted"]) == ("succeeded", 0)
    assert job["result"]["disk"]["after"] < job["result"]["disk"]["before"]
    assert await free_share(store) == 0
    assert "disk" not in (await place.done("/thin", {"older_than_days": 30}))["result"]


async def test_a_large_file_of_an_early_version_is_told_of(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stiff(*args: Any, **more: Any) -> Compacted:
        return Compacted(before=9, after=9, is_stiff=True)

    flow = await place.house.serve(apps.echo_flow())
    await said(flow, "hi")
    await place.pull()
    place.clock.advance(days=2)
    monkeypatch.setattr("weft.server.archive_api.thinning.compact", stiff)
    disk = (await place.done("/thin", {"older_than_days": 1}))["result"]["disk"]
    assert (disk["is_whole"], disk["error"]) == (False, "")
    assert disk["advice"].startswith(
        "the database was made by an earlier version, so its file stays as large"
    )


async def test_what_stays_is_told_with_its_reason(place: Place) -> None:
    flow = await place.house.serve(apps.echo_flow())
    held, plain, behind, paused = [await said(flow, text) for text in ("held", "plain", "behind", "paused")]
    await place.pull()
    await flow.said("more", user="ann", conversation_id=behind)
    never = await said(flow, "never")
    await place.call("POST", "/holds", {"reason": "law", "conversation_id": held})

    def pause(connection: Connection) -> None:
        id = connection.exec_driver_sql("SELECT id FROM runs WHERE conversation_id = ?", (paused,)).scalar()
        connection.exec_driver_sql("UPDATE runs SET status = 'paused' WHERE id = ?", (id,))

    await place.house.runtime.store.write(pause)
    place.clock.advance(days=2)
    preview = (await place.call("POST", "/thin", {"older_than_days": 1, "dry_run": True})).ok
    assert (preview["candidates"], preview["kept"]) == (
        1,
        {"on hold": 1, "archive is behind": 1, "not archived": 1, "still running": 1},
    )
    (app,) = preview["apps"]
    assert {one["conversation_id"]: one["why"] for one in app["kept_conversations"]} == {
        held: "on hold",
        behind: "archive is behind",
        never: "not archived",
        paused: "still running",
    }
    refused = await place.done("/thin", {"older_than_days": 1, "max_share": 0.1})
    assert (refused["status"], "more than the share 0.1" in refused["error"]) == ("failed", True)
    assert await place.present(flow.app_id, plain) == [True]


async def test_annotated_conversations_stay_if_that_is_wanted(place: Place) -> None:
    flow = await place.house.serve(apps.echo_flow(features=apps.FEATURES))
    answer = await flow.said("annotate me", user="ann")

    def annotate(connection: Connection) -> None:
        now = place.clock.now()
        id = place.house.runtime.ids.new()
        app_annotations.insert(
            connection,
            Annotation(
                id,
                flow.app_id,
                "q",
                "a",
                now,
                now,
                message_id=answer["message_id"],
                conversation_id=answer["conversation_id"],
            ),
        )

    await place.house.runtime.store.write(annotate)
    await place.pull()
    place.clock.advance(days=2)
    body = {"older_than_days": 1, "dry_run": True}
    kept = (await place.call("POST", "/thin", {**body, "keep_annotated": True})).ok
    assert (kept["candidates"], kept["kept"]) == (0, {"annotated": 1})
    assert (await place.call("POST", "/thin", body)).ok["candidates"] == 1


async def test_an_app_in_trouble_stops_no_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await place.house.serve(apps.echo_flow())
    two = await place.house.serve(apps.echo_flow(name="Other"))
    ids = [await said(flow, "hi") for flow in (one, two)]
    await place.pull()
    place.clock.advance(days=2)

    async def failing(*args: Any, app_ids: list[str], **more: Any) -> Any:
        if app_ids == [one.app_id]:
            raise ConfigError("its disk is broken")
        return await delete_archived(*args, app_ids=app_ids, **more)

    monkeypatch.setattr("weft.server.archive_api.thinning.delete_archived", failing)
    job = await place.done("/thin", {"older_than_days": 1})
    assert job["status"] == "partial-succeeded"
    assert job["error"].endswith("ConfigError: its disk is broken")
    assert job["result"]["deleted"] == 1
    assert await place.present(one.app_id, ids[0]) == [True]
    assert await place.present(two.app_id, ids[1]) == [False]


async def test_only_chosen_apps_are_thinned(place: Place) -> None:
    one = await place.house.serve(apps.echo_flow())
    two = await place.house.serve(apps.echo_flow(name="Other"))
    ids = [await said(flow, "hi") for flow in (one, two)]
    await place.pull()
    place.clock.advance(days=2)
    job = await place.done("/thin", {"older_than_days": 1, "app_ids": [two.app_id]})
    assert (job["result"]["conversations"], job["result"]["deleted"]) == (1, 1)
    assert await place.present(one.app_id, ids[0]) == [True]


async def test_what_cannot_be_put_back_is_named(place: Place) -> None:
    flow = await place.house.serve(apps.echo_flow())
    other = await place.house.serve(apps.echo_flow(name="Other"))
    id = await said(flow, "hi")
    await place.pull()
    assert (await place.call("POST", "/restore", {"app_id": "nobody"})).error == (
        400,
        "invalid_param",
        "app_id: there is no app 'nobody'; make it first",
    )
    # It is in one app, and is asked into another.
    asked = {"app_id": other.app_id, "from_app_ids": [flow.app_id]}
    job = await place.done("/restore", asked)
    assert job["status"] == "partial-succeeded"
    assert job["result"]["failed"] == [{"id": id, "reason": f"it is there already, in the app {flow.app_id}"}]

    store = place.house.runtime.store
    columns = await store.read(
        lambda connection: [row[1] for row in connection.exec_driver_sql("PRAGMA table_info(workspaces)")]
    )

    def move(connection: Connection) -> None:
        chosen = ", ".join("'another'" if name == "id" else name for name in columns)
        connection.exec_driver_sql(f"INSERT INTO workspaces SELECT {chosen} FROM workspaces")
        connection.exec_driver_sql("UPDATE apps SET workspace_id = 'another' WHERE id = ?", (flow.app_id,))

    await store.write(move)
    left = (await place.done("/restore", {}))["result"]
    assert left["apps_left"] == [{"app_id": flow.app_id, "why": "the app belongs to another workspace"}]
    assert (await place.call("POST", "/restore", {"app_id": flow.app_id})).status == 400
    await store.write(lambda c: c.exec_driver_sql("DELETE FROM apps WHERE id = ?", (flow.app_id,)))
    gone = (await place.done("/restore", {}))["result"]
    assert gone["apps_left"][0]["why"].startswith("there is no such app")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/thin", {}, "older_than_days: is missing, and archive.store_days is not set"),
        ("/thin", {"older_than_days": -1}, "older_than_days: is not a number from 0 to 36500"),
        ("/thin", {"older_than_days": "many"}, "the body is not understood: Expected `float"),
        ("/thin", {"older_than_days": 1, "max_share": 2}, "max_share: is not a number from 0 to 1"),
        (
            "/thin",
            {"older_than_days": 1, "app_id": "x"},
            "the body is not understood: Object contains unknown",
        ),
        ("/thin", {"older_than_days": 1, "background": "yes"}, "background: is neither true nor false"),
        ("/restore", {"start_date": "soon"}, "start_date: 'soon' is not a date"),
        (
            "/restore",
            {"start_date": "2025-10-02", "end_date": "2025-10-01"},
            "end_date: is before start_date",
        ),
        ("/restore", {"until": "x"}, "the body is not understood: Object contains unknown field `until`"),
        ("/restore", {"conversation_ids": "x"}, "the body is not understood: Expected `array"),
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(place: Place, path: str, body: Json, said: str) -> None:
    status, code, message = (await place.call("POST", path, body)).error
    assert (status, code) == (400, "invalid_param")
    assert message.startswith(said)


async def test_the_scheduled_clean_pulls_thins_and_sweeps(tmp_path: Path) -> None:
    async with open_place(tmp_path, archive={"store_days": 30}) as place:
        flow = await place.house.serve(apps.echo_flow(features=apps.FEATURES))
        old = await said(flow, "old")
        picture = await uploaded(flow, user="ann")
        shown = await flow.said("look", user="ann", files=[local(picture)])
        unused = await uploaded(flow, user="ann")
        schedules = (await place.call("GET", "/schedules")).ok["data"]
        assert [(one["id"], one["task"], one["cron"]) for one in schedules] == [
            ("clean", "clean", "0 3 * * 0")
        ]
        place.clock.advance(days=31)
        store = place.house.runtime.store
        job = await place.scheduled("archive-clean")
        assert (job["status"], job["error"]) == ("succeeded", "")
        assert (job["result"]["store"]["deleted"], job["result"]["files"]) == (
            2,
            {"success": True, "stray": 0, "unused": 1},
        )
        assert job["result"]["store"]["files"] == 1
        ids = (picture["id"], unused["id"])
        assert await store.read(lambda c: [files.find(c, id) for id in ids]) == [None, None]
        assert await place.present(flow.app_id, old, shown["conversation_id"]) == [False, False]
        back = await place.done("/restore", {})
        assert (back["status"], back["result"]["files"]) == ("succeeded", 1)
        messages = await flow.messages(shown["conversation_id"], user="ann")
        assert (await fetched(messages[0]["message_files"][0]["url"])).body == PNG


async def test_files_that_the_archive_has_not_stay(tmp_path: Path) -> None:
    async with open_place(tmp_path, archive={"files": "off"}) as place:
        flow = await place.house.serve(apps.echo_flow(features=apps.FEATURES))
        picture = await uploaded(flow, user="ann")
        shown = await flow.said("look", user="ann", files=[local(picture)])
        await place.pull()
        place.clock.advance(days=2)
        assert (await place.done("/thin", {"older_than_days": 1}))["result"]["deleted"] == 1
        assert await place.house.runtime.store.read(lambda c: files.find(c, picture["id"])) is not None
        await place.done("/restore", {})
        messages = await flow.messages(shown["conversation_id"], user="ann")
        assert (await fetched(messages[0]["message_files"][0]["url"])).body == PNG


async def test_a_file_of_a_run_that_is_still_known_is_used(tmp_path: Path) -> None:
    async with open_place(tmp_path) as place:
        flow = await place.house.serve(apps.echo_flow(features=apps.FEATURES))
        upload = await uploaded(flow, user="ann")
        store, now = place.house.runtime.store, place.clock.now()
        await flow.said("hi", user="ann")

        def tie(connection: Connection) -> None:
            id = connection.exec_driver_sql("SELECT id FROM runs").scalar_one()
            files.claim(connection, [upload["id"]], conversation_id=None, run_id=str(id))

        await store.write(tie)
        later = now + timedelta(days=1)
        assert await store.read(lambda c: files.list_unused(c, later, limit=5)) == ()
        await store.write(lambda c: c.exec_driver_sql("DELETE FROM runs"))
        assert await store.read(lambda c: files.list_unused(c, later, limit=5)) == (upload["id"],)


async def test_a_schedule_of_its_own_thins_after_a_pull(place: Place) -> None:
    flow = await place.house.serve(apps.echo_flow())
    id = await said(flow, "hi")
    body = {"cron": "0 4 * * *", "task": "thin", "args": {"older_than_days": 2}}
    made = (await place.call("PUT", "/schedules/small", body)).ok
    assert (made["task"], made["args"]) == ("thin", {"older_than_days": 2.0, "pull": True})
    wrong = {**body, "args": {"older_than_days": 2, "burn": True}}
    assert (await place.call("PUT", "/schedules/small", wrong)).status == 400
    assert (await place.call("PUT", "/schedules/small", {**body, "args": {}})).status == 400
    place.clock.advance(days=3)
    job = await place.scheduled("archive-thin")
    assert (job["status"], job["result"]["deleted"]) == ("succeeded", 1)
    assert await place.present(flow.app_id, id) == [False]
    with Archive.open(place.house.runtime.settings.data / "archive", read_only=True) as archive:
        assert archive.get(id).id == id


async def test_more_days_than_the_archive_keeps_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has to be smaller than archive\.retention_days"):
        async with open_place(tmp_path, archive={"store_days": 30, "retention_days": 30}):
            pass
