"""Whether memory stays where it is while answers go on being given."""

from __future__ import annotations

from dataclasses import replace

from benchmarks._harness import MIB, Figure, Options, Result, UnsoundError, cores
from benchmarks._process import ServerProcess, python
from benchmarks.bench_stream import HEADERS, body
from benchmarks.load import LoadClient, Target

QUESTION = "How much memory does a server have after each tenth of 10,000 recorded answers?"


async def run(options: Options) -> list[Result]:
    core, _ = cores()
    target = Target(
        host="",
        port=0,
        path="/v1/chat-messages",
        headers=HEADERS,
        body=body,
        streams=20,
        expect=b'"workflow_finished"',
    )
    answers = options.pick(10_000, 500)
    results: list[Result] = []
    async with ServerProcess(python("-m", "benchmarks._app_server", "branch"), core=core) as server:
        idle = server.memory().pss / MIB
        held: list[float] = []
        async with LoadClient(replace(target, host=server.host, port=server.port)) as client:
            for _ in range(10):
                report = await client.run(answers // 10)
                if report.errors:
                    raise UnsoundError(f"answers failed: {dict(report.errors)}")
                held.append(server.memory().pss / MIB)
    results.append(Result("idle", {"memory": Figure("MiB", (idle,))}))
    tenths = f"after each {answers // 10} of {answers}"
    results.append(Result(tenths, {"memory": Figure("MiB", tuple(held))}))
    growth = (held[-1] - held[4]) / (answers / 2) * 1024
    results.append(Result("second half", {"growth": Figure("KiB per answer", (growth,))}))
    return results
