from __future__ import annotations

from pathlib import Path

import pytest

from tests.archive.fake_source import FakeSource
from tests.archive.records import (
    FailingDisk,
    KilledError,
    StoppedClock,
    conversation_files,
    full,
    killed,
    open_archive,
    tree,
)
from weft.archive import (
    Archive,
    ArchiveFullError,
    FolderSource,
    PullOptions,
    PullProgress,
    Query,
    SourceApp,
    SourceItem,
    SourcePage,
)
from weft.archive import pull as pull_from
from weft.errors import (
    RemoteError,
    ServerError,
    TooManyRequestsError,
    TransportError,
    UnauthorizedError,
)


def turns(archive: Archive, app: str = "a") -> dict[str, int]:
    found = archive.iter_conversations(Query(organization_id=f"org-{app}"))
    return {item.id: len(item.messages) for item in found}


def wanted(source: FakeSource, app: str = "a") -> dict[str, int]:
    return {f"conv-{number}": count for number, count in source.apps[app].items()}


def test_everything_comes_in_once_and_then_only_what_changed(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(10), 1), "b": {1: 2}})
    with open_archive(tmp_path) as archive:
        first = archive.pull(source)
        assert (first.total("written"), first.total("runs"), first.succeeded) == (11, 11, True)
        assert (turns(archive), turns(archive, "b")) == (wanted(source), wanted(source, "b"))
        source.apps["a"][20] = 1
        source.loads.clear()
        second = archive.pull(source)
        assert (second.total("written"), source.loads) == (1, ["conv-20"])
        source.apps["a"][3] = 2
        source.loads.clear()
        third = archive.pull(source, options=PullOptions(restart=True))
        assert (third.total("written"), third.total("unchanged"), source.loads) == (1, 11, ["conv-3"])
        assert turns(archive) == wanted(source)
        assert archive.verify().findings == []


def test_without_versions_everything_is_loaded_and_nothing_is_written_twice(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(10), 1)})
    source.versions = False
    with open_archive(tmp_path) as archive:
        archive.pull(source)
        before = conversation_files(tmp_path)
        report = archive.pull(source, options=PullOptions(restart=True))
        assert (report.total("written"), report.total("unchanged")) == (0, 10)
        assert conversation_files(tmp_path) == before


def test_a_kill_at_any_step_is_made_good_by_the_next_pull(tmp_path: Path) -> None:
    clean = FailingDisk()
    with open_archive(tmp_path / "whole", files=clean) as archive:
        archive.pull(FakeSource({"a": dict.fromkeys(range(5), 1)}))
    whole = conversation_files(tmp_path / "whole")
    for step in range(1, clean.steps + 1):
        root = tmp_path / str(step)
        kill_at(root, step)
        with open_archive(root) as archive:
            report = archive.pull(FakeSource({"a": dict.fromkeys(range(5), 1)}))
            assert report.succeeded
            assert archive.verify().findings == []
        assert conversation_files(root) == whole


def kill_at(root: Path, step: int) -> None:
    archive: Archive | None = None
    try:
        archive = open_archive(root, files=FailingDisk(step, killed))
        archive.pull(FakeSource({"a": dict.fromkeys(range(5), 1)}))
        archive.close()
    except (KilledError, BaseExceptionGroup):
        return
    finally:
        if archive is not None:
            archive.vault.abandon()
    pytest.fail(f"step {step} was not reached")


def test_the_cursor_moves_only_when_everything_before_it_is_durable(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(9), 1)})

    def broken(app: str, start: int) -> None:
        if start == 6:
            raise UnauthorizedError("the key was revoked")

    source.before_page = broken
    with open_archive(tmp_path) as archive:
        report = archive.pull(source)
        assert (report.apps[0].written, report.apps[0].error) == (
            6,
            "UnauthorizedError: the key was revoked",
        )
        source.before_page = lambda app, start: None
        source.loads.clear()
        assert archive.pull(source).succeeded
        assert (source.starts[-1], sorted(source.loads)) == (("a", "6"), ["conv-6", "conv-7", "conv-8"])
        assert turns(archive) == wanted(source)


