"""The `weft` command as a process of its own, which is how people meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

BOUND = 30.0
"""Seconds after which a process that should have ended or spoken is killed."""

ECHO = """\
kind: app
version: 0.3.1
app: {name: Echo, mode: advanced-chat}
workflow:
  graph:
    nodes:
    - {id: start, data: {type: start, title: Start, variables: [{variable: name, type: text-input}]}}
    - {id: answer, data: {type: answer, title: Say it, answer: "{{#sys.query#}}, {{#start.name#}}"}}
    edges:
    - {source: start, target: answer}
"""
ASK = """\
kind: app
version: 0.3.1
app: {name: Ask, mode: advanced-chat}
workflow:
  graph:
    nodes:
    - {id: start, data: {type: start, title: Start, variables: []}}
    - id: llm
      data:
        type: llm
        title: Model
        model: {provider: acme, name: small, mode: chat}
        prompt_template: [{role: user, text: "{{#sys.query#}}"}]
    - {id: answer, data: {type: answer, title: Answer, answer: "{{#llm.text#}}"}}
    edges:
    - {source: start, target: llm}
    - {source: llm, target: answer}
"""
SUM = """\
kind: app
version: 0.3.1
app: {name: Sum, mode: workflow}
workflow:
  graph:
    nodes:
    - id: start
      data:
        type: start
        title: Start
        variables:
        - {variable: a, type: number, required: true}
        - {variable: about, type: json_object, required: false}
    - id: plus
      data:
        type: template-transform
        title: Plus one
        template: "{{ a + 1 }}"
        variables: [{variable: a, value_selector: [start, a]}]
    - id: end
      data:
        type: end
        title: End
        outputs:
        - {variable: more, value_selector: [plus, output]}
        - {variable: about, value_selector: [start, about]}
    edges:
    - {source: start, target: plus}
    - {source: plus, target: end}
"""
BROKEN = """\
kind: app
version: 0.3.1
app: {name: Broken, mode: advanced-chat}
workflow:
  graph:
    nodes:
    - {id: start, data: {type: start, title: Start, variables: []}}
    - {id: magic, data: {type: magic, title: Abracadabra}}
    - {id: answer, data: {type: answer, title: Answer, answer: hello}}
    edges:
    - {source: start, target: magic}
    - {source: nowhere, target: answer}
"""


def script(*rules: Mapping[str, object]) -> str:
    """A settings file in which a script answers for the provider of `ASK`."""
    lines = ["[providers.acme]", 'type = "scripted"']
    for rule in rules:
        lines += ["[[providers.acme.options.rules]]", *(f"{key} = {json.dumps(rule[key])}" for key in rule)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Weft:
    """Starts the command in a folder.

    Attributes:
        folder: Where it is started.
        data: Its data folder, by the environment.
        bytecode: Where compiled modules are kept.
    """

    folder: Path
    data: Path
    bytecode: Path

    def write(self, name: str, content: str) -> Path:
        """Put a file into the folder."""
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "weft", *words],
            cwd=self.folder,
            env=self.environ(**environ),
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )

    @contextmanager
    def serve(self, *words: str, **environ: str) -> Iterator[Server]:
        """Start a server on a free port and wait until it is ready; what still runs in the end is killed."""
        ready = self.folder / "ready.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "weft", "serve", *words, "--port", "0", "--ready-file", ready.name],
            cwd=self.folder,
            env=self.environ(**environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(BOUND, process.kill)
        watchdog.start()
        try:
            server = Server(process, ready)
            server.wait_for("Ready.")
            yield server
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()

    def environ(self, **more: str) -> dict[str, str]:
        """The environment that it is started in."""
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "WEFT_DATA": str(self.data),
            "PYTHONPYCACHEPREFIX": str(self.bytecode),
            "PYTHONWARNINGS": "error",
            "WEFT_LOG_REQUESTS": "false",
            **more,
        }


class Server:
    """A `weft serve` that is ready."""

    def __init__(self, process: subprocess.Popen[str], ready_file: Path) -> None:
        self.process = process
        self.ready_file = ready_file
        self.output = ""
        """What it has printed so far."""

    def wait_for(self, beginning: str) -> None:
        """Read what it prints until a line begins so."""
        for line in self._stdout:
            self.output += line
            if line.startswith(beginning):
                return
        raise AssertionError(f"it ended before {beginning!r}: {self.output}{self._stderr.read()}")

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file says."""
        content: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return content

    def end(self) -> tuple[int, str]:
        """Wait for its end: exit code, and what it wrote to standard error."""
        self.output += self._stdout.read()
        errors = self._stderr.read()
        return self.process.wait(BOUND), errors

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def _stderr(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr
