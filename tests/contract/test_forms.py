"""Runs that wait for a person: the pause, the form, and how the run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.actor import Actor, Gate
from tests.contract.apps import (
    answer,
    chatflow,
    code,
    end,
    field,
    human,
    llm,
    node,
    start,
    template,
    workflow,
)
from tests.contract.caller import Caller, Stream
from tests.contract.house import House, open_house
from tests.contract.uploads import fetched, local, uploaded
from weft.clock import SystemClock

pytestmark = pytest.mark.anyio

ASK = "Please, {{#sys.query#}}: {{#$output.name#}} ({{#$output.note#}})"
EXPIRED = "Human input form expired"


def approval(name: str = "H", **data: Any) -> dict[str, Any]:
    """A chatflow that says something, asks, and says what came of it."""
    return chatflow(
        [
            start(),
            answer("Wait. ", id="first"),
            human("ask", ASK, **data),
            answer("Yes, {{#ask.name#}}.", id="yes"),
            answer("No: {{#ask.__rendered_content#}}", id="no"),
        ],
        "start > first > ask:approve > yes",
        "ask:reject > no",
        name=name,
    )


@pytest.fixture(scope="session")
async def asking(house: House) -> Caller:
    """The chatflow `approval`."""
    return await house.serve(approval())


class Paused:
    """A message whose run waits."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.form: Mapping[str, Any] = stream.one("human_input_required")["data"]
        self.token = str(self.form["form_token"])
        first = stream.events[0]
        self.run_id = str(first["workflow_run_id"])
        self.task_id = str(first["task_id"])
        self.message_id = first["message_id"]
        self.conversation_id = first["conversation_id"]


async def pause(caller: Caller, user: str, query: str = "hi", **fields: object) -> Paused:
    return Paused(await caller.told(query, user=user, **fields))


async def ended(caller: Caller, run_id: str, user: str) -> Stream:
    """The stream of a run that goes on, or is over, from now on."""
    return await caller.joined(run_id, user=user, continue_on_pause="true")


# The pause


@pytest.mark.requirement("api-233", "dsl-123")
async def test_a_stream_that_asks_ends_with_the_pause(asking: Caller, user: str) -> None:
    stream = await asking.told("Ada", user=user)
    assert stream.script == [
        "workflow_started",
        "'Wait. '",
        ">start",
        "<start",
        ">first",
        "<first",
        ">ask",
        "human_input_required",
        "workflow_paused",
    ]
    form = stream.one("human_input_required")["data"]
    assert form == {
        "form_id": form["form_id"],
        "node_id": "ask",
        "node_title": "ask",
        "form_content": "Please, Ada: {{#$output.name#}} ({{#$output.note#}})",
        "inputs": [
            {"type": "text_input", "output_variable_name": "name", "default": None},
            {
                "type": "paragraph",
                "output_variable_name": "note",
                "default": {"type": "variable", "selector": ["sys", "query"], "value": ""},
            },
        ],
        "actions": [
            {"id": "approve", "title": "Approve", "button_style": "primary"},
            {"id": "reject", "title": "Reject", "button_style": "default"},
        ],
        "display_in_ui": True,
        "form_token": form["form_token"],
        "resolved_default_values": {"note": "Ada"},
        "expiration_time": form["expiration_time"],
    }
    assert len(form["form_token"]) >= 32
    expires = datetime.fromtimestamp(form["expiration_time"], UTC)
    assert abs(expires - datetime.now(UTC) - timedelta(hours=36)) < timedelta(minutes=1)
    paused = stream.one("workflow_paused")["data"]
    assert {**paused, "elapsed_time": 0} == {
        "workflow_run_id": stream.events[0]["workflow_run_id"],
        "paused_nodes": ["ask"],
        "outputs": {},
        "reasons": [{"TYPE": "human_input_required", **form}],
        "status": "paused",
        "created_at": paused["created_at"],
        "elapsed_time": 0,
        "total_tokens": 0,
        "total_steps": 3,
    }


