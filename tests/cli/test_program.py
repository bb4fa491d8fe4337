from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.command import Weft
from weft.cli import commands as commands_module
from weft.cli import main
from weft.errors import StoreError
from weft.version import __version__

COMMANDS = ("demo", "serve", "run", "check", "config", "version")
HEAVY = (
    "weft.server",
    "weft.runs",
    "weft.store",
    "sqlalchemy",
    "pydantic",
    "starlette",
    "uvicorn",
    "aiohttp",
)


def loaded_by(weft: Weft, *words: str) -> set[str]:
    """The modules that are there after a command line was run."""
    program = (
        f"import sys; from weft.cli import main; main({list(words)!r}); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=weft.folder,
        env=weft.environ(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return set(done.stderr.split())


def test_the_version_is_told_without_loading_anything(weft: Weft) -> None:
    assert loaded_by(weft, "--version").isdisjoint({"cyclopts", "rich", *HEAVY})


@pytest.mark.parametrize("words", [["--help"], ["serve", "--help"], ["demo", "--help"], ["run", "--help"]])
def test_help_loads_nothing_of_the_server(weft: Weft, words: list[str]) -> None:
    assert loaded_by(weft, *words).isdisjoint(HEAVY)


def test_the_version_can_be_asked_for_in_three_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert [main(["--version"]), main(["version"]), main(["serve", "--version"])] == [0, 0, 0]
    assert capsys.readouterr().out == f"weft {__version__}\n" * 3


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f" {name} " in shown] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_its_exit_codes(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert (f"\n  weft {command}" in shown, "\nExit codes: " in shown) == (True, True), shown


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["sreve"], 'Unknown command "sreve". Did you mean "serve"?'),
        (["demo", "--sreve"], "Unknown option: --sreve. Did you mean --serve?"),
        (["run"], 'Command "run" parameter FILE requires an argument'),
        (["check"], "no file is named"),
        (["serve", "--prot", "1"], "there is no option --prot; did you mean --port?"),
        (["serve", "--redy-file", "x"], "there is no option --redy-file; did you mean --ready-file?"),
        (["serve", "--limits.max_steps", "1"], "there is no option --limits.max_steps"),
        (["serve", "--port", "99999"], "port: '99999' (from --port) is not allowed"),
        (["config", "--limits-max-steps", "no"], "limits.max_steps: 'no' (from --limits-max-steps)"),
    ],
)
def test_a_bad_call_is_answered_with_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    code = main(words)
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"error: {complaint}")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (StoreError("the disk is full"), 1, "error: the disk is full\n"),
        (
            FileNotFoundError(2, "No such file or directory", "x.yml"),
            1,
            "error: x.yml: No such file or directory\n",
        ),
        (
            ZeroDivisionError("division\nby zero"),
            1,
            "error: unexpected ZeroDivisionError: division by zero; this is a fault of Weft; "
            "WEFT_DEBUG=1 tells more\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_has_no_traceback(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    told: str,
) -> None:
    def fail(words: object) -> int:
        raise error

    monkeypatch.setattr(commands_module, "run_command", fail)
    monkeypatch.delenv("WEFT_DEBUG", raising=False)
    assert (main(["config"]), capsys.readouterr().err) == (code, told)


def test_an_error_is_raised_as_it_is_when_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: object) -> int:
        raise StoreError("the disk is full")

    monkeypatch.setattr(commands_module, "run_command", fail)
    monkeypatch.setenv("WEFT_DEBUG", "1")
    with pytest.raises(StoreError):
        main(["config"])


def test_a_reader_that_leaves_is_no_error(weft: Weft) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "weft", "config"],
        cwd=weft.folder,
        env=weft.environ(),
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
