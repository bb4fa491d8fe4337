from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ASK, BOUND, BROKEN, ECHO, SUM, Weft, script
from weft.cli import main

READ = """\
kind: app
version: 0.3.1
app: {name: Read, mode: advanced-chat}
workflow:
  features:
    file_upload:
      enabled: true
      allowed_file_types: [document]
      allowed_file_upload_methods: [local_file, remote_url]
  graph:
    nodes:
    - id: start
      data:
        type: start
        title: Start
        variables:
        - &file
          variable: paper
          type: file
          allowed_file_types: [document]
          allowed_file_upload_methods: [local_file]
        - {<<: *file, variable: more, type: file-list}
    - {id: one, data: {type: document-extractor, title: One, variable_selector: [start, paper]}}
    - {id: all, data: {type: document-extractor, title: All, variable_selector: [start, more]}}
    - {id: sent, data: {type: document-extractor, title: Sent, variable_selector: [sys, files]}}
    - id: answer
      data: {type: answer, title: Answer, answer: "{{#one.text#}} {{#all.text#}} {{#sent.text#}}"}
    edges:
    - {source: start, target: one}
    - {source: one, target: all}
    - {source: all, target: sent}
    - {source: sent, target: answer}
"""
LEAVE = (Path(__file__).parents[2] / "examples/apps/leave-request.yml").read_text(encoding="utf-8")


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
    for name, text in (
        ("echo.yml", ECHO),
        ("ask.yml", ASK),
        ("sum.yml", SUM),
        ("broken.yml", BROKEN),
        ("read.yml", READ),
        ("leave.yml", LEAVE),
    ):
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
        (["echo.yml", "x", "--file", "echo.yml"], "--file: echo.yml takes no files"),
        (
            ["read.yml", "x", "--file", "nothing.txt"],
            "--file nothing.txt: No such file or directory; give a file",
        ),
        (
            ["read.yml", "x", "--file", "ftp://a/b"],
            "--file ftp://a/b: No such file or directory; give a file",
        ),
        (["read.yml", "x", "--input", "paper=no.txt"], "--input paper no.txt: No such file or directory"),
        (["read.yml", "x", "--file", "."], "--file .: Is a directory; give a file"),
        (["leave.yml", "x", "--fill", "remark"], "--fill remark: write name=text"),
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


def test_files_of_this_machine_go_along(weft: Weft, run: Run) -> None:
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        weft.write(name, f"It says {name[0]}.")
    given = ("--input", "paper=a.txt", "--input", "more=b.txt", "--input", "more=c.txt", "--file", "d.txt")
    said = run("read.yml", "What is it?", *given)
    assert (said.code, said.err) == (0, "")
    assert [word for word in said.out.replace("[", " ").split() if word.endswith(".")] != []
    assert all(f"It says {letter}." in said.out for letter in "abcd")


def test_a_run_that_waits_for_a_form_says_how_to_fill_it_in(run: Run) -> None:
    said = run("leave.yml", "Two days off?")
    assert (said.code, said.out) == (3, "I have passed your request on.\n")
    assert said.err == "the run waits for 'Decide': --choose grant|refuse --fill remark=...\n"


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (["--choose", "grant"], "Granted. Have a good time."),
        (["--choose", "refuse", "--fill", "remark=Too busy."], "Refused. Too busy."),
    ],
)
def test_forms_are_filled_in_on_the_command_line(run: Run, given: list[str], answer: str) -> None:
    said = run("leave.yml", "Two days off?", *given, "--json")
    content = content_of(said)
    assert (said.code, content["status"]) == (0, "succeeded")
    assert content["answer"] == f"I have passed your request on.\n{answer}"
    assert "Remark: [remark]" in said.err


def test_an_action_that_a_form_does_not_have_is_refused(run: Run) -> None:
    said = run("leave.yml", "Two days off?", "--choose", "maybe")
    assert said.code == 2
    assert said.err.endswith("error: --choose maybe: the form 'Decide' has grant, refuse\n")
