"""Apps that answer without a conversation, and what is not for them."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.house import House
from weft.store import Connection
from weft.store import apps as app_rows

pytestmark = pytest.mark.anyio

UNAVAILABLE = (400, "app_unavailable", "App unavailable, please check your app configurations.")
BODY = {"inputs": {"query": "hi"}, "user": "u1"}


@pytest.fixture(scope="module")
async def completion(house: House) -> Caller:
    """A completion app that was stored before its kind could be run."""
    caller = await house.serve(apps.echo_flow(name="C"))

    def write(connection: Connection) -> None:
        app = app_rows.get_for_update(connection, caller.app_id)
        app_rows.update(connection, msgspec.structs.replace(app, mode="completion"))

    await house.runtime.store.write(write)
    return caller


@pytest.mark.requirement("api-142")
async def test_a_completion_app_suggests_nothing(completion: Caller) -> None:
    reply = await completion.get(f"/messages/{uuid4()}/suggested", user="u1")
    assert reply.error[:2] == (400, "not_chat_app")


@pytest.mark.requirement("api-211")
async def test_a_completion_app_has_no_runs(completion: Caller) -> None:
    assert (await completion.get(f"/workflows/run/{uuid4()}")).error[:2] == (400, "not_workflow_app")


@pytest.mark.requirement("api-232")
async def test_a_chatflow_is_no_completion_app(flow: Caller, work: Caller) -> None:
    for caller in (flow, work):
        assert (await caller.post("/completion-messages", BODY)).error == UNAVAILABLE
        assert (await caller.post("/completion-messages/x/stop", {"user": "u1"})).error == UNAVAILABLE
        reply = await caller.post("/completion-messages", {"inputs": {}})
        assert reply.error == (400, "invalid_param", "Arg user must be provided.")


async def test_a_completion_app_that_cannot_be_run_says_that_it_is_unavailable(completion: Caller) -> None:
    assert (await completion.post("/completion-messages", BODY)).error == UNAVAILABLE
    stopped = await completion.post("/completion-messages/x/stop", {"user": "u1"})
    assert stopped.ok == {"result": "success"}
