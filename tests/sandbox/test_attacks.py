from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import cast

import pytest

from tests.sandbox.attacks import ATTACKS, IMPORT_PATH, unconfined
from weft.sandbox.opening import USER_IDS

ORDINARY_USER = 54321
IDENTITIES = ["root", "ordinary user"] if os.geteuid() == 0 else ["ordinary user"]
HARMLESS = [
    "read the password file",
    "read a file of the project",
    "read a file of the server's user",
    "list the root folder",
    "list the folder of the project",
    "read the first process's command line",
    "change into a folder",
    "make a file in memory",
    "change the time of a file",
    "connect by TCP",
    "connect by a system call",
    "connect to a socket on disk",
    "connect to an abstract socket",
    "make a pair of sockets that can be redirected",
    "start a program",
    "become another program",
    "spawn a program",
    "fork",
    "get a handle on the server",
    "be dumpable again",
    "outlive the zygote",
]
"""Attacks that do no damage where nothing holds them."""


def python_for(user_id: int) -> str | None:
    """An interpreter of our version that this user may start; ours may lie in a private home."""
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, shutil.which(same, path="/usr/local/bin:/usr/bin")):
        if program is None:
            continue
        try:
            tried = subprocess.run(
                [program, "-c", "import msgspec"], user=user_id, env={"PYTHONPATH": IMPORT_PATH}, check=False
            )
        except PermissionError:
            continue
        if tried.returncode == 0:
            return program
    return None


@cache
def outcomes(identity: str) -> dict[str, object]:
    program: str | None = sys.executable
    arguments: list[str] = []
    if identity == "ordinary user" and os.geteuid() == 0:
        program = python_for(ORDINARY_USER)
        arguments = [str(ORDINARY_USER)]
    if program is None:
        pytest.skip("there is no interpreter here that an ordinary user may start")
    script = str(Path(__file__).with_name("attacks.py"))
    ended = subprocess.run(
        [program, script, *arguments],
        env={"PYTHONPATH": IMPORT_PATH, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return cast(dict[str, object], json.loads(ended.stdout))


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_fails_at_the_wall_it_should_fail_at(identity: str, attack: str) -> None:
    outcome = str(outcomes(identity)[attack])
    assert outcome.startswith(ATTACKS[attack][1]), outcome


@pytest.mark.parametrize("identity", IDENTITIES)
def test_code_sees_nothing_of_the_server(identity: str) -> None:
    seen = outcomes(identity)["who"]
    assert isinstance(seen, dict)
    users = seen.pop("users")
    folders = len(seen["path"])
    assert seen == {
        "environment": {},
        "arguments": [""],
        "program": "",
        "groups": seen["groups"] if identity == "ordinary user" and os.geteuid() != 0 else [],
        "path": [f"/proc/self/fd/{10 + number}" for number in range(folders)],
        "descriptors": {
            **dict.fromkeys(["0", "1", "2"], "device"),
            "3": "socket",
            **{str(10 + number): "folder" for number in range(folders)},
        },
    }
    assert len(set(users)) == 1
    if identity == "root":
        assert users[0] in USER_IDS
    else:
        assert users[0] == (ORDINARY_USER if os.geteuid() == 0 else os.getuid())


def test_the_attacks_work_where_nothing_holds_them() -> None:
    assert unconfined(HARMLESS) == dict.fromkeys(HARMLESS, "it worked")
