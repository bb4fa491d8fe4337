"""The unmodified package `dify-user-client` against the console."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.console_caller import PASSWORD, make_account
from tests.contract.house import House

dify = pytest.importorskip("dify_user_client")
client_apps = pytest.importorskip("dify_user_client.apps")
pytestmark = pytest.mark.anyio
T = TypeVar("T")


def root(house: House) -> str:
    return house.serving.console_api.removesuffix("/console/api")


async def away(fn: Callable[[], T]) -> T:
    """Call something that blocks."""
    return await asyncio.to_thread(fn)


@pytest.fixture(scope="session")
async def client(house: House) -> Any:
    await make_account(house, "uc@b.c")
    credentials = dify.Credentials(username="uc@b.c", password=PASSWORD)
    return await away(lambda: dify.DifyClient(root(house), credentials))


async def test_apps_are_made_listed_changed_and_deleted(client: Any) -> None:
    app = await away(lambda: client.create_app("Theirs", client_apps.AppType.advanced_chat))

    assert type(await away(lambda: client.get_app(app.id))) is client_apps.AdvancedChatApp
    assert app.id in [one.id for one in await away(lambda: client.apps)]
    info = await away(lambda: app.info)
    assert info["name"] == "Theirs"
    await away(lambda: app.update_info({**info, "name": "Renamed"}))
    assert (await away(lambda: app.info))["name"] == "Renamed"
    await away(app.delete)
    with pytest.raises(ValueError, match="not found"):
        await away(lambda: client.get_app(app.id))


async def test_apps_of_every_mode_can_be_made(client: Any) -> None:
    for mode in client_apps.AppType:
        app = await away(lambda mode=mode: client.create_app(f"A {mode.value}", mode))  # type: ignore[misc]
        assert (await away(lambda app=app: client.get_app(app.id))).type in (mode, None)  # type: ignore[misc]
        if isinstance(app, client_apps.AgentApp | client_apps.ChatApp):
            assert list(await away(lambda app=app: app.get_logs())) == []  # type: ignore[misc]


async def test_a_draft_goes_round_and_is_published(client: Any) -> None:
    app = await away(lambda: client.create_app("Flow", client_apps.AppType.workflow))

    draft = await away(app.get_draft)
    await away(lambda: app.update_draft(draft))
    await away(app.publish)

    assert draft == client_apps.WorkflowDraft()


async def test_keys_are_made_and_work(house: House, client: Any) -> None:
    flow = await house.serve(apps.echo_flow(name="Keyed"))
    app = await away(lambda: client.get_app(flow.app_id))

    made = await away(app.create_token)

    assert [token.token for token in await away(lambda: app.tokens)] == [flow.key, made.token]
    assert (await away(lambda: app.token)).token == flow.key
    other = Caller(house.session, flow.url, made.token, flow.app_id, flow.workflow_id)
    assert (await other.get("/info")).status == 200


async def test_an_app_goes_out_as_yaml_and_comes_back(client: Any, flow: Caller) -> None:
    text = await away((await away(lambda: client.get_app(flow.app_id))).export_yaml)

    made = await away(lambda: client.create_app_from_yaml(text))
    await away(lambda: made.import_yaml(text))
    await away(made.publish)

    assert await away(made.export_yaml) == text


async def test_conversations_and_messages_are_read(house: House, client: Any) -> None:
    caller = await house.serve(apps.echo_flow(name="Read by them"))
    one = await caller.said("first", user="ann")
    await caller.said("second", user="ann", conversation_id=one["conversation_id"])
    await caller.said("other", user="ben")
    app = await away(lambda: client.get_app(caller.app_id))

    page = await away(lambda: app.get_logs(page=1, limit=1))
    entries = await away(lambda: list(app.iter_logs(limit=1)))
    chats = await away(lambda: app.chats)

    assert (page.total, page.has_more, page.data[0].summary) == (2, True, "other")
    assert [entry.message_count for entry in entries] == [1, 2]
    assert entries[1].status_count["success"] == 2
    queries = await away(lambda: [message["query"] for message in chats[1].messages])
    assert queries == ["first", "second"]


async def test_a_token_that_is_not_good_any_more_is_renewed(client: Any) -> None:
    for stale in (client._token_info.refresh_token, "wrong"):
        client._token_info.access_token = "stale"
        client._token_info.refresh_token = stale

        assert await away(lambda: client.apps)


async def test_what_the_server_has_none_of_is_empty_or_refused(client: Any) -> None:
    await away(lambda: client.update_timezone("Europe/Moscow"))
    assert await away(lambda: client.tool_providers) == []
    assert await away(lambda: client.model_providers) == []
    with pytest.raises(ValueError, match="404"):
        await away(lambda: client.update_system_model([]))
