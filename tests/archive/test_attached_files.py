from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from tests.archive.attached import LETTER, PICTURE, FileSource, Web, file, gone, kept, note, sha, with_files
from tests.archive.records import (
    StoppedClock,
    conversation_files,
    killed_at_each_step,
    open_archive,
    tree,
)
from weft.archive import Archive, Conversation, FileRules, PullOptions, PullReport, Redactor
from weft.errors import TransportError


def pull(archive: Archive, source: FileSource, web: Web | None = None, **rules: object) -> PullReport:
    archive.file_rules = (web or Web()).rules(**rules)
    report = archive.pull(source, options=PullOptions(restart=True))
    assert [app.error for app in report.apps] == [""]
    return report


def files(root: Path) -> dict[str, bytes]:
    return tree(root, "logs/files")


def place(data: bytes, organization: str = "") -> str:
    return f"logs/files/{organization}{sha(data)[:2]}/{sha(data)[2:4]}/{sha(data)}"


def two_files() -> FileSource:
    source = FileSource(with_files(1, file("f1"), file("f2", "letter.pdf", type="document", mime_type="")))
    source.files = {"f1": PICTURE, "f2": LETTER}
    return source


def test_bytes_come_along_and_the_conversation_says_where_they_are(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        report = pull(archive, two_files())
        assert (report.total("written"), report.total("files"), report.total("files_missing")) == (1, 2, 0)
        assert kept(archive.get("conv-1")) == [note(PICTURE), note(LETTER, "letter.pdf", "")]
        assert files(tmp_path) == {place(PICTURE): PICTURE, place(LETTER): LETTER}
        assert archive.verify().findings == []


def test_the_same_bytes_are_stored_once_for_an_organisation(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        for organization in (None, "ab", "Org/2"):
            source = FileSource(with_files(1, file("f1"), file("f2")), with_files(2, file("f3")))
            source.files = dict.fromkeys(("f1", "f2", "f3"), PICTURE)
            source.organization_id = organization
            pull(archive, source)
        assert sorted(files(tmp_path)) == sorted(
            [place(PICTURE), place(PICTURE, "ab/"), place(PICTURE, "%4frg%2f2/")]
        )
        assert archive.verify().findings == []


def test_a_file_that_is_kept_is_not_fetched_again_and_stays_when_the_server_loses_it(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        source = two_files()
        pull(archive, source)
        source.records["conv-1"] = with_files(
            1, file("f1"), file("f2", "letter.pdf", type="document", mime_type=""), turns=2
        )
        source.files = {"f1": gone()}
        source.reads.clear()
        assert pull(archive, source).total("written") == 1
        assert source.reads == []
        archive.file_rules = None
        archive.pull(source, options=PullOptions(restart=True))
        archive.save([Conversation.parse(source.records["conv-1"])])
        assert kept(archive.get("conv-1")) == [note(PICTURE), note(LETTER, "letter.pdf", "")]
        assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(
    ("fails", "reason"),
    [
        (gone(), "gone"),
        (TransportError("no answer"), "unreachable"),
        (b"x" * 5001, "too-large"),
    ],
)
def test_a_file_that_cannot_be_had_stops_nothing_and_its_reason_is_noted(
    tmp_path: Path, fails: bytes | Exception, reason: str
) -> None:
    source = FileSource(with_files(1, file("f1"), file("f2")))
    source.versions = {"conv-1": "v1"}
    source.files = {"f1": fails, "f2": LETTER}
    with open_archive(tmp_path) as archive:
        report = pull(archive, source, max_bytes=5000)
        assert (report.succeeded, report.total("files"), report.total("files_missing")) == (True, 1, 1)
        first, second = kept(archive.get("conv-1"))
        assert isinstance(first, dict)
        assert (first["reason"], second) == (reason, note(LETTER))
        source.reads.clear()
        pull(archive, source)
        # Only what was out of reach at that moment is asked for again.
        assert source.reads == (["f1"] if reason == "unreachable" else [])
        assert [name for name in tree(tmp_path) if ".tmp-" in name] == []


def test_kinds_that_are_not_wanted_are_not_fetched(tmp_path: Path) -> None:
    source = two_files()
    source.records["conv-1"] = with_files(1, file("f1"), file("f2", "a.mp3", type="", mime_type="audio/mpeg"))
    with open_archive(tmp_path) as archive:
        pull(archive, source, kinds=frozenset({"audio"}))
        first, second = kept(archive.get("conv-1"))
        assert first == {"reason": "unwanted", "detail": "files of the kind 'image' are not kept"}
        assert second == note(LETTER, "a.mp3", "audio/mpeg")
        assert source.reads == ["f2"]


def test_links_go_through_the_guard_and_only_the_own_server_may_be_private(tmp_path: Path) -> None:
    web = Web()
    web.table = {
        "http://10.0.0.5:8000/files/1?sign=x": (200, PICTURE),
        "https://elsewhere.example/a.png": (200, LETTER),
        "https://elsewhere.example/b.png": (404, b"no"),
        "https://elsewhere.example/c.png": (200, b"x" * 6000),
    }
    links = {
        "own": "http://10.0.0.5:8000/files/1?sign=x",
        "relative": "/files/1?sign=x",
        "out": "https://elsewhere.example/a.png",
        "absent": "https://elsewhere.example/b.png",
        "large": "https://elsewhere.example/c.png",
        "private": "http://10.0.0.6/secret",
        "port": "http://10.0.0.5:8001/files/1",
        "user": "http://10.0.0.5:8000@10.0.0.7/files/1",
        "path": "file:///etc/passwd",
    }
    source = FileSource(with_files(1, *(file(id) for id in links)))
    source.links, source.home = links, "http://10.0.0.5:8000/console/api"
    with open_archive(tmp_path) as archive:
        pull(archive, source, web, max_bytes=5500)
        found = [
            one.get("reason", one.get("sha256")) if isinstance(one, dict) else one
            for one in kept(archive.get("conv-1"))
        ]
    assert found == [sha(PICTURE), sha(PICTURE), sha(LETTER), "gone", "too-large", *["refused"] * 4]
    assert [one for one in web.asked if one.startswith("home")] == [
        "home http://10.0.0.5:8000/files/1?sign=x"
    ] * 2
    text = b"".join(tree(tmp_path).values())
    assert b"sign=x" not in text


def test_a_guarded_source_has_no_way_home_of_its_own(tmp_path: Path) -> None:
    home = "http://10.0.0.5:8000"
    web = Web()
    web.table = {f"{home}/files/1": (200, PICTURE)}
    source = FileSource(with_files(1, file("own")))
    source.links, source.home, source.is_guarded = {"own": "/files/1"}, home, True
    with open_archive(tmp_path) as archive:
        pull(archive, source, web)
    assert web.asked == [f"out {home}/files/1"]


def test_the_real_guard_refuses_paths_and_private_addresses(tmp_path: Path) -> None:
    source = FileSource(with_files(1, file("a"), file("b"), file("c")))
    source.links = {
        "a": "file:///etc/passwd",
        "b": "http://127.0.0.1:9/x",
        "c": "http://169.254.169.254/latest/meta-data",
    }
    with open_archive(tmp_path) as archive:
        archive.file_rules = FileRules()
        archive.pull(source)
        found = [one["reason"] for one in kept(archive.get("conv-1")) if isinstance(one, dict)]
    assert found == ["refused"] * 3


def test_a_file_goes_with_the_last_conversation_that_names_it(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        source = FileSource(with_files(1, file("f1")), with_files(6, file("f2"), file("f3")))
        source.files = {"f1": PICTURE, "f2": PICTURE, "f3": LETTER}
        pull(archive, source)
        assert archive.clean_old_logs(15).deleted_files == 1
        assert sorted(files(tmp_path)) == sorted([place(PICTURE), place(LETTER)])
        done = archive.clean_old_logs(1)
        assert done.deleted_size_bytes > len(PICTURE) + len(LETTER)
        assert files(tmp_path) == {}
        assert not (tmp_path / "logs/files").exists()
        assert archive.verify().findings == []


def test_a_file_goes_when_a_new_version_does_not_name_it_any_more(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        source = two_files()
        pull(archive, source)
        source.records["conv-1"] = with_files(1, file("f1"))
        pull(archive, source)
        assert files(tmp_path) == {place(PICTURE): PICTURE}
        assert archive.verify().findings == []


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)


def test_verify_names_what_was_flipped_removed_swapped_cut_and_put_in(tmp_path: Path) -> None:
    with open_archive(tmp_path / "sound") as archive:
        pull(archive, two_files())
    one, two = place(PICTURE), place(LETTER)
    other = b"nobody's"

    def swap(root: Path) -> None:
        (root / one).write_bytes(LETTER)
        (root / two).write_bytes(PICTURE)

    def put_in(root: Path) -> None:
        (root / place(other)).parent.mkdir(parents=True)
        (root / place(other)).write_bytes(other)
        (root / "logs/files/stranger").write_bytes(other)

    def forge(root: Path) -> None:
        for name, data in conversation_files(root).items():
            (root / name).write_bytes(data.replace(sha(PICTURE).encode(), sha(other).encode()))

    cases: list[tuple[Callable[[Path], object], set[tuple[str, str]]]] = [
        (lambda root: flip(root / one), {("wrong-bytes", one)}),
        (lambda root: (root / one).unlink(), {("missing-file", one)}),
        (swap, {("wrong-bytes", one), ("wrong-bytes", two)}),
        (lambda root: (root / one).write_bytes(PICTURE[:-1]), {("wrong-bytes", one)}),
        (put_in, {("unreferenced-file", place(other)), ("unlisted-file", "logs/files/stranger")}),
    ]
    for number, (deed, findings) in enumerate(cases):
        root = tmp_path / str(number)
        copytree(tmp_path / "sound", root)
        deed(root)
        with open_archive(root, read_only=True) as archive:
            assert {(found.code, found.path) for found in archive.verify().findings} == findings
    copytree(tmp_path / "sound", tmp_path / "forged")
    forge(tmp_path / "forged")
    with open_archive(tmp_path / "forged", read_only=True) as archive:
        assert [found.code for found in archive.verify().findings] == ["wrong-bytes"]
    copytree(tmp_path / "sound", tmp_path / "cut")
    (tmp_path / "cut" / one).write_bytes(PICTURE[:-1])
    with open_archive(tmp_path / "cut", read_only=True) as archive:
        assert archive.verify("structure").findings == []
        assert [found.code for found in archive.verify("sizes").findings] == ["wrong-size"]


def test_packing_leaves_files_alone_and_damage_is_mended_by_the_next_pull(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        source = two_files()
        pull(archive, source)
        assert archive.compress_sealed_days().files == 1
        assert archive.verify().findings == []
        assert len(files(tmp_path)) == 2
        (tmp_path / place(PICTURE)).unlink()
        pull(archive, source)
        assert archive.verify().findings == []
        assert files(tmp_path)[place(PICTURE)] == PICTURE


def test_bytes_are_the_same_after_archive_delete_import_and_export(tmp_path: Path) -> None:
    with open_archive(tmp_path / "one") as archive:
        source = two_files()
        source.organization_id = "org-1"
        pull(archive, source)
        archive.export_to_file("json", tmp_path / "before.json")
    before = tree(tmp_path / "one", "logs/conversations") | files(tmp_path / "one")
    copytree(tmp_path / "one", tmp_path / "copy")
    with open_archive(tmp_path / "one") as archive:
        assert archive.clean_old_logs(0).deleted_files == 1
        assert files(tmp_path / "one") == {}
        assert archive.import_folder(tmp_path / "copy").failed == []
        archive.export_to_file("json", tmp_path / "after.json")
    with open_archive(tmp_path / "copy") as copy, open_archive(tmp_path / "two") as other:
        done = other.import_archive(copy)
        assert (done.written, done.failed) == (1, [])
        assert other.verify().findings == []
    for root in ("one", "two"):
        after = tree(tmp_path / root, "logs/conversations") | files(tmp_path / root)
        assert {name: data for name, data in after.items() if "manifest" not in name} == {
            name: data for name, data in before.items() if "manifest" not in name
        }
    assert (tmp_path / "before.json").read_bytes() == (tmp_path / "after.json").read_bytes()


def test_a_folder_is_pulled_with_its_files(tmp_path: Path) -> None:
    from weft.archive.folder_source import FolderSource

    with open_archive(tmp_path / "one") as archive:
        pull(archive, two_files())
    with open_archive(tmp_path / "two") as archive:
        archive.file_rules = Web().rules()
        archive.pull(FolderSource(tmp_path / "one"))
        assert files(tmp_path / "two") == files(tmp_path / "one")
        assert archive.verify().findings == []


def test_what_an_export_says_of_bytes_that_did_not_come_along_is_not_believed(tmp_path: Path) -> None:
    with open_archive(tmp_path / "one") as archive:
        pull(archive, two_files())
        archive.export_to_file("json", tmp_path / "out.json")
    with open_archive(tmp_path / "two") as archive:
        archive.import_folder(tmp_path / "out.json")
        first = kept(archive.get("conv-1"))[0]
        assert first == {
            "reason": "absent",
            "detail": "its bytes did not come along",
            "sha256": sha(PICTURE),
            "size": len(PICTURE),
        }
        assert archive.verify().findings == []
        archive.import_folder(tmp_path / "one")
        assert archive.verify().findings == []


def test_names_of_files_are_redacted_and_sums_are_not(tmp_path: Path) -> None:
    source = FileSource(with_files(1, file("f1", "ann@example.com.png")))
    source.files = {"f1": PICTURE}
    with open_archive(tmp_path, redactor=Redactor()) as archive:
        pull(archive, source)
        (found,) = kept(archive.get("conv-1"))
        assert isinstance(found, dict)
        assert found["sha256"] == sha(PICTURE)
        assert "ann@" not in json.dumps(archive.get("conv-1").fields)
        pull(archive, source)
        assert archive.verify().findings == []


def deed(archive: Archive, changed: bool = True) -> None:
    source = two_files()
    source.records["conv-1"] = with_files(1, file("f2"), turns=2)
    source.records["conv-2"] = with_files(2, file("f3"))
    source.files["f3"] = b"third"
    pull(archive, source)


def delete(archive: Archive) -> None:
    archive.clean_old_logs(1)


@pytest.mark.parametrize("do", [deed, delete])
def test_a_kill_at_any_step_leaves_files_and_conversations_that_fit(
    tmp_path: Path, do: Callable[[Archive], None]
) -> None:
    with open_archive(tmp_path / "start") as archive:
        pull(archive, two_files())
    opened = killed_at_each_step(
        tmp_path / "start", lambda root, disk: open_archive(root, files=disk), do, least=20
    )
    for root, disk in opened:
        with open_archive(root) as archive:
            assert archive.verify().findings == [], disk.log[-3:]
            assert [name for name in tree(root) if ".tmp-" in name] == []
            do(archive)
            assert archive.verify().findings == []


def test_a_signed_link_leads_home_and_an_address_that_a_person_gave_does_not() -> None:
    from weft import wire
    from weft.archive.sources.row import offers_of

    message = wire.Message.model_validate(
        {
            "id": "m1",
            "conversation_id": "c1",
            "message_files": [
                file("a", url="/files/a?sign=1", upload_file_id="u1"),
                file("b", url="https://home.example/x.png", transfer_method="remote_url"),
                file("c", url="https://home.example/t.png?sign=2", transfer_method="tool_file"),
                file("d", url=None),
            ],
        }
    )
    offers = offers_of([message], "https://home.example/v1")
    assert [(one.place, one.link, one.home) for one in offers] == [
        ((0, 0), "/files/a?sign=1", "https://home.example/v1"),
        ((0, 1), "https://home.example/x.png", ""),
        ((0, 2), "https://home.example/t.png?sign=2", "https://home.example/v1"),
    ]
