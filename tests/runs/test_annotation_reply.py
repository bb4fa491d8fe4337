"""What the server's doors cannot show: several processes, time, and jobs that are cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import pytest

from tests.runs.house import House
from weft.errors import BadReplyError, NotFoundError
from weft.ids import SequentialIds
from weft.runs import AnnotationJobs, AnnotationReplies, ReplySettings
from weft.runs.annotation_job import KEPT_SECONDS
from weft.runs.annotation_reply import FRESH_SECONDS
from weft.runs.likeness import AnnotationIndex, Embedder, Match
from weft.store import (
    Annotation,
    App,
    Connection,
    Store,
    annotation_replies,
    processes,
)
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

T = TypeVar("T")
ALIKE = ReplySettings(score_threshold=0.9, provider="p", model="m")


class Letters:
    """Compares texts by how often each of three letters occurs in them."""

    label = "p/m"

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.asked += texts
        return [[float(text.count(letter)) for letter in "abc"] for text in texts]


class Process:
    """One of several that share a store."""

    def __init__(self, store: Store, name: str, clock: FrozenClock, first_id: int) -> None:
        self.letters = Letters()
        self.clock = clock
        ids = SequentialIds(first_id)
        self.replies = AnnotationReplies(store, self.find, clock, ids)
        self.jobs = AnnotationJobs(self.replies, store, clock, ids, name)

    def find(self, provider: str, model: str) -> Embedder:
        if provider == "gone":
            raise BadReplyError("nobody embeds", provider=provider, model=model)
        return self.letters


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def app(store: Store) -> App:
    return await House(store).new_app()


@pytest.fixture
async def one(store: Store, clock: FrozenClock) -> AsyncIterator[Process]:
    process = Process(store, "one", clock, 1000)
    yield process
    await process.jobs.close()


@pytest.fixture
async def two(store: Store, clock: FrozenClock) -> AsyncIterator[Process]:
    process = Process(store, "two", clock, 2000)
    yield process
    await process.jobs.close()


async def score(process: Process, app: App, question: str) -> float | None:
    found = await process.replies.match(app.id, question)
    return None if found is None else round(found.score, 3)


async def enable(process: Process, app: App, wanted: ReplySettings = ALIKE) -> None:
    await process.jobs.enable(app.id, wanted)
    await process.jobs.idle()


async def test_another_process_sees_every_change_within_seconds(
    app: App, one: Process, two: Process, clock: FrozenClock
) -> None:
    async def later(question: str) -> tuple[float | None, float | None]:
        """What the second process says before and after a while."""
        before = await score(two, app, question)
        clock.advance(FRESH_SECONDS)
        return before, await score(two, app, question)

    made = await one.replies.create(app.id, "aab", "x")
    assert await score(two, app, "aab") is None
    await enable(one, app)
    assert await later("aab") == (None, 1.0)
    await one.replies.change(app.id, made.id, "ccb", "x")
    assert await later("aab") == (1.0, None)
    assert await score(two, app, "bcc") == 1.0
    await one.replies.remove(app.id, made.id)
    assert await later("bcc") == (1.0, None)
    await one.replies.create(app.id, "abc", "x")
    await one.jobs.disable(app.id)
    await one.jobs.idle()
    assert await later("abc") == (None, None)


async def test_an_app_that_does_not_answer_so_asks_the_store_once_in_a_while(
    app: App, one: Process, store: Store, clock: FrozenClock
) -> None:
    counting = _Counting(store)
    one.replies.store = counting
    for _ in range(5):
        assert await one.replies.match(app.id, "a") is None
    clock.advance(FRESH_SECONDS)
    await one.replies.match(app.id, "a")
    assert counting.reads == 2


class _Counting:
    """A store that counts quick reads, and can do nothing else."""

    def __init__(self, store: Store) -> None:
        self.reads = 0
        self._store = store

    async def read_quick(self, fn: Callable[[Connection], T]) -> T:
        self.reads += 1
        return await self._store.read_quick(fn)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        raise NotImplementedError

    async def write(self, fn: Callable[[Connection], T]) -> T:
        raise NotImplementedError


async def test_the_threshold_itself_is_like_enough(app: App, one: Process) -> None:
    await one.replies.create(app.id, "aaaccc", "x")
    await enable(one, app, ReplySettings(score_threshold=1.0, provider="p", model="m"))
    assert [await score(one, app, query) for query in ("AAACCC ", "acacac", "aaacc")] == [1.0, 1.0, None]


async def test_a_model_that_is_gone_leaves_exact_questions(app: App, one: Process, store: Store) -> None:
    await one.replies.create(app.id, "abc", "x")
    await enable(one, app)

    def lose(connection: Connection) -> None:
        settings = annotation_replies.find_settings(connection, app.id)
        assert settings is not None
        annotation_replies.put_settings(
            connection,
            type(settings)(app.id, True, 0.5, "gone", "m", one.clock.now() + timedelta(seconds=1)),
        )

    await store.write(lose)
    one.clock.advance(FRESH_SECONDS)
    assert [await score(one, app, query) for query in ("cba", "abc")] == [None, 1.0]


async def test_a_change_of_the_answer_alone_asks_no_model(app: App, one: Process) -> None:
    made = await one.replies.create(app.id, "abc", "x")
    await enable(one, app)
    one.letters.asked.clear()
    changed = await one.replies.change(app.id, made.id, "abc", "y")
    assert (changed.answer, changed.embedding, one.letters.asked) == ("y", [1.0, 1.0, 1.0], [])
    with pytest.raises(NotFoundError, match="Annotation not found"):
        await one.replies.change("another app", made.id, "abc", "z")


# Jobs


async def test_a_job_is_known_for_ten_minutes_after_its_end(
    app: App, one: Process, clock: FrozenClock
) -> None:
    job = await one.jobs.disable(app.id)
    await one.jobs.idle()
    clock.advance(KEPT_SECONDS - 1)
    found = await one.jobs.job(app.id, "disable", job.id)
    assert found is not None
    assert found.status == "completed"
    clock.advance(1)
    assert await one.jobs.job(app.id, "disable", job.id) is None


async def test_two_processes_do_not_start_the_same_job(
    app: App, one: Process, two: Process, store: Store, clock: FrozenClock
) -> None:
    await one.replies.create(app.id, "abc", "x")
    await store.write(lambda connection: processes.beat(connection, "one", clock.now()))
    one.letters.gate.clear()
    first = await one.jobs.enable(app.id, ALIKE)
    second = await two.jobs.enable(app.id, ALIKE)
    assert (first.status, second.status, second.id) == ("waiting", "processing", first.id)
    one.letters.gate.set()
    await one.jobs.idle()
    assert (await two.jobs.enable(app.id, ALIKE)).id != first.id


async def test_a_job_that_was_cut_off_is_closed_and_blocks_nothing(
    app: App, one: Process, two: Process
) -> None:
    await one.replies.create(app.id, "abc", "x")
    one.letters.gate.clear()
    cut = await one.jobs.enable(app.id, ALIKE)
    await one.jobs.close()

    await two.jobs.open()

    found = await two.jobs.job(app.id, "enable", cut.id)
    assert found is not None
    assert (found.status, found.error) == ("error", annotation_replies.ORPHANED)
    assert not await two.replies.enabled(app.id)
    assert (await two.jobs.enable(app.id, ALIKE)).id != cut.id


async def test_who_asks_for_a_job_of_a_dead_process_is_told(app: App, one: Process, two: Process) -> None:
    await one.replies.create(app.id, "abc", "x")
    one.letters.gate.clear()
    cut = await one.jobs.enable(app.id, ALIKE)
    await one.jobs.close()
    found = await two.jobs.job(app.id, "enable", cut.id)
    assert found is not None
    assert found.status == "error"


async def test_jobs_of_an_app_are_done_in_the_order_in_which_they_were_asked_for(
    app: App, one: Process
) -> None:
    await one.replies.create(app.id, "abc", "x")
    one.letters.gate.clear()
    await one.jobs.enable(app.id, ALIKE)
    await one.jobs.disable(app.id)
    one.letters.gate.set()
    await one.jobs.idle()
    assert not await one.replies.enabled(app.id)


async def test_what_nobody_foresaw_is_an_error_without_details(
    app: App, one: Process, caplog: pytest.LogCaptureFixture
) -> None:
    await one.replies.create(app.id, "abc", "x")
    one.letters.error = RuntimeError("secret")
    job = await one.jobs.enable(app.id, ALIKE)
    await one.jobs.idle()
    found = await one.jobs.job(app.id, "enable", job.id)
    assert found is not None
    assert (found.status, found.error) == ("error", "Internal server error.")
    assert "secret" in caplog.text


# Likeness


def annotation(question: str, vector: list[float] | None = None, model: str = "p/m") -> Annotation:
    now = FrozenClock().now()
    return Annotation(question, "app", question, "answer", now, now, embedding_model=model, embedding=vector)


async def best(question: str, *annotations: Annotation) -> Match | None:
    return await AnnotationIndex(annotations, Letters()).best(question)


async def test_the_likest_annotation_is_found_and_of_equals_the_newer() -> None:
    far, near, nearer = (
        annotation("x", [0.0, 1.0, 0.0]),
        annotation("y", [2.0, 0.0, 0.0]),
        annotation("z", [7.0, 0.0, 0.0]),
    )
    assert await best("aa", nearer, far, near) == Match(near, 1.0)
    assert await best("aa", near, far, nearer) == Match(nearer, 1.0)


async def test_what_cannot_be_compared_is_passed_over() -> None:
    odd = [
        annotation("none"),
        annotation("empty", []),
        annotation("zero", [0.0, 0.0, 0.0]),
        annotation("other model", [1.0, 0.0, 0.0], "p/other"),
        annotation("other length", [1.0, 0.0]),
    ]
    assert await best("aaa", *odd) is None
    assert await best("xyz", annotation("q", [1.0, 0.0, 0.0])) is None
    assert await best("a", annotation("q", [-1.0, 0.0, 0.0])) == Match(annotation("q", [-1.0, 0.0, 0.0]), 0.0)
    found = await best(" OTHER length\n", *odd)
    assert found == Match(odd[-1], 1.0)


async def test_many_annotations_are_compared() -> None:
    many = [annotation(f"q{n}", [1.0, float(n), 0.0]) for n in range(500)]
    found = await best("a" + "b" * 321, *many)
    assert found is not None
    assert found.annotation.question == "q321"
