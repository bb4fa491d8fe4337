"""Drafts, versions, imports and exports."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import yaml

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.console_caller import ConsoleCaller
from tests.contract.house import House

pytestmark = pytest.mark.anyio

EMPTY: dict[str, Any] = {
    "graph": {"nodes": [], "edges": [], "viewport": {"x": 0, "y": 0.5, "zoom": 1}},
    "features": {},
    "environment_variables": [],
    "conversation_variables": [],
}
SECRET = {"id": "s", "name": "key", "value_type": "secret", "value": "hush", "description": ""}


def draft_of(app: dict[str, Any]) -> dict[str, Any]:
    """An export's flow as the body of a draft."""
    return {
        "graph": app["workflow"]["graph"],
        "features": app["workflow"]["features"],
        "environment_variables": app["workflow"]["environment_variables"],
        "conversation_variables": app["workflow"]["conversation_variables"],
    }


@pytest.mark.requirement("console-19")
async def test_a_new_app_has_no_draft(owner: ConsoleCaller) -> None:
    app = await owner.new_app()

    assert (await owner.get(f"/apps/{app}/workflows/draft")).error == (
        404,
        "draft_workflow_not_exist",
        "Draft workflow need to be initialized.",
    )
    assert (await owner.get(f"/apps/{app}/workflows/publish")).ok is None
    assert (await owner.post(f"/apps/{app}/workflows/publish")).error == (
        400,
        "invalid_param",
        "No valid workflow found.",
    )
    assert (await owner.get(f"/apps/{app}/export")).error[:2] == (400, "invalid_param")


@pytest.mark.requirement("console-20")
async def test_the_first_draft_needs_no_hash(owner: ConsoleCaller) -> None:
    path = f"/apps/{await owner.new_app()}/workflows/draft"

    saved = (await owner.post(path, EMPTY)).ok

    assert sorted(saved) == ["hash", "result", "updated_at"]
    assert isinstance(saved["updated_at"], int)
    draft = (await owner.get(path)).ok
    assert {name: draft[name] for name in EMPTY} == EMPTY
    assert (draft["hash"], draft["version"], draft["tool_published"]) == (saved["hash"], "draft", False)
    assert draft["created_by"]["email"] == "owner@b.c"
    assert sorted(draft) == sorted(
        [
            "id",
            "graph",
            "features",
            "hash",
            "version",
            "marked_name",
            "marked_comment",
            "created_by",
            "created_at",
            "updated_by",
            "updated_at",
            "tool_published",
            "environment_variables",
            "conversation_variables",
            "rag_pipeline_variables",
        ]
    )


@pytest.mark.requirement("console-21", "console-22")
async def test_a_draft_is_only_overwritten_by_whoever_has_seen_it_or_does_not_care(
    owner: ConsoleCaller,
) -> None:
    path = f"/apps/{await owner.new_app()}/workflows/draft"
    first = (await owner.post(path, EMPTY)).ok["hash"]
    changed = {**EMPTY, "features": {"opening_statement": "Hi"}}

    second = (await owner.post(path, {**changed, "hash": first})).ok["hash"]

    assert second != first
    assert (await owner.post(path, {**EMPTY, "hash": first})).error == (
        409,
        "draft_workflow_not_sync",
        "Workflow graph might have been modified, please refresh and resubmit.",
    )
    assert (await owner.get(path)).ok["features"] == {"opening_statement": "Hi"}
    assert (await owner.post(path, EMPTY)).ok["hash"] == first


async def test_of_two_who_change_the_same_draft_at_once_one_wins(owner: ConsoleCaller) -> None:
    path = f"/apps/{await owner.new_app()}/workflows/draft"
    seen = (await owner.post(path, EMPTY)).ok["hash"]

    replies = await asyncio.gather(
        *(owner.post(path, {**EMPTY, "features": {"n": n}, "hash": seen}) for n in range(5))
    )

    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409, 409]


