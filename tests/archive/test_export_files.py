from __future__ import annotations

from pathlib import Path

import pytest

from tests.archive.attached import LETTER, PICTURE, FileSource, Web, file, gone, sha, with_files
from tests.archive.records import open_archive


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = {"f1": "a [b](c) <d>.PNG", "f2": "../../etc/passwd", "f3": "made.pdf", "f4": "lost.png"}
    source = FileSource(
        with_files(
            1,
            file("f1", names["f1"]),
            file("f2", names["f2"]),
            file("f3", names["f3"], belongs_to="assistant"),
            file("f4", names["f4"]),
        )
    )
    source.files = {"f1": PICTURE, "f2": LETTER, "f3": b"made", "f4": gone()}
    with open_archive(tmp_path / "archive") as archive:
        archive.file_rules = Web().rules()
        archive.pull(source)
    return tmp_path


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_a_transcript_links_to_the_files_that_lie_beside_it(root: Path, format: str) -> None:
    out = root / "all chats.out"
    with open_archive(root / "archive", read_only=True) as archive:
        totals = archive.export_to_file(format, out)
        streamed = b"".join(archive.export(format)).decode()
    assert (totals.complete, totals.damaged) == (True, [])
    assert {path.name: path.read_bytes() for path in (root / "all chats.out.files").iterdir()} == {
        f"{sha(PICTURE)}.png": PICTURE,
        sha(LETTER): LETTER,
        f"{sha(b'made')}.pdf": b"made",
    }
    text = out.read_text()
    wanted = [f"all%20chats.out.files/{name}" for name in (f"{sha(PICTURE)}.png", sha(LETTER))]
    wanted.append(f"all%20chats.out.files/{sha(b'made')}.pdf")
    places = [text.index(link) for link in wanted]
    answer = text.index("Hello")
    assert places == sorted(places)
    assert places[1] < answer < places[2]
    assert "lost" in text
    assert "(gone)" in text.replace("\\", "")
    assert "<d>" not in text
    assert sha(PICTURE) not in streamed
    assert "made" in streamed


def test_a_damaged_file_is_named_and_the_transcript_is_written(root: Path) -> None:
    path = f"logs/files/{sha(PICTURE)[:2]}/{sha(PICTURE)[2:4]}/{sha(PICTURE)}"
    (root / "archive" / path).write_bytes(b"x")
    with open_archive(root / "archive", read_only=True) as archive:
        totals = archive.export_to_file("html", root / "out.html")
    assert (totals.conversations, totals.complete, totals.damaged) == (1, False, [path])


def test_other_formats_put_no_files_beside_themselves(root: Path) -> None:
    with open_archive(root / "archive", read_only=True) as archive:
        archive.export_to_file("jsonl", root / "out.jsonl")
    assert not (root / "out.jsonl.files").exists()
