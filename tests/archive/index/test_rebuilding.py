from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive.records import conversation as record
from tests.archive.records import open_archive, run
from weft.archive import Archive, Conversation, RunRecord
from weft.archive.index import rebuilding, words_file
from weft.archive.index.rollup import KEYS
from weft.errors import ArchiveError


def ids(archive: Archive, text: str) -> list[str]:
    return [hit.message_id for hit in archive.index.search(text, limit=200, snippets=False).hits]


def leftovers(archive: Archive) -> tuple[list[str], list[str]]:
    """Threads and files that a rebuild should have ended and removed."""
    threads = [thread.name for thread in threading.enumerate() if thread.name == "weft-index-words"]
    return threads, sorted(path.name for path in archive.index.path.parent.glob(".tmp-*"))


def test_an_index_that_cannot_be_written_is_given_up_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with open_archive(tmp_path) as archive:
        archive.save([record(number) for number in range(3)])
        archive.index.refresh()
        for place, name in ((words_file, "finish_words"), (rebuilding, "finish_rows"), (rebuilding, "join")):
            with monkeypatch.context() as patch:
                patch.setattr(place, name, full)
                with pytest.raises(ArchiveError, match="make room on the disk"):
                    archive.index.rebuild()
            assert leftovers(archive) == ([], [])
            assert len(ids(archive, "question")) == 3


def test_a_failure_of_the_second_thread_ends_the_first_one_while_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_file, "ROWS", 2)
    monkeypatch.setattr(words_file, "_statement", lambda _: "INSERT INTO absent VALUES (1)")
    monkeypatch.setattr(words_file, "FEW", 0)
    monkeypatch.setattr(rebuilding, "MOST_ROWS", 1)
    with open_archive(tmp_path) as archive:
        archive.save([record(number, turns=3) for number in range(9)])
        with pytest.raises(ArchiveError, match="rebuilding the search index"):
            archive.index.rebuild()
        assert leftovers(archive) == ([], [])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_ends_the_second_thread_the_first_one_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(words_file, "ROWS", 2)
    monkeypatch.setattr(words_file.WordsFile, "_write", run_out)
    with open_archive(tmp_path) as archive:
        archive.save([record(number, turns=3) for number in range(9)])
        with pytest.raises(ArchiveError, match="run it again"):
            archive.index.rebuild()
        assert leftovers(archive) == ([], [])


def test_an_interruption_while_the_second_thread_works_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works, may_end = threading.Event(), threading.Event()

    def wait(connection: sqlite3.Connection) -> None:
        works.set()
        assert may_end.wait(30)
        connection.execute("SELECT count(*) FROM words").fetchone()

    def interrupt(*_: object) -> None:
        assert works.wait(30)
        may_end.set()
        raise KeyboardInterrupt

    with open_archive(tmp_path) as archive:
        archive.save([record(number) for number in range(3)])
        monkeypatch.setattr(words_file, "finish_words", wait)
        monkeypatch.setattr(rebuilding, "sum_up_everything", interrupt)
        with pytest.raises(KeyboardInterrupt):
            archive.index.rebuild()
        assert leftovers(archive) == ([], [])
        monkeypatch.undo()
        archive.index.refresh()
        assert len(ids(archive, "question")) == 3


def test_what_a_killed_rebuild_left_is_removed_when_the_archive_is_opened(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1)])
        folder = archive.index.path.parent
    for name in (".tmp-search.db", ".tmp-rows-search.db", ".tmp-rows-search.db-journal"):
        (folder / name).write_bytes(b"half")
    with open_archive(tmp_path) as archive:
        assert leftovers(archive) == ([], [])


@pytest.mark.parametrize(("rows", "few"), [(4, 0), (4, 2), (6_000, 64)])
def test_every_message_is_found_however_many_are_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, few: int
) -> None:
    monkeypatch.setattr(words_file, "ROWS", rows)
    monkeypatch.setattr(words_file, "FEW", few)
    with open_archive(tmp_path) as archive:
        archive.save([record(number, turns=3) for number in range(30)])
        assert archive.index.rebuild().messages == 90
        assert len(set(ids(archive, "question"))) == 90
        assert archive.index.verify() == []


TABLES = "SELECT {columns} FROM {table} ORDER BY {places}"
NAME = "(SELECT text FROM name WHERE id = {column})"
NAMED = {"org", "app", "model", "source", "currency", "user"}


def sums(archive: Archive) -> dict[str, list[object]]:
    """Every table of sums, with names instead of their numbers."""

    def ask(connection: sqlite3.Connection) -> dict[str, list[object]]:
        found: dict[str, list[object]] = {}
        for table in KEYS:
            every = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            columns = [NAME.format(column=name) if name in NAMED else name for name in every]
            places = ",".join(str(place) for place in range(1, len(every) + 1))
            question = TABLES.format(columns=",".join(columns), table=table, places=places)
            found[table] = connection.execute(question).fetchall()
        return found

    return archive.index.read(ask)


def said(number: int, day: int, turns: int, **more: object) -> Conversation:
    messages = [
        {
            "id": f"m-{number}-{turn}",
            "query": "退款",
            "created_at": f"2025-10-{day + turn:02d}T10:00:00Z",
            "provider_response_latency": 1.5 + turn,
            "from_end_user_id": f"u{number % 2}",
            "workflow_run_id": f"run-{10 * number + turn}",
            "metadata": {"usage": {"total_price": "0.5", "currency": "EUR"}},
            **more,
        }
        for turn in range(turns)
    ]
    return Conversation.parse({"id": f"c-{number}", "app_id": "shop", "messages": messages})


def ran(number: int, *models: str) -> RunRecord:
    usage = {"prompt_tokens": 3, "total_price": "0.1", "currency": "USD"}
    executions = [{"process_data": {"model_name": model, "usage": usage}} for model in models]
    return run(number, node_executions=executions)


def test_sums_that_follow_changes_equal_those_that_are_made_anew(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        steps: tuple[Callable[[], object], ...] = (
            lambda: archive.save([said(0, 1, 3), said(1, 2, 2), said(2, 2, 1, model_id="own")]),
            lambda: archive.save_runs([ran(1, "gpt-x", "qwen")]),
            lambda: archive.save([said(0, 1, 1), said(1, 2, 4), said(3, 20, 2)]),
            lambda: archive.save_runs([ran(1, "qwen"), ran(10)]),
            lambda: archive.save([said(2, 2, 1)], "org-1"),
        )
        for step in steps:
            step()
            archive.index.refresh()
            followed = sums(archive)
            archive.index.rebuild()
            assert followed == sums(archive)
        assert followed["run_rollup"]
        assert followed["user_block"]
