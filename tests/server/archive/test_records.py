from __future__ import annotations

import asyncio
import json

import pytest

from tests.archive.records import record
from tests.contract.caller import BOUND
from tests.server.archive.desk import KEY, PATH, URL, Desk

pytestmark = pytest.mark.anyio


async def test_one_conversation_can_be_read_whole(desk: Desk) -> None:
    desk.upstream.put(1, turns=2)
    await desk.save(organization_id="org-1")
    body = (await desk.get("/conversations/conv-1", organization_id="org-1")).ok
    assert (body["conversation_id"], body["dialogue_count"], len(body["messages"])) == ("conv-1", 2, 2)
    assert (await desk.get("/conversations/conv-1")).status == 404
    assert (await desk.get("/conversations/conv-1", organization_id="org-2")).status == 404


@pytest.mark.requirement("archive-29")
async def test_messages_are_found_by_their_words(desk: Desk) -> None:
    desk.upstream.put(1, answer="Your parcel is on its way")
    desk.upstream.put(2, answer="We are closed")
    desk.upstream.put(3, answer="The parcel is lost", app="app-b")
    await desk.save()
    await desk.save("app-b", organization_id="org-b")
    body = (await desk.get("/search", q="parcel")).ok
    assert [hit["conversation_id"] for hit in body["data"]] == ["conv-3", "conv-1"]
    assert body["data"][1]["snippet"]["text"] == "Your parcel is on its way"
    one = (await desk.get("/search", q="parcel", app_id="app-a")).ok["data"]
    assert [hit["conversation_id"] for hit in one] == ["conv-1"]
    page = (await desk.get("/search", q="parcel", limit=1)).ok
    rest = (await desk.get("/search", q="parcel", limit=1, cursor=page["cursor"])).ok
    assert [hit["conversation_id"] for hit in page["data"] + rest["data"]] == ["conv-3", "conv-1"]


@pytest.mark.parametrize(
    "query", [{}, {"q": "x", "limit": "0"}, {"q": "x", "order": "best"}, {"q": "x", "rating": "meh"}]
)
async def test_a_search_that_makes_no_sense_is_refused(idle: Desk, query: dict[str, str]) -> None:
    assert (await idle.get("/search", **query)).error[:2] == (400, "invalid_param")


@pytest.mark.requirement("archive-30")
async def test_figures_can_be_had_for_each_app(desk: Desk) -> None:
    desk.upstream.put(1, turns=2)
    desk.upstream.put(2, app="app-b")
    await desk.save()
    await desk.save("app-b")
    body = (await desk.get("/statistics", by="app")).ok
    assert (body["totals"]["messages"], body["totals"]["message_tokens"]) == (3, 9)
    assert {group["key"]: group["messages"] for group in body["groups"]} == {"app-a": 2, "app-b": 1}
    assert (await desk.get("/statistics", by="day")).ok["groups"][0]["key"] == "2025-10-02"
    assert (await desk.get("/statistics", by="mood")).error[0] == 400


@pytest.mark.requirement("archive-34")
async def test_what_is_on_hold_is_not_deleted_until_it_is_released(desk: Desk) -> None:
    desk.upstream.put(1, 2)
    await desk.save()
    hold = (await desk.call("POST", "/holds", {"reason": "case 7", "conversation_id": "conv-1"})).ok
    assert (await desk.get("/holds")).ok["data"] == [hold]
    assert (await desk.call("DELETE", query={"days_to_keep": 1})).ok["deleted_files"] == 1
    assert (await desk.call("DELETE", f"/holds/{hold['id']}")).ok["id"] == hold["id"]
    assert (await desk.call("DELETE", query={"days_to_keep": 1})).ok["deleted_files"] == 1
    assert (await desk.call("DELETE", f"/holds/{hold['id']}")).status == 404
    assert (await desk.call("POST", "/holds", {})).error[2] == "a hold needs an id and a reason"
    assert (await desk.call("POST", "/holds", {"who": "me"})).error[0] == 400


@pytest.mark.requirement("archive-35")
async def test_an_archive_can_be_proven_now_and_in_the_background(desk: Desk) -> None:
    desk.upstream.put(1)
    (path,) = (await desk.save()).ok["file_paths"]
    sound = (await desk.call("POST", "/verify", {"depth": "bytes"})).ok
    assert (sound["success"], sound["result"], sound["files"]) == (True, "sound", 1)
    (desk.root / path).write_bytes(b"{}")
    damaged = (await desk.call("POST", "/verify", {"depth": "bytes"})).ok
    assert (damaged["success"], damaged["findings"][0]["path"]) == (False, path)
    job = (await desk.call("POST", "/verify", {"depth": "bytes", "background": True})).json["job"]
    assert (await desk.ended(job["id"])).status == "partial-succeeded"
    assert (await desk.call("POST", "/verify", {"depth": "deep"})).error[0] == 400


