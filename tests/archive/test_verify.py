from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.archive.records import StoppedClock, conversation, conversation_files, open_archive, run, tree
from weft.archive import Finding, Hold, VerifyResult


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with something of everything in it."""
    root = tmp_path_factory.mktemp("sound")
    clock = StoppedClock()
    with open_archive(root, clock=clock) as archive:
        archive.save([conversation(number) for number in (0, 1, 2, 7, 8, 30, 31)])
        archive.save([conversation(1)], "org-1")
        archive.save_runs([run(1), run(2)])
        archive.compress_sealed_days()
        archive.save([conversation(1, turns=2), conversation(9)])
        archive.place_hold(Hold(id="h", reason="case", conversation_id="conv-2"))
        archive.clean_old_logs(17.5)
        archive.verify(rotate=True)
    return root


def test_a_sound_archive_is_sound_at_every_depth(sound: Path) -> None:
    with open_archive(sound, read_only=True) as archive:
        structure, sizes, whole = (archive.verify(depth) for depth in ("structure", "sizes", "bytes"))
    assert [report.result for report in (structure, sizes, whole)] == [VerifyResult.SOUND] * 3
    assert structure.files == whole.files > 4
    assert (structure.bytes, whole.bytes > 1000) == (0, True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_changed_byte_is_named(sound: Path, tmp_path: Path, data: st.DataObject) -> None:
    root = fresh(sound, tmp_path)
    files = tree(root)
    path = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[path])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (root / path).write_bytes(content)
    assert path in named(root)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_removed_or_truncated_file_is_named(sound: Path, tmp_path: Path, data: st.DataObject) -> None:
    root = fresh(sound, tmp_path)
    # What only says where to go on may be absent; that it was changed is found out.
    paths = [path for path in tree(root) if not path.endswith(("verify.json", "journal.json", "holds.json"))]
    path = data.draw(st.sampled_from(paths))
    if data.draw(st.booleans()):
        (root / path).unlink()
    else:
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    found = named(root)
    assert path in found or path.rpartition("/")[0] in found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_both_of_two_swapped_files_are_named(sound: Path, tmp_path: Path, data: st.DataObject) -> None:
    root = fresh(sound, tmp_path)
    files = {path: content for path, content in tree(root).items() if "/.weft/" not in path}
    one, other = data.draw(st.lists(st.sampled_from(sorted(files)), min_size=2, max_size=2, unique=True))
    (root / one).write_bytes(files[other])
    (root / other).write_bytes(files[one])
    assert {one, other} <= named(root)


def test_a_file_that_was_put_in_is_named(sound: Path, tmp_path: Path) -> None:
    root = fresh(sound, tmp_path)
    strangers = ["logs/conversations/2025/10/09/note.txt", "logs/conversations/x.json", "logs/.weft/x"]
    a_day = next(iter(conversation_files(root))).rpartition("/")[0]
    strangers += [f"{a_day}/conversation_new_20251020T120000000000Z.json"]
    for path in strangers:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"{}")
    assert set(strangers) - {"logs/conversations/2025/10/09/note.txt"} <= named(root)
    assert "logs/conversations/2025/10/09/manifest.json" in named(root)


def test_a_whole_day_that_was_put_back_to_an_earlier_state_is_named(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1)])
    day = tmp_path / "logs/conversations/2025/10/02"
    copytree(day, tmp_path / "earlier")
    clock.advance(hours=1)
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(1, turns=2)])
    rmtree(day)
    copytree(tmp_path / "earlier", day)
    with open_archive(tmp_path, read_only=True) as archive:
        assert archive.verify().findings == [
            Finding(
                "stale-manifest",
                "logs/conversations/2025/10/02/manifest.json",
                "it is not the one that the catalogue knows",
            )
        ]


@pytest.mark.parametrize(
    ("harm", "depth", "codes"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "structure", []),
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "sizes", ["wrong-size"]),
        (lambda path: path.write_bytes(path.read_bytes()[:-2] + b"]\n"), "sizes", []),
        (lambda path: path.write_bytes(path.read_bytes()[:-2] + b"]\n"), "bytes", ["wrong-bytes"]),
        (lambda path: path.unlink(), "structure", ["missing-file"]),
    ],
)
def test_each_depth_finds_what_it_promises(
    tmp_path: Path, harm: Callable[[Path], None], depth: str, codes: list[str]
) -> None:
    with open_archive(tmp_path) as archive:
        harm(tmp_path / archive.save([conversation(1)]).paths["conv-1"])
        report = archive.verify(depth)  # type: ignore[arg-type]  # one of the three words
    assert [finding.code for finding in report.findings] == codes
    assert report.result == (VerifyResult.DAMAGED if codes else VerifyResult.SOUND)


def test_runs_with_little_time_see_everything_in_turn(tmp_path: Path) -> None:
    clock = StoppedClock()

    class SlowClock(StoppedClock):
        def monotonic(self) -> float:
            self.advance(seconds=1)
            return super().monotonic()

    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(number) for number in range(7)])
        broken = archive.get("conv-5")
        (tmp_path / archive.save([broken]).paths["conv-5"]).write_bytes(b"")
    results = []
    for _ in range(4):
        with open_archive(tmp_path, clock=SlowClock()) as archive:
            results.append(archive.verify(budget_seconds=3, rotate=True).result)
    assert sorted(results) == [VerifyResult.DAMAGED, *[VerifyResult.INCOMPLETE] * 3]
    assert [int(result) for result in VerifyResult] == [0, 1, 2]


def test_a_damaged_manifest_is_made_again_from_the_files(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1), conversation(8)])
        day, _ = next(archive.iter_entries())
    (tmp_path / day.path / "manifest.json").write_bytes(b"{}")
    with open_archive(tmp_path) as archive:
        assert [finding.code for finding in archive.verify().findings] == ["damaged-manifest"]
        assert len(archive.rebuild(day)) == 2
        assert archive.verify().findings == []
        assert archive.get("conv-8").name == "Chat 8"


def fresh(sound: Path, tmp_path: Path) -> Path:
    root = tmp_path / "copy"
    rmtree(root, ignore_errors=True)
    copytree(sound, root)
    return root


def named(root: Path) -> set[str]:
    """What a look without a lock names; an archive that cannot even be opened names its format."""
    from weft.errors import ArchiveError

    try:
        with open_archive(root, read_only=True) as archive:
            return {finding.path for finding in archive.verify().findings}
    except ArchiveError as error:
        return {str(error).partition(":")[0]}
