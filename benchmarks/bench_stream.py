"""What a streamed answer costs, recorded durably, beside a server that does nothing but send such bytes."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

from benchmarks._app_server import KEY
from benchmarks._harness import FLOOR, Candidate, Options, Result, compare, cores
from benchmarks._process import ServerProcess, python
from benchmarks.load import Target

QUESTION = "What does a streamed, recorded answer cost, against a raw socket that sends as many events?"

HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


def body(number: int) -> bytes:
    """A first message of a new conversation; users repeat, as they do."""
    return json.dumps(
        {
            "inputs": {},
            "query": f"What is item {number} about?",
            "user": f"user-{number % 50}",
            "response_mode": "streaming",
            "auto_generate_name": False,
        }
    ).encode()


async def run(options: Options) -> list[Result]:
    core, other = cores()
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(
            ServerProcess(python("-m", "weft.testing.fake_models", "--chunks", "100"), core=other)
        )
        target = Target(
            host="",
            port=0,
            path="/v1/chat-messages",
            headers=HEADERS,
            body=body,
            streams=4,
            expect=b'"workflow_finished"',
        )
        url = f"http://{models.host}:{models.port}/v1"
        candidates = {
            FLOOR: Candidate(
                ServerProcess(python("-m", "benchmarks.floor", "--loop", "uvloop"), core=core),
                Target(host="", port=0, streams=4),
            ),
            **{
                f"weft: {name}": Candidate(
                    ServerProcess(python("-m", "benchmarks._app_server", app, "--models", url), core=core),
                    target,
                )
                for name, app in {
                    "start, answer": "answer",
                    "start, template, if-else, answer": "branch",
                    "start, llm of 100 chunks, answer": "llm",
                }.items()
            },
        }
        return await compare(
            candidates,
            answers=options.pick(1500, 500),
            warmup=options.pick(300, 100),
            rounds=options.pick(5, 2),
        )
