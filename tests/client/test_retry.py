from __future__ import annotations

from datetime import UTC, datetime

import httpx2
import pytest

from tests.client.fake import Answer, MakeClient, refused, said
from weft import errors
from weft.client import RetryPolicy
from weft.client._retry import retry_after

pytestmark = pytest.mark.anyio

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
BUSY = "too_many_requests"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Wed, 01 May 2024 12:00:30 GMT", 30.0),
        ("Wed, 01 May 2024 11:00:00 GMT", 0.0),
        ("Wed, 01 May 2024 12:00:30", 30.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    "failure",
    [
        refused(429, BUSY),
        httpx2.Response(502, text="<html>"),
        refused(503, "x"),
        httpx2.Response(504),
        httpx2.ConnectError("refused"),
        httpx2.ReadError("reset"),
        httpx2.ConnectTimeout("slow"),
    ],
    ids=repr,
)
async def test_reading_is_tried_again_with_growing_pauses(make: MakeClient, failure: Answer) -> None:
    waits: list[float] = []
    client, fake = make(failure, failure, said({"name": "A"}), retry=RetryPolicy(tries=3), waits=waits)
    assert (await client.info()).name == "A"
    assert (waits, len(fake.asked)) == ([0.5, 1.0], 3)


async def test_after_the_last_try_the_error_is_told(make: MakeClient) -> None:
    waits: list[float] = []
    client, fake = make(*[refused(503, "x", "down")] * 3, retry=RetryPolicy(tries=3), waits=waits)
    with pytest.raises(errors.ServerError, match="down"):
        await client.info()
    assert (waits, len(fake.asked)) == ([0.5, 1.0], 3)


async def test_the_server_says_how_long_to_wait(make: MakeClient) -> None:
    waits: list[float] = []
    slow_down = refused(429, BUSY, headers={"Retry-After": "12"})
    client, _ = make(slow_down, said({"name": "A"}), retry=RetryPolicy(), waits=waits)
    await client.info()
    assert waits == [12.0]


async def test_a_server_that_asks_for_too_long_is_not_asked_again(make: MakeClient) -> None:
    waits: list[float] = []
    slow_down = refused(429, BUSY, headers={"Retry-After": "31"})
    client, fake = make(slow_down, retry=RetryPolicy(max_delay=30), waits=waits)
    with pytest.raises(errors.TooManyRequestsError) as caught:
        await client.info()
    assert (caught.value.retry_after, waits, len(fake.asked)) == (31.0, [], 1)


async def test_pauses_grow_up_to_a_limit(make: MakeClient) -> None:
    waits: list[float] = []
    policy = RetryPolicy(tries=6, first_delay=1.0, max_delay=3.0)
    client, _ = make(*[httpx2.ConnectError("x")] * 6, retry=policy, waits=waits)
    with pytest.raises(errors.TransportError):
        await client.info()
    assert waits == [1.0, 2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_other_errors_are_told_at_once(make: MakeClient, status: int) -> None:
    client, fake = make(refused(status, "x"), retry=RetryPolicy())
    with pytest.raises(errors.WeftError):
        await client.info()
    assert len(fake.asked) == 1


@pytest.mark.parametrize("failure", [refused(503, "x"), httpx2.ConnectError("x")], ids=repr)
async def test_writing_is_never_tried_again(make: MakeClient, failure: Answer) -> None:
    client, fake = make(failure, failure, failure, failure, retry=RetryPolicy())
    for begun in (
        client.chat_messages("hi", user="u1"),
        client.delete_conversation("c1"),
        client.update_conversation_variable("c1", "v1", 5),
        client.stream_chat_messages("hi", user="u1").collect(),
    ):
        with pytest.raises((errors.ServerError, errors.TransportError)):
            await begun
    assert [asked.method for asked in fake.asked] == ["POST", "DELETE", "PUT", "POST"]


async def test_without_a_policy_nothing_is_tried_again(make: MakeClient) -> None:
    client, fake = make(httpx2.ConnectError("refused"))
    with pytest.raises(errors.TransportError, match=r"^GET /info: no answer: ConnectError: refused$"):
        await client.info()
    assert len(fake.asked) == 1
