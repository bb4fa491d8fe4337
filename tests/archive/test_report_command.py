from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive.records import record
from weft.cli import main

Command = Callable[..., tuple[int, str, str]]
WEEK = ("--start", "2025-10-01", "--end", "2025-10-07")


@pytest.fixture
def weft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `weft archive` on an archive with three conversations."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_DATA", str(tmp_path / "data"))
    (tmp_path / "some.json").write_text(json.dumps([record(number) for number in (1, 2, 3)]))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["archive", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    assert run("pull", "--folder", "some.json", "--organization-id", "org-1")[0] == 0
    return run


def test_it_is_shown_as_markdown_and_written_as_what_the_name_says(weft: Command, tmp_path: Path) -> None:
    code, out, err = weft("report", *WEEK)
    assert (code, err) == (0, "")
    assert out.startswith("# Conversations, 2025-10-01 to 2025-10-07 (UTC)\n")
    assert "| Messages | 3 | 0 | new |" in out
    for name, beginning in (("w.html", "<!doctype html>"), ("w.md", "# Conversations"), ("w.json", "{")):
        told = weft("report", name, *WEEK)
        assert told == (0, f"2025-10-01 to 2025-10-07 (UTC): 3 messages, in {name}\n", "")
        assert (tmp_path / name).read_text().startswith(beginning)
    code, out, err = weft("report", *WEEK, "--json", "--organization-id", "nobody")
    assert (code, err, json.loads(out)["now"]["messages"]) == (0, "", 0)


def test_it_is_made_without_an_index_and_without_leave_to_write(weft: Command, tmp_path: Path) -> None:
    for path in (tmp_path / "data/archive/logs/.weft").glob("search.db*"):
        path.unlink()
    assert weft("report", *WEEK)[0] == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_ARCHIVE_TIMEZONE", "Europe/Berlin")
        assert "(Europe/Berlin)" in weft("report", *WEEK)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("w.txt",), "known: .html, .md, .json"),
        (("w.html", "--start", "2025-10-01"), "give both of --start and --end"),
        (("w.html", "--start", "x", "--end", "2025-10-01"), "--start 'x' is not a day"),
        (("w.html", "--start", "2025-10-02", "--end", "2025-10-01"), "1 to 366 days"),
        (("w.html", "--timezone", "Mars/Olympus"), "no time zone"),
    ],
)
def test_what_is_wrong_with_a_call_is_said(
    weft: Command, tmp_path: Path, words: tuple[str], said: str
) -> None:
    code, out, err = weft("report", *words)
    assert (code, out, said in err) == (2, "", True), err
    assert not (tmp_path / "w.html").exists()


def test_a_place_that_cannot_be_written_is_said(weft: Command) -> None:
    code, out, err = weft("report", "nowhere/w.html", *WEEK)
    assert (code, out, "writing nowhere/w.html: No such file or directory" in err) == (1, "", True), err


def test_a_damaged_archive_is_told_by_the_exit_code(weft: Command, tmp_path: Path) -> None:
    next((tmp_path / "data").rglob("conversation_conv-1_*")).unlink()
    code, out, _ = weft("report", *WEEK)
    assert (code, "| Verified | damaged |" in out) == (1, True)