async def test_a_draft_may_come_as_plain_text(owner: ConsoleCaller) -> None:
    path = f"/apps/{await owner.new_app()}/workflows/draft"

    reply = await owner.call(
        "POST", path, data=json.dumps(EMPTY).encode(), headers={"content-type": "text/plain"}
    )

    assert reply.ok["result"] == "success"


@pytest.mark.parametrize(
    "change",
    [
        {"graph": None},
        {"features": []},
        {"environment_variables": [{"name": "x"}]},
        {"environment_variables": [{**SECRET, "value_type": "x"}]},
        {"conversation_variables": [SECRET]},
        {"graph": {"deep": json.loads("[" * 180 + "]" * 180)}},
    ],
)
async def test_what_cannot_be_kept_is_refused(owner: ConsoleCaller, change: dict[str, Any]) -> None:
    path = f"/apps/{await owner.new_app()}/workflows/draft"

    assert (await owner.post(path, {**EMPTY, **change})).error[:2] == (400, "invalid_param")


async def test_a_secret_is_masked_and_stays_when_the_mask_comes_back(owner: ConsoleCaller) -> None:
    app = await owner.new_app()
    path = f"/apps/{app}/workflows/draft"
    await owner.post(path, {**EMPTY, "environment_variables": [SECRET]})

    shown = (await owner.get(path)).ok["environment_variables"]
    assert shown == [{**SECRET, "value": "*" * 20}]
    for mask in ("*" * 20, "[__HIDDEN__]"):
        saved = await owner.post(path, {**EMPTY, "environment_variables": [{**SECRET, "value": mask}]})
        assert saved.status == 200
    await owner.post(f"/apps/{app}/workflows/publish")

    published = (await owner.get(f"/apps/{app}/workflows/publish")).ok
    assert published["environment_variables"] == shown
    assert "hush" not in (await owner.get(f"/apps/{app}/export")).ok["data"]
    assert "hush" in (await owner.get(f"/apps/{app}/export", include_secret="true")).ok["data"]


@pytest.mark.requirement("console-23")
async def test_what_is_published_answers(house: House, owner: ConsoleCaller) -> None:
    app = await owner.new_app("Born here")
    key = (await owner.post(f"/apps/{app}/api-keys")).json["token"]
    caller = Caller(house.session, house.serving.service_api, key, app, "")
    path = f"/apps/{app}/workflows"
    for text in ("one", "two"):
        flow = apps.chatflow([apps.start(), apps.answer(text)], "start > answer")
        await owner.post(f"{path}/draft", draft_of(flow))

        reply = await owner.call("POST", f"{path}/publish")

        assert sorted(reply.ok) == ["created_at", "result"]
        assert isinstance(reply.ok["created_at"], int)
        assert (await caller.said("hi"))["answer"] == text
    await owner.post(f"{path}/draft", draft_of(apps.chatflow([apps.start(), apps.answer("three")])))
    assert (await caller.said("hi"))["answer"] == "two"
    assert (await owner.get(f"/apps/{app}")).ok["workflow"]["id"]


async def test_a_flow_that_cannot_run_can_be_published_and_says_so_when_it_is_called(
    house: House, owner: ConsoleCaller
) -> None:
    app = await owner.new_app("Broken")
    key = (await owner.post(f"/apps/{app}/api-keys")).json["token"]
    caller = Caller(house.session, house.serving.service_api, key, app, "")
    await owner.post(f"/apps/{app}/workflows/draft", EMPTY)

    assert (await owner.post(f"/apps/{app}/workflows/publish")).status == 200
    assert (await caller.chat("hi")).error[:2] == (400, "invalid_param")
    assert (await caller.get("/parameters")).status == 400


