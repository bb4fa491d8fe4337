from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.page import ROOT, all_pages, read_page
from tests.docs.session import Session, commands, missing_programs

DEV_COMMANDS = re.findall(r"^  ([a-z]+) ", (ROOT / "dev").read_text(encoding="utf-8"), flags=re.MULTILINE)


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def has_something_to_do(path: Path) -> bool:
    return any(block.language in ("console", "python", "toml", "json") for block in read_page(path).blocks)


@pytest.mark.parametrize("path", [path for path in all_pages() if has_something_to_do(path)], ids=page_id)
def test_a_page_does_what_it_says(
    path: Path, tmp_path: Path, programs: Path, request: pytest.FixtureRequest
) -> None:
    page = read_page(path)
    stand_ins = {}
    text = path.read_text(encoding="utf-8")
    if missing := missing_programs(page):
        pytest.skip(f"this machine has no {', '.join(missing)}")
    if "11434" in text:
        stand_ins["127.0.0.1:11434"] = request.getfixturevalue("model_service")
    if "db.example" in text:
        stand_ins["postgresql://weft:secret@db.example/weft"] = request.getfixturevalue("postgres_server")
    with Session(page, tmp_path, programs, stand_ins) as session:
        session.run()


@pytest.mark.parametrize("path", all_pages(), ids=page_id)
def test_plain_shell_blocks_hold_only_commands_that_are_known_to_work(path: Path) -> None:
    page = read_page(path)
    lines = [line for block in page.blocks if block.language == "sh" for line in block.text.splitlines()]
    for line in lines:
        known = line == "pip install ." or (line.startswith("./dev ") and line.split()[1] in DEV_COMMANDS)
        assert known, f"{page.name}: {line!r} is neither ./dev nor pip; make it a console block, which is run"


def test_the_readme_begins_with_the_two_commands_a_stranger_needs() -> None:
    first, second, *_ = read_page(ROOT / "README.md").blocks
    assert [(block.language, block.text) for block in (first, second)] == [
        ("sh", "./dev demo\n"),
        ("sh", "./dev test\n"),
    ]


def test_a_console_block_is_commands_with_what_they_print() -> None:
    text = "$ first \\\n    --option\none\n\ntwo\n$ second\n"
    assert list(commands(text)) == [("first \\\n    --option", "one\n\ntwo"), ("second", "")]


@pytest.mark.parametrize(
    ("markdown", "complaint"),
    [
        ("```console\n$ echo one\ntwo\n```\n", "the page shows"),
        ("```console\n$ echo one\n```\n", "shows\n    nothing"),
        ("```console\n$ weft rnu\nUsage\n```\n", "the page shows"),
        ("```python\nprint(1 / 0)\n```\n", "ZeroDivisionError"),
        ("```python\nprint(1)\n```\n```text\n2\n```\n", "the page shows"),
        ("```rust\nfn main() {}\n```\n", "would not be checked"),
    ],
)
def test_a_page_that_is_wrong_is_noticed(
    markdown: str, complaint: str, tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.docs.page.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(markdown)
    reader = tmp_path / "reader"
    reader.mkdir()
    with pytest.raises(AssertionError, match=complaint), Session(read_page(page), reader, programs, {}) as it:
        it.run()
