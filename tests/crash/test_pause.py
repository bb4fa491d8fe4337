"""A server that is killed while its runs wait for people: they wait on, and go on where they were."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.contract import apps
from tests.contract.caller import BOUND
from tests.crash.test_kill import ORPHANED, succeed
from tests.crash.victim import Victim
from weft.testing.fake_models import Behaviour, FakeModels

pytestmark = pytest.mark.anyio


@pytest.fixture
def asking(victim: Victim) -> Victim:
    """A server of a chatflow that asks somebody between two replies of a model."""
    flow = apps.chatflow(
        [
            apps.start(),
            apps.llm("before", "first {{#sys.query#}}"),
            apps.assign("note", ("conversation.topic", "over-write", "{sys.query}")),
            apps.answer("{{#before.text#}}; ", id="said"),
            apps.human("ask", "{{#before.text#}}? {{#$output.name#}}"),
            apps.llm("after", "then {{#ask.name#}} about {{#conversation.topic#}}"),
            apps.answer("{{#after.text#}}."),
        ],
        "start > before > note > said > ask:approve > after > answer",
        variables=[apps.conversation_variable("topic", "string", "none")],
    )
    victim.app.write_text(json.dumps(flow), encoding="utf-8")
    return victim


async def test_a_run_that_waits_survives_its_server(asking: Victim) -> None:
    flow = await asking.start()
    stream = await flow.told("tea")
    paused = stream.one("workflow_paused")["data"]
    form = stream.one("human_input_required")["data"]
    await asking.kill()
    began = stream.events[0]
    async with succeed(asking) as (_, flow):
        waiting = await flow.run_detail(began["workflow_run_id"])
        (before,) = await flow.messages(began["conversation_id"])
        async with flow.events(began["workflow_run_id"], continue_on_pause="true") as joined:
            assert (await flow.fill(form["form_token"], name="Ada", note="")).status == 200
            await joined.rest()
        (after,) = await flow.messages(began["conversation_id"])
        run = await flow.run_detail(began["workflow_run_id"])
        topic = await flow.variables(began["conversation_id"])
    assert (waiting["status"], waiting["total_steps"]) == ("paused", paused["total_steps"])
    assert (before["status"], before["answer"]) == ("paused", stream.answer)
    assert (stream.answer, joined.answer) == ("first tea; ", "then Ada about tea.")
    assert (after["id"], after["status"], after["answer"]) == (
        began["message_id"],
        "normal",
        stream.answer + joined.answer,
    )
    assert (run["status"], run["outputs"]) == ("succeeded", {"answer": after["answer"]})
    assert run["total_steps"] == 7
    assert topic == {"topic": "tea"}
    usage = joined.one("message_end")["metadata"]["usage"]
    assert usage["total_tokens"] == run["total_tokens"] > 0
    started = [node for node in stream.started if node != "ask"]
    assert started + joined.started == ["start", "before", "note", "said", "ask", "after", "answer"]


async def test_an_answer_that_was_acknowledged_counts(asking: Victim, fake: FakeModels) -> None:
    flow = await asking.start()
    stream = await flow.told("tea")
    form = stream.one("human_input_required")["data"]
    assert (await flow.fill(form["form_token"], name="Ada", note="")).status == 200
    await asking.kill()  # it may have gone on already, or be about to
    began = stream.events[0]
    async with succeed(asking) as (_, flow):
        end = (await flow.joined(began["workflow_run_id"], continue_on_pause="true")).finished
        (message,) = await flow.messages(began["conversation_id"])
        again = await flow.fill(form["form_token"], name="Bob", note="")
    assert (end["status"], end["error"]) in (("succeeded", None), ("failed", ORPHANED))
    assert message["extra_contents"][0]["form_submission_data"]["rendered_content"] == "first tea? Ada"
    assert again.error[:2] == (412, "human_input_form_submitted")
    if end["status"] == "succeeded":
        assert message["answer"] == "first tea; then Ada about tea."


async def test_a_run_that_had_gone_on_is_closed_with_a_reason(asking: Victim, fake: FakeModels) -> None:
    flow = await asking.start()
    stream = await flow.told("tea")
    form = stream.one("human_input_required")["data"]
    fake.then(Behaviour(text="one two three", stall_after=3))
    began = stream.events[0]
    async with flow.events(began["workflow_run_id"], continue_on_pause="true") as joined:
        await flow.fill(form["form_token"], name="Ada", note="")
        async with asyncio.timeout(BOUND):
            await joined.until("message")
        await asking.kill()
        with pytest.raises(aiohttp.ClientError):
            await joined.rest()
    async with succeed(asking) as (_, flow):
        run = await flow.run_detail(began["workflow_run_id"])
        (message,) = await flow.messages(began["conversation_id"])
        read = await flow.get(f"/form/human_input/{form['form_token']}")
    assert (run["status"], run["error"]) == ("failed", ORPHANED)
    assert (message["status"], message["error"], message["answer"]) == ("error", ORPHANED, "first tea; ")
    assert read.error[:2] == (412, "human_input_form_submitted")
