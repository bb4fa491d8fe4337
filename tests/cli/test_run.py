from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.command import ASK, BOUND, BROKEN, ECHO, SUM, Weft, script
from weft.cli import main


@dataclass
class Said:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(
    weft: Weft,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    own_logging: None,
) -> Run:
    """`weft run` in this process, which is quicker, in a folder with an app of each kind."""
    for name, text in (("echo.yml", ECHO), ("ask.yml", ASK), ("sum.yml", SUM), ("broken.yml", BROKEN)):
        weft.write(name, text)
    monkeypatch.chdir(weft.folder)
    monkeypatch.delenv("WEFT_MODELS_URL", raising=False)

    def call(*words: str) -> Said:
        code = main(["run", *words, "--data", str(weft.data)])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


def content_of(said: Said) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(said.out)
    return content


def test_the_answer_goes_to_standard_output_and_the_trace_after_it(weft: Weft) -> None:
    weft.write("echo.yml", ECHO)
    done = weft.run("run", "echo.yml", "Good morning", "--input", "name=Ada", "--trace")
    assert (done.returncode, done.stderr) == (0, "")
    answer, blank, head, *rows = done.stdout.splitlines()
    assert (answer, blank) == ("Good morning, Ada", "")
    assert head.split() == ["#", "node", "type", "status", "time", "tokens"]
    assert [row.split()[:1] + row.split()[-4:-2] for row in rows] == [
        ["1", "start", "succeeded"],
        ["2", "answer", "succeeded"],
    ]


def test_a_run_tells_programs_everything_and_its_conversation_goes_on(run: Run) -> None:
    first = content_of(run("echo.yml", "one", "--json"))
    second = content_of(run("echo.yml", "two", "--json", "--conversation", first["conversation_id"]))
    assert second["conversation_id"] == first["conversation_id"]
    assert second["message_id"] != first["message_id"]
    assert second["trace"][0]["outputs"]["sys.dialogue_count"] == 2
    assert {name: second[name] for name in ("status", "answer", "outputs", "error", "total_steps")} == {
        "status": "succeeded",
        "answer": "two, ",
        "outputs": {"answer": "two, "},
        "error": None,
        "total_steps": 2,
    }
    assert [(node["node_id"], node["status"]) for node in second["trace"]] == [
        ("start", "succeeded"),
        ("answer", "succeeded"),
    ]


def test_a_conversation_belongs_to_its_user(run: Run) -> None:
    conversation_id = content_of(run("echo.yml", "one", "--json"))["conversation_id"]
    said = run("echo.yml", "two", "--user", "eve", "--conversation", conversation_id)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(
        f"error: --conversation {conversation_id}: user 'eve' has no such conversation"
    )


def test_a_workflow_takes_typed_inputs_and_gives_outputs(run: Run) -> None:
    said = run("sum.yml", "--input", "a:=2", "--input", 'about:={"unit": "m"}', "--json")
    content = content_of(said)
    assert (said.code, said.err) == (0, "")
    assert (content["status"], content["answer"], content["conversation_id"]) == ("succeeded", None, None)
    assert content["outputs"] == {"more": "3", "about": {"unit": "m"}}


def test_the_outputs_of_a_workflow_are_shown_a_line_each(run: Run) -> None:
    assert run("sum.yml", "--input", "a=2", "--input", "about:={}") == Said(0, "3\n{}\n", "")


def test_a_run_that_fails_exits_with_one_and_says_why(weft: Weft, run: Run) -> None:
    weft.write(
        "weft.toml", script({"reply": "so far", "error": "RateLimitedError", "message": "come back later"})
    )
    said = run("ask.yml", "x")
    assert (said.code, said.out) == (1, "so far\n")
    warning, error = said.err.splitlines()
    assert warning.startswith("warning: a script answers for acme/small")
    assert error == "error: the run failed: come back later"


def test_a_failed_run_is_told_to_programs_too(weft: Weft, run: Run) -> None:
    weft.write("weft.toml", script({"reply": "", "error": "RateLimitedError", "message": "come back later"}))
    said = run("ask.yml", "x", "--json")
    content = content_of(said)
    assert (said.code, content["status"], content["error"]) == (1, "failed", "come back later")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["absent.yml", "x"], "absent.yml: cannot be read: No such file or directory"),
        (["echo.yml"], 'echo.yml is a chatflow; say what is asked: weft run echo.yml "A question"'),
        (["sum.yml", "x"], "sum.yml is a workflow, which takes no question"),
        (["sum.yml"], "a is required in input form"),
        (
            ["echo.yml", "x", "--input", "nmae=A"],
            "--input nmae: the app has no input of that name; it",
        ),
        (["echo.yml", "x", "--file", "echo.yml"], "--file echo.yml: this is a local file"),
        (["echo.yml", "x", "--file", "http://a/b.png"], "--file: echo.yml takes no files"),
        (["echo.yml", "x", "--user", ""], "--user has 0 characters"),
    ],
)
def test_a_call_that_does_not_fit_the_app_exits_with_two(run: Run, words: list[str], complaint: str) -> None:
    said = run(*words)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"error: {complaint}")


def test_all_problems_of_a_file_that_cannot_be_run_are_told(weft: Weft, run: Run) -> None:
    said = run("broken.yml", "x")
    lines = said.err.splitlines()
    assert (said.code, said.out, len(lines)) == (2, "", 2)
    assert lines[0].startswith("error: broken.yml: workflow.graph.nodes[1].data.type: ")
    assert lines[1].startswith("error: broken.yml: workflow.graph.edges[1]: ")
    assert not weft.data.exists()


def test_an_interrupt_stops_the_run_and_what_was_said_is_kept(weft: Weft) -> None:
    weft.write("ask.yml", ASK)
    weft.write(
        "weft.toml", script({"node_id": "llm", "chunks": ["first\n", *["more"] * 100], "delay_s": 0.3})
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "run", "ask.yml", "x"],
        cwd=weft.folder,
        env=weft.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=BOUND)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "error: the run was stopped: Interrupted."
