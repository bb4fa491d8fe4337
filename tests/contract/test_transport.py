"""Addresses, keys and errors, before any body is read."""

from __future__ import annotations

import msgspec
import pytest

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.house import VERSION, House
from weft.runs import hash_key
from weft.store import ApiToken, Connection, keys
from weft.store import apps as app_rows

pytestmark = pytest.mark.anyio

MISSING = (401, "unauthorized", "Authorization header must be provided and start with 'Bearer'")
SCHEME = (401, "unauthorized", "Authorization scheme must be 'Bearer'")
UNKNOWN = (401, "unauthorized", "Access token is invalid")


@pytest.mark.requirement("api-1")
async def test_without_a_key_a_call_is_refused_and_told_which_scheme_to_use(flow: Caller) -> None:
    reply = await flow.call("GET", "/info", headers={})
    assert reply.error == MISSING
    assert reply.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.requirement("api-2")
async def test_a_header_without_a_blank_counts_as_missing(flow: Caller) -> None:
    reply = await flow.call("GET", "/info", headers={"authorization": flow.key})
    assert reply.error == MISSING


@pytest.mark.requirement("api-3")
async def test_another_scheme_is_refused(flow: Caller) -> None:
    reply = await flow.call("GET", "/info", headers={"authorization": f"Basic {flow.key}"})
    assert reply.error == SCHEME


@pytest.mark.requirement("api-4")
async def test_an_unknown_key_is_refused(flow: Caller) -> None:
    reply = await flow.call("GET", "/info", headers={"authorization": "Bearer app-doesnotexist"})
    assert reply.error == UNKNOWN
    assert reply.headers["www-authenticate"] == 'Bearer realm="api"'


@pytest.mark.requirement("api-5")
async def test_the_scheme_is_read_regardless_of_case(flow: Caller) -> None:
    reply = await flow.call("GET", "/info", headers={"authorization": f"bearer {flow.key}"})
    assert reply.ok["name"] == "F"


def token(house: House, caller: Caller, key: str, *, kind: str = "app") -> ApiToken:
    return ApiToken(
        id=house.runtime.ids.new(),
        kind="app" if kind == "app" else "dataset",
        token_hash=hash_key(key),
        hint=key[-4:],
        created_at=house.runtime.clock.now(),
        app_id=caller.app_id,
    )


@pytest.mark.requirement("api-6")
async def test_a_dataset_key_opens_no_app(house: House, flow: Caller) -> None:
    made = token(house, flow, "dataset-0123456789", kind="dataset")
    await house.runtime.store.write(lambda connection: keys.create(connection, made))
    reply = await flow.call("GET", "/info", headers={"authorization": "Bearer dataset-0123456789"})
    assert reply.error == UNKNOWN


@pytest.mark.requirement("api-7")
async def test_an_app_whose_api_is_off_cannot_be_called(house: House) -> None:
    caller = await house.serve(apps.echo_flow(name="D"))

    def switch_off(connection: Connection) -> None:
        app = app_rows.get_for_update(connection, caller.app_id)
        app_rows.update(connection, msgspec.structs.replace(app, enable_api=False))

    await house.runtime.store.write(switch_off)
    assert (await caller.get("/info")).error == (
        403,
        "forbidden",
        "The app's API service has been disabled.",
    )


@pytest.mark.requirement("api-8")
async def test_a_deleted_key_is_refused_at_once(house: House, flow: Caller) -> None:
    made = token(house, flow, "app-012345678901234567890123")
    header = {"authorization": "Bearer app-012345678901234567890123"}
    await house.runtime.store.write(lambda connection: keys.create(connection, made))
    before = await flow.call("GET", "/info", headers=header)
    await house.runtime.store.write(lambda connection: keys.delete_by_app(connection, flow.app_id, made.id))
    after = await flow.call("GET", "/info", headers=header)
    assert (before.status, after.error) == (200, UNKNOWN)


@pytest.mark.requirement("api-9")
async def test_a_wrong_key_hides_a_malformed_body(flow: Caller) -> None:
    reply = await flow.call(
        "POST",
        "/chat-messages",
        data=b'{"query":',
        headers={"authorization": "Bearer app-doesnotexist", "content-type": "application/json"},
    )
    assert reply.error == UNKNOWN


@pytest.mark.requirement("api-10")
async def test_an_unknown_path_answers_404_as_json(flow: Caller) -> None:
    status, code, _ = (await flow.get("/nothing-here")).error
    assert (status, code) == (404, "not_found")


@pytest.mark.requirement("api-11")
async def test_a_wrong_method_answers_405_and_names_the_right_one(flow: Caller) -> None:
    reply = await flow.call("DELETE", "/info")
    assert (reply.error[:2], "GET" in reply.headers["allow"]) == ((405, "method_not_allowed"), True)


@pytest.mark.requirement("api-12")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/files/abc/preview"),
        ("GET", "/workflows/run/abc"),
        ("GET", "/conversations/abc/variables"),
        ("POST", "/conversations/abc/name"),
    ],
)
async def test_a_path_that_is_no_uuid_where_one_belongs_answers_404(
    flow: Caller, method: str, path: str
) -> None:
    body = None if method == "GET" else {"user": "u1", "name": "N"}
    assert (await flow.call(method, path, body)).error[:2] == (404, "not_found")


@pytest.mark.requirement("api-13")
@pytest.mark.parametrize("path", ["/info", "/nothing-here"])
async def test_every_answer_names_version_and_environment(flow: Caller, path: str) -> None:
    reply = await flow.get(path)
    assert (reply.headers["x-version"], "x-env" in reply.headers) == (VERSION, True)
    assert reply.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("api-14")
async def test_a_body_on_a_get_is_ignored(flow: Caller) -> None:
    assert (await flow.call("GET", "/info", {})).ok["name"] == "F"


@pytest.mark.requirement("api-15")
async def test_the_root_answers_without_a_key(flow: Caller) -> None:
    reply = await flow.call("GET", "/", headers={})
    assert reply.ok == {"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": VERSION}


async def test_a_browser_may_call_from_anywhere(flow: Caller) -> None:
    reply = await flow.call(
        "OPTIONS",
        "/chat-messages",
        headers={
            "origin": "https://example.org",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        },
    )
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "*")
    assert "POST" in reply.headers["access-control-allow-methods"]