@pytest.mark.requirement("api-234")
async def test_a_blocking_caller_is_told_of_the_pause(asking: Caller, user: str) -> None:
    said = await asking.said("Ada", user=user)
    data = said["data"]
    assert (said["event"], said["mode"], said["answer"]) == ("workflow_paused", "advanced-chat", "Wait. ")
    assert sorted(said) == [
        "answer",
        "conversation_id",
        "created_at",
        "data",
        "event",
        "id",
        "message_id",
        "metadata",
        "mode",
        "task_id",
        "workflow_run_id",
    ]
    assert sorted(data) == [
        "answer",
        "conversation_id",
        "created_at",
        "elapsed_time",
        "id",
        "message_id",
        "metadata",
        "mode",
        "paused_nodes",
        "reasons",
        "status",
        "total_steps",
        "total_tokens",
        "workflow_run_id",
    ]
    assert (data["status"], data["paused_nodes"]) == ("paused", ["ask"])
    assert data["reasons"][0]["TYPE"] == "human_input_required"
    assert (await asking.get(f"/form/human_input/{data['reasons'][0]['form_token']}")).status == 200


@pytest.mark.requirement("api-234")
async def test_a_blocking_workflow_is_told_of_the_pause(house: House, user: str) -> None:
    caller = await house.serve(
        workflow([start(), human("ask"), end(name="ask.name")], "start > ask:approve > end"), "W asks"
    )
    said = await caller.run(user=user)
    data = said["data"]
    assert (data["status"], data["outputs"], data["finished_at"]) == ("paused", {}, None)
    assert (data["paused_nodes"], data["reasons"][0]["TYPE"]) == (["ask"], "human_input_required")
    await caller.fill(data["reasons"][0]["form_token"], user=user, name="Ada", note="")
    stream = await ended(caller, said["workflow_run_id"], user)
    assert stream.finished["outputs"] == {"name": "Ada"}
    assert "message_end" not in stream.names


