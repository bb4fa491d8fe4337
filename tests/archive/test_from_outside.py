"""What upstream servers, people and clocks do to an archive, met at its outermost doors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

import weft.client
import weft.clock
from tests.archive.fake_source import FakeSource
from tests.archive.records import StoppedClock, conversation, conversation_files, open_archive, record, tree
from tests.archive.sources.fake_console import FakeConsole, conversation_id
from tests.archive.standin import StandIn, Trouble
from tests.server.archive.desk import KEY, PATH, URL, Desk, open_desk
from weft.archive import Archive, PullOptions
from weft.cli import main
from weft.client import AsyncConsoleClient, Timeouts

Command = Callable[..., tuple[int, str, str]]
HTML = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
TALKS = 12


class QuickClock:
    """The machine's clock, a hundred times as fast, so that what waits for seconds waits for milliseconds."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * 100

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@pytest.fixture
def weft_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs `weft archive` with quick pauses."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("WEFT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DIFY_API_KEY", "a@b.c:secret word")
    monkeypatch.setattr(weft.clock, "SystemClock", QuickClock)

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["archive", *(str(word) for word in words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that say nothing are given up soon."""
    quick = partial(AsyncConsoleClient, timeouts=Timeouts(read=0.5))
    monkeypatch.setattr(weft.client, "AsyncConsoleClient", quick)


def filled(turns: int = 2) -> FakeConsole:
    console = FakeConsole()
    for number in range(TALKS):
        console.add(number, turns)
    return console


def turns(root: Path) -> dict[str, int]:
    with Archive.open(root, read_only=True) as archive:
        assert archive.verify().findings == []
        return {item.id: len(item.messages) for item in archive.iter_conversations()}


TROUBLES: dict[str, Trouble | httpx2.Response] = {
    "answers that end in the middle of their JSON": httpx2.Response(
        200, content=b'{"page": 1, "data": [{"id": "2', headers={"content-type": "application/json"}
    ),
    "error pages that say that all is well": httpx2.Response(
        200, content=HTML, headers={"content-type": "text/html"}
    ),
    "a gateway that finds nobody": httpx2.Response(502, content=HTML, headers={"content-type": "text/html"}),
    "a server that is asked too much": httpx2.Response(
        429,
        json={"code": "too_many_requests", "message": "slow down", "status": 429},
        headers={"retry-after": "3"},
    ),
    "JSON of another shape": httpx2.Response(200, json={"data": {"0": "nothing"}}),
    "connections that are closed": "close",
    "connections that are cut": "cut",
    "silence": "hang",
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_that_passes_is_survived_and_nothing_is_lost(
    tmp_path: Path, weft_archive: Command, trouble: str
) -> None:
    console = filled()
    with StandIn(console) as upstream:
        # Every third request, and the first five in a row.
        upstream.trouble = lambda number, path: TROUBLES[trouble] if number % 3 == 0 or number < 8 else None
        codes = []
        for _ in range(6):
            code, out, err = weft_archive("pull", "--url", upstream.url, "--json")
            assert "Traceback" not in out + err
            codes.append(code)
            if code == 0:
                break
            assert json.loads(out)["success"] is False, (out, err)
            turns(tmp_path / "data/archive")  # what is there is sound
        upstream.trouble = lambda number, path: None
        assert weft_archive("pull", "--url", upstream.url)[0] == 0
    assert set(codes) <= {0, 1}
    assert turns(tmp_path / "data/archive") == console.wanted()
    assert len(conversation_files(tmp_path / "data/archive")) == TALKS


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_that_stays_with_one_conversation_is_named_and_the_others_come(
    tmp_path: Path, weft_archive: Command, trouble: str
) -> None:
    console = filled()
    broken = conversation_id(5)
    with StandIn(console) as upstream:
        upstream.trouble = lambda number, path: None
        answer = console._answer

        def hit(request: httpx2.Request) -> httpx2.Response:
            found = TROUBLES[trouble]
            if request.url.params.get("conversation_id") != broken:
                return answer(request)
            if isinstance(found, httpx2.Response):
                return found
            raise ConnectionAbortedError(found)

        console._answer = hit  # type: ignore[method-assign]
        code, out, err = weft_archive("pull", "--url", upstream.url, "--json")
        (result,) = json.loads(out)["results"]
        assert (code, err, result["written"], result["failed"]) == (1, "", TALKS - 1, 1), out
        assert [line.partition(":")[0] for line in result["errors"]] == [broken]
        console._answer = answer  # type: ignore[method-assign]
        code, out, err = weft_archive("pull", "--url", upstream.url, "--json")
        assert (code, json.loads(out)["results"][0]["written"]) == (0, 1), out
    assert turns(tmp_path / "data/archive") == console.wanted()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_that_stays_is_said_in_a_line_and_the_archive_is_as_it_was(
    tmp_path: Path, weft_archive: Command, trouble: str
) -> None:
    console = filled()
    with StandIn(console) as upstream:
        assert weft_archive("pull", "--url", upstream.url)[0] == 0
        before = tree(tmp_path / "data/archive", "logs/conversations")
        console.add(99)
        upstream.trouble = lambda number, path: TROUBLES[trouble]
        code, out, err = weft_archive("pull", "--url", upstream.url)
    assert code == 1, (out, err)
    assert "Traceback" not in out + err
    assert 1 <= len((out + err).splitlines()) <= 3, (out, err)
    assert tree(tmp_path / "data/archive", "logs/conversations") == before


def test_ten_thousand_turns_and_answers_of_twenty_megabytes_come_whole(
    tmp_path: Path, weft_archive: Command
) -> None:
    console = filled()
    console.add(100, 10_000)
    large = "Ä" + "x" * 20_000_000 + '\n"\\ end'
    answer = console._answer
    rows = [
        {"id": f"m{n:05}", "query": f"q{n}", "answer": "a", "created_at": console.talks[100].said[n]}
        for n in range(10_000)
    ]

    def say(request: httpx2.Request) -> httpx2.Response:
        query = request.url.params
        if query.get("conversation_id") == conversation_id(100):
            end = int(query["first_id"][1:]) if "first_id" in query else len(rows)
            page = rows[max(0, end - int(query["limit"])) : end]
            return httpx2.Response(200, json={"limit": 100, "has_more": page[0] != rows[0], "data": page})
        reply = answer(request)
        if query.get("conversation_id") == conversation_id(3):
            body = reply.json()
            body["data"][0]["answer"] = large
            return httpx2.Response(200, json=body)
        return reply

    console._answer = say  # type: ignore[method-assign]
    with StandIn(console) as upstream:
        code, out, err = weft_archive("pull", "--url", upstream.url, "--json")
        assert (code, err) == (0, ""), out
        again = json.loads(weft_archive("pull", "--url", upstream.url, "--json")[1])
        assert again["results"][0]["written"] == 0
    root = tmp_path / "data/archive"
    assert turns(root) == console.wanted()
    code, out, err = weft_archive("show", conversation_id(3), "--json")
    assert (code, json.loads(out)["messages"][0]["answer"] == large) == (0, True)
    for format in ("jsonl", "csv"):
        assert weft_archive("export", f"all.{format}", "--format", format)[0] == 0
    lines = (tmp_path / "work/all.jsonl").read_text(encoding="utf-8").splitlines()
    found = {one["conversation_id"]: one for one in map(json.loads, lines[:-1])}
    assert found[conversation_id(3)]["messages"][0]["answer"] == large
    assert [one["query"] for one in found[conversation_id(100)]["messages"]] == [
        f"q{n}" for n in range(10_000)
    ]
    code, out, err = weft_archive("search", "end", "--json")
    assert (code, json.loads(out)["data"][0]["conversation_id"]) == (0, conversation_id(3))
    elsewhere = tmp_path / "elsewhere"
    assert weft_archive("import", tmp_path / "work/all.jsonl", "--archive", elsewhere)[0] == 0
    assert turns(elsewhere) == console.wanted()
    assert weft_archive("clean", "--days", 30, "--trust-clock")[0] == 0
    assert turns(root) == {}


@pytest.mark.anyio
async def test_large_conversations_pass_through_the_servers_doors(tmp_path: Path) -> None:
    large = "Ä" + "x" * 20_000_000 + " end"
    lines = [json.dumps(record(1, answer=large)), json.dumps(record(2, turns=10_000))]
    async with open_desk(tmp_path) as desk:
        body = "\n".join(lines).encode()
        done = await take_in(desk, body)
        assert (done["written"], done["failed"]) == (2, [])
        assert (await desk.get("/conversations/conv-1")).ok["messages"][0]["answer"] == large
        assert len((await desk.get("/conversations/conv-2")).ok["messages"]) == 10_000
        days = {"start_date": "2025-10-01", "end_date": "2025-10-31"}
        export = (await desk.get("", action="export", **days)).ok
        assert (export["count"], export["conversations"][0]["messages"][0]["answer"]) == (2, large)
        assert (await desk.get("/search", q="end")).ok["data"][0]["conversation_id"] == "conv-1"
        assert (await desk.call("POST", "/verify", {"depth": "bytes"})).ok["findings"] == []
        assert (await take_in(desk, body[:-100]))["failed"]


async def take_in(desk: Desk, body: bytes) -> dict[str, Any]:
    async with desk.session.post(
        f"{desk.url}{PATH}/import?name=all.jsonl",
        data=BytesIO(body),
        headers={"authorization": f"Bearer {desk.token}"},
    ) as reply:
        assert reply.status == 200
        found: dict[str, Any] = await reply.json()
        return found


def test_a_clock_that_jumps_by_days_between_pulls_loses_nothing(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(6), 1)})
    clock = StoppedClock()
    stamps: dict[str, list[str]] = {}
    for round, days in enumerate((0, -9, 30, -30, 3650, -3650, 1), 1):
        clock.instant += timedelta(days=days)
        still = StoppedClock(clock.instant)
        still.monotonic = lambda: 0.0  # type: ignore[method-assign]  # which no jump moves
        for number in range(round - 1):
            source.apps["a"][number] += 1
        with open_archive(tmp_path, clock=still) as archive:
            report = archive.pull(FakeSource(source.apps), options=PullOptions(restart=True))
            assert (report.succeeded, report.total("written")) == (True, round - 1 or 6)
            found = list(archive.iter_conversations())
            assert {item.id: len(item.messages) for item in found} == {
                f"conv-{number}": turns for number, turns in source.apps["a"].items()
            }
            for item in found:
                known = stamps.setdefault(item.id, [])
                if str(item.fields["logged_at"]) not in known:
                    known.append(str(item.fields["logged_at"]))
            assert archive.verify().findings == []
    for known in stamps.values():
        assert [stamp[:-1] for stamp in known] == sorted(stamp[:-1] for stamp in known)
    assert len(conversation_files(tmp_path)) == 6


def test_a_second_pull_of_the_same_archive_says_who_is_at_it(tmp_path: Path, weft_archive: Command) -> None:
    (tmp_path / "some.json").write_text(json.dumps([record(1)]))
    root = tmp_path / "data/archive"
    with Archive.open(root):
        code, out, err = weft_archive("pull", "--folder", tmp_path / "some.json")
        assert (code, out) == (1, "")
        assert "writes to this archive; wait until it is done" in err
        assert weft_archive("summary")[0] == 0
    assert weft_archive("pull", "--folder", tmp_path / "some.json")[0] == 0


@pytest.mark.anyio
async def test_a_server_says_as_well_that_the_archive_is_locked(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.upstream.put(1)
        with await asyncio.to_thread(Archive.open, desk.root):
            reply = await desk.call("POST", "", {"dify_api_url": URL, "app_id": "app-a", "api_key": KEY})
            assert (reply.status, "writes to this archive" in reply.json["message"]) == (409, True)
        assert (await desk.save()).ok["saved_count"] == 1


def test_an_archive_behind_a_link_is_the_same_archive(tmp_path: Path, weft_archive: Command) -> None:
    (tmp_path / "some.json").write_text(json.dumps([record(1), record(2)]))
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk", target_is_directory=True)
    link = ("--archive", tmp_path / "link")
    assert weft_archive("pull", "--folder", tmp_path / "some.json", *link)[0] == 0
    assert turns(tmp_path / "disk") == {"conv-1": 1, "conv-2": 1}
    with Archive.open(tmp_path / "disk"):
        assert weft_archive("pull", "--folder", tmp_path / "some.json", *link)[0] == 1
    clean = ("clean", "--days", 1, "--trust-clock")
    for words in (("verify",), ("search", "hello"), ("export", "all.json"), clean):
        assert weft_archive(*words, *link)[0] == 0, words
    assert turns(tmp_path / "disk") == {}
    assert (tmp_path / "link").is_symlink()


HOSTILE = (
    *("../../../../outside", "..", ".", "/etc/passwd", "a/../../b", "a\\..\\b", "..%2f..%2fx", "%2e%2e"),
    *("con", "2025", "~root", "-rf", "a\nb", "a b", "ÄÖ\u202e", "A", "a", "x" * 60, "manifest.json", ".weft"),
)


def test_no_id_leads_out_of_the_tree(tmp_path: Path, weft_archive: Command) -> None:
    records: list[dict[str, Any]] = [
        {**record(number), "conversation_id": id, "app_id": id, "organization_id": org}
        for number, (id, org) in enumerate(zip(HOSTILE, reversed(HOSTILE), strict=True))
    ]
    records.append(record(99, conversation_id="a\0b"))
    (tmp_path / "some.json").write_text(json.dumps(records))
    root = tmp_path / "data/archive"
    root.mkdir(parents=True)
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(root)}
    code, out, err = weft_archive("pull", "--folder", tmp_path / "some.json", "--json")
    assert (code, json.loads(out)["results"][0]["failed"]) == (0, 0), (out, err)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(root)} == before
    assert all(path.resolve().is_relative_to(root) for path in root.rglob("*"))
    for id, org in zip(HOSTILE, reversed(HOSTILE), strict=True):
        code, out, _ = weft_archive("show", f"--organization-id={org}", "--json", "--", id)
        assert (code, json.loads(out)["conversation_id"]) == (0, id)
    assert len(turns(root)) == len(records)
    for id in HOSTILE:
        weft_archive("pull", "--folder", tmp_path / "some.json", f"--organization-id={id}")
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(root)} == before
    assert weft_archive("verify")[0] == 0
    assert weft_archive("clean", "--days", 1, "--trust-clock")[0] == 0
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(root)} == before
    assert conversation_files(root) == {}


def test_an_id_that_no_file_can_bear_is_named(tmp_path: Path, weft_archive: Command) -> None:
    (tmp_path / "some.json").write_text(json.dumps([record(1), record(2, conversation_id="Ä" * 100)]))
    code, out, err = weft_archive("pull", "--folder", tmp_path / "some.json")
    assert (code, err) == (1, "")
    assert "more than 180; no file can be named after it" in out
    assert turns(tmp_path / "data/archive") == {"conv-1": 1}


def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path, weft_archive: Command) -> None:
    root = tmp_path / "data/archive"
    with Archive.open(root) as archive:
        archive.save([conversation(1)])
    (path,) = (root / name for name in conversation_files(root))
    outside = tmp_path / "outside.json"
    path.rename(outside)
    path.symlink_to(outside)
    code, out, err = weft_archive("show", "conv-1")
    assert (code, out) == (1, ""), err
    assert weft_archive("verify")[0] == 1
    assert outside.exists()


def test_a_conversation_is_shown_wherever_it_is_filed(tmp_path: Path, weft_archive: Command) -> None:
    (tmp_path / "some.json").write_text(json.dumps([record(1)]))
    pull = ("pull", "--folder", tmp_path / "some.json", "--organization-id")
    assert weft_archive(*pull, "org-1")[0] == 0
    code, out, _ = weft_archive("search", "question")
    assert (code, out.splitlines()[0]) == (0, "2025-10-02 10:30  conv-1  app-a  org-1")
    assert json.loads(weft_archive("show", "conv-1", "--json")[1])["organization_id"] == "org-1"
    assert weft_archive(*pull, "org-2")[0] == 0
    code, out, err = weft_archive("show", "conv-1")
    assert (code, out) == (2, "")
    assert "org-1, org-2; choose one with --organization-id" in err
    assert weft_archive("show", "conv-1", "--organization-id", "org-2")[0] == 0


def test_a_folder_or_an_archive_that_is_not_there_is_said_at_once(weft_archive: Command) -> None:
    for words, said in (
        (("pull", "--folder", "nowhere"), "nowhere: there is no such file or folder"),
        (("tail",), "there is no archive; name one with --archive"),
    ):
        code, out, err = weft_archive(*words)
        assert (code, out, said in err) == (2, "", True), words
