from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx2
import pytest

from tests.client.console_server import NOW, Console, Generation, jwt
from tests.client.fake import EMAIL, PASSWORD, MakeConsole, make_async_console, refused, said
from weft import errors
from weft.client import ConsoleClient, LoginError, error_reply
from weft.client._login import _expiry

pytestmark = pytest.mark.anyio

PROFILE = {"id": "a1", "name": "Ada", "email": EMAIL, "timezone": "UTC"}
BASE64 = "Y29ycmVjdCBob3JzZSA5"
GENERATIONS: list[Generation] = ["cookies", "tokens", "oldest", "both"]


def console(generation: Generation = "cookies", **given: object) -> Console:
    return Console(generation, {"GET /account/profile": PROFILE}, **given)  # type: ignore[arg-type]  # as given


def passwords(server: Console) -> list[object]:
    return [cast(dict[str, object], one.body)["password"] for one in server.asked if one.url == "/login"]


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_an_account_signs_in_to_servers_of_every_generation(
    make_console: MakeConsole, generation: Generation
) -> None:
    server = console(generation)
    client = make_console(server)
    assert (await client.profile()).name == "Ada"
    assert (await client.profile()).email == EMAIL
    attempts = [BASE64] if generation in ("cookies", "both") else [BASE64, PASSWORD]
    assert passwords(server) == attempts
    assert server.paths()[len(attempts) :] == ["/account/profile"] * 2
    sent = server.asked[-1].headers
    assert sent.get("authorization") == (
        None if generation == "cookies" else f"Bearer {next(iter(server.good))}"
    )
    assert sent.get("x-csrf-token") == ("csrf-1" if generation in ("cookies", "both") else None)


async def test_cookies_of_a_server_behind_https_have_another_name(make_console: MakeConsole) -> None:
    server = console(prefix="__Host-")
    await make_console(server).profile()
    assert server.asked[-1].headers["x-csrf-token"] == "csrf-1"


async def test_the_form_of_the_password_that_worked_is_remembered(make_console: MakeConsole) -> None:
    server = console("oldest")
    client = make_console(server)
    await client.profile()
    server.revoke()
    await client.profile()
    assert passwords(server) == [BASE64, PASSWORD, PASSWORD]


@pytest.mark.parametrize(("encoding", "sent"), [("base64", BASE64), ("plain", PASSWORD)])
async def test_the_form_of_the_password_can_be_chosen(
    make_console: MakeConsole, encoding: str, sent: str
) -> None:
    server = console("both")
    await make_console(server, password_encoding=encoding).profile()  # type: ignore[arg-type]  # a literal
    assert passwords(server) == [sent]


@pytest.mark.parametrize("generation", ["cookies", "tokens", "both"])
async def test_a_pass_is_refreshed_before_it_expires(
    make_console: MakeConsole, generation: Generation
) -> None:
    clock = [NOW]
    server = console(generation, now=lambda: clock[0])
    client = make_console(server, now=lambda: clock[0])
    await client.profile()
    clock[0] += timedelta(seconds=3_530)
    await client.profile()
    clock[0] += timedelta(seconds=3_541)
    await client.profile()
    assert [path for path in server.paths() if path != "/login"] == [
        "/account/profile",
        "/account/profile",
        "/refresh-token",
        "/account/profile",
    ]
    assert server.asked[-2].body == ({} if generation == "cookies" else {"refresh_token": "refresh-1"})


@pytest.mark.parametrize("skew", [-7_200, 7_200])
async def test_a_server_whose_clock_is_wrong_is_believed_about_durations(
    make_console: MakeConsole, skew: int
) -> None:
    clock = [NOW]
    server = console(now=lambda: clock[0] + timedelta(seconds=skew), tells_time=True)
    client = make_console(server, now=lambda: clock[0])
    await client.profile()
    clock[0] += timedelta(seconds=3_500)
    await client.profile()
    assert "/refresh-token" not in server.paths()
    clock[0] += timedelta(seconds=60)
    await client.profile()
    assert server.paths().count("/refresh-token") == 1


