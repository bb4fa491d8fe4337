"""A reader at a terminal who does what a page says, in a folder of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.docs.matching import explain_difference
from tests.docs.page import ROOT, Block, DocPage
from weft.settings import load_settings

PATIENCE = 60.0
"""Seconds for one command; a bound for machines that are busy, not a wait."""
_HOME = "/home/ada"
"""Where the reader of a page is; the test puts its own folder there."""
_PORT = "8600"
_KEY = "a key of the tests, longer than any has to be"
_SERVER = re.compile(r"^(\w+=\S+ +)*weft serve\b|^python -m weft\.testing\.fake_models\b")
_READY = ("Ready.", "http://")


class Failed(AssertionError):
    """A page does not do what it says."""


class Session:
    """Runs the blocks of one page, from its top to its end.

    Args:
        page: The page.
        folder: An empty folder.
        programs: The folder with the program `weft`.
        stand_ins: Texts of the page to what stands in for them here.
    """

    def __init__(self, page: DocPage, folder: Path, programs: Path, stand_ins: Mapping[str, str]) -> None:
        self._page = page
        self._folder = folder
        self._programs = programs
        self._stand_ins = {_PORT: str(free_port()), _HOME: str(folder), **stand_ins}
        self._environment = _environment(folder, programs)
        self._environment["WEFT_PORT"] = self._stand_ins[_PORT]
        self._shell: subprocess.Popen[str] | None = None
        self._python: subprocess.Popen[str] | None = None
        self._servers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        (self._folder / "examples").symlink_to(ROOT / "examples")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._shell, self._python):
            if process is not None:
                _kill(process)
        self._stop_servers()

    def run(self) -> None:
        """Do everything.

        Raises:
            Failed: Something does not do what the page says.
        """
        blocks = self._page.blocks
        for place, block in enumerate(blocks):
            shown = blocks[place + 1] if place + 1 < len(blocks) else None
            try:
                self._do(block, shown.text if shown is not None and shown.language == "text" else None)
            except Failed as failure:
                raise Failed(f"{self._page.name}:{block.line}: {failure}") from None

    def _do(self, block: Block, shown: str | None) -> None:
        if block.title is not None:
            path = self._folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(block.text), encoding="utf-8")
        match block.language:
            case "console":
                for command, output in commands(block.text):
                    self._command(command, output)
            case "python" if block.title is None:
                self._compare(shown or "", self._interpret(self._here(block.text), block.line))
            case "toml":
                self._check_toml(block)
            case "json":
                json.loads(block.text)
            case "sh" | "text" | "python" | "yaml":
                pass  # seen to elsewhere
            case _:
                raise Failed(f"a block of the language {block.language!r} would not be checked")

    def _command(self, command: str, shown: str) -> None:
        command = self._here(command)
        run = self._start_server if _SERVER.match(command) else self._run_in_shell
        printed = run(command)
        self._compare(shown, printed, f"$ {command}\n")

    def _compare(self, shown: str, printed: str, head: str = "") -> None:
        difference = explain_difference(shown, self._there(printed))
        if difference:
            raise Failed(head + difference)

    def _run_in_shell(self, command: str) -> str:
        if self._shell is None:
            self._shell = self._spawn(["sh"], stderr=subprocess.STDOUT)
        mark = "end-of-command"
        with _watched(self._shell):
            self._shell_input.write(f"{command}\nprintf '\\n%s\\n' {mark}\n")
            self._shell_input.flush()
            lines: list[str] = []
            for line in _output(self._shell):
                if line == f"{mark}\n":
                    return "".join(lines)
                lines.append(line)
        raise Failed(f"$ {command}\nthe shell ended; it printed\n{''.join(lines)}")

    @property
    def _shell_input(self) -> IO[str]:
        assert self._shell is not None
        assert self._shell.stdin is not None
        return self._shell.stdin

    def _start_server(self, command: str) -> str:
        if "weft serve" in command:
            self._stop_servers()
        server = self._spawn(["sh", "-c", command], stderr=subprocess.STDOUT)
        self._servers.append(server)
        lines: list[str] = []
        with _watched(server):
            for line in _output(server):
                lines.append(line)
                if line.startswith(_READY):
                    return "".join(lines)
        raise Failed(f"$ {command}\nthe server does not accept requests; it printed\n{''.join(lines)}")

    def _stop_servers(self) -> None:
        while self._servers:
            server = self._servers.pop()
            with _watched(server):
                os.killpg(server.pid, signal.SIGTERM)
                for _ in _output(server):
                    pass
            server.wait(PATIENCE)
            _close(server)

    def _interpret(self, code: str, line: int) -> str:
        if self._python is None:
            self._python = self._spawn([str(self._programs / "interpreter")], stderr=None)
        assert self._python.stdin is not None
        with _watched(self._python):
            # So that an error names the page's own line.
            self._python.stdin.write(json.dumps({"name": self._page.name, "code": "\n" * line + code}) + "\n")
            self._python.stdin.flush()
            reply = next(iter(_output(self._python)), "")
        if not reply:
            raise Failed("the interpreter ended")
        told = json.loads(reply)
        if told["error"]:
            raise Failed(f"{told['output']}\n{told['error']}")
        return str(told["output"])

    def _check_toml(self, block: Block) -> None:
        content = tomllib.loads(block.text)
        if "project" in content:
            return
        folder = self._folder / f"settings-{block.line}"
        folder.mkdir()
        (folder / "weft.toml").write_text(self._here(block.text), encoding="utf-8")
        named = re.findall(r"env:(\w+)", block.text)
        settings = load_settings(environ=dict.fromkeys(named, _KEY), cwd=folder)
        assert settings.describe()

    def _spawn(self, command: list[str], *, stderr: int | None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )

    def _here(self, text: str) -> str:
        """What the page says, as it has to be said here."""
        for there, here in self._stand_ins.items():
            text = text.replace(there, here)
        return text

    def _there(self, text: str) -> str:
        for there, here in self._stand_ins.items():
            text = text.replace(here, there)
        return text


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that is shown for it."""
    command: list[str] = []
    output: list[str] = []
    for line in text.splitlines():
        if command and command[-1].endswith("\\") and not output:
            command.append(line)
        elif line.startswith("$ "):
            if command:
                yield "\n".join(command), "\n".join(output)
            command, output = [line[2:]], []
        elif not command:
            raise Failed(f"a console block begins with a command, not with {line!r}")
        else:
            output.append(line)
    if command:
        yield "\n".join(command), "\n".join(output)


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _environment(folder: Path, programs: Path) -> dict[str, str]:
    """That of this process without any settings of Weft's, with the programs that pages use first."""
    path = (str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("WEFT_", "DIFY_", "PYTHON"))
    }
    return {
        **environment,
        "PATH": os.pathsep.join(path),
        "WEFT_DATA": str(folder / "data"),
        "COLUMNS": "100",
        "TERM": "dumb",
        "no_proxy": "127.0.0.1,localhost",
    }


@contextmanager
def _watched(process: subprocess.Popen[str]) -> Iterator[None]:
    """End the process if it takes too long, which ends its output too."""
    timer = threading.Timer(PATIENCE, _kill, [process])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _close(process)


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def missing_programs(page: DocPage) -> list[str]:
    """Programs that the page's commands need and this machine lacks."""
    text = "\n".join(block.text for block in page.blocks if block.language == "console")
    used = (name for name in ("curl", "sqlite3", "jq") if re.search(rf"\b{name} ", text))
    return [name for name in used if not shutil.which(name)]