@pytest.mark.parametrize("error", [UnauthorizedError("no"), KeyError("id"), RemoteError("odd")])
def test_one_app_that_fails_stops_no_other(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource({name: dict.fromkeys(range(4), 1) for name in ("a", "b", "c")})

    def broken(app: str, start: int) -> None:
        if app == "b":
            raise error

    source.before_page = broken
    with open_archive(tmp_path) as archive:
        report = archive.pull(source)
        assert [bool(app.error) for app in report.apps] == [False, True, False]
        assert (len(turns(archive, "a")), len(turns(archive, "b")), len(turns(archive, "c"))) == (4, 0, 4)


def test_a_conversation_that_cannot_be_had_is_named_and_tried_again_with_the_next_pull(
    tmp_path: Path,
) -> None:
    source = FakeSource({"a": dict.fromkeys(range(6), 1)})

    def broken(app: str, id: str) -> None:
        if id == "conv-2":
            raise ValueError("broken JSON")

    source.before_load = broken
    with open_archive(tmp_path) as archive:
        for attempts in (1, 2):
            report = archive.pull(source)
            failed = report.apps[0].failed
            assert [(one.item.id, one.reason, one.attempts) for one in failed] == [
                ("conv-2", "ValueError: broken JSON", attempts)
            ]
        assert len(turns(archive)) == 5
    source.before_load = lambda app, id: None
    with open_archive(tmp_path) as archive:
        assert archive.pull(source).succeeded
        assert turns(archive) == wanted(source)
        source.loads.clear()
        archive.pull(source)
        assert source.loads == []


def test_a_storm_of_refusals_is_waited_out_by_all(tmp_path: Path) -> None:
    clock = StoppedClock()
    source = FakeSource({"a": dict.fromkeys(range(12), 1)}, page_size=12)
    refusals = [5.0, None, 30.0, None] * 4

    def busy(app: str, id: str) -> None:
        if refusals:
            raise TooManyRequestsError("slow down", retry_after=refusals.pop())

    source.before_load = busy
    with open_archive(tmp_path, clock=clock) as archive:
        report = archive.pull(source)
        assert report.succeeded
        assert turns(archive) == wanted(source)
    assert sum(clock.slept) > 30
    assert source.most_active <= 8


@pytest.mark.parametrize("error", [TransportError("reset"), ServerError("oops", status=502)])
def test_a_server_that_stays_broken_is_given_up_after_some_attempts(
    tmp_path: Path, error: RemoteError
) -> None:
    source = FakeSource({"a": {1: 1, 2: 1}})

    def broken(app: str, id: str) -> None:
        if id == "conv-1":
            raise error

    source.before_load = broken
    with open_archive(tmp_path) as archive:
        report = archive.pull(source, options=PullOptions(attempts=3))
        assert [one.reason for one in report.apps[0].failed] == [
            f"{type(error).__name__}: {error} (after 3 attempts)"
        ]
        assert source.loads.count("conv-1") == 3
        assert turns(archive) == {"conv-2": 1}


def test_pages_that_are_refused_are_asked_for_again_from_the_last_cursor(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(9), 1)})
    refusals = [1, 1, 1]

    def busy(app: str, start: int) -> None:
        if start == 3 and refusals:
            refusals.pop()
            raise TooManyRequestsError("slow down")

    source.before_page = busy
    with open_archive(tmp_path) as archive:
        assert archive.pull(source).succeeded
        assert turns(archive) == wanted(source)
    assert source.starts == [("a", ""), ("a", "3"), ("a", "3"), ("a", "3")]
    assert sorted(source.loads) == sorted(wanted(source))


def test_rows_that_change_and_move_while_they_are_pulled_are_all_there_in_the_end(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(2, 12), 1)})

    def change(app: str, start: int) -> None:
        if start == 6 and 0 not in source.apps["a"]:
            source.apps["a"][0] = 1  # every page from here on begins with a row that was there before
            source.apps["a"][3] = 2
            del source.apps["a"][11]

    source.before_page = change
    with open_archive(tmp_path) as archive:
        assert archive.pull(source).succeeded
        assert archive.pull(source, options=PullOptions(restart=True)).succeeded
        assert turns(archive) == wanted(source)


def test_a_conversation_that_has_gone_is_counted(tmp_path: Path) -> None:
    source = FakeSource({"a": {1: 1, 2: 1}})

    def vanish(app: str, id: str) -> None:
        source.apps["a"].pop(2, None)

    source.before_load = vanish
    with open_archive(tmp_path) as archive:
        report = archive.pull(source)
        assert (report.succeeded, report.total("gone"), report.total("written")) == (True, 1, 1)


def test_a_source_that_goes_round_in_circles_is_stopped(tmp_path: Path) -> None:
    source = FakeSource({"a": {1: 1, 2: 1}})
    source.repeat = True
    with open_archive(tmp_path) as archive:
        report = archive.pull(source)
        assert "the same page again and again" in report.apps[0].error
        assert turns(archive) == wanted(source)


def test_a_full_disk_ends_the_pull_and_the_next_goes_on(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(9), 1), "b": {1: 1}})
    disk = FailingDisk()
    with open_archive(tmp_path, files=disk) as archive:
        disk.at, disk._fail = disk.steps + 25, full
        with pytest.raises(ArchiveFullError, match="No space left"):
            archive.pull(source)
        assert archive.pull(source).succeeded
        assert (turns(archive), turns(archive, "b")) == (wanted(source), wanted(source, "b"))
        assert archive.verify().findings == []


def test_progress_is_told_after_each_durable_page(tmp_path: Path) -> None:
    told: list[PullProgress] = []
    source = FakeSource({"a": dict.fromkeys(range(7), 1)})
    with open_archive(tmp_path) as archive:
        archive.pull(source, progress=told.append)
    assert [(one.app.id, one.seen, one.written) for one in told] == [("a", 3, 3), ("a", 6, 6), ("a", 7, 7)]


def test_a_pull_with_a_query_leaves_the_cursor_alone(tmp_path: Path) -> None:
    source = FakeSource({"a": dict.fromkeys(range(7), 1)})
    with open_archive(tmp_path) as archive:
        query = Query(conversation_ids=frozenset({"conv-3"}))
        assert archive.pull(source, query=query).total("written") == 1
        assert archive.pull(source).total("written") == 6


def test_a_hostile_id_is_a_failure_of_that_conversation_alone(tmp_path: Path) -> None:
    class Hostile(FakeSource):
        async def iter_pages(self, app: SourceApp, cursor: str):  # type: ignore[no-untyped-def]  # as its base
            yield SourcePage([SourceItem(id="conv-1"), SourceItem(id="x" * 999)], "1")

        async def load(self, app: SourceApp, item: SourceItem):  # type: ignore[no-untyped-def]  # as its base
            loaded = await super().load(app, SourceItem(id="conv-1"))
            if item.id == "conv-1" or loaded.conversation is None:
                return loaded
            fields = {**loaded.conversation.fields, "conversation_id": item.id}
            return type(loaded)(type(loaded.conversation).parse(fields))

    with open_archive(tmp_path) as archive:
        report = archive.pull(Hostile({"a": {1: 1}}))
        assert report.total("written") == 1
        assert [one.item.id for one in report.apps[0].failed] == ["x" * 999]


def test_files_are_a_source(tmp_path: Path) -> None:
    with open_archive(tmp_path / "origin") as origin:
        origin.pull(FakeSource({"a": dict.fromkeys(range(150), 1)}))
        (tmp_path / "out").mkdir()
        origin.export_to_file("jsonl", tmp_path / "out/one.jsonl")
        origin.export_to_file(
            "json", tmp_path / "out/two.json", Query(conversation_ids=frozenset({"conv-7"}))
        )
    (tmp_path / "out/broken.json").write_text("{")
    with open_archive(tmp_path / "new") as archive:
        report = archive.pull(FolderSource(tmp_path / "out"), options=PullOptions(app_concurrency=1))
        assert {app.app.id: (app.written, len(app.failed)) for app in report.apps} == {
            "broken.json": (0, 1),
            "one.jsonl": (150, 0),
            "two.json": (0, 0),
        }
        before = tree(tmp_path / "new", "logs/conversations")
        archive.pull(FolderSource(tmp_path / "out"))
        assert tree(tmp_path / "new", "logs/conversations") == before


@pytest.mark.anyio
async def test_a_cancelled_pull_leaves_a_sound_archive(tmp_path: Path) -> None:
    import asyncio

    source = FakeSource({"a": dict.fromkeys(range(30), 1)})
    archive = open_archive(tmp_path)
    reached = asyncio.Event()

    def told(progress: PullProgress) -> None:
        if progress.seen >= 9:
            reached.set()

    task = asyncio.create_task(pull_from(source, archive, clock=StoppedClock(), progress=told))
    async with asyncio.timeout(10):
        await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = await pull_from(source, archive, clock=StoppedClock())
    assert report.succeeded
    assert turns(archive) == wanted(source)
    archive.close()