async def test_a_revoked_pass_is_refreshed_once_and_the_request_sent_again(
    make_console: MakeConsole,
) -> None:
    server = console()
    client = make_console(server)
    await client.profile()
    server.revoke()
    assert (await client.profile()).name == "Ada"
    assert server.paths()[2:] == ["/account/profile", "/refresh-token", "/account/profile"]


async def test_a_pass_that_cannot_be_refreshed_is_replaced_by_a_login(make_console: MakeConsole) -> None:
    server = console(can_refresh=False)
    client = make_console(server)
    await client.profile()
    server.revoke()
    assert (await client.profile()).name == "Ada"
    assert server.paths()[2:] == ["/account/profile", "/refresh-token", "/login", "/account/profile"]


async def test_one_refresh_then_one_login_then_the_error(make_console: MakeConsole) -> None:
    server = Console("cookies", {"GET /account/profile": refused(401, "unauthorized", "Token has expired.")})
    client = make_console(server)
    with pytest.raises(errors.UnauthorizedError, match="Token has expired"):
        await client.profile()
    assert server.paths() == [
        "/login",
        "/account/profile",
        "/refresh-token",
        "/account/profile",
        "/login",
        "/account/profile",
    ]


async def test_a_wrong_password_is_tried_in_both_forms_and_never_again(make_console: MakeConsole) -> None:
    server = console()
    client = make_console(server, password="wrong")
    for _ in range(3):
        with pytest.raises(LoginError, match=r"Invalid email or password\.") as caught:
            await client.profile()
    assert server.paths() == ["/login", "/login"]
    known = error_reply(caught.value)
    assert (known and known.status, known and known.code) == (401, "authentication_failed")
    assert caught.value.__notes__ == [
        "check email address and password; after a few failures servers lock the account"
    ]
    with pytest.raises(LoginError):
        await client.login()
    assert len(server.asked) == 4


async def test_a_locked_account_is_not_tried_in_the_other_form(make_console: MakeConsole) -> None:
    server = console(locked=True)
    client = make_console(server)
    with pytest.raises(errors.TooManyRequestsError, match="Too many incorrect password attempts"):
        await client.profile()
    assert server.paths() == ["/login"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            said({"result": "fail", "data": "workspace not found, please contact system admin"}),
            "workspace not",
        ),
        (said({"result": "success"}), "neither tokens nor cookies"),
        (said({"result": "success", "data": {"access_token": None}}), "neither tokens nor cookies"),
        (httpx2.Response(200, text="<html>hello</html>"), "neither tokens nor cookies"),
    ],
)
async def test_a_success_without_a_pass_is_no_success(
    make_console: MakeConsole, answer: httpx2.Response, message: str
) -> None:
    with pytest.raises(LoginError, match=message):
        await make_console(lambda request: httpx2.Response(200, content=answer.content)).profile()


@pytest.mark.parametrize("answer", [httpx2.Response(502), httpx2.Response(200, text='{"resu')])
async def test_a_server_that_fails_during_login_is_not_a_wrong_password(
    make_console: MakeConsole, answer: httpx2.Response
) -> None:
    server = console()
    broken = [True]

    def sometimes(request: httpx2.Request) -> httpx2.Response:
        if broken[0]:
            return httpx2.Response(answer.status_code, content=answer.content)
        return server(request)

    client = make_console(sometimes)
    with pytest.raises((errors.ServerError, LoginError)):
        await client.profile()
    broken[0] = False
    if answer.status_code == 502:
        assert (await client.profile()).name == "Ada"


async def test_a_server_that_is_not_set_up_says_so_and_nobody_signs_in(make_console: MakeConsole) -> None:
    server = console()
    server.answers = {"GET /setup": {"step": "not_started"}}
    client = make_console(server)
    assert (await client.server_status()).step == "not_started"
    assert server.paths() == ["/setup"]