@pytest.mark.requirement("api-235")
async def test_a_message_shows_that_it_waits(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    (message,) = await asking.messages(paused.conversation_id, user=user)
    assert (message["status"], message["answer"], message["error"]) == ("paused", "Wait. ", None)
    assert message["extra_contents"] == [
        {
            "type": "human_input",
            "workflow_run_id": paused.run_id,
            "submitted": False,
            "form_definition": paused.form,
            "form_submission_data": None,
        }
    ]


@pytest.mark.requirement("api-236")
async def test_a_run_shows_that_it_waits(asking: Caller, user: str) -> None:
    run = await asking.run_detail((await pause(asking, user)).run_id)
    assert (run["status"], run["finished_at"], run["outputs"], run["error"]) == ("paused", None, {}, None)


@pytest.mark.requirement("api-57")
async def test_a_run_that_waits_takes_no_place(folder: Path, actor: Actor) -> None:
    async with open_house(folder, models=actor, server={"max_active_requests": 1}) as house:
        caller = await house.serve(approval())
        assert [(await caller.said())["event"] for _ in range(3)] == ["workflow_paused"] * 3
        assert len(house.runtime.runner.live) == 0


# The form


@pytest.mark.requirement("api-237")
async def test_a_form_is_read_by_its_token(asking: Caller, user: str) -> None:
    paused = await pause(asking, user, "Ada")
    form = (await asking.get(f"/form/human_input/{paused.token}")).ok
    assert form == {
        "form_content": paused.form["form_content"],
        "inputs": paused.form["inputs"],
        "resolved_default_values": {"note": "Ada"},
        "user_actions": paused.form["actions"],
        "expiration_time": paused.form["expiration_time"],
    }


@pytest.mark.requirement("api-237")
async def test_first_values_of_any_kind_are_shown_as_text(house: House, user: str) -> None:
    types = {"list": "array[string]", "map": "object", "number": "number", "text": "string"}
    made = "{'list': ['a'], 'map': {'a': 'ü'}, 'number': 1.5, 'text': 'x'}"
    fields = [
        {
            "type": "paragraph",
            "output_variable_name": name,
            "default": {"type": "variable", "selector": ["make", name], "value": ""},
        }
        for name in [*types, "missing"]
    ]
    caller = await house.serve(
        chatflow(
            [
                start(),
                code("make", f"return {made}", types),
                human("ask", inputs=fields),
                answer("done"),
            ],
            "start > make > ask:approve > answer",
        ),
        "first values",
    )
    paused = await pause(caller, user)
    shown = (await caller.get(f"/form/human_input/{paused.token}")).ok["resolved_default_values"]
    assert shown == {"list": '["a"]', "map": '{"a":"ü"}', "number": "1.5", "text": "x", "missing": ""}


@pytest.mark.requirement("api-238")
async def test_a_form_is_its_apps_own(asking: Caller, flow: Caller, user: str) -> None:
    paused = await pause(asking, user)
    for reply in (
        await flow.get(f"/form/human_input/{paused.token}"),
        await flow.fill(paused.token, user=user, name="A", note=""),
        await asking.get("/form/human_input/nothing"),
    ):
        assert reply.error == (404, "not_found", "Form not found")


@pytest.mark.requirement("api-239")
async def test_missing_fields_are_named(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    reply = await asking.fill(paused.token, user=user)
    assert reply.error == (400, "invalid_form_data", "Missing required inputs: name, note")
    reply = await asking.fill(paused.token, user=user, note="", unknown="x")
    assert reply.error == (400, "invalid_form_data", "Missing required inputs: name")


@pytest.mark.requirement("api-240")
async def test_an_unknown_action_is_refused(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    reply = await asking.fill(paused.token, "maybe", user=user, name="A", note="")
    assert reply.error == (400, "invalid_form_data", "Invalid action: maybe")


@pytest.mark.requirement("api-241")
async def test_a_form_needs_a_user(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    reply = await asking.post(f"/form/human_input/{paused.token}", {"inputs": {}, "action": "approve"})
    assert reply.error[:2] == (400, "invalid_param")


@pytest.mark.parametrize("value", [1, ["a"], {"a": 1}, True])
async def test_a_field_takes_text_only(asking: Caller, user: str, value: object) -> None:
    paused = await pause(asking, user)
    reply = await asking.fill(paused.token, user=user, name=value, note="")
    assert reply.error == (400, "invalid_form_data", "Invalid value for input name: it must be a text")


async def test_a_choice_must_be_one_that_is_offered(house: House, user: str) -> None:
    fields = [
        {
            "type": "select",
            "output_variable_name": "size",
            "option_source": {"type": "variable", "selector": ["make", "sizes"], "value": []},
        }
    ]
    caller = await house.serve(
        chatflow(
            [
                start(),
                code("make", "return {'sizes': ['s', 'm']}", {"sizes": "array[string]"}),
                human("ask", inputs=fields),
                answer("{{#ask.size#}}"),
            ],
            "start > make > ask:approve > answer",
        ),
        "choices",
    )
    paused = await pause(caller, user)
    assert paused.form["inputs"][0]["option_source"]["value"] == ["s", "m"]
    reply = await caller.fill(paused.token, user=user, size="xl")
    assert reply.error[:2] == (400, "invalid_form_data")
    assert (await caller.fill(paused.token, user=user, size="m")).status == 200
    await ended(caller, paused.run_id, user)
    assert (await caller.messages(paused.conversation_id, user=user))[0]["answer"] == "m"


async def test_files_can_be_asked_for(house: House, user: str) -> None:
    fields = [
        {"type": "file", "output_variable_name": "photo", "allowed_file_types": ["image"]},
        {"type": "file-list", "output_variable_name": "papers", "number_limits": 2},
    ]
    caller = await house.serve(
        chatflow(
            [
                start(),
                human("ask", "{{#$output.photo#}} {{#$output.papers#}}", inputs=fields),
                answer("{{#ask.photo.name#}}: {{#ask.__rendered_content#}}"),
            ],
            "start > ask:approve > answer",
        ),
        "files asked for",
    )
    paused = await pause(caller, user)

    def remote(name: str, type: str) -> dict[str, str]:
        return {"type": type, "transfer_method": "remote_url", "url": f"https://example.org/{name}"}

    papers = [remote(f"{number}.pdf", "document") for number in range(3)]
    photo = remote("a.png", "image")
    wrong = await caller.fill(paused.token, user=user, photo=papers[0], papers=papers[:2])
    assert wrong.error[:2] == (400, "invalid_form_data")
    many = await caller.fill(paused.token, user=user, photo=photo, papers=papers)
    assert many.error[:2] == (400, "invalid_form_data")
    assert (await caller.fill(paused.token, user=user, photo=photo, papers=papers[:2])).status == 200
    await ended(caller, paused.run_id, user)
    (message,) = await caller.messages(paused.conversation_id, user=user)
    assert message["answer"] == "a.png: [file] [2 files]"


async def test_a_form_that_goes_out_by_mail_has_no_token(house: House, user: str) -> None:
    methods = [{"id": "1", "type": "email", "enabled": True, "config": {}}]
    caller = await house.serve(approval("mail", delivery_methods=methods))
    form = (await pause(caller, user)).form
    assert (form["form_token"], form["display_in_ui"]) == (None, False)


@pytest.mark.requirement("api-242")
async def test_another_user_may_answer(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    reply = await asking.fill(paused.token, user=f"{user}'s boss", name="A", note="")
    assert (reply.status, reply.json) == (200, {})
    await ended(asking, paused.run_id, user)


@pytest.mark.requirement("api-243")
async def test_a_form_is_answered_once(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    await asking.fill(paused.token, user=user, name="A", note="")
    told = f"This form has already been submitted by another user, form_id={paused.form['form_id']}"
    for reply in (
        await asking.fill(paused.token, user=user, name="B", note=""),
        await asking.get(f"/form/human_input/{paused.token}"),
    ):
        assert reply.error == (412, "human_input_form_submitted", told)
    await ended(asking, paused.run_id, user)


@pytest.mark.requirement("api-250")
async def test_of_two_answers_at_the_same_time_one_counts(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    replies = await asyncio.gather(
        *(asking.fill(paused.token, user=user, name=name, note="") for name in ("A", "B", "C"))
    )
    assert sorted(reply.status for reply in replies) == [200, 412, 412]
    assert {reply.error[1] for reply in replies if reply.status == 412} == {"human_input_form_submitted"}
    await ended(asking, paused.run_id, user)
    (message,) = await asking.messages(paused.conversation_id, user=user)
    winner = "ABC"[[reply.status for reply in replies].index(200)]
    assert message["answer"] == f"Wait. Yes, {winner}."


# Going on


@pytest.mark.requirement("api-244", "dsl-32", "dsl-123")
async def test_whoever_joined_before_hears_the_run_go_on(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    async with asking.events(paused.run_id, user=user, continue_on_pause="true") as stream:
        await asking.fill(paused.token, user=user, name="Ada", note="so")
        await stream.rest()
    assert stream.script == [
        "workflow_started",
        "human_input_form_filled",
        ">ask",
        "'Yes, '",
        "'Ada'",
        "'.'",
        "<ask",
        ">yes",
        "<yes",
        "message_end",
        "workflow_finished",
    ]
    assert stream.events[0]["data"]["reason"] == "resumption"
    assert stream.one("human_input_form_filled")["data"] == {
        "node_id": "ask",
        "node_title": "ask",
        "rendered_content": "Please, hi: Ada (so)",
        "action_id": "approve",
        "action_text": "Approve",
        "submitted_data": {"name": "Ada", "note": "so"},
    }
    common = ("conversation_id", "message_id", "created_at", "task_id", "workflow_run_id")
    assert [stream.events[0][name] for name in common] == [paused.stream.events[0][name] for name in common]
    assert (stream.finished["status"], stream.finished["total_steps"]) == ("succeeded", 4)
    assert stream.finished["outputs"] == {"answer": "Wait. Yes, Ada."}


@pytest.mark.requirement("api-245")
async def test_of_a_run_that_is_over_one_frame_is_left(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    await asking.fill(paused.token, user=user, name="Ada", note="")
    whole = await ended(asking, paused.run_id, user)
    stream = await asking.joined(paused.run_id, user=user, include_state_snapshot="true")
    (frame,) = stream.events
    assert sorted(frame) == ["data", "event", "task_id", "workflow_run_id"]
    assert (frame["event"], frame["task_id"]) == ("workflow_finished", paused.run_id)
    assert frame["data"]["status"] == whole.finished["status"] == "succeeded"
    assert frame["data"]["outputs"] == {"answer": "Wait. Yes, Ada."}


@pytest.mark.requirement("api-246")
async def test_nobody_elses_run_can_be_joined(asking: Caller, flow: Caller, user: str) -> None:
    paused = await pause(asking, user)
    replies = [
        await asking.get(f"/workflow/{paused.run_id}/events", user=f"not {user}"),
        await flow.get(f"/workflow/{paused.run_id}/events", user=user),
        await asking.get(f"/workflow/{paused.message_id}/events", user=user),
        await asking.get("/workflow/nothing/events", user=user),
    ]
    assert {reply.error for reply in replies} == {(404, "not_found", "Workflow run not found")}


@pytest.mark.requirement("api-247")
async def test_joining_needs_a_user(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    assert (await asking.get(f"/workflow/{paused.run_id}/events")).error[:2] == (400, "invalid_param")


@pytest.mark.requirement("api-248")
async def test_the_message_is_whole_afterwards(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    await asking.fill(paused.token, user=user, name="Ada", note="so")
    await ended(asking, paused.run_id, user)
    (message,) = await asking.messages(paused.conversation_id, user=user)
    assert (message["status"], message["answer"]) == ("normal", "Wait. Yes, Ada.")
    (content,) = message["extra_contents"]
    assert content == {
        "type": "human_input",
        "workflow_run_id": paused.run_id,
        "submitted": True,
        "form_definition": {**paused.form, "form_token": None},
        "form_submission_data": {
            "node_id": "ask",
            "node_title": "ask",
            "rendered_content": "Please, hi: Ada (so)",
            "action_id": "approve",
            "action_text": "Approve",
            "submitted_data": {"name": "Ada", "note": "so"},
        },
    }
    run = await asking.run_detail(paused.run_id)
    assert (run["status"], run["outputs"]) == ("succeeded", {"answer": "Wait. Yes, Ada."})


async def test_the_action_decides_the_way(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    await asking.fill(paused.token, "reject", user=user, name="Ada", note="n")
    await ended(asking, paused.run_id, user)
    (message,) = await asking.messages(paused.conversation_id, user=user)
    assert message["answer"] == "Wait. No: Please, hi: Ada (n)"


@pytest.mark.requirement("dsl-32")
async def test_a_run_may_pause_more_than_once_and_for_several_forms(house: House, user: str) -> None:
    caller = await house.serve(
        chatflow(
            [
                start(),
                human("one"),
                human("two"),
                human("three"),
                answer("{{#one.name#}}{{#two.name#}}{{#three.name#}}"),
            ],
            "start > one:approve > three",
            "start > two:approve > three",
            "three:approve > answer",
        ),
        "three forms",
    )
    stream = await caller.told(user=user)
    run_id = stream.events[0]["workflow_run_id"]
    forms = {event["data"]["node_id"]: event["data"] for event in stream.of("human_input_required")}
    assert sorted(stream.one("workflow_paused")["data"]["paused_nodes"]) == ["one", "two"]

    async def goes_on(token: str, name: str) -> Stream:
        async with caller.events(run_id, user=user, continue_on_pause="true") as told:
            await caller.fill(token, user=user, name=name, note="")
            while told.names[-1:] not in (["workflow_paused"], ["workflow_finished"]):
                await told.next()
        return told

    second = await goes_on(forms["two"]["form_token"], "B")
    assert second.one("workflow_paused")["data"]["paused_nodes"] == ["one"]
    assert second.of("human_input_required") == []
    third = await goes_on(forms["one"]["form_token"], "A")
    last = third.one("human_input_required")["data"]
    assert (last["node_id"], third.one("workflow_paused")["data"]["paused_nodes"]) == ("three", ["three"])
    end_ = await goes_on(last["form_token"], "C")
    assert (end_.answer, end_.finished["outputs"]) == ("ABC", {"answer": "ABC"})


@pytest.mark.requirement("dsl-32")
@pytest.mark.parametrize("parallel", [False, True])
async def test_items_of_an_iteration_ask_each_for_themselves(house: House, user: str, parallel: bool) -> None:
    caller = await house.serve(
        chatflow(
            [
                start(),
                code("make", "return {'items': ['a', 'b']}", {"items": "array[string]"}),
                node(
                    "it",
                    "iteration",
                    iterator_selector=["make", "items"],
                    output_selector=["ask", "name"],
                    start_node_id="it-start",
                    is_parallel=parallel,
                ),
                node("it-start", "iteration-start", inside="it"),
                {**human("ask", "{{#it.item#}}"), "parentId": "it"},
                answer("{{#it.output#}}"),
            ],
            "start > make > it > answer",
            "it-start > ask",
        ),
        f"asks in an iteration {parallel}",
    )
    stream = await caller.told(user=user)
    run_id, answered = stream.events[0]["workflow_run_id"], 0
    while stream.names[-1] == "workflow_paused":
        for reason in stream.of("workflow_paused")[-1]["data"]["reasons"]:
            token, name = reason["form_token"], f"{reason['form_content']}!"
            assert (await caller.fill(token, user=user, name=name, note="")).status == 200
            answered += 1
        stream = await caller.joined(run_id, user=user, continue_on_pause="false")
    assert (answered, stream.finished["outputs"]) == (2, {"answer": "- a!\n- b!"})


async def test_a_form_can_be_answered_while_other_branches_are_at_work(
    house: House, actor: Actor, user: str
) -> None:
    gate = Gate()

    async def slowly(request: Any) -> Any:
        await gate.wait()
        yield "slow"

    actor.play(f"wait, {user};", slowly)
    caller = await house.serve(
        chatflow(
            [start(), llm("llm"), human("ask"), answer("{{#llm.text#}} {{#ask.name#}}")],
            "start > ask:approve > answer",
            "start > llm > answer",
        ),
        "answered early",
    )
    async with caller.stream(f"wait, {user};", user=user) as stream:
        form = await stream.until("human_input_required")
        assert (await caller.fill(form["data"]["form_token"], user=user, name="fast", note="")).status == 200
        gate.open()
        await stream.rest()
    assert "workflow_paused" not in stream.names
    assert stream.names.count("human_input_form_filled") == 1
    assert stream.names[-2:] == ["message_end", "workflow_finished"]
    assert (stream.answer, stream.finished["status"]) == ("slow fast", "succeeded")
    (message,) = await caller.messages(form["conversation_id"], user=user)
    assert (message["answer"], message["status"]) == ("slow fast", "normal")


# Joining again


async def test_a_snapshot_tells_what_happened_before_a_pause(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    stream = await asking.joined(paused.run_id, user=user, include_state_snapshot="true")
    assert stream.script == [
        "workflow_started",
        ">start",
        "<start",
        ">first",
        "<first",
        ">ask",
        "message_replace",
        "human_input_required",
        "workflow_paused",
    ]
    assert stream.events[0]["data"]["reason"] == "initial"
    assert stream.node("first")["outputs"] == {}
    assert stream.one("message_replace")["answer"] == "Wait. "
    assert stream.one("human_input_required")["data"] == paused.form


async def test_a_reader_that_does_not_stay_is_told_of_the_pause_only(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    stream = await asking.joined(paused.run_id, user=user)
    assert stream.names == ["human_input_required", "workflow_paused"]


async def test_a_run_that_goes_on_can_be_joined_by_others(
    house: House, flow: Caller, actor: Actor, user: str
) -> None:
    gate = Gate()

    async def slowly(request: Any) -> Any:
        yield "one"
        await gate.wait()
        yield " two"

    actor.play(f"slowly, {user};", slowly)
    async with flow.stream(f"slowly, {user};", user=user) as stream:
        await stream.until_text("one")
        run_id = stream.events[0]["workflow_run_id"]
        async with (
            flow.events(run_id, user=user) as late,
            flow.events(run_id, user=user, include_state_snapshot="true") as whole,
        ):
            await whole.until("message_replace")
            gate.open()
            for reader in (late, whole, stream):
                await reader.rest()
    assert late.answer == " two"
    assert whole.one("message_replace")["answer"] == "one"
    assert whole.script[:5] == ["workflow_started", ">start", "<start", ">llm", "message_replace"]
    assert late.events[-4:] == stream.events[-4:]
    assert late.names[-2:] == ["message_end", "workflow_finished"]


# The end of time


class LeapClock(SystemClock):
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.mark.requirement("api-249")
async def test_a_form_whose_time_is_over_lets_the_run_fail(folder: Path, actor: Actor) -> None:
    clock = LeapClock()
    async with open_house(folder, models=actor, clock=clock) as house:
        caller = await house.serve(approval())
        paused = await pause(caller, "u1")
        async with caller.events(paused.run_id, continue_on_pause="true") as stream:
            clock.ahead = timedelta(hours=37)
            late = await caller.fill(paused.token, name="A", note="")
            await stream.rest()
        told = f"This form has expired, form_id={paused.form['form_id']}"
        assert late.error == (412, "human_input_form_expired", told)
        assert (await caller.get(f"/form/human_input/{paused.token}")).error == late.error
        assert stream.names[:2] == ["workflow_started", "human_input_form_timeout"]
        assert stream.one("human_input_form_timeout")["data"] == {
            "node_id": "ask",
            "node_title": "ask",
            "expiration_time": paused.form["expiration_time"],
        }
        assert (stream.finished["status"], stream.finished["error"]) == ("failed", EXPIRED)
        (message,) = await caller.messages(paused.conversation_id)
        assert (message["status"], message["answer"], message["error"]) == ("error", "Wait. ", EXPIRED)
        (content,) = message["extra_contents"]
        assert (content["submitted"], content["form_definition"]["form_token"]) == (False, None)


@pytest.mark.requirement("api-249")
async def test_a_form_whose_time_is_over_leads_on_where_there_is_a_way(folder: Path, actor: Actor) -> None:
    clock = LeapClock()
    flow = chatflow(
        [start(), human("ask", timeout=2, timeout_unit="day"), answer("Too late.")],
        "start > ask:__timeout > answer",
    )
    async with open_house(folder, models=actor, clock=clock) as house:
        caller = await house.serve(flow)
        paused = await pause(caller, "u1")
        async with caller.events(paused.run_id, continue_on_pause="true") as stream:
            clock.ahead = timedelta(days=2, seconds=1)
            await stream.rest()
        assert (stream.answer, stream.finished["status"]) == ("Too late.", "succeeded")


# Stopping


async def test_a_run_that_waits_can_be_stopped_by_its_owner(asking: Caller, user: str) -> None:
    paused = await pause(asking, user)
    await asking.stop(paused.task_id, user=f"not {user}")
    assert (await asking.run_detail(paused.run_id))["status"] == "paused"
    async with asking.events(paused.run_id, user=user, continue_on_pause="true") as stream:
        await asking.stop(paused.task_id, user=user)
        await stream.rest()
    assert stream.names == ["message_replace", "message_end", "workflow_finished"]
    run = await asking.run_detail(paused.run_id)
    assert (run["status"], run["error"], run["finished_at"] is None) == ("stopped", "Stopped by user.", False)
    (message,) = await asking.messages(paused.conversation_id, user=user)
    assert (message["status"], message["answer"]) == ("normal", "Wait. ")
    for reply in (
        await asking.get(f"/form/human_input/{paused.token}"),
        await asking.fill(paused.token, user=user, name="A", note=""),
    ):
        assert reply.error == (404, "not_found", "Form not found")


# Restarts and new versions


async def test_a_run_goes_on_in_a_server_that_starts_later(folder: Path, actor: Actor) -> None:
    async with open_house(folder, models=actor) as house:
        paused = await pause(await house.serve(approval()), "u1")
    async with open_house(folder, models=actor) as house:
        caller = await house.serve(approval())
        async with caller.events(paused.run_id, continue_on_pause="true") as stream:
            assert (await caller.fill(paused.token, name="Ada", note="")).status == 200
            await stream.rest()
        assert (stream.answer, stream.finished["status"]) == ("Yes, Ada.", "succeeded")
        (message,) = await caller.messages(paused.conversation_id)
        assert (message["id"], message["answer"]) == (paused.message_id, "Wait. Yes, Ada.")


async def test_a_run_goes_on_with_the_version_that_it_began_with(folder: Path, actor: Actor) -> None:
    async with open_house(folder, models=actor) as house:
        paused = await pause(await house.serve(approval(), "flow"), "u1")
        caller = await house.serve(
            chatflow([start(), answer("All is new.")], "start > answer", name="H"), "flow"
        )
        assert (await caller.said())["answer"] == "All is new."
        await caller.fill(paused.token, name="Ada", note="")
        await ended(caller, paused.run_id, "u1")
        (message,) = await caller.messages(paused.conversation_id)
        assert message["answer"] == "Wait. Yes, Ada."


async def test_links_to_files_are_good_again_after_a_long_wait(tmp_path: Path) -> None:
    paper = field(
        "papers", "file-list", allowed_file_types=["document"], allowed_file_upload_methods=["local_file"]
    )
    clock = LeapClock()
    async with open_house(tmp_path, clock=clock) as house:
        caller = await house.serve(
            chatflow(
                [
                    start(paper),
                    human("ask", "?"),
                    template("link", "{{ papers[0].url }}", {"papers": "start.papers"}),
                    answer("{{#link.output#}}"),
                ],
                "start > ask:approve > link > answer",
            )
        )
        file = await uploaded(caller, "notes.txt", b"Good morning", "text/plain", user="u1")
        paused = await pause(caller, "u1", inputs={"papers": [local(file, "document")]})
        clock.ahead = timedelta(hours=1)
        assert (await caller.fill(paused.token, name="Ada", note="")).status == 200
        await ended(caller, paused.run_id, "u1")

        outputs = (await caller.run_detail(paused.run_id))["outputs"]
        assert (await fetched(outputs["answer"])).body == b"Good morning"
