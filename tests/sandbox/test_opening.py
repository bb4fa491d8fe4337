from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.sandbox.attacks import IMPORT_PATH
from weft.errors import SandboxUnavailableError
from weft.sandbox import Sandbox, SandboxLimits, open_sandbox
from weft.sandbox.confined import ConfinedSandbox
from weft.sandbox.inside.messages import Setup

pytestmark = pytest.mark.anyio

SERVER = """
import asyncio, errno, os, sys
from weft.errors import SandboxUnavailableError
from weft.sandbox import open_sandbox
from weft.sandbox.inside import kernel, seccomp

def block(number, argument, value, error):
    "Make one system call fail in this process and its children, as a kernel or container without it does."
    code = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16 + 8 * argument), (0x15, 0, 1, value),
            (0x06, 0, 0, 0x50000 | error), (0x06, 0, 0, 0x7FFF0000)]
    program = kernel.buffer(seccomp.encode(code))
    head = kernel.buffer(seccomp.struct.pack("@HP", len(code), kernel.address(program)))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_SECCOMP, 2, kernel.address(head))

PRCTL = 167 if os.uname().machine == "aarch64" else 157

async def main():
    sandbox = open_sandbox()
    try:
        print(await sandbox.run("python3", "def main(): return {'ran': True}", {}))
    except SandboxUnavailableError as error:
        print(error)
    finally:
        await sandbox.close()
"""


def answer_of_a_server(preparation: str) -> str:
    program = f"{SERVER}\n{textwrap.dedent(preparation)}\nasyncio.run(main())"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": IMPORT_PATH},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_server_of_these_tests_runs_code_when_nothing_is_missing() -> None:
    assert answer_of_a_server("") == "{'ran': True}"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("ENOSYS", "it needs Linux 5.13 or newer, built with CONFIG_SECURITY_LANDLOCK"),
        ("ENOTSUP", "it is built in but switched off: add landlock to the kernel's lsm= parameter"),
        ("EPERM", "the container's seccomp profile blocks it: allow landlock_create_ruleset, "),
    ],
)
def test_without_landlock_nothing_is_run(error: str, remedy: str) -> None:
    answer = answer_of_a_server(f"block(444, 0, 0, errno.{error})")
    assert answer.startswith(f"code cannot be run on this machine: Landlock is not available ({error}: ")
    assert remedy in answer


def test_without_filters_of_system_calls_nothing_is_run() -> None:
    answer = answer_of_a_server("block(PRCTL, 0, kernel.PR_SET_SECCOMP, errno.EINVAL)")
    assert answer.startswith(
        "code cannot be run on this machine: seccomp filters are not available (EINVAL: "
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be stuck as root")
def test_a_root_that_cannot_become_anybody_else_runs_nothing() -> None:
    answer = answer_of_a_server("""
        PR_CAPBSET_DROP, CAP_SETGID, CAP_SETUID = 24, 6, 7
        kernel.prctl(PR_CAPBSET_DROP, CAP_SETGID)
        kernel.prctl(PR_CAPBSET_DROP, CAP_SETUID)
    """)
    assert "the process runs as root and cannot become an ordinary user (EPERM: " in answer


async def test_another_system_than_linux_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    sandbox = open_sandbox()
    with pytest.raises(SandboxUnavailableError, match=r"confined on plan9, .* use Linux 5\.13 or newer"):
        await sandbox.run("python3", "def main(): return {}", {})
    await sandbox.close()


async def refusal(sandbox: Sandbox) -> str:
    try:
        with pytest.raises(SandboxUnavailableError) as caught:
            await sandbox.run("python3", "def main(): return {}", {})
    finally:
        await sandbox.close()
    return str(caught.value)


async def test_a_missing_folder_of_packages_is_named(tmp_path: Path) -> None:
    message = await refusal(open_sandbox(packages=[tmp_path / "absent"]))
    assert f"the folder {tmp_path / 'absent'} cannot be opened (ENOENT: " in message
    assert message.endswith("correct the setting 'sandbox.packages'")


async def test_an_interpreter_that_cannot_be_started_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    message = await refusal(open_sandbox())
    assert message.startswith("'/nowhere/python' cannot be started: ")


async def test_an_interpreter_that_ends_at_once_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    message = await refusal(open_sandbox())
    assert message == (
        "code cannot be run on this machine: the sandbox process did not start: it ended without a word"
    )


@pytest.mark.parametrize("user_ids", [range(60600, 60601), range(2), range(0)])
async def test_user_ids_that_are_too_few_or_root_are_refused(user_ids: range) -> None:
    assert (
        await refusal(open_sandbox(user_ids=user_ids))
        == f"no code is run as {user_ids}; give a range of two user ids or more, without 0"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="user ids are given by root alone")
async def test_a_child_that_stayed_root_would_run_nothing() -> None:
    setup = Setup(packages=(), quickjs=None, user_ids=(0, 1))
    message = await refusal(ConfinedSandbox(setup, SandboxLimits(), concurrency=1))
    assert "the process keeps privileges that it cannot drop" in message


@pytest.mark.skipif(os.geteuid() != 0, reason="user ids are given by root alone")
async def test_calls_at_once_run_as_different_users() -> None:
    source = "import os, time\ndef main():\n time.sleep(0.1)\n return {'id': os.getuid()}"
    sandbox = open_sandbox(concurrency=3, user_ids=range(61000, 61004), limits=SandboxLimits(processes=1))
    try:
        results = await asyncio.gather(*[sandbox.run("python3", source, {}) for _ in range(3)])
    finally:
        await sandbox.close()
    ids = {result["id"] for result in results}
    assert len(ids) == 3
    assert ids <= set(range(61000, 61004))