async def test_signing_out_ends_the_pass(make_console: MakeConsole) -> None:
    server = console()
    client = make_console(server)
    await client.profile()
    await client.logout()
    assert server.paths()[-1] == "/logout"
    assert server.good == set()
    await client.logout()
    await client.profile()
    assert server.paths()[-2:] == ["/login", "/account/profile"]


async def test_requests_of_many_tasks_refresh_once() -> None:
    server = console("both")
    client = make_async_console(server)
    await asyncio.gather(*(client.profile() for _ in range(10)))
    assert server.paths().count("/login") == 1
    server.revoke()
    await asyncio.gather(*(client.profile() for _ in range(10)))
    assert (server.paths().count("/refresh-token"), server.paths().count("/login")) == (1, 1)


async def test_a_task_that_is_cancelled_while_it_refreshes_does_not_hinder_others() -> None:
    server = console("both")
    entered, go_on = asyncio.Event(), asyncio.Event()
    client = make_async_console(server)
    inner = client._connection._http._transport

    class Slow(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/login") and not entered.is_set():
                entered.set()
                await go_on.wait()
            return await inner.handle_async_request(request)

    client._connection._http._transport = Slow()
    first, second = asyncio.create_task(client.profile()), asyncio.create_task(client.profile())
    async with asyncio.timeout(5):
        await entered.wait()
        first.cancel()
        assert (await second).name == "Ada"
    with pytest.raises(asyncio.CancelledError):
        await first


def test_requests_of_many_threads_refresh_once() -> None:
    server = console("both")
    lock = threading.Lock()

    def one_by_one(request: httpx2.Request) -> httpx2.Response:
        with lock:
            return server(request)

    client = ConsoleClient(
        "http://dify.test", EMAIL, PASSWORD, transport=httpx2.MockTransport(one_by_one), now=lambda: NOW
    )

    def in_threads(act: Callable[[], object]) -> None:
        threads = [threading.Thread(target=act) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    in_threads(client.profile)
    assert server.paths().count("/login") == 1
    server.revoke()
    in_threads(client.profile)
    assert (server.paths().count("/refresh-token"), server.paths().count("/login")) == (1, 1)
    assert server.paths().count("/account/profile") >= 16


async def test_the_password_and_the_tokens_show_nowhere(
    make_console: MakeConsole, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = console("both")
    server.answers = {"GET /account/profile": lambda request: said({"x": list(request.headers.items())}, 500)}
    client = make_console(server)
    with pytest.raises(errors.ServerError) as caught:
        await client.profile()
    trace = str(caught.getrepr(style="long", showlocals=True))
    access = next(iter(server.good))
    text = "\n".join(
        [
            trace,
            repr(error_reply(caught.value)),
            error_reply(caught.value).body,  # type: ignore[union-attr]  # it is there
            repr(client),
            repr(vars(client)),
            caplog.text,
        ]
    )
    found = [secret for secret in (PASSWORD, BASE64, access, "refresh-1", "csrf-1") if secret in text]
    assert found == []


@pytest.mark.parametrize(("email", "password"), [("", "x"), (" ", "x"), ("a@b.c", "")])
def test_an_account_that_cannot_be_right_is_refused(email: str, password: str) -> None:
    with pytest.raises(errors.ConfigError, match="one of them is empty"):
        ConsoleClient("http://dify.test", email, password)


@pytest.mark.parametrize(
    "token", ["", "abc", "a.b.c", "a.e30.c", "a.W10.c", jwt(1, NOW + timedelta(seconds=30))]
)
def test_a_token_that_does_not_tell_when_it_expires_is_used_until_it_is_refused(token: str) -> None:
    assert _expiry(token, NOW, NOW) is None


def test_the_end_of_a_token_is_told_by_our_own_clock() -> None:
    server_now = datetime(2020, 1, 1, tzinfo=UTC)
    token = jwt(1, server_now + timedelta(hours=1))
    assert _expiry(token, server_now, NOW) == NOW + timedelta(hours=1)
