"""One file of an archive at a time is changed, cut, removed, swapped or doubled: the deepest look names it.

The files are found on the disk, so that whatever kind of file is added to archives is tested without a word
here; what needs no look says so in `WHY_NOT`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archive.attached import LETTER, PICTURE, FileSource, Web, file, with_files
from tests.archive.fake_source import FakeSource
from tests.archive.records import StoppedClock, conversation, open_archive, run
from weft.archive import Archive, DamagedFileError, Finding, Hold, VerifyResult

WHY_NOT = {
    r"logs/\.weft/search\.db(-wal|-shm)?": "the index is made anew from the conversations, see below",
    r"logs/\.weft/parquet/.*": "it is made anew from the conversations",
    r"logs/\.weft/lock": "it holds nothing; the operating system knows who has it",
}
"""Files, and why nobody has to look at them."""
MAY_BE_ABSENT = {
    r"logs/\.weft/verify\.json": "it only says where the next rotating look begins",
    r"logs/\.weft/(files-)?journal\.json": "an empty one says the same as none",
    r"logs/\.weft/cursors/.*": "its app is pulled from the start, which writes nothing twice",
}
"""Files, and why it does no harm when they are gone; changed they are named."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with something of every kind in it."""
    root = tmp_path_factory.mktemp("full")
    clock = StoppedClock()
    with open_archive(root, clock=clock) as archive:
        archive.save([conversation(number, answer="b" * 20_000) for number in range(18)])
        archive.save([conversation(1), conversation(3)], "org-1")
        archive.save_runs([run(1), run(2)])
        archive.save_runs([run(3), run(4)], "org-1")
        archive.compress_sealed_days()
        archive.save([conversation(1, turns=2), conversation(20), conversation(21)])
        archive.pull(FakeSource({"a": {40: 1, 41: 2}, "b": {42: 1}}))
        source = FileSource(with_files(50, file("f1"), file("f2")), organization_id="org-1")
        source.files = {"f1": PICTURE, "f2": LETTER}
        archive.file_rules = Web().rules()
        archive.pull(source)
        for id in ("conv-2", "conv-1"):
            archive.place_hold(Hold(id=f"hold {id}", reason="case", conversation_id=id))
        archive.place_hold(Hold(id="past", reason="case"))
        archive.release_hold("past")
        archive.clean_old_logs(18.2)
        archive.search("Question")
        archive.verify(rotate=True)
    return root


