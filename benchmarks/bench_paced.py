"""How much later a token arrives because of the server, when many answers stream at a model's own pace."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from benchmarks._harness import FLOOR, Candidate, Options, Result, compare, cores
from benchmarks._process import ServerProcess, python
from benchmarks.bench_stream import HEADERS, body
from benchmarks.load import Target

QUESTION = "How much later do tokens of a paced model arrive at 50 and 100 streams, and what does each cost?"

INTERVAL_MS = 20
CHUNKS = 100


async def run(options: Options) -> list[Result]:
    core, other = cores()
    results: list[Result] = []
    for streams in (50, 100):
        async with AsyncExitStack() as stack:
            models = await stack.enter_async_context(
                ServerProcess(
                    python(
                        "-m",
                        "weft.testing.fake_models",
                        "--chunks",
                        str(CHUNKS),
                        "--interval-ms",
                        str(INTERVAL_MS),
                    ),
                    core=other,
                )
            )
            url = f"http://{models.host}:{models.port}/v1"
            interval = INTERVAL_MS / 1000
            candidates = {
                FLOOR: Candidate(
                    ServerProcess(
                        python(
                            "-m", "benchmarks.floor", "--loop", "uvloop", "--interval-ms", str(INTERVAL_MS)
                        ),
                        core=core,
                    ),
                    Target(host="", port=0, streams=streams, interval=interval),
                ),
                f"weft, {streams} streams": Candidate(
                    ServerProcess(python("-m", "benchmarks._app_server", "llm", "--models", url), core=core),
                    Target(
                        host="",
                        port=0,
                        path="/v1/chat-messages",
                        headers=HEADERS,
                        body=body,
                        streams=streams,
                        interval=interval,
                        expect=b'"workflow_finished"',
                    ),
                ),
            }
            found = await compare(
                candidates,
                answers=options.pick(streams * 8, streams * 4),
                warmup=streams,
                rounds=options.pick(3, 1),
            )
            results += [
                result
                if result.name != FLOOR or streams == 50
                else replace(result, name="floor, 100 streams")
                for result in found
            ]
    return results
