"""What a console account's source does when its server misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.records import KilledError, StoppedClock, conversation_files, open_archive
from tests.archive.sources.fake_console import APP, FakeConsole, conversation_id
from weft.archive import AsyncArchive, ConsoleSource, PullReport
from weft.client import AsyncConsoleClient, RetryPolicy
from weft.errors import ConfigError

pytestmark = pytest.mark.anyio
HTML = httpx2.Response(502, content=b"<html>Bad gateway</html>", headers={"content-type": "text/html"})


@asynccontextmanager
async def source(
    console: FakeConsole, clock: StoppedClock, **options: float | bool | list[str]
) -> AsyncIterator[ConsoleSource]:
    async with AsyncConsoleClient(
        "http://dify",
        "a@b.c",
        "secret word",
        transport=console.transport(),
        retry=RetryPolicy(tries=2),
        sleep=clock.sleep,
        now=clock.now,
    ) as client:
        chosen = {"page_size": 3, "with_runs": False, **options}
        yield ConsoleSource(client, clock=clock, **chosen)  # type: ignore[arg-type]  # of several types


async def pull(
    root: Path, console: FakeConsole, clock: StoppedClock | None = None, **options: float
) -> PullReport:
    clock = clock or StoppedClock()
    archive = AsyncArchive(open_archive(root, clock=clock))
    try:
        async with source(console, clock, **options) as opened:
            return await archive.pull(opened)
    finally:
        archive.archive.vault.abandon()


def turns(root: Path) -> dict[str, int]:
    with open_archive(root, read_only=True) as archive:
        found = [(item.id, len(item.messages)) for item in archive.iter_conversations()]
    assert len(found) == len(dict(found))
    return dict(found)


def filled(count: int = 10, turns: int = 1) -> FakeConsole:
    console = FakeConsole()
    for number in range(count):
        console.add(number, turns)
    return console


async def test_everything_comes_once_with_its_exact_times(tmp_path: Path) -> None:
    console = filled(10, turns=7)
    report = await pull(tmp_path, console)
    assert report.succeeded, report
    assert turns(tmp_path) == console.wanted()
    with open_archive(tmp_path, read_only=True) as archive:
        one = archive.get(conversation_id(4))
    assert [one.fields[name] for name in ("created_at", "updated_at")] == ["2025-10-02T00:50:00Z"] * 2
    assert [m["query"] for m in one.messages] == [f"q{turn}" for turn in range(7)]
    assert [m["created_at"] for m in one.messages][:2] == ["2025-10-02T00:50:00Z", "2025-10-02T00:50:01Z"]
    assert one.messages[0]["message_files"][0]["url"] == "/files/x"  # type: ignore[index]  # of JSON


async def test_what_has_not_changed_is_not_asked_for_again(tmp_path: Path) -> None:
    console = filled(30)
    await pull(tmp_path, console)
    console.now += 3600
    console.go_on(5)
    console.asked.clear()
    report = await pull(tmp_path, console)
    assert (report.total("written"), len(console.asked) <= 5) == (1, True), console.asked
    assert turns(tmp_path) == console.wanted()


async def test_a_rating_of_an_old_answer_is_found_by_the_weekly_walk(tmp_path: Path) -> None:
    console, clock = filled(10), StoppedClock()
    await pull(tmp_path, console, clock)
    console.now += 3600
    console.go_on(9)
    console.like(2)
    clock.advance(days=6)
    assert (await pull(tmp_path, console, clock)).total("written") == 1
    clock.advance(days=2)
    assert (await pull(tmp_path, console, clock)).total("written") == 1
    with open_archive(tmp_path, read_only=True) as archive:
        assert archive.get(conversation_id(2)).messages[0]["feedbacks"] != []


async def test_a_storm_of_refusals_is_waited_out_as_long_as_the_server_says(tmp_path: Path) -> None:
    console, clock, left = filled(10), StoppedClock(), iter(range(11))

    def busy(number: int, path: str) -> httpx2.Response | None:
        if path.endswith("chat-messages") and next(left, None) is not None:
            body = {"code": "too_many_requests", "message": "slow down", "status": 429}
            return httpx2.Response(429, json=body, headers={"Retry-After": "7"})
        return None

    console.before = busy
    report = await pull(tmp_path, console, clock)
    assert report.succeeded, report
    assert turns(tmp_path) == console.wanted()
    assert set(clock.slept) == {7.0}


@pytest.mark.parametrize(
    "odd",
    [
        lambda: HTML,
        lambda: httpx2.Response(200, content=b'{"data": [', headers={"content-type": "application/json"}),
        lambda: httpx2.Response(200, content=b"", headers={"content-type": "application/json"}),
        lambda: httpx2.Response(200, json={"data": "no list"}),
        lambda: httpx2.Response(500, json={"code": "internal_server_error", "message": "x", "status": 500}),
    ],
)
@pytest.mark.parametrize("path", ["chat-messages", "chat-conversations"])
async def test_odd_answers_that_pass_are_survived(
    tmp_path: Path, odd: Callable[[], httpx2.Response], path: str
) -> None:
    console, left = filled(10), iter(range(3))
    console.before = lambda number, asked: (
        odd() if asked.endswith(path) and next(left, None) is not None else None
    )
    report = await pull(tmp_path, console)
    assert report.succeeded, report
    assert turns(tmp_path) == console.wanted()


async def test_a_conversation_that_stays_broken_is_named_and_had_by_a_later_pull(tmp_path: Path) -> None:
    console = filled(10)
    broken = conversation_id(4)
    inner = console._messages

    def messages(query: dict[str, str]) -> httpx2.Response:
        return httpx2.Response(200, content=b"{") if query["conversation_id"] == broken else inner(query)

    console._messages = messages  # type: ignore[method-assign]  # the server's mistake
    report = await pull(tmp_path, console)
    assert [failed.item.id for failed in report.apps[0].failed] == [broken]
    assert len(turns(tmp_path)) == 9
    console._messages = inner  # type: ignore[method-assign]  # mended
    console.now += 86_400
    for number in range(20, 40):
        console.add(number)
    assert (await pull(tmp_path, console)).succeeded
    assert turns(tmp_path) == console.wanted()


async def test_one_app_that_fails_stops_no_other(tmp_path: Path) -> None:
    console, other = filled(4), "44444444-4444-4444-8444-444444444444"
    report = await pull(tmp_path, console, app_ids=[other, APP])  # type: ignore[arg-type]  # ids
    assert [bool(app.error) for app in report.apps] == [True, False]
    assert turns(tmp_path) == console.wanted()


async def test_a_server_whose_clock_is_wrong_loses_nothing(tmp_path: Path) -> None:
    console, clock = filled(7), StoppedClock()
    for skew in (400 * 86_400, -30 * 86_400, 0):
        clock.advance(seconds=skew)
        console.go_on(3)
        console.add(100 + skew)
        assert (await pull(tmp_path, console, clock)).succeeded
        assert turns(tmp_path) == console.wanted()


async def test_rows_that_are_deleted_with_every_page_push_nothing_past_the_reader(tmp_path: Path) -> None:
    console = filled(24)
    newest = iter(range(23, 15, -1))

    def remove(number: int, path: str) -> None:
        if path.endswith("chat-conversations") and number > 2 and (gone := next(newest, None)) is not None:
            del console.talks[gone]

    console.before = remove
    report = await pull(tmp_path, console)
    assert report.succeeded, report
    assert console.wanted().items() <= turns(tmp_path).items()


def kill_at(step: int) -> Callable[[int, str], None]:
    def kill(number: int, path: str) -> None:
        if number == step:
            raise KilledError

    return kill


@settings(max_examples=40, deadline=None)
@given(
    kills=st.lists(st.integers(1, 12), max_size=4),
    count=st.integers(0, 17),
    changes=st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from(["add", "go_on", "remove"]), st.integers(0, 20)),
        max_size=12,
    ),
)
def test_kills_and_changes_at_any_request_lose_and_double_nothing(
    kills: list[int], count: int, changes: list[tuple[int, str, int]]
) -> None:
    console = filled(count)
    removed: set[int] = set()

    def change(number: int) -> None:
        for at, what, which in changes:
            if at == number and what == "add":
                console.add(100 + len(console.talks) + len(removed))
            elif at == number and console.talks:
                chosen = sorted(console.talks)[which % len(console.talks)]
                if what == "go_on":
                    console.go_on(chosen)
                else:
                    del console.talks[chosen]
                    removed.add(chosen)

    async def run(root: Path) -> None:
        requests = 0
        for step in [*kills, 0]:
            kill = kill_at(step)

            def before(number: int, path: str, kill: Callable[[int, str], None] = kill) -> None:
                nonlocal requests
                requests += 1
                change(requests)
                kill(number, path)

            console.before = before
            console.asked.clear()
            try:
                report = await pull(root, console)
                assert report.succeeded, report
            except (KilledError, BaseExceptionGroup):
                continue
        console.before = lambda number, path: None
        console.now += 3600
        assert (await pull(root, console)).succeeded

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
        kept = turns(Path(folder))
        assert {id: kept.get(id) for id in console.wanted()} == console.wanted()
        assert len(conversation_files(Path(folder))) == len(kept)


async def test_requests_are_bounded_and_paced(tmp_path: Path) -> None:
    console, clock = filled(10), StoppedClock()
    await pull(tmp_path, console, clock, requests_per_second=2)
    assert sum(clock.slept) == pytest.approx((len(console.asked) - 2) / 2, abs=1)
    for wrong in ({"concurrency": 51}, {"concurrency": 0}, {"requests_per_second": 0}):
        with pytest.raises(ConfigError):
            await pull(tmp_path, console, clock, **wrong)


async def test_the_password_is_in_no_repr(tmp_path: Path) -> None:
    async with source(FakeConsole(), StoppedClock()) as opened:
        assert "secret" not in f"{opened!r} {opened.name} {vars(opened)!r}"
