from __future__ import annotations

import asyncio
import math
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.floor import FloorProtocol, encode_answer
from benchmarks.load import LoadClient, LoadReport, Target, percentile

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def ask(target: Target, answers: int) -> LoadReport:
    async with LoadClient(target) as client, asyncio.timeout(20):
        return await client.run(answers)


class Replying(asyncio.Protocol):
    """Sends the given bytes for each request and may hang up then."""

    def __init__(self, reply: bytes, *, hang_up: bool = False) -> None:
        self.reply, self.hang_up = reply, hang_up

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.reply)
        if self.hang_up:
            self.transport.close()


@pytest.mark.parametrize("together", [False, True])
async def test_every_event_of_every_answer_is_counted(together: bool) -> None:
    async with serving(lambda: FloorProtocol(encode_answer(7, 50), together=together)) as port:
        report = await ask(Target(host="127.0.0.1", port=port, streams=3), 10)
    assert (report.answers, report.events, report.received, report.errors) == (10, 70, 3500, Counter())
    assert (len(report.first_event), len(report.whole), report.delays) == (10, 10, [])
    assert all(0 < first <= whole for first, whole in zip(report.first_event, report.whole, strict=True))


async def test_connections_are_kept_between_runs() -> None:
    made = []

    def connect() -> FloorProtocol:
        made.append(1)
        return FloorProtocol(encode_answer(1, 50))

    async with serving(connect) as port, LoadClient(Target(host="127.0.0.1", port=port, streams=2)) as client:
        await client.run(4)
        await client.run(4)
    assert len(made) == 2


async def test_each_event_of_a_paced_answer_has_a_delay() -> None:
    async with serving(lambda: FloorProtocol(encode_answer(5, 50), interval=0.01)) as port:
        report = await ask(Target(host="127.0.0.1", port=port, interval=0.01), 2)
    assert len(report.delays) == 10
    assert report.delays[0] == report.delays[5] == 0
    assert all(whole > 0.035 for whole in report.whole)


async def test_a_large_body_may_come_in_pieces_and_is_read_to_its_end() -> None:
    async with serving(lambda: FloorProtocol(encode_answer(1, 50))) as port:
        report = await ask(Target(host="127.0.0.1", port=port, body=lambda number: b"x" * 1_000_000), 3)
    assert (report.answers, report.errors) == (3, Counter())


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\ndata: last\n\n"


@pytest.mark.parametrize(
    ("reply", "hang_up", "kind"),
    [
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\nno", False, "status 500"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", False, "no event"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ndata: first\n\n", True, "connection lost"),
        (OK.replace(b"last", b"best"), False, "incomplete"),
        (b"", False, "timeout"),
    ],
)
async def test_an_answer_that_is_not_whole_is_an_error_with_its_kind(
    reply: bytes, hang_up: bool, kind: str
) -> None:
    async with serving(lambda: Replying(reply, hang_up=hang_up)) as port:
        target = Target(host="127.0.0.1", port=port, expect=b"last", timeout=0.2 if kind == "timeout" else 20)
        report = await ask(target, 2)
    assert (report.answers, report.errors) == (0, Counter({kind: 2}))


async def test_after_an_error_the_next_answer_is_counted_again() -> None:
    replies = iter([b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", OK, OK])
    async with serving(lambda: Replying(next(replies))) as port:
        report = await ask(Target(host="127.0.0.1", port=port), 3)
    assert (report.answers, report.errors) == (2, Counter({"status 503": 1}))


async def test_a_server_that_is_not_there_is_an_error_for_each_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    report = await ask(Target(host="127.0.0.1", port=port, streams=2), 3)
    assert (report.answers, sum(report.errors.values())) == (0, 3)
    assert next(iter(report.errors)).startswith("no connection")


@given(st.lists(st.integers(), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_has_that_share_below_it(
    values: list[int], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= math.floor(share * len(values))


def test_there_is_no_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 0.5))