@pytest.mark.requirement("console-24")
@pytest.mark.parametrize("marks", [{"marked_name": "x" * 21}, {"marked_comment": "x" * 101}])
async def test_names_of_versions_are_short(owner: ConsoleCaller, marks: object) -> None:
    app = await owner.new_app()
    await owner.post(f"/apps/{app}/workflows/draft", EMPTY)

    assert (await owner.post(f"/apps/{app}/workflows/publish", marks)).error[:2] == (400, "invalid_param")


async def test_versions_are_listed_marked_and_deleted(owner: ConsoleCaller) -> None:
    path = f"/apps/{await owner.new_app()}/workflows"
    await owner.post(f"{path}/draft", EMPTY)
    await owner.post(f"{path}/publish", {"marked_name": "first"})
    await owner.post(f"{path}/publish")

    page = (await owner.get(path)).ok
    newest, oldest = page["items"]

    assert (page["page"], page["limit"], page["has_more"]) == (1, 10, False)
    assert (oldest["marked_name"], newest["marked_name"]) == ("first", "")
    assert [item["id"] for item in (await owner.get(path, named_only="true")).ok["items"]] == [oldest["id"]]
    assert (await owner.get(path, limit=1)).ok["has_more"] is True
    marked = (await owner.patch(f"{path}/{newest['id']}", {"marked_comment": "better"})).ok
    assert (marked["marked_name"], marked["marked_comment"]) == ("", "better")
    assert (await owner.patch(f"{path}/{newest['id']}", {})).error[:2] == (400, "invalid_param")
    assert (await owner.delete(f"{path}/{newest['id']}")).error[:2] == (400, "bad_request")
    assert (await owner.delete(f"{path}/{oldest['id']}")).status == 204
    assert (await owner.delete(f"{path}/{oldest['id']}")).error[:2] == (404, "not_found")
    draft = (await owner.get(f"{path}/draft")).ok
    assert (await owner.delete(f"{path}/{draft['id']}")).error[:2] == (400, "bad_request")


@pytest.mark.requirement("console-25")
async def test_an_export_can_be_imported_again(owner: ConsoleCaller, flow: Caller) -> None:
    original = (await owner.get(f"/apps/{flow.app_id}/workflows/draft")).ok

    text = (await owner.get(f"/apps/{flow.app_id}/export", include_secret="false")).ok["data"]
    imported = await owner.imported(text)

    document = yaml.safe_load(text)
    assert list(document) == ["version", "kind", "app", "workflow", "dependencies"]
    assert (imported["status"], imported["error"], imported["app_mode"]) == ("completed", "", "advanced-chat")
    assert imported["app_id"] not in (None, flow.app_id)
    draft = (await owner.get(f"/apps/{imported['app_id']}/workflows/draft")).ok
    for name in ("graph", "features", "conversation_variables"):
        assert draft[name] == original[name]
    assert (await owner.get(f"/apps/{imported['app_id']}/workflows/publish")).ok is None


async def test_an_import_may_overwrite_an_app(owner: ConsoleCaller) -> None:
    app = await owner.new_app("Target")
    other = apps.chatflow([apps.start(), apps.answer("x")], "start > answer", name="Source")

    assert (await owner.imported(other, app_id=app, name="Chosen"))["app_id"] == app

    assert (await owner.get(f"/apps/{app}")).ok["name"] == "Chosen"
    nodes = (await owner.get(f"/apps/{app}/workflows/draft")).ok["graph"]["nodes"]
    assert [node["id"] for node in nodes] == ["start", "answer"]


