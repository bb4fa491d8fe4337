from __future__ import annotations

import asyncio
import os

import pytest

from weft.errors import CodeFailedError, ConfigError
from weft.sandbox import Language, Sandbox, SandboxLimits

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


async def failure(
    sandbox: Sandbox, source: str, limits: SandboxLimits, language: Language = "python3"
) -> str:
    with pytest.raises(CodeFailedError) as caught:
        await sandbox.run(language, source, {}, limits=limits)
    return str(caught.value)


ENDLESS: list[tuple[Language, str]] = [
    ("python3", "def main():\n while True: pass"),
    ("python3", "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"),
    ("javascript", "function main() { for (;;) { try { for (;;); } catch {} } }"),
    ("javascript", "function main() { const on = () => Promise.resolve().then(on); return on() }"),
    ("javascript", "const main = () => /(x+x+)+y/.test('x'.repeat(60))"),
]


async def test_endless_loops_end_at_the_limit_of_processor_time(sandbox: Sandbox) -> None:
    limits = SandboxLimits(cpu_seconds=1)
    calls = [failure(sandbox, source, limits, language) for language, source in ENDLESS]
    messages = await asyncio.gather(*calls)
    assert messages == ["the code took too long: the limit is 1 s of processor time"] * len(ENDLESS)


@pytest.mark.parametrize(
    "source",
    [
        "import time\ndef main(): time.sleep(60)",
        "import signal\ndef main(): signal.raise_signal(signal.SIGSTOP)",
        "def main():\n while True: print('x' * 1000)",
    ],
)
async def test_idling_ends_at_the_limit_of_time_on_the_wall(sandbox: Sandbox, source: str) -> None:
    message = await failure(sandbox, source, SandboxLimits(wall_seconds=0.3))
    assert message == "the code took too long: the limit is 0.3 s from start to result"


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python3", "def main():\n x = []\n while True: x.append(bytes(1 << 20))"),
        ("python3", "def main(): return {'x': 'x' * (1 << 40)}"),
        ("python3", "def main():\n x = []\n while True: x.append([x])"),
        (
            "python3",
            "import mmap\ndef main():\n x = []\n while True: x.append(bytearray(mmap.mmap(-1, 1 << 24)))",
        ),
        ("javascript", "function main() { const x = []; for (;;) x.push(new Array(1000).fill(1)) }"),
        ("javascript", "function main() { let x = 'x'; for (;;) x += x + x.slice(1) }"),
    ],
)
async def test_code_that_wants_too_much_memory_is_told_so(
    sandbox: Sandbox, language: Language, source: str
) -> None:
    message = await failure(sandbox, source, SandboxLimits(memory_bytes=48 * MIB), language)
    assert message == "the code used more memory than it may: the limit is 48 MiB"


async def test_the_memory_within_the_limit_can_be_used(sandbox: Sandbox) -> None:
    source = "def main(): return {'size': len(bytearray(40 << 20))}"
    result = await sandbox.run("python3", source, {}, limits=SandboxLimits(memory_bytes=48 * MIB))
    assert result == {"size": 40 * MIB}


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python3", "def main(): return {'x': 'x' * 200_000}"),
        ("javascript", "const main = () => ({x: 'x'.repeat(200_000)})"),
    ],
)
async def test_a_flood_of_output_is_refused(sandbox: Sandbox, language: Language, source: str) -> None:
    message = await failure(sandbox, source, SandboxLimits(output_bytes=100_000), language)
    assert message == "main returned 200008 bytes of JSON; the limit is 100000"


async def test_a_result_as_large_as_the_limit_passes(sandbox: Sandbox) -> None:
    source = "def main(): return {'x': 'x' * 92}"
    result = await sandbox.run("python3", source, {}, limits=SandboxLimits(output_bytes=100))
    assert result == {"x": "x" * 92}


@pytest.mark.parametrize(
    ("language", "source", "start"),
    [
        ("python3", "def main(): return main()", "RecursionError: maximum recursion depth exceeded"),
        (
            "javascript",
            "function main() { return main() + 1 }",
            "RangeError: Maximum call stack size exceeded",
        ),
    ],
)
async def test_endless_recursion_is_an_exception_like_any_other(
    sandbox: Sandbox, language: Language, source: str, start: str
) -> None:
    assert (await failure(sandbox, source, SandboxLimits(), language)).startswith(start)


async def test_a_crash_of_the_interpreter_is_told_as_such(sandbox: Sandbox) -> None:
    message = await failure(sandbox, "import ctypes\ndef main(): ctypes.string_at(0)", SandboxLimits())
    assert message.startswith("the code crashed its interpreter (signal 11, Segmentation fault)")


async def test_threads_are_counted(sandbox: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("the kernel counts exactly only for a user id of one's own, which root alone can give")
    source = """
import threading
def main():
    release = threading.Event()
    started = 1
    try:
        while started < 100:
            threading.Thread(target=release.wait).start()
            started += 1
    except RuntimeError as error:
        return {"started": started, "error": str(error)}
    finally:
        release.set()
"""
    limits = SandboxLimits(processes=5, memory_bytes=2048 * MIB)
    result = await sandbox.run("python3", source, {}, limits=limits)
    assert result == {"started": 5, "error": "can't start new thread"}


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_limit_that_limits_nothing_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=f"sandbox limit wall_seconds is {value!r}; give a positive number"):
        SandboxLimits(wall_seconds=value)
