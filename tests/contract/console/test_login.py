"""Logging in, going on, logging out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.contract.caller import Reply
from tests.contract.console_caller import (
    PASSWORD,
    ConsoleCaller,
    HeldClock,
    base64_of,
    bearer,
    cookie_header,
    cookies_of,
    log_in,
    make_account,
    stranger,
)
from tests.contract.house import House, open_house

pytestmark = pytest.mark.anyio
WRONG = (401, "authentication_failed", "Invalid email or password.")
LOCKED = (
    429,
    "email_code_login_limit",
    "Too many incorrect password attempts. Please try again later.",
)


@pytest.fixture(scope="session")
async def email(house: House) -> str:
    return (await make_account(house, "a@b.c")).email


@pytest.fixture(scope="session")
async def login(house: House, email: str) -> Reply:
    """The answer to a login of its own, whose tokens nobody uses up."""
    return await log_in(house, email)


@pytest.mark.requirement("console-1")
async def test_a_plain_password_gives_tokens_and_cookies(login: Reply) -> None:
    body, jar = login.ok, cookies_of(login)

    assert body["result"] == "success"
    assert sorted(body["data"]) == ["access_token", "refresh_token"]
    assert sorted(jar) == ["access_token", "csrf_token", "refresh_token"]
    assert {name: jar[name].value for name in body["data"]} == body["data"]
    assert {
        name: (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["max-age"], morsel["secure"])
        for name, morsel in jar.items()
    } == {
        "access_token": (True, "lax", "/", "3600", ""),
        "refresh_token": (True, "lax", "/", "2592000", ""),
        "csrf_token": ("", "lax", "/", "3600", ""),
    }


@pytest.mark.requirement("console-2")
async def test_a_password_in_base64_gives_the_same(house: House, email: str) -> None:
    reply = await log_in(house, email.upper(), base64_of(PASSWORD))

    assert sorted(reply.ok["data"]) == ["access_token", "refresh_token"]
    assert sorted(cookies_of(reply)) == ["access_token", "csrf_token", "refresh_token"]


@pytest.mark.requirement("console-3")
@pytest.mark.parametrize("who", ["a@b.c", "nobody@b.c"])
async def test_a_wrong_password_is_refused_as_an_unknown_address_is(
    house: House, email: str, who: str
) -> None:
    assert (await log_in(house, who, "wrong")).error == WRONG
    assert sorted((await log_in(house, email)).ok) == ["data", "result"]


@pytest.mark.requirement("console-4")
async def test_six_wrong_logins_lock_the_account(house: House) -> None:
    await make_account(house, "locked@b.c")

    wrong = [(await log_in(house, "Locked@b.c", f"wrong{n}")).error for n in range(6)]

    assert wrong == [WRONG] * 6
    assert (await log_in(house, "locked@b.c")).error == LOCKED


async def test_a_burst_of_guesses_is_counted_one_by_one(house: House) -> None:
    await make_account(house, "burst@b.c")

    replies = await asyncio.gather(*(log_in(house, "burst@b.c", f"wrong{n}") for n in range(9)))

    assert sorted(reply.status for reply in replies) == [401] * 6 + [429] * 3


async def test_a_success_begins_the_count_anew(house: House) -> None:
    await make_account(house, "forgetful@b.c")
    for _ in range(2):
        for attempt in range(3):
            assert (await log_in(house, "forgetful@b.c", f"wrong{attempt}")).error == WRONG
        assert (await log_in(house, "forgetful@b.c")).ok["result"] == "success"


async def test_one_address_may_not_fail_for_ever(folder: Path) -> None:
    async with open_house(folder, clock=HeldClock(), server={"max_login_failures": 2}) as house:
        for who in ("x@b.c", "y@b.c"):
            assert (await log_in(house, who)).error == WRONG

        refused = await log_in(house, *house.runtime.admin)

        assert refused.error[:2] == (429, "too_many_requests")
        assert refused.headers["retry-after"] == "900"


@pytest.mark.parametrize(("trusted", "refused"), [("127.0.0.0/8 ::1", False), ("10.0.0.1", True), ("", True)])
async def test_failures_count_for_the_address_that_a_trusted_proxy_names(
    folder: Path, trusted: str, refused: bool
) -> None:
    settings = {"max_login_failures": 2, "trusted_proxies": trusted}
    async with open_house(folder, clock=HeldClock(), server=settings) as house:
        console = stranger(house)

        async def attempt(who: str, address: str) -> Reply:
            body = {"email": who, "password": "wrong password"}
            return await console.call("POST", "/login", body, headers={"X-Forwarded-For": address})

        for who in ("x@b.c", "y@b.c"):
            assert (await attempt(who, "192.0.2.1")).status == 401
        assert (await attempt("z@b.c", "192.0.2.1")).status == 429
        assert ((await attempt("z@b.c", "192.0.2.2")).status == 429) == refused


@pytest.mark.requirement("console-5")
async def test_what_is_no_address_is_refused(house: House) -> None:
    assert (await log_in(house, "x")).error == (400, "invalid_param", "x is not a valid email.")


async def test_the_account_that_the_server_prints_can_log_in(house: House) -> None:
    assert (await log_in(house, *house.runtime.admin)).ok["result"] == "success"


async def test_the_token_that_the_server_prints_is_good_for_everything(house: House) -> None:
    operator = bearer(house, house.runtime.operator_token)

    assert (await operator.get("/apps")).status == 200
    assert (await operator.call("GET", "/apps", headers={"x-workspace-id": "another"})).status == 401
    assert (await bearer(house, "weft-wrong").get("/apps")).error == (401, "unauthorized", "Invalid token.")


async def test_an_account_without_workspace_is_told_so(house: House) -> None:
    await make_account(house, "alone@b.c", workspace_id=None)

    reply = await log_in(house, "alone@b.c")

    assert reply.ok["result"] == "fail"
    assert not cookies_of(reply)


async def test_a_login_must_be_json_so_that_no_foreign_page_can_send_it(house: House, email: str) -> None:
    reply = await stranger(house).call(
        "POST",
        "/login",
        data=b'{"email":"a@b.c","password":"pass word1"}',
        headers={"content-type": "text/plain"},
    )
    assert reply.error[:2] == (415, "unsupported_media_type")


@pytest.mark.requirement("console-6")
async def test_a_bearer_is_enough(house: House, login: Reply) -> None:
    assert (await bearer(house, login.ok["data"]["access_token"]).get("/apps")).status == 200


@pytest.mark.requirement("console-7")
async def test_cookies_alone_are_not(house: House, login: Reply) -> None:
    jar = cookies_of(login)
    browser = ConsoleCaller(house.session, house.serving.console_api, cookie_header(jar))
    refused = (401, "unauthorized", "CSRF token is missing or invalid.")

    assert (await browser.get("/apps")).error == refused
    for wrong in ("x", jar["csrf_token"].value + "x", jar["access_token"].value):
        assert (await browser.call("GET", "/apps", headers={"x-csrf-token": wrong})).error == refused


@pytest.mark.requirement("console-8")
async def test_cookies_with_the_header_are(house: House, login: Reply) -> None:
    jar = cookies_of(login)
    browser = ConsoleCaller(house.session, house.serving.console_api, cookie_header(jar))

    assert (
        await browser.call("GET", "/apps", headers={"x-csrf-token": jar["csrf_token"].value})
    ).status == 200


async def test_the_csrf_token_of_somebody_else_is_worthless(house: House, login: Reply) -> None:
    await make_account(house, "other@b.c")
    theirs = cookies_of(await log_in(house, "other@b.c"))["csrf_token"].value
    jar = cookies_of(login)
    jar["csrf_token"] = theirs
    browser = ConsoleCaller(
        house.session, house.serving.console_api, {**cookie_header(jar), "x-csrf-token": theirs}
    )

    assert (await browser.get("/apps")).status == 401


@pytest.mark.requirement("console-9")
async def test_nobody_gets_nothing(house: House, login: Reply) -> None:
    nobody = stranger(house)
    assert (await nobody.get("/apps")).error == (401, "unauthorized", "Invalid Authorization token.")

    token = login.ok["data"]["access_token"]
    head, body, seal = token.split(".")
    for wrong in (
        "x",
        "a.b.c",
        f"{head}.{body}.",
        f"{head}.{body}.{seal[:-2]}",
        login.ok["data"]["refresh_token"],
    ):
        assert (await bearer(house, wrong).get("/apps")).error == (401, "unauthorized", "Invalid token.")
    assert (await nobody.call("GET", "/apps", headers={"authorization": f"Basic {token}"})).status == 401


async def test_a_token_lasts_an_hour(folder: Path) -> None:
    clock = HeldClock()
    async with open_house(folder, clock=clock) as house:
        token = (await log_in(house, *house.runtime.admin)).ok["data"]["access_token"]
        caller = bearer(house, token)

        clock.go_on(3599)
        assert (await caller.get("/apps")).status == 200
        clock.go_on(1)
        assert (await caller.get("/apps")).error == (401, "unauthorized", "Token has expired.")


@pytest.mark.requirement("console-10")
async def test_a_refresh_token_is_good_once(house: House, email: str) -> None:
    jar = cookies_of(await log_in(house, email))
    browser = ConsoleCaller(house.session, house.serving.console_api, cookie_header(jar))

    reply = await browser.post("/refresh-token")

    assert sorted(reply.ok["data"]) == ["access_token", "refresh_token"]
    assert cookies_of(reply)["refresh_token"].value not in ("", jar["refresh_token"].value)
    assert (await bearer(house, reply.ok["data"]["access_token"]).get("/apps")).status == 200
    again = await browser.post("/refresh-token")
    assert (again.status, again.json) == (401, {"result": "fail", "message": "Invalid refresh token"})


@pytest.mark.requirement("console-11")
async def test_without_a_refresh_token_there_is_none(house: House) -> None:
    reply = await stranger(house).post("/refresh-token")

    assert (reply.status, reply.json) == (401, {"result": "fail", "message": "No refresh token provided"})


@pytest.mark.requirement("console-12")
async def test_a_refresh_token_may_come_as_bearer_or_in_the_body(house: House, email: str) -> None:
    token = (await log_in(house, email)).ok["data"]["refresh_token"]

    second = (await bearer(house, token).post("/refresh")).ok["data"]["refresh_token"]
    third = (await stranger(house).post("/refresh", {"refresh_token": second})).ok

    assert third["result"] == "success"
    assert (await bearer(house, token).post("/refresh")).status == 401


async def test_of_two_who_use_a_refresh_token_at_once_one_gets_new_ones(house: House, email: str) -> None:
    token = (await log_in(house, email)).ok["data"]["refresh_token"]

    replies = await asyncio.gather(*(bearer(house, token).post("/refresh-token") for _ in range(5)))

    assert sorted(reply.status for reply in replies) == [200, 401, 401, 401, 401]


@pytest.mark.requirement("console-13")
async def test_logging_out_ends_the_login(house: House, email: str) -> None:
    kept = (await log_in(house, email)).ok["data"]["refresh_token"]
    jar = cookies_of(await log_in(house, email))
    browser = ConsoleCaller(house.session, house.serving.console_api, cookie_header(jar))

    reply = await browser.post("/logout")

    assert reply.ok == {"result": "success"}
    assert {name: morsel["max-age"] for name, morsel in cookies_of(reply).items()} == {
        "access_token": "0",
        "refresh_token": "0",
        "csrf_token": "0",
    }
    assert (await browser.post("/refresh-token")).status == 401
    assert (await bearer(house, kept).post("/refresh-token")).status == 200


async def test_logging_out_with_a_bearer_forgets_the_newest_refresh_token(house: House) -> None:
    await make_account(house, "leaver@b.c")
    data = (await log_in(house, "leaver@b.c")).ok["data"]

    assert (await bearer(house, data["access_token"]).post("/logout")).ok == {"result": "success"}
    assert (await bearer(house, data["refresh_token"]).post("/refresh")).status == 401


async def test_behind_https_cookies_have_names_that_only_this_host_can_set(folder: Path) -> None:
    async with open_house(folder, server={"secure_cookies": True}) as house:
        jar = cookies_of(await log_in(house, *house.runtime.admin))
        assert {name: bool(morsel["secure"]) for name, morsel in jar.items()} == {
            "__Host-access_token": True,
            "__Host-refresh_token": True,
            "__Host-csrf_token": True,
        }
        browser = ConsoleCaller(
            house.session,
            house.serving.console_api,
            {**cookie_header(jar), "x-csrf-token": jar["__Host-csrf_token"].value},
        )
        assert (await browser.get("/apps")).status == 200


async def test_anybody_may_ask_whether_the_server_is_there(house: House) -> None:
    nobody = stranger(house)
    assert (await nobody.get("/ping")).ok == {"result": "pong"}
    assert (await nobody.get("/setup")).ok["step"] == "finished"
    assert (await nobody.get("/version")).ok["version"] == "1.2.3"
