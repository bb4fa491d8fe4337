"""How long it takes until the first answer can be asked for, and what an idle server holds."""

from __future__ import annotations

from benchmarks._harness import MIB, Figure, Options, Result, cores
from benchmarks._process import ServerProcess, python

QUESTION = "How long does a start take, from nothing to accepting requests, and how much memory is held idle?"


async def run(options: Options) -> list[Result]:
    core, _ = cores()
    startup, rss, cpu = [], [], []
    for _ in range(options.pick(7, 2)):
        async with ServerProcess(python("-m", "benchmarks._app_server", "answer"), core=core) as server:
            startup.append(server.startup * 1000)
            cpu.append(server.cpu_seconds() * 1000)
            rss.append(server.memory().rss / MIB)
    figures = {
        "startup": Figure("ms", tuple(startup)),
        "cpu": Figure("ms", tuple(cpu)),
        "rss": Figure("MiB", tuple(rss)),
    }
    return [Result("weft, one app, SQLite", figures)]
