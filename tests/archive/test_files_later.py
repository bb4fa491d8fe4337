"""Files of conversations that were pulled while none were kept: fetched by the next pull, each once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.archive.attached import LETTER, PICTURE, FileSource, Web, file, gone, kept, note, with_files
from tests.archive.records import FailingDisk, KilledError, killed, open_archive, record
from weft.archive import Archive, Loaded, PullReport, Query, SourceApp, SourceItem, SourcePage


class Paged(FileSource):
    """One conversation a page; the cursor counts them, so that what was seen is not given again."""

    def __init__(self) -> None:
        super().__init__(with_files(1, file("f1")), record(2), with_files(3, file("f3"), file("f4")))
        self.versions = dict.fromkeys(self.records, "v1")
        self.files = {"f1": PICTURE, "f3": LETTER, "f4": gone()}
        self.loads: list[str] = []
        self.starts: list[str] = []

    async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        self.starts.append(cursor)
        ids = list(self.records)
        for place in range(int(cursor or 0), len(ids)):
            id = ids[place]
            yield SourcePage([SourceItem(id=id, version=self.versions[id])], str(place + 1))

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        self.loads.append(item.id)
        return await super().load(app, item)

    def seen(self) -> tuple[list[str], list[str]]:
        """Where pulls began and what they loaded since it was last asked."""
        seen = self.starts, self.loads
        self.starts, self.loads = [], []
        return seen


def pull(archive: Archive, source: Paged, *, files: bool, query: Query | None = None) -> PullReport:
    archive.file_rules = Web().rules() if files else None
    report = archive.pull(source, query=query)
    assert [app.error for app in report.apps] == [""]
    return report


def test_files_come_with_the_first_pull_that_wants_them_and_nothing_is_read_twice(tmp_path: Path) -> None:
    source = Paged()
    with open_archive(tmp_path) as archive:
        pull(archive, source, files=False)
        pull(archive, source, files=False)
        assert source.seen() == (["", "3"], ["conv-1", "conv-2", "conv-3"])
        assert kept(archive.get("conv-1")) == [None]

        report = pull(archive, source, files=True)
        assert source.seen() == ([""], ["conv-1", "conv-3"])
        assert (report.total("files"), report.total("files_missing"), report.total("written")) == (2, 1, 2)
        assert kept(archive.get("conv-1")) == [note(PICTURE)]
        letter, lost = kept(archive.get("conv-3"))
        assert isinstance(lost, dict)
        assert (letter, lost["reason"]) == (note(LETTER), "gone")
        assert archive.verify().findings == []

    with open_archive(tmp_path) as archive:
        for _ in range(2):
            assert pull(archive, source, files=True).total("written") == 0
        assert source.seen() == (["3", "3"], [])


def test_what_came_while_files_were_switched_off_again_is_caught_up_too(tmp_path: Path) -> None:
    source = Paged()
    with open_archive(tmp_path) as archive:
        pull(archive, source, files=True)
        source.records["conv-4"] = with_files(4, file("f1"))
        source.versions["conv-4"] = "v1"
        pull(archive, source, files=False)
        source.seen()
        pull(archive, source, files=True)
        assert source.seen() == ([""], ["conv-4"])
        assert kept(archive.get("conv-4")) == [note(PICTURE)]


def test_a_pull_with_filters_fetches_the_files_of_what_matches_alone(tmp_path: Path) -> None:
    source = Paged()
    with open_archive(tmp_path) as archive:
        pull(archive, source, files=False)
        source.seen()
        day = archive.get("conv-3").created_at.date()
        for loads in (["conv-3"], []):
            pull(archive, source, files=True, query=Query(start=day, end=day))
            assert source.seen() == ([""], loads)
        assert kept(archive.get("conv-1")) == [None]
        assert kept(archive.get("conv-3"))[0] == note(LETTER)


@pytest.mark.parametrize("at", range(3, 60, 4))
def test_a_kill_on_the_way_costs_nothing_but_what_was_not_durable(tmp_path: Path, at: int) -> None:
    source = Paged()
    with open_archive(tmp_path) as archive:
        pull(archive, source, files=False)
    disk = FailingDisk()
    archive = open_archive(tmp_path, files=disk)
    disk.at, disk._fail = disk.steps + at, killed
    try:
        pull(archive, source, files=True)
    except KilledError:
        pass
    finally:
        archive.vault.abandon()
    source.seen()
    with open_archive(tmp_path) as archive:
        pull(archive, source, files=True)
        starts, loads = source.seen()
        done = int(starts[0] or 0)
        assert loads == [id for id in loads if int(id[-1]) > done]
        assert [kept(archive.get(id))[0] for id in ("conv-1", "conv-3")] == [note(PICTURE), note(LETTER)]
        assert archive.verify().findings == []
        pull(archive, source, files=True)
        assert source.seen() == (["3"], [])
