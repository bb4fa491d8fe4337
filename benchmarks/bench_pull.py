"""What it costs to pull conversations from a console far away, next to loops that keep nothing.

The console answers each request after 20 ms. With 50 requests at once no more than 2,500 can be had in a
second; each conversation takes one, and the list of them one for a hundred. A pull stores and syncs
everything as ever, in the folder for temporary files: where a sync takes milliseconds it is what is measured,
and a folder in memory (``TMPDIR=/dev/shm``) shows the rest. What is counted is the CPU time of this process,
on all its threads.

The floor asks for the same messages over bare aiohttp and parses their JSON; ``bare httpx2`` does so over
that library's own client. The others are pulls, over either of them below the typed client. All take turns.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import httpx2

from benchmarks._console_stand_in import APP
from benchmarks._harness import FLOOR, Figure, Options, Result, UnsoundError, cores
from benchmarks._process import ServerProcess, python
from weft.archive import AiohttpTransport, AsyncArchive, ConsoleSource, PullOptions
from weft.cli.memory import settle_memory
from weft.client import AsyncConsoleClient
from weft.clock import SystemClock

QUESTION = "How fast is a pull from a console 20 ms away, 50 requests at once, and what does it cost?"
AT_ONCE = 50
UNITS = {"conversations_per_second": "1/s", "cpu_per_conversation": "ms", "loop_cpu_per_conversation": "ms"}
NOTES = {
    FLOOR: "messages over bare aiohttp, kept nowhere",
    "bare httpx2": "messages over that library's client, kept nowhere",
    "pull": "over aiohttp, as `weft archive pull` does; everything is stored and synced",
    "pull over httpx2": "the same over the typed client's own network",
}

Fetch = Callable[[str], Awaitable[object]]


async def run(options: Options) -> list[Result]:
    settle_memory()  # as `weft archive pull` does
    conversations, rounds = options.pick(1500, 300), options.pick(5, 2)
    core, _ = cores()
    found: dict[str, dict[str, list[float]]] = {name: {} for name in NOTES}
    command = python("-m", "benchmarks._console_stand_in", "--conversations", str(conversations))
    # All archives stay until the end: ext4 is slow to make files where thousands have just been deleted.
    with TemporaryDirectory(prefix="weft-pull-") as folder:
        async with ServerProcess(command, core=core) as server:
            url = f"http://{server.host}:{server.port}"
            for number in range(rounds + 1):
                for name, values in found.items():
                    figures = await _measure(name, url, conversations, Path(folder, f"{number} {name}"))
                    if number:  # the first round only warms up
                        for figure, value in figures.items():
                            values.setdefault(figure, []).append(value)
    return [
        Result(
            name,
            {figure: Figure(UNITS[figure], tuple(values)) for figure, values in figures.items()},
            note=NOTES[name],
        )
        for name, figures in found.items()
    ]


async def _measure(name: str, url: str, conversations: int, folder: Path) -> dict[str, float]:
    began, used, in_loop = time.perf_counter(), time.process_time(), time.thread_time()
    if name == FLOOR:
        async with aiohttp.ClientSession() as session:
            await _fetch_all(_over_aiohttp(session), url, conversations)
    elif name == "bare httpx2":
        limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        async with httpx2.AsyncClient(limits=limits) as client:
            await _fetch_all(_over_httpx2(client), url, conversations)
    else:
        await _pull(url, AiohttpTransport() if name == "pull" else None, conversations, folder)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    in_loop = time.thread_time() - in_loop
    return {
        "conversations_per_second": conversations / seconds,
        "cpu_per_conversation": used / conversations * 1e3,
        "loop_cpu_per_conversation": in_loop / conversations * 1e3,
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


async def _fetch_all(fetch: Fetch, url: str, conversations: int) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            await fetch(f"{url}/console/api/apps/{APP}/chat-messages?conversation_id={number}&limit=100")

    await asyncio.gather(*(one(number) for number in range(conversations)))


def _over_aiohttp(session: aiohttp.ClientSession) -> Fetch:
    async def fetch(url: str) -> object:
        async with session.get(url) as answer:
            return json.loads(await answer.read())

    return fetch


def _over_httpx2(client: httpx2.AsyncClient) -> Fetch:
    async def fetch(url: str) -> object:
        return json.loads((await client.get(url)).content)

    return fetch