@pytest.mark.requirement("console-26")
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a: [", "Invalid YAML format: "),
        ("- 1", "Invalid YAML format: content must be a mapping"),
        ("version: 0.3\napp: {mode: workflow}", "Invalid version type, expected str, got float"),
        ("version: x", "Invalid version "),
        ("kind: app", "Missing app data in YAML content"),
        ("app: {name: x}", "loss app mode"),
        ("app: {mode: x}", "'x' is not a valid AppMode"),
        ("app: {mode: workflow}", "Missing workflow data"),
        ("app: {mode: chat}", "Missing model_config"),
        ("app: {mode: workflow}\nworkflow: {graph: {}, environment_variables: [1]}", "workflow.environment"),
        ("", "yaml_content is required when import_mode is yaml-content"),
        ("a: &a [*a]", "Invalid YAML format: "),
    ],
)
async def test_what_is_no_app_says_why(owner: ConsoleCaller, content: str, complaint: str) -> None:
    reply = await owner.post("/apps/imports", {"mode": "yaml-content", "yaml_content": content})

    assert (reply.status, reply.json["status"], reply.json["app_id"]) == (400, "failed", None)
    assert reply.json["error"].startswith(complaint)


async def test_an_import_says_what_it_cannot_do(owner: ConsoleCaller, work: Caller) -> None:
    text = json.dumps(apps.echo_flow())
    for body, complaint in (
        ({"mode": "x"}, "Invalid import_mode: x"),
        ({"mode": "yaml-url"}, "yaml_url is required when import_mode is yaml-url"),
        ({"mode": "yaml-url", "yaml_url": "http://127.0.0.1:1/"}, "Error fetching YAML from URL: "),
        ({"mode": "yaml-content", "yaml_content": text, "app_id": "x"}, "App not found"),
        (
            {"mode": "yaml-content", "yaml_content": text, "app_id": work.app_id},
            "Only workflow or advanced chat apps can be overwritten",
        ),
    ):
        reply = await owner.post("/apps/imports", body)
        assert (reply.status, reply.json["status"]) == (400, "failed")
        assert reply.json["error"].startswith(complaint)


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("0.5.0", "completed"), ("0.3.0", "completed-with-warnings"), (None, "completed-with-warnings")],
)
async def test_an_older_file_is_taken_with_a_word_about_it(
    owner: ConsoleCaller, version: str | None, verdict: str
) -> None:
    app = {**apps.echo_flow(), "version": version}
    if version is None:
        del app["version"]

    imported = await owner.imported(app)

    assert (imported["status"], imported["current_dsl_version"]) == (verdict, "0.5.0")
    assert imported["imported_dsl_version"] == (version or "0.1.0")


async def test_a_file_of_a_newer_format_waits_for_a_yes(owner: ConsoleCaller) -> None:
    content = json.dumps({**apps.echo_flow(name="Future"), "version": "1.0.0"})

    pending = await owner.post("/apps/imports", {"mode": "yaml-content", "yaml_content": content})

    assert (pending.status, pending.json["status"], pending.json["app_id"]) == (202, "pending", None)
    path = f"/apps/imports/{pending.json['id']}/confirm"
    confirmed = (await owner.post(path)).ok
    assert confirmed["status"] == "completed"
    assert (await owner.get(f"/apps/{confirmed['app_id']}")).ok["name"] == "Future"
    assert (await owner.post(path)).status == 400


async def test_an_app_without_graph_keeps_its_model_configuration(owner: ConsoleCaller) -> None:
    app = await owner.new_app("Agent", "agent-chat")
    configuration = {"model": {"name": "gpt-4o"}, "pre_prompt": "Be kind."}

    assert (await owner.post(f"/apps/{app}/model-config", configuration)).ok == {"result": "success"}

    assert (await owner.get(f"/apps/{app}")).ok["model_config"] == configuration
    text = (await owner.get(f"/apps/{app}/export")).ok["data"]
    again = await owner.imported(text)
    assert (await owner.get(f"/apps/{again['app_id']}")).ok["model_config"] == configuration
    flow = await owner.new_app()
    assert (await owner.post(f"/apps/{flow}/model-config", {})).error[:2] == (404, "app_not_found")
    assert (await owner.get(f"/apps/{app}/workflows/draft")).error == (
        404,
        "app_not_found",
        "App mode is not in the supported list: {workflow, advanced-chat}",
    )
