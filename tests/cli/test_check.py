from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import ASK, BROKEN, ECHO
from weft.cli import main


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("echo.yml", ECHO), ("ask.yml", ASK), ("broken.yml", BROKEN)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["echo.yml", "ask.yml"], 0),
        (["broken.yml", "echo.yml"], 1),
        (["broken.yml", "absent.yml", "echo.yml"], 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst_file(files: list[str], code: int) -> None:
    assert main(["check", *files]) == code


def test_a_file_that_can_be_run_tells_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "ask.yml"])
    assert capsys.readouterr().out == (
        "ask.yml: can be run (Ask, advanced-chat, format 0.3.1, 3 nodes)\n  needs model acme/small (llm)\n"
    )


def test_every_problem_is_shown_with_its_place_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "broken.yml"])
    lines = capsys.readouterr().out.splitlines()
    errors = [line for line in lines if line.startswith("  error: ")]
    assert lines[0].startswith("broken.yml: cannot be run, 2 problems (Broken, advanced-chat,")
    assert [line.split(": ")[1] for line in errors] == [
        "workflow.graph.nodes[1].data.type",
        "workflow.graph.edges[1]",
    ]
    assert len([line for line in lines if line.startswith("    fix: ")]) == 2


def test_what_it_says_to_programs_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--json", "broken.yml", "ask.yml", "absent.yml"])
    content = json.loads(capsys.readouterr().out)
    broken, ask, absent = content["files"]
    assert content["ok"] is False
    assert [problem["node_id"] for problem in broken["problems"]] == ["magic", None]
    assert set(broken["problems"][0]) == {"code", "path", "node_id", "node_title", "message", "fix"}
    assert ask == {
        "file": "ask.yml",
        "ok": True,
        "name": "Ask",
        "mode": "advanced-chat",
        "version": "0.3.1",
        "problems": [],
        "warnings": [],
        "needs": [{"kind": "model", "name": "acme/small", "node_ids": ["llm"]}],
        "node_counts": {"start": 1, "llm": 1, "answer": 1},
        "dependencies": [],
    }
    assert absent == {
        "file": "absent.yml",
        "ok": False,
        "error": "absent.yml: cannot be read: No such file or directory; give the path of an exported app",
    }


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1, 2", b"kind: app\n", b"just words"])
def test_what_is_no_app_is_a_problem_and_no_crash(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.yml").write_bytes(content)
    assert main(["check", "odd.yml"]) == 1
    assert "  error: " in capsys.readouterr().out