@pytest.mark.requirement("archive-36")
async def test_an_export_can_be_taken_in_again(desk: Desk) -> None:
    desk.upstream.put(1, 2)
    await desk.save()
    asked = {"action": "export", "start_date": "2025-10-01", "end_date": "2025-10-31"}
    export = (await desk.get(**asked)).body
    names = desk.files()
    assert (await desk.call("DELETE", query={"days_to_keep": 0})).ok["deleted_files"] == 2
    done = (await desk.call("POST", "/import", data=export, query={"name": "export.json"})).ok
    assert done == {"success": True, "written": 2, "unchanged": 0, "failed_count": 0, "failed": []}
    assert desk.files() == names


async def test_an_import_tells_what_it_could_not_take_in(desk: Desk) -> None:
    lines = json.dumps(record(1)) + "\nnonsense\n"
    done = (await desk.call("POST", "/import", data=lines.encode())).ok
    assert (done["success"], done["written"], done["failed_count"]) == (False, 1, 1)
    assert (await desk.call("POST", "/import", data=b"")).error[0] == 400
    assert (await desk.call("POST", "/import", data=b"x", query={"name": "x.exe"})).error[0] == 400


@pytest.mark.requirement("archive-28")
async def test_a_conversation_is_told_when_it_is_archived(desk: Desk) -> None:
    headers = {"authorization": f"Bearer {desk.token}"}
    url = f"{desk.url}{PATH}/tail"
    desk.upstream.put(1, 2)
    async with (
        asyncio.timeout(BOUND),
        desk.session.get(url, headers=headers, params={"organization_id": "org-1"}) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert await stream.content.readline() == b": ready\n"
        await desk.save(organization_id="org-1")
        told, marks = [], []
        async for line in stream.content:
            if line.startswith(b"id: "):
                marks.append(line.removeprefix(b"id: ").decode().strip())
            if line.startswith(b"data: "):
                told.append(json.loads(line.removeprefix(b"data: ")))
            if len(told) == 2:
                break
    # Those that are pulled at the same time are archived in whatever order they arrive.
    first, second = (one["conversation_id"] for one in told)
    assert {first, second} == {"conv-1", "conv-2"}
    assert sorted(one["path"] for one in told) == desk.files()
    assert told[0]["organization_id"] == "org-1"
    async with (
        asyncio.timeout(BOUND),
        desk.session.get(url, headers={**headers, "last-event-id": marks[0]}) as stream,
    ):
        async for line in stream.content:
            if line.startswith(b"data: "):
                assert json.loads(line.removeprefix(b"data: "))["conversation_id"] == second
                break


async def test_a_tail_ends_with_its_server(desk: Desk) -> None:
    headers = {"authorization": f"Bearer {desk.token}"}
    async with asyncio.timeout(BOUND), desk.session.get(f"{desk.url}{PATH}/tail", headers=headers) as stream:
        assert await stream.content.readline() == b": ready\n"
        desk.archive.end_watching()
        assert await stream.content.read() == b"\n"
    assert (await desk.get("/tail", after="nonsense")).error[0] == 400


@pytest.mark.requirement("archive-33")
async def test_a_long_save_can_go_on_in_the_background(desk: Desk) -> None:
    desk.upstream.put(1, 2)
    reply = await desk.save(background=True, organization_id="org-1")
    assert reply.status == 202
    job = reply.json["job"]
    assert (job["name"], job["subject"]) == ("archive-pull", "pull:app-a")
    await desk.ended(job["id"])
    shown = (await desk.get(f"/jobs/{job['id']}")).ok
    assert (shown["status"], shown["error"]) == ("succeeded", "")
    assert [(one["target"], one["written"], one["failed"]) for one in shown["result"]] == [("app-a", 2, 0)]
    assert shown["progress"] == {
        "source": 1,
        "sources": 1,
        "seen": 2,
        "written": 2,
        "unchanged": 0,
        "failed": 0,
    }
    assert [one["id"] for one in (await desk.get("/jobs", status="succeeded")).ok["data"]] == [job["id"]]
    assert (await desk.get("/jobs", status="odd")).error[0] == 400
    assert (await desk.get("/jobs/nothing")).status == 404
    assert (await desk.call("POST", f"/jobs/{job['id']}/cancel")).ok["status"] == "succeeded"
    assert len(desk.files()) == 2


async def test_one_bad_key_in_the_background_stops_no_other(desk: Desk) -> None:
    desk.upstream.put(1, app="app-b")
    apps = [
        {"dify_api_url": URL, "app_id": "app-a", "api_key": "app-wrong"},
        {"dify_api_url": URL, "app_id": "app-b", "api_key": KEY},
    ]
    reply = await desk.call("POST", "/scheduled", {"apps": apps, "background": True})
    done = await desk.ended(reply.json["job"]["id"])
    assert (done.status, done.error) == (
        "partial-succeeded",
        "app-a: UnauthorizedError: Access token is invalid",
    )
    assert len(desk.files()) == 1
