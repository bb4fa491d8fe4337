"""The clients at a whole Weft server in this process: what they ask is there, and what they read is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.console_caller import PASSWORD, make_account
from tests.contract.house import House, open_house
from weft import errors, wire
from weft.client import (
    AdvancedChatApp,
    AsyncAdvancedChatApp,
    AsyncClient,
    AsyncConsoleClient,
    ConsoleClient,
    FormReply,
)

pytestmark = pytest.mark.anyio

EMAIL = "owner@b.c"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("house"), models=Actor()) as opened:
        await make_account(opened, EMAIL)
        yield opened


@pytest.fixture(scope="module")
async def flow(house: House) -> Caller:
    return await house.serve(apps.echo_flow(*apps.FORM, features=apps.FEATURES, variables=apps.VARIABLES))


@pytest.fixture
async def client(flow: Caller) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(flow.url, flow.key) as opened:
        yield opened


@pytest.fixture
async def console(flow: Caller) -> AsyncIterator[AsyncConsoleClient]:
    async with AsyncConsoleClient(flow.url, EMAIL, PASSWORD) as opened:
        yield opened


async def test_what_was_said_to_the_app_is_seen_at_the_console(
    flow: Caller, client: AsyncClient, console: AsyncConsoleClient
) -> None:
    first = await client.chat_messages("one", user="u1", auto_generate_name=False)
    await client.chat_messages("two", user="u1", conversation_id=first.conversation_id)
    await client.feedback(first.message_id, "like", user="u1", content="good")
    app = console.app(flow.app_id, AsyncAdvancedChatApp)
    (conversation,) = await app.get_logs(keyword="two", start=0)
    assert (conversation.id, conversation.message_count) == (first.conversation_id, 2)
    assert conversation.user_feedback_stats == {"like": 1, "dislike": 0}
    (chat,) = await app.chats
    messages = await chat.messages
    assert [message.answer for message in messages] == ["You said: one", "You said: two"]
    assert {message.from_end_user_session_id for message in messages} == {"u1"}
    entry = (await app.iter_workflow_logs().collect())[0]
    run = await app.get_run(entry.workflow_run.id or "")
    assert (run.status, (run.outputs or {})["answer"]) == ("succeeded", "You said: two")
    executions = await app.get_node_executions(run.id)
    assert [node.node_type for node in executions] == ["start", "llm", "answer"]
    assert [found.message_id for found in await app.get_runs(limit=1)] == [messages[1].id]
    assert (await app.count_runs()).total == 2
    (costs,) = await app.token_costs()
    assert costs.token_count == sum(one.message_tokens + one.answer_tokens for one in messages)
    exported = await app.export_feedbacks()
    assert [row.feedback_comment for row in exported.feedback_data] == ["good"]
    assert (await app.export_feedbacks_csv().read()).startswith(b"feedback_id,")


async def test_an_app_is_made_changed_published_and_deleted(
    flow: Caller, console: AsyncConsoleClient
) -> None:
    exported = await console.app(flow.app_id, AsyncAdvancedChatApp).export_yaml()
    made = await console.create_app_from_yaml(exported)
    assert isinstance(made, AsyncAdvancedChatApp)
    draft = await made.get_draft()
    assert draft.graph is not None
    draft.graph.node("answer").data["answer"] = "Changed"
    saved = await made.update_draft(draft)
    again = await made.get_draft()
    assert again.graph == draft.graph
    assert again.hash == saved.hash != draft.hash
    with pytest.raises(errors.ConflictError):
        await made.update_draft(draft)
    await made.publish(marked_name="first")
    versions = await made.iter_versions().collect()
    assert versions[0].marked_name == "first"
    key = await made.create_token()
    async with AsyncClient(flow.url, key.token) as client:
        assert (await client.chat_messages("hi", user="u1")).answer == "Changed"
    await made.delete()
    with pytest.raises(errors.NotFoundError):
        await console.get_app(made.id)


async def test_the_blocking_console_signs_in_too(flow: Caller) -> None:
    def look() -> tuple[str, list[str]]:
        with ConsoleClient(flow.url, EMAIL, PASSWORD) as console:
            app = console.get_app(flow.app_id)
            assert isinstance(app, AdvancedChatApp)
            names = [found.name for found in console.iter_apps(name="F")]
            console.logout()
            return console.profile().email, names

    assert await asyncio.to_thread(look) == (EMAIL, ["F"])


async def test_a_file_goes_there_and_back(client: AsyncClient, tmp_path: Path) -> None:
    upload = await client.upload_file(b"\x89PNG", filename="a.png", user="u2")
    await client.chat_messages("look", user="u2", files=[wire.FileInput.local(upload.id, "image")])
    async with client.file_preview(upload.id) as download:
        assert (download.content_type, download.size) == ("image/png", 4)
        assert await download.read() == b"\x89PNG"
    assert (await client.end_user(upload.created_by or "")).session_id == "u2"


async def test_annotations_are_kept_and_switched_off(client: AsyncClient) -> None:
    made = await client.create_annotation("q", "a")
    assert (await client.update_annotation(made.id, "q", "b")).answer == "b"
    assert [found.answer for found in await client.iter_annotations().collect()] == ["b"]
    job = await client.disable_annotation_reply()
    assert (await client.wait_for_annotation_reply("disable", job.job_id)).job_status == "completed"
    await client.delete_annotation(made.id)
    assert await client.iter_annotations().collect() == []


async def test_a_run_that_waits_for_a_person_is_helped_to_its_end(house: House) -> None:
    asking = await house.serve(
        apps.chatflow(
            [
                apps.start(),
                apps.human("ask", user_actions=[{"id": "ok", "title": "OK", "button_style": "primary"}]),
                apps.answer("Thanks.", id="thanks"),
            ],
            "start > ask",
            "ask:ok > thanks",
            name="H",
        )
    )

    def fill(form: wire.FormDefinition) -> FormReply:
        return FormReply("ok", {field.output_variable_name: "A" for field in form.inputs})

    async with AsyncClient(asking.url, asking.key) as client:
        result = await client.chat_with_forms("hi", fill, user="u1")
    assert (result.answer, result.status) == ("Thanks.", "succeeded")
