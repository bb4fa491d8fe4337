"""The floor itself: shows a change of machine or of event loop before anything is compared with it."""

from __future__ import annotations

from benchmarks._harness import FLOOR, Candidate, Options, Result, compare, cores
from benchmarks._process import ServerProcess, python
from benchmarks.load import Target

QUESTION = (
    "What does a streamed answer of 100 events of 300 bytes cost when a server does nothing but send it?"
)


async def run(options: Options) -> list[Result]:
    core, _ = cores()
    target = Target(host="", port=0, streams=20)
    candidates = {
        name: Candidate(ServerProcess(python("-m", "benchmarks.floor", *arguments), core=core), target)
        for name, arguments in {FLOOR: ["--loop", "uvloop"], "asyncio": ["--loop", "asyncio"]}.items()
    }
    return await compare(candidates, answers=options.pick(2000, 800), warmup=50, rounds=options.pick(7, 3))
