from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from weft.errors import CodeFailedError, SandboxError
from weft.sandbox import Sandbox, SandboxLimits, open_sandbox

pytestmark = pytest.mark.anyio

WHO_FORKED_ME = (
    "import os\ndef main(seconds=0):\n import time; time.sleep(seconds)\n return {'id': os.getppid()}"
)
ENDLESS = "def main():\n while True: pass"


@pytest.fixture
async def narrow() -> AsyncIterator[Sandbox]:
    """A sandbox with one place, so that a second call proves that the first has given it back."""
    opened = open_sandbox(concurrency=1)
    yield opened
    await opened.close()


async def zygote_of(sandbox: Sandbox) -> int:
    result = await sandbox.run("python3", WHO_FORKED_ME, {})
    found = result["id"]
    assert isinstance(found, int)
    return found


async def test_calls_at_once_get_each_its_own_result(sandbox: Sandbox) -> None:
    python = "def main(n): print('noise'); return {'n': n, 'square': n * n}"
    javascript = "function main({n}) { return {n, square: n * n} }"

    async def call(number: int) -> dict[str, object]:
        if number % 2:
            return await sandbox.run("python3", python, {"n": number})
        return await sandbox.run("javascript", javascript, {"n": number})

    results = await asyncio.gather(*[call(number) for number in range(24)])
    assert results == [{"n": number, "square": number * number} for number in range(24)]


async def test_no_more_calls_run_at_once_than_there_are_places() -> None:
    source = """
import time
def main():
    start = time.monotonic()
    time.sleep(0.05)
    return {"start": start, "end": time.monotonic()}
"""
    sandbox = open_sandbox(concurrency=2)
    try:
        spans = await asyncio.gather(*[sandbox.run("python3", source, {}) for _ in range(6)])
    finally:
        await sandbox.close()
    moments = sorted(
        (span[edge], 1 if edge == "start" else -1) for span in spans for edge in ("start", "end")
    )
    at_once, most = 0, 0
    for _, step in moments:
        at_once += step
        most = max(most, at_once)
    assert most == 2


async def test_cancelling_the_caller_ends_the_code_and_frees_its_place(narrow: Sandbox) -> None:
    call = asyncio.create_task(narrow.run("python3", ENDLESS, {}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await call
    assert call.cancelled()
    async with asyncio.timeout(5):
        assert await narrow.run("python3", "def main(): return {'next': True}", {}) == {"next": True}


async def test_cancelling_a_caller_that_waits_for_a_place_harms_nobody(narrow: Sandbox) -> None:
    first = asyncio.create_task(narrow.run("python3", WHO_FORKED_ME, {"seconds": 0.1}))
    second = asyncio.create_task(narrow.run("python3", ENDLESS, {}))
    await asyncio.sleep(0)
    second.cancel()
    assert isinstance((await first)["id"], int)
    with pytest.raises(asyncio.CancelledError):
        await second
    await narrow.run("python3", WHO_FORKED_ME, {})


async def test_a_killed_zygote_is_replaced(sandbox: Sandbox) -> None:
    before = await zygote_of(sandbox)
    os.kill(before, signal.SIGKILL)
    after = await zygote_of(sandbox)
    assert after != before
    assert await zygote_of(sandbox) == after


async def test_a_call_that_loses_its_zygote_is_run_again(sandbox: Sandbox) -> None:
    before = await zygote_of(sandbox)
    asyncio.get_running_loop().call_later(0.1, os.kill, before, signal.SIGKILL)
    result = await sandbox.run("python3", WHO_FORKED_ME, {"seconds": 0.3})
    assert result["id"] != before


async def test_the_children_of_a_killed_zygote_die_with_it(sandbox: Sandbox) -> None:
    zygote = await zygote_of(sandbox)
    call = asyncio.create_task(sandbox.run("python3", ENDLESS, {}))
    await asyncio.sleep(0)
    handles = await asyncio.to_thread(children_of, zygote)
    os.kill(zygote, signal.SIGKILL)
    assert await asyncio.to_thread(all_ended, handles)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def children_of(process_id: int) -> list[int]:
    """Handles on the children, of which there is at least one as soon as the process has got to it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
        if children:
            return [os.pidfd_open(int(child)) for child in children]
    pytest.fail("no child was forked")


def all_ended(handles: list[int]) -> bool:
    ended = [bool(select.select([handle], [], [], 5)[0]) for handle in handles]
    for handle in handles:
        os.close(handle)
    return all(ended)


async def test_a_closed_sandbox_ends_what_is_running_and_runs_nothing_more() -> None:
    sandbox = open_sandbox()
    handle = os.pidfd_open(await zygote_of(sandbox))
    call = asyncio.create_task(sandbox.run("python3", ENDLESS, {}))
    await asyncio.sleep(0)
    await sandbox.close()
    with pytest.raises(SandboxError, match="the sandbox is closed"):
        await call
    with pytest.raises(SandboxError, match="the sandbox is closed"):
        await sandbox.run("python3", WHO_FORKED_ME, {})
    assert all_ended([handle])


async def test_closing_twice_or_unused_is_fine() -> None:
    sandbox = open_sandbox()
    await sandbox.close()
    await sandbox.close()


async def test_the_limits_of_a_call_go_before_those_of_the_sandbox() -> None:
    sandbox = open_sandbox(limits=SandboxLimits(output_bytes=10))
    source = "def main(): return {'text': 'x' * 100}"
    try:
        with pytest.raises(CodeFailedError, match="the limit is 10"):
            await sandbox.run("python3", source, {})
        result = await sandbox.run("python3", source, {}, limits=SandboxLimits())
    finally:
        await sandbox.close()
    assert result == {"text": "x" * 100}


async def test_a_forged_reply_is_judged_like_any_other(narrow: Sandbox) -> None:
    forging = """
import os, struct
def main(kind, body, size):
    os.write(3, struct.pack('=cQ', kind.encode(), size) + body.encode())
    while True:
        pass
"""

    async def forge(kind: str, body: str, size: int | None = None) -> object:
        inputs = {"kind": kind, "body": body, "size": len(body) if size is None else size}
        return await narrow.run("python3", forging, inputs, limits=SandboxLimits(wall_seconds=5))

    assert await forge("R", '{"mine": 1}') == {"mine": 1}
    for kind, body, size, message in [
        ("R", "[1]", None, "the code's result is not an object"),
        ("R", "{", None, "the code's result is not valid JSON: Input data was truncated"),
        ("R", '{"a": "\\ud800"}', None, "the code's result is not valid JSON"),
        ("R", "", 2**60, f"the code's result is too large: {2**60} bytes; the limit is 8388608"),
        ("?", "nonsense", None, "nonsense"),
    ]:
        with pytest.raises(CodeFailedError) as caught:
            await forge(kind, body, size)
        assert str(caught.value).startswith(message)
