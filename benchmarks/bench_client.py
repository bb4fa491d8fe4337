"""What a typed answer costs its client, beside the bare HTTP library and other packages.

All clients are blocking and send one request after the other to a stand-in server on another core; what is
counted is the CPU time of this process. Other packages are measured as they are documented: `dify-client`
gives responses of `requests` to be taken apart by hand, `dify-oapi2` gives models, and raw bytes of streams.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import httpx2

from benchmarks._harness import FLOOR, Figure, Options, Result, UnsoundError, cores
from benchmarks._process import ServerProcess, python
from benchmarks._stand_in import WORD
from weft.client import Client
from weft.wire import MessageEvent

QUESTION = "What does a typed answer cost its client, against the bare HTTP library and other packages?"

KEY = "app-0123456789abcdefABCDEF01"
CHUNKS = 100
BODY = {"query": "hi", "inputs": {}, "user": "u1", "auto_generate_name": False}


@dataclass(frozen=True, slots=True)
class Contender:
    """One client: how it asks, blocking and streaming; both return the answer's text."""

    ask: Callable[[], str]
    stream: Callable[[], str]


def bare(url: str, stack: ExitStack) -> Contender:
    client = stack.enter_context(httpx2.Client(headers={"Authorization": f"Bearer {KEY}"}))

    def ask() -> str:
        body = {**BODY, "response_mode": "blocking"}
        return str(client.post(f"{url}/v1/chat-messages", json=body).json()["answer"])

    def stream() -> str:
        body = {**BODY, "response_mode": "streaming"}
        with client.stream("POST", f"{url}/v1/chat-messages", json=body) as response:
            return join(response.iter_lines())

    return Contender(ask, stream)


def weft(url: str, stack: ExitStack) -> Contender:
    client = stack.enter_context(Client(url, KEY))

    def ask() -> str:
        return client.chat_messages("hi", user="u1", auto_generate_name=False).answer

    def stream() -> str:
        pieces = []
        with client.stream_chat_messages("hi", user="u1", auto_generate_name=False) as events:
            for event in events:
                if isinstance(event, MessageEvent):
                    pieces.append(event.answer)
        return "".join(pieces)

    return Contender(ask, stream)


def dify_client(url: str, stack: ExitStack) -> Contender:
    client = import_module("dify_client").ChatClient(KEY)
    client.base_url = f"{url}/v1"

    def ask() -> str:
        return str(client.create_chat_message({}, "hi", "u1", "blocking").json()["answer"])

    def stream() -> str:
        with client.create_chat_message({}, "hi", "u1", "streaming") as response:
            return join(line.decode() for line in response.iter_lines())

    return Contender(ask, stream)


def dify_oapi2(url: str, stack: ExitStack) -> Contender:
    models = "dify_oapi.api.chatflow.v1.model.send_chat_message_request"
    logging.getLogger("dify_oapi").setLevel(logging.ERROR)
    request_class: Any = import_module(models).SendChatMessageRequest
    body_class: Any = import_module(f"{models}_body").SendChatMessageRequestBody
    option_class: Any = import_module("dify_oapi.core.model.request_option").RequestOption
    client = import_module("dify_oapi.client").Client.builder().domain(url).build()
    option = option_class.builder().api_key(KEY).build()

    def request(mode: str) -> Any:
        body = body_class.builder().query("hi").inputs({}).user("u1").response_mode(mode).build()
        return request_class.builder().request_body(body).build()

    def ask() -> str:
        return str(client.chatflow.v1.chatflow.send(request("blocking"), option, False).answer)

    def stream() -> str:
        pieces = client.chatflow.v1.chatflow.send(request("streaming"), option, True)
        return join(line for piece in pieces for line in piece.decode().splitlines())

    return Contender(ask, stream)


def join(lines: Iterator[str]) -> str:
    """The text of a stream, read by hand."""
    events = (json.loads(line[5:]) for line in lines if line.startswith("data:"))
    return "".join(event["answer"] for event in events if event["event"] == "message")


CONTENDERS: Mapping[str, Callable[[str, ExitStack], Contender]] = {
    FLOOR: bare,
    "weft": weft,
    "dify-client": dify_client,
    "dify-oapi2": dify_oapi2,
}
NOTES = {FLOOR: "httpx2 and json, read by hand", "dify-client": "opens a connection for every call"}


async def run(options: Options) -> list[Result]:
    core, _ = cores()
    with ExitStack() as stack:
        async with ServerProcess(
            python("-m", "benchmarks._stand_in", "--chunks", str(CHUNKS)), core=core
        ) as server:
            url = f"http://{server.host}:{server.port}"
            running, absent = start_all(url, stack)
            found: dict[str, dict[str, list[float]]] = {name: {} for name in running}
            calls, streams = options.pick(1500, 150), options.pick(150, 15)
            for number in range(options.pick(7, 3) + 1):
                for name, contender in running.items():
                    figures = measure(name, contender, calls, streams)
                    if number:  # the first round only warms up
                        for figure, value in figures.items():
                            found[name].setdefault(figure, []).append(value)
    notes = {**NOTES, **absent}
    return [
        Result(
            name,
            {figure: Figure("µs", tuple(values)) for figure, values in figures.items()},
            note=notes.get(name, ""),
        )
        for name, figures in {**found, **{name: {} for name in absent}}.items()
    ]


def start_all(url: str, stack: ExitStack) -> tuple[dict[str, Contender], dict[str, str]]:
    """The clients that are installed here, and why others are not there."""
    running, absent = {}, {}
    for name, start in CONTENDERS.items():
        try:
            running[name] = start(url, stack)
        except ImportError as error:
            absent[name] = f"not measured: {error}"
    return running, absent


def measure(name: str, contender: Contender, calls: int, streams: int) -> dict[str, float]:
    """Microseconds of CPU and of the clock for a call, and for an event of a stream."""
    expect(name, contender.ask(), WORD * 10)
    expect(name, contender.stream(), WORD * CHUNKS)
    cpu, clock = timed(contender.ask, calls)
    stream_cpu, stream_clock = timed(contender.stream, streams)
    events = CHUNKS + 3
    return {
        "cpu_per_call": cpu,
        "time_per_call": clock,
        "cpu_per_event": stream_cpu / events,
        "time_per_event": stream_clock / events,
    }


def timed(act: Callable[[], object], times: int) -> tuple[float, float]:
    """Microseconds of CPU and of the clock for doing something once."""
    cpu, clock = time.process_time(), time.perf_counter()
    for _ in range(times):
        act()
    return (time.process_time() - cpu) / times * 1e6, (time.perf_counter() - clock) / times * 1e6


def expect(name: str, answer: str, wanted: str) -> None:
    if answer != wanted:
        raise UnsoundError(f"{name} read {answer[:40]!r} instead of {wanted[:40]!r}")
