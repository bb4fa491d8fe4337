"""What it costs to pull conversations from a console far away, over either HTTP library.

The console answers each request after 20 ms. With 50 requests at once no more than 2,500 can be had in a
second; each conversation takes one, and the list of them one for a hundred. Everything is stored and synced
as ever, in the folder for temporary files: where a sync takes milliseconds it is what is measured, and a
folder in memory (``TMPDIR=/dev/shm``) shows the rest. What is counted is the CPU time of this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import httpx2

from benchmarks._console_stand_in import APP
from benchmarks._harness import FLOOR, Figure, Options, Result, UnsoundError, cores
from benchmarks._process import ServerProcess, python
from weft.archive import AiohttpTransport, AsyncArchive, ConsoleSource, PullOptions
from weft.client import AsyncConsoleClient
from weft.clock import SystemClock

QUESTION = "How fast is a pull from a console 20 ms away, 50 requests at once, and what does it cost?"
AT_ONCE = 50

TRANSPORTS: dict[str, Callable[[], httpx2.AsyncBaseTransport | None]] = {
    "aiohttp": AiohttpTransport,
    "httpx2": lambda: None,
}


async def run(options: Options) -> list[Result]:
    conversations, rounds = options.pick(1500, 300), options.pick(3, 2)
    core, _ = cores()
    found: dict[str, dict[str, list[float]]] = {name: {} for name in (FLOOR, *TRANSPORTS)}
    command = python("-m", "benchmarks._console_stand_in", "--conversations", str(conversations))
    async with ServerProcess(command, core=core) as server:
        url = f"http://{server.host}:{server.port}"
        for number in range(rounds + 1):
            for name in found:
                figures = await _measure(name, url, conversations)
                if number:  # the first round only warms up
                    for figure, value in figures.items():
                        found[name].setdefault(figure, []).append(value)
    units = {"conversations_per_second": "1/s", "cpu_per_conversation": "ms"}
    return [
        Result(
            name,
            {figure: Figure(units[figure], tuple(values)) for figure, values in figures.items()},
            note="messages over aiohttp, kept nowhere" if name == FLOOR else "",
        )
        for name, figures in found.items()
    ]


async def _measure(name: str, url: str, conversations: int) -> dict[str, float]:
    with TemporaryDirectory(prefix="weft-pull-") as folder:
        began, used = time.perf_counter(), time.process_time()
        if name == FLOOR:
            await _fetch_all(url, conversations)
        else:
            await _pull(url, TRANSPORTS[name](), conversations, Path(folder))
        seconds, used = time.perf_counter() - began, time.process_time() - used
    return {
        "conversations_per_second": conversations / seconds,
        "cpu_per_conversation": used / conversations * 1e3,
    }


async def _pull(
    url: str, transport: httpx2.AsyncBaseTransport | None, conversations: int, folder: Path
) -> None:
    async with (
        await AsyncArchive.open(folder) as archive,
        AsyncConsoleClient(url, "a@b.c", "password", transport=transport) as client,
    ):
        source = ConsoleSource(
            client, clock=SystemClock(), app_ids=[APP], with_runs=False, concurrency=AT_ONCE
        )
        report = await archive.pull(source, options=PullOptions(concurrency=AT_ONCE))
    if not report.succeeded or report.total("written") != conversations:
        raise UnsoundError(f"{report.total('written')} of {conversations} came: {report.apps[0].error}")


async def _fetch_all(url: str, conversations: int) -> None:
    turns = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def fetch(number: int) -> None:
            path = f"/console/api/apps/{APP}/chat-messages?conversation_id={number}&limit=100"
            async with turns, session.get(url + path) as answer:
                await answer.json()

        await asyncio.gather(*(fetch(number) for number in range(conversations)))