def files_of(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def checked(root: Path, *, even_if_absent: bool = True) -> list[str]:
    tables = [WHY_NOT] if even_if_absent else [WHY_NOT, MAY_BE_ABSENT]
    return [
        path
        for path in files_of(root)
        if not any(re.fullmatch(one, path) for table in tables for one in table)
    ]


def look(root: Path) -> list[Finding]:
    with open_archive(root, read_only=True) as archive:
        return archive.verify("bytes").findings


def names(findings: list[Finding], path: str) -> bool:
    """Whether somebody who reads the findings comes to this file: it, or the folder that went with it."""
    return any(
        path == one.path or path in one.detail or path.rpartition("/")[0] == one.path for one in findings
    )


def changed(data: bytes) -> Iterator[tuple[str, bytes]]:
    for place in {0, len(data) // 3, len(data) // 2, len(data) - 1} if data else ():
        yield f"a bit at {place}", data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    yield "its last byte cut off", data[:-1]
    yield "half of it cut off", data[: len(data) // 2]
    yield "emptied", b""


def test_there_is_something_of_every_kind_and_it_is_sound(full: Path) -> None:
    kinds = {re.sub(r"[0-9a-f]{40,}|conv-\d+|run-\d+|\d+", "#", path) for path in files_of(full)}
    for kind in (
        "logs/conversations/#/#/#/conversation_#_#T#Z.json",
        "logs/conversations/#/#/#/conversation_#_#T#Z.json.zst",
        "logs/conversations/org-#/#/#/#/manifest.json",
        "logs/runs/#/#/#/run_#.json.zst",
        "logs/.weft/dictionaries/#.zdict",
        "logs/.weft/cursors/#.json",
        *(f"logs/.weft/{name}.json" for name in ("holds", "audit-head", "catalogue", "journal", "verify")),
        *(f"logs/.weft/{name}" for name in ("audit.jsonl", "search.db", "format.json")),
    ):
        assert kind in kinds, kind
    assert any(path.startswith("logs/files/") for path in files_of(full))
    with open_archive(full, read_only=True) as archive:
        assert archive.verify("bytes").result == VerifyResult.SOUND


def test_every_file_that_is_changed_or_cut_is_named(full: Path) -> None:
    missed = []
    for path in checked(full):
        whole = (full / path).read_bytes()
        for what, data in changed(whole):
            (full / path).write_bytes(data)
            if data != whole and not names(look(full), path):
                missed.append((path, what))
        (full / path).write_bytes(whole)
    assert missed == []


def test_every_file_that_is_removed_is_named(full: Path) -> None:
    missed = []
    for path in checked(full, even_if_absent=False):
        whole = (full / path).read_bytes()
        (full / path).unlink()
        if not names(look(full), path):
            missed.append(path)
        (full / path).write_bytes(whole)
    assert missed == []


def test_files_that_are_swapped_are_both_named(full: Path) -> None:
    missed = []
    paths = checked(full)
    for path, other in zip(paths, [*paths[1:], paths[0]], strict=True):
        one, two = (full / path).read_bytes(), (full / other).read_bytes()
        (full / path).write_bytes(two)
        (full / other).write_bytes(one)
        findings = look(full)
        lost = [one for one in (path, other) if not names(findings, one)]
        if len(lost) == 2 or (
            lost and "/.weft/" not in path
        ):  # of the archive's own two, one leads to the other
            missed.append((path, other, lost))
        (full / path).write_bytes(one)
        (full / other).write_bytes(two)
    assert missed == []


def test_every_file_that_is_doubled_is_named(full: Path) -> None:
    missed = []
    for path in checked(full):
        place = full / path
        for double in (place.with_name(f"copy of {place.name}"), place.with_name(f"{place.name}.bak")):
            double.write_bytes(place.read_bytes())
            if not any(one.path == double.relative_to(full).as_posix() for one in look(full)):
                missed.append(double.relative_to(full).as_posix())
            double.unlink()
    assert missed == []


def test_an_index_that_is_changed_or_gone_is_made_anew(full: Path) -> None:
    def found(archive: Archive) -> object:
        page = archive.search("Question", limit=200)
        return [(hit.conversation_id, hit.message_id) for hit in page.hits], archive.statistics().to_dict()

    path = full / "logs/.weft/search.db"
    with open_archive(full) as archive:
        wanted = found(archive)
    whole = path.read_bytes()
    for what, data in [*changed(whole), ("absent", None)]:
        path.unlink()
        if data is not None:
            path.write_bytes(data)
        with open_archive(full) as archive:
            archive.index.rebuild()
            assert archive.index.verify() == [], what
            assert found(archive) == wanted, what


def test_a_hold_that_is_missing_is_named_and_nothing_is_deleted_until_it_is_placed_again(
    tmp_path: Path,
) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1)])
        archive.place_hold(Hold(id="h", reason="case", conversation_id="conv-1"))
    (tmp_path / "logs/.weft/holds.json").unlink()
    with open_archive(tmp_path) as archive:
        assert [finding.code for finding in archive.verify().findings] == ["damaged-holds"]
        with pytest.raises(DamagedFileError, match=r"hold 'h' was placed and is not in it"):
            archive.clean_old_logs(1)
        assert archive.count().conversations == 1
        archive.place_hold(Hold(id="h", reason="case", conversation_id="conv-1"))
        assert archive.verify().findings == []
        archive.release_hold("h")
        assert archive.clean_old_logs(1).deleted_files == 1
        assert archive.verify().findings == []
