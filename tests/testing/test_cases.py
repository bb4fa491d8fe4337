from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.testing.test_flow import app, llm
from weft.errors import ConfigError
from weft.testing.case import read_cases
from weft.testing.expectation import Expectation, complaints
from weft.testing.flow import FlowRun, ask
from weft.testing.suite import Suite

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path) -> FlowRun:
    """Somebody was greeted."""
    return ask(app(tmp_path, llm(), answer="{{#llm.text#}}"), "Good morning")


PASSING = [
    {"answer": "You said: Good morning"},
    {"answer": {"equals": "You said: Good morning"}},
    {"answer": {"contains": ["said", "Good"], "not_contains": "night"}},
    {"answer": {"matches": "^You .*morning$", "length": 22}},
    {"answer": {"one_of": ["Hello", "You said: Good morning"]}},
    {"error": None, "outputs": {"answer": {"exists": True}, "more": {"exists": False}}},
    {"ran": ["Model", "llm"], "not_ran": ["Other"], "order": ["start", "Model", "answer"]},
    {"nodes": {"Model": {"times": 1, "status": "succeeded", "outputs": {"finish_reason": "stop"}}}},
    {"nodes": {"Other": {"times": 0}}},
    {"nodes": {"llm": {"outputs": {"usage": {"exists": True}}}}, "max_tokens": 1000},
]


@pytest.mark.parametrize("expected", PASSING)
def test_what_is_as_expected_raises_no_complaint(run: FlowRun, expected: dict[str, object]) -> None:
    assert complaints(msgspec.convert(expected, Expectation), run) == []


FAILING = [
    ({"status": "failed"}, ["status: expected 'failed', got 'succeeded'"]),
    ({"answer": "Hello"}, ["answer: expected 'Hello', got 'You said: Good morning'"]),
    (
        {"answer": {"contains": "night"}},
        ["answer: expected contains 'night', got 'You said: Good morning'"],
    ),
    ({"outputs": {"more": 1}}, ["outputs.more: expected 1, got nothing"]),
    ({"outputs": {"more": {"at_least": 1}}}, ["outputs.more: expected at_least 1, got nothing"]),
    ({"outputs": {"answer": {"exists": False}}}, ["outputs.answer: expected to be absent"]),
    ({"variables": {"count": 1}}, ["variables.count: expected 1, got nothing"]),
    ({"ran": ["Other"]}, ["node 'Other' did not run"]),
    ({"not_ran": ["Model"]}, ["node 'Model' ran"]),
    ({"order": ["answer", "llm"]}, ["order: expected answer, llm; got llm, answer"]),
    ({"order": ["Other"]}, ["order: node 'Other' did not run"]),
    ({"nodes": {"Model": {"times": 2}}}, ["node 'Model': expected 2 executions, got 1"]),
    ({"nodes": {"Other": {}}}, ["node 'Other' did not run"]),
    (
        {"nodes": {"Model": {"outputs": {"text": {"length": 3}}}}},
        ["node 'Model' outputs.text: expected length 3, got 'You said: Good morning'"],
    ),
    ({"max_tokens": 1}, ["tokens: expected at most 1, got"]),
]


@pytest.mark.parametrize(("expected", "told"), FAILING)
def test_what_is_not_as_expected_is_told(run: FlowRun, expected: dict[str, object], told: list[str]) -> None:
    found = complaints(msgspec.convert(expected, Expectation), run)
    assert [complaint[: len(start)] for complaint, start in zip(found, told, strict=True)] == told


BAD_FILES = [
    ("cases: [", "is no YAML"),
    ("cases: []", "there are no cases in it"),
    ("cases: [{name: a, ask: Hi}]", r"unknown field `ask` - at `\$.cases\[0\]`"),
    ("cases: [{name: a, expect: {anser: Hi}}]", r"unknown field `anser` - at `\$.cases\[0\].expect`"),
    ("cases: [{name: a}, {name: a}]", "two cases are named 'a'"),
    ("cases: [{name: a, query: Hi, turns: [{query: Hi}]}]", "has turns, so query"),
    ("cases: [{name: a, query: Hi, replay: a.json}]", "replays a recording"),
    ("cases: [{name: a, expect: {answer: {matches: '('}}}]", "is no regular expression"),
    ("{cases: [{name: a}], mocks: {x: {}}}", "a mock says one of text"),
]


@pytest.mark.parametrize(("text", "told"), BAD_FILES)
def test_a_bad_file_of_cases_is_refused_and_says_where(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.cases.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        read_cases(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_of_cases_needs_an_app(tmp_path: Path) -> None:
    path = tmp_path / "some.cases.yml"
    path.write_text("cases: [{name: a, query: Hi}]")
    with pytest.raises(ConfigError, match=r"names no app; write `app: my-app\.yml`"):
        Suite(path)


@pytest.mark.anyio
async def test_a_case_tells_the_turn_in_which_it_fails(tmp_path: Path) -> None:
    app(tmp_path, llm(), answer="{{#llm.text#}}")
    path = tmp_path / "some.cases.yml"
    path.write_text(
        "app: app.yml\n"
        "mocks: {llm: [{text: one}, {text: two}]}\n"
        "cases:\n"
        "- name: counts\n"
        "  turns: [{query: Hi, expect: {answer: one}}, {query: Hi, expect: {answer: three}}]\n"
        "- name: begins again\n"
        "  query: Hi\n"
        "  expect: {answer: one}\n"
    )
    suite = Suite(path)
    results = [await suite.run(case) for case in suite.cases]
    assert [(result.name, result.complaints) for result in results] == [
        ("counts", ["turn 2: answer: expected 'three', got 'two'"]),
        ("begins again", []),
    ]


@pytest.mark.anyio
async def test_an_app_that_cannot_be_run_fails_the_case(tmp_path: Path) -> None:
    (tmp_path / "app.yml").write_text("kind: app\n")
    path = tmp_path / "some.cases.yml"
    path.write_text("{app: app.yml, cases: [{name: a, query: Hi}]}")
    suite = Suite(path)
    result = await suite.run(suite.cases[0])
    assert not result.passed


def test_pytest_finds_and_runs_files_of_cases(tmp_path: Path) -> None:
    app(tmp_path, answer="Hello")
    (tmp_path / "some.cases.yml").write_text(
        "app: app.yml\n"
        "cases:\n"
        "- {name: greets, query: Hi, expect: {answer: Hello}}\n"
        "- {name: is polite, query: Hi, expect: {answer: Good day}}\n"
    )
    (tmp_path / "bad.cases.yml").write_text("cases: []\n")
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 2, outcome.stdout + outcome.stderr
    assert "bad.cases.yml: there are no cases in it" in outcome.stdout
    (tmp_path / "bad.cases.yml").unlink()
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 failed, 1 passed" in outcome.stdout
    assert "answer: expected 'Good day', got 'Hello'" in outcome.stdout


def plugin() -> list[str]:
    """What makes pytest load the plugin where this environment was made before there was one."""
    from importlib.metadata import entry_points

    known = {entry.value for entry in entry_points(group="pytest11")}
    return [] if "weft.testing.pytest_plugin" in known else ["-p", "weft.testing.pytest_plugin"]


def test_the_cases_of_the_examples_pass() -> None:
    path = ROOT / "examples" / "apps" / "question-classifier.cases.yml"
    outcome = subprocess.run(
        [sys.executable, "-m", "weft", "test", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.stdout.splitlines()[-1] == "4 passed, 0 failed"
