from __future__ import annotations

import json
import runpy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.docs.page import ROOT
from weft.cli import main

EXAMPLES = ROOT / "examples"
APPS = EXAMPLES / "apps"

RUNS: dict[str, tuple[list[str], object]] = {
    "agent.yml": (["six times seven?"], "It is 42."),
    "careful.yml": (["Is green tea good?"], "You said: Is green tea good?"),
    "code.yml": (["how many words are there"], "5 words, the longest is WORDS"),
    "document-extractor.yml": (
        [
            "--input",
            'document:={"type": "document", "transfer_method": "remote_url", "url": "SITE/notes.txt"}',
        ],
        {"count": "3 words"},
    ),
    "hello.yml": (["hi"], "You said: hi"),
    "http-request.yml": (
        ["--input", "service=SITE/weather", "--input", "city=Oslo"],
        {"degrees": 21},
    ),
    "iteration.yml": (
        ["--input", "goods= Tea,Milk ,, bread,apples"],
        {"goods": ["apples", "bread", "milk"], "first": "apples"},
    ),
    "knowledge-retrieval.yml": (["What is oolong?"], "It is a tea between green and black."),
    "loop.yml": (["--input", "number:=9"], {"value": 0.5625, "rounds": 4}),
    "notes.yml": (["buy oil"], "Noted: buy oil"),
    "parameter-extractor.yml": (["four on Friday"], "A table for 4 on Friday."),
    "question-classifier.yml": (
        ["Where is my package?"],
        "a parcel: Please tell us the number of your parcel.",
    ),
    "summary.yml": (["--input", "text=Long."], {"summary": "You said: Long.", "sentences": 1}),
    "tea-shop.yml": (["I want to wake up"], "Hello Guest. Take a strong Assam."),
    "tool.yml": (
        ["--input", "expression=6*7"],
        {"result": 'The result of the expression "6*7" is 42'},
    ),
}
"""What each app is asked, and its answer or its outputs; ``SITE`` is a web server of this machine."""
FILES = {"/notes.txt": b"one two three", "/weather?city=Oslo": b'{"degrees": 21}'}


class Pages(BaseHTTPRequestHandler):
    """A web server with a few files."""

    def do_GET(self) -> None:
        content = FILES.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


PAUSING = "leave-request.yml"
"""It waits for a person; `07_ask_a_person.py` is one."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs_offline_and_finds_what_it_expects(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")


def test_every_app_among_the_examples_has_a_run() -> None:
    apps = {path.name for path in APPS.glob("*.yml") if not path.name.endswith(".cases.yml")}
    assert apps == {*RUNS, PAUSING}


@pytest.mark.parametrize("name", RUNS)
def test_an_app_says_what_it_should(
    name: str, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, expected = RUNS[name]
    monkeypatch.chdir(tmp_path)
    options = ["--config", str(APPS / "script.toml"), "--data", str(tmp_path), "--json"]
    options += ["--http-allow-private-addresses", "true"]
    code = main(["run", str(APPS / name), *(word.replace("SITE", site) for word in asked), *options])
    ran = json.loads(capsys.readouterr().out)
    assert (code, ran["status"]) == (0, "succeeded")
    assert (ran["outputs"] if ran["answer"] is None else ran["answer"]) == expected
