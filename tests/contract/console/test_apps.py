"""Apps at the console: list, make, change, copy, delete, keys."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.caller import BOUND, Caller, is_id
from tests.contract.console_caller import ConsoleCaller, make_account, signed_in
from tests.contract.house import House, open_house
from tests.contract.uploads import PNG, uploaded
from weft.files import FileMissingError
from weft.runs import DELETED, WORKSPACE_ID
from weft.store import (
    AccountRole,
    AuditEntry,
    Connection,
    ConversationFilter,
    app_removal,
    audit_log,
    console_logs,
    run_history,
)

pytestmark = pytest.mark.anyio
NO_APP = (404, "app_not_found", "App not found.")
NOBODY = "00000000-0000-4000-8000-000000000000"
START = datetime(2026, 3, 1, tzinfo=UTC)


async def nothing_left(house: House, app_id: str) -> None:
    """Wait until no record of an app is left."""

    def left(connection: Connection) -> int:
        found = console_logs.list_page(connection, app_id, ConversationFilter())
        runs = run_history.count_by_status(connection, app_id, "app-run")
        return found.total + sum(runs.values())

    async with asyncio.timeout(BOUND):
        while await house.runtime.store.read(left):
            pass


@pytest.mark.requirement("console-14")
async def test_apps_are_listed_newest_first_in_pages(owner: ConsoleCaller) -> None:
    ids = [await owner.new_app(f"Listed {n}") for n in range(3)]

    first = (await owner.get("/apps", name="listed", limit=2)).ok
    second = (await owner.get("/apps", name="LISTED", limit=2, page=2)).ok

    assert {key: value for key, value in first.items() if key != "data"} == {
        "page": 1,
        "limit": 2,
        "total": 3,
        "has_more": True,
    }
    assert [item["id"] for item in (*first["data"], *second["data"])] == ids[::-1]
    assert second["has_more"] is False
    assert sorted(first["data"][0]) == sorted(
        [
            "id",
            "name",
            "max_active_requests",
            "description",
            "mode",
            "icon_type",
            "icon",
            "icon_background",
            "icon_url",
            "model_config",
            "workflow",
            "use_icon_as_answer_icon",
            "created_by",
            "created_at",
            "updated_by",
            "updated_at",
            "tags",
            "access_mode",
            "create_user_name",
            "author_name",
            "has_draft_trigger",
        ]
    )
    assert sorted((await owner.get("/apps", limit=100, page=1)).ok) == sorted(first)


@pytest.mark.requirement("console-15")
@pytest.mark.parametrize("query", [{"limit": 101}, {"limit": 0}, {"page": 0}, {"page": "x"}, {"mode": "x"}])
async def test_a_page_out_of_bounds_is_refused(owner: ConsoleCaller, query: dict[str, str | int]) -> None:
    assert (await owner.get("/apps", **query)).error[:2] == (400, "invalid_param")


async def test_apps_are_found_by_mode_maker_and_tag(owner: ConsoleCaller, flow: Caller) -> None:
    made = await owner.new_app("Odd one", "workflow")

    assert [a["id"] for a in (await owner.get("/apps", name="odd", mode="workflow")).ok["data"]] == [made]
    assert (await owner.get("/apps", name="odd", mode="advanced-chat")).ok["data"] == []
    assert (await owner.get("/apps", mode="channel")).ok["total"] == 0
    mine = (await owner.get("/apps", is_created_by_me="true", limit=100)).ok["data"]
    assert made in [item["id"] for item in mine]
    assert flow.app_id not in [item["id"] for item in mine]
    assert (await owner.get("/apps", tag_ids=NOBODY)).ok["data"] == []


@pytest.mark.requirement("console-16")
@pytest.mark.parametrize("app_id", [NOBODY, "x", "%00"])
async def test_an_unknown_app_has_a_code_of_its_own(owner: ConsoleCaller, app_id: str) -> None:
    assert (await owner.get(f"/apps/{app_id}")).error == NO_APP


@pytest.mark.requirement("console-17")
async def test_a_new_app_tells_all_about_itself(owner: ConsoleCaller) -> None:
    reply = await owner.post(
        "/apps", {"name": "Mine", "mode": "advanced-chat", "description": "d", "icon": "🐟"}
    )

    assert reply.status == 201
    app = reply.json
    assert is_id(app["id"])
    assert (app["name"], app["mode"], app["description"], app["icon"]) == ("Mine", "advanced-chat", "d", "🐟")
    assert (app["enable_api"], app["deleted_tools"], app["workflow"]) == (True, [], None)
    assert app["site"]["title"] == "Mine"
    assert app["api_base_url"].endswith("/v1")
    assert (await owner.get(f"/apps/{app['id']}")).ok == app


@pytest.mark.requirement("console-18")
@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "mode": "x"},
        {"name": "", "mode": "workflow"},
        {"mode": "workflow"},
        {"name": "x", "mode": "workflow", "description": "d" * 401},
        {"name": "x", "mode": "workflow", "icon_type": "x"},
        {"name": "x" * 256, "mode": "workflow"},
    ],
)
async def test_what_cannot_be_an_app_is_refused(owner: ConsoleCaller, body: object) -> None:
    assert (await owner.post("/apps", body)).error[:2] == (400, "invalid_param")


async def test_an_app_can_be_changed(owner: ConsoleCaller) -> None:
    path = f"/apps/{await owner.new_app('Before')}"

    changed = (await owner.put(path, {"name": "After", "description": "new", "max_active_requests": 3})).ok
    assert (changed["name"], changed["description"], changed["max_active_requests"]) == ("After", "new", 3)
    assert (await owner.post(f"{path}/name", {"name": "Third"})).ok["name"] == "Third"
    assert (await owner.post(f"{path}/icon", {"icon": "🐟"})).ok["icon"] == "🐟"
    assert (await owner.post(f"{path}/site-enable", {"enable_site": False})).ok["enable_site"] is False
    assert (await owner.post(f"{path}/site", {"title": "Ours"})).ok["title"] == "Ours"
    final = (await owner.get(path)).ok
    assert (final["name"], final["icon"], final["enable_site"], final["site"]["title"]) == (
        "Third",
        "🐟",
        False,
        "Ours",
    )


async def test_the_api_of_an_app_can_be_switched_off(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Switched"))
    path = f"/apps/{caller.app_id}/api-enable"

    assert (await owner.post(path, {"enable_api": False})).ok["enable_api"] is False
    assert (await caller.get("/info")).status == 403
    assert (await owner.post(path, {"enable_api": True})).ok["enable_api"] is True
    assert (await caller.get("/info")).status == 200


async def test_a_copy_does_the_same_as_its_original(house: House, owner: ConsoleCaller) -> None:
    secret = {"id": "s", "name": "key", "value_type": "secret", "value": "hush", "description": ""}
    caller = await house.serve({**apps.echo_flow(name="Original")})
    app = (
        await owner.imported(
            apps.chatflow(
                [apps.start(), apps.answer("{{#env.key#}}")],
                "start > answer",
                name="Keeper",
                environment=[secret],
            )
        )
    )["app_id"]

    copied = await owner.post(f"/apps/{app}/copy", {"name": "Copy"})
    served = await owner.post(f"/apps/{caller.app_id}/copy")

    assert (copied.status, copied.json["name"]) == (201, "Copy")
    assert served.json["name"] == "Original"
    exported = (await owner.get(f"/apps/{copied.json['id']}/export", include_secret="true")).ok["data"]
    assert "hush" in exported
    graphs = [
        (await owner.get(f"/apps/{id}/workflows/draft")).ok["graph"]
        for id in (caller.app_id, served.json["id"])
    ]
    assert graphs[0] == graphs[1]


async def test_a_deleted_app_is_gone_at_once_and_its_records_soon(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Doomed"))
    for _ in range(3):
        await caller.said("hello")

    assert (await owner.delete(f"/apps/{caller.app_id}")).status == 204

    assert (await owner.get(f"/apps/{caller.app_id}")).error == NO_APP
    assert (await owner.get("/apps", name="doomed")).ok["total"] == 0
    assert (await caller.get("/info")).status == 401
    assert (await owner.delete(f"/apps/{caller.app_id}")).error == NO_APP

    await nothing_left(house, caller.app_id)


async def test_the_files_of_a_deleted_app_are_deleted_too(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="With files"))
    await caller.said("hello")
    file = await uploaded(caller)
    content = house.runtime.files.content
    assert [piece async for piece in content.open(file["id"], end=len(PNG))] == [PNG]

    await owner.delete(f"/apps/{caller.app_id}")
    await nothing_left(house, caller.app_id)

    with pytest.raises(FileMissingError):
        [piece async for piece in content.open(file["id"], end=len(PNG))]


async def test_a_removal_that_was_interrupted_is_finished_after_the_next_login(folder: Path) -> None:
    async with open_house(folder) as house:
        caller = await house.serve(apps.echo_flow(name="Half"))
        await caller.said("hello")
        entry = AuditEntry(house.runtime.ids.new(), WORKSPACE_ID, DELETED, START, app_id=caller.app_id)

        def begin(connection: Connection) -> None:
            app_removal.remove(connection, WORKSPACE_ID, caller.app_id)
            audit_log.append(connection, entry)

        await house.runtime.store.write(begin)
        await signed_in(house, *house.runtime.admin)
        await nothing_left(house, caller.app_id)


@pytest.mark.requirement("console-27")
async def test_an_app_has_ten_keys_at_most(owner: ConsoleCaller) -> None:
    path = f"/apps/{await owner.new_app('Keys')}/api-keys"

    made = [await owner.call("POST", path) for _ in range(10)]

    assert [reply.status for reply in made] == [201] * 10
    keys = [reply.json for reply in made]
    assert sorted(keys[0]) == ["created_at", "id", "last_used_at", "token", "type"]
    assert all(key["token"].startswith("app-") and len(key["token"]) == 28 for key in keys)
    assert (await owner.get(path)).ok == {"data": keys}
    assert (await owner.post(path, {})).error == (
        400,
        "max_keys_exceeded",
        "Cannot create more than 10 API keys for this resource type.",
    )


@pytest.mark.requirement("console-28")
async def test_a_deleted_key_opens_nothing(house: House, owner: ConsoleCaller) -> None:
    caller = await house.serve(apps.echo_flow(name="Locked"))
    path = f"/apps/{caller.app_id}/api-keys"
    key = (await owner.post(path)).json
    other = Caller(house.session, caller.url, key["token"], caller.app_id, caller.workflow_id)
    assert (await other.said("hi"))["answer"]

    assert [one["token"] for one in (await owner.get(path)).ok["data"]] == [caller.key, key["token"]]
    assert (await owner.delete(f"{path}/{key['id']}")).status == 204
    assert (await other.get("/info")).status == 401
    assert (await caller.get("/info")).status == 200
    assert (await owner.delete(f"{path}/{key['id']}")).error == (404, "not_found", "API key not found")
    assert (await owner.delete(f"{path}/x")).error == (404, "not_found", "API key not found")


async def test_keys_are_shown_once_where_that_is_wanted(folder: Path) -> None:
    async with open_house(folder, server={"show_keys": False}) as house:
        owner = await signed_in(house, *house.runtime.admin)
        path = f"/apps/{await owner.new_app()}/api-keys"

        key = (await owner.post(path)).json["token"]

        assert len(key) == 28
        assert [one["token"] for one in (await owner.get(path)).ok["data"]] == [f"app-...{key[-4:]}"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("normal", []),
        ("editor", ["make", "log", "key"]),
        ("admin", ["make", "log", "key", "switch", "unkey"]),
    ],
)
async def test_what_somebody_may_do_follows_from_their_role(
    house: House, owner: ConsoleCaller, role: AccountRole, allowed: list[str]
) -> None:
    await make_account(house, f"{role}@roles.c", role)
    caller = await signed_in(house, f"{role}@roles.c")
    app = f"/apps/{await owner.new_app('Roles')}"
    key = (await owner.post(f"{app}/api-keys")).json["id"]

    asked = {
        "make": await caller.post("/apps", {"name": "x", "mode": "workflow"}),
        "log": await caller.get(f"{app}/chat-conversations"),
        "key": await caller.post(f"{app}/api-keys"),
        "switch": await caller.post(f"{app}/api-enable", {"enable_api": True}),
        "unkey": await caller.delete(f"{app}/api-keys/{key}"),
    }

    assert [name for name, reply in asked.items() if reply.status < 300] == allowed
    assert {reply.error[:2] for reply in asked.values() if reply.status >= 300} <= {(403, "forbidden")}
    assert (await caller.get(app)).status == 200


async def test_every_change_is_noted_with_who_made_it_and_without_secrets(
    house: House, owner: ConsoleCaller
) -> None:
    app = await owner.new_app("Noted")
    key = (await owner.post(f"/apps/{app}/api-keys")).json
    await owner.post(f"/apps/{app}/workflows/draft", {"graph": {}, "features": {}})
    await owner.post(f"/apps/{app}/workflows/publish")
    await owner.delete(f"/apps/{app}/api-keys/{key['id']}")
    await owner.delete(f"/apps/{app}")
    me = (await owner.get("/account/profile")).ok["id"]

    page = await house.runtime.store.read(
        lambda connection: audit_log.list_page(connection, WORKSPACE_ID, limit=100)
    )
    noted = [entry for entry in page.items if entry.app_id == app and entry.action != "app.purge"]

    assert [entry.action for entry in reversed(noted)] == [
        "app.create",
        "key.create",
        "draft.save",
        "app.publish",
        "key.delete",
        "app.delete",
    ]
    assert {(entry.account_id, entry.address) for entry in noted} == {(me, "127.0.0.1")}
    assert key["token"] not in repr(noted)
