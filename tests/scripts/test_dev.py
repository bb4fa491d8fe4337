from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parents[2] / "dev"
COMMANDS = ["demo", "test", "check", "fix", "bench", "docs", "lock"]


def dev(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(DEV), *arguments], cwd=cwd, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]])
def test_help_names_every_command_from_any_folder(arguments: list[str], tmp_path: Path) -> None:
    done = dev(*arguments, cwd=tmp_path)
    named = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert (done.returncode, named, done.stderr) == (0, COMMANDS, "")


def test_an_unknown_command_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    done = dev("tset", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "./dev COMMAND" in done.stderr
