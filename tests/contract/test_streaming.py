"""The event stream of a message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.caller import BOUND, Caller, is_id
from tests.contract.house import House, open_house
from weft.errors import BadReplyError
from weft.providers import ChatRequest

pytestmark = pytest.mark.anyio

USAGE_IS_THERE = {"total_tokens", "total_price", "currency", "latency"}


@pytest.mark.requirement("api-71", "dsl-112")
async def test_a_stream_tells_start_nodes_text_and_end_in_order(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user)
    assert stream.script == [
        "workflow_started",
        ">start",
        "<start",
        ">llm",
        "'You'",
        "' said:'",
        "' hi'",
        "<llm",
        ">answer",
        "<answer",
        "message_end",
        "workflow_finished",
    ]
    headers = ("cache-control", "x-accel-buffering")
    assert [stream.headers[name] for name in headers] == ["no-cache", "no"]


@pytest.mark.requirement("api-72")
async def test_every_event_carries_the_same_task_conversation_message_and_time(
    flow: Caller, user: str
) -> None:
    stream = await flow.told("hi", user=user)
    ids = {(event["task_id"], event["conversation_id"], event["message_id"]) for event in stream.events}
    (common,) = ids
    assert all(map(is_id, common))
    (message,) = await flow.messages(common[1], user=user)
    assert {event["created_at"] for event in stream.events} == {message["created_at"]}
    assert message["id"] == common[2]
    of_run = [event for event in stream.events if not event["event"].startswith("message")]
    assert {event["workflow_run_id"] for event in of_run} == {stream.finished["id"]}


@pytest.mark.requirement("api-73", "dsl-112")
async def test_the_deltas_joined_are_the_stored_answer(flow: Caller, user: str) -> None:
    stream = await flow.told("one two three", user=user)
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert stream.answer == message["answer"] == "You said: one two three"
    assert {event["id"] for event in stream.of("message")} == {message["id"]}
    assert {tuple(event["from_variable_selector"]) for event in stream.of("message")} == {("llm", "text")}


@pytest.mark.requirement("api-74")
async def test_workflow_started_shows_inputs_and_why_the_run_began(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user, inputs={"city": "Rome"})
    event = stream.events[0]
    data = event["data"]
    assert (data["id"], data["reason"]) == (event["workflow_run_id"], "initial")
    assert data["inputs"] == {
        "city": "Rome",
        "level": None,
        "age": None,
        "sys.query": "hi",
        "sys.files": [],
        "sys.user_id": user,
        "sys.dialogue_count": 1,
        "sys.app_id": flow.app_id,
        "sys.workflow_id": flow.workflow_id,
        "sys.workflow_run_id": data["id"],
    }
    assert (data["workflow_id"], isinstance(data["created_at"], int)) == (flow.workflow_id, True)


NODE_KEYS = {
    "id",
    "node_id",
    "node_type",
    "title",
    "index",
    "predecessor_node_id",
    "inputs",
    "inputs_truncated",
    "created_at",
    "extras",
    "iteration_id",
    "loop_id",
    "agent_strategy",
}
FINISHED_KEYS = NODE_KEYS | {
    "process_data",
    "process_data_truncated",
    "outputs",
    "outputs_truncated",
    "status",
    "error",
    "elapsed_time",
    "execution_metadata",
    "finished_at",
    "files",
}


@pytest.mark.requirement("api-75")
async def test_every_node_that_starts_finishes_under_the_same_id(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user)
    started = [event["data"] for event in stream.of("node_started")]
    finished = [event["data"] for event in stream.of("node_finished")]
    places = [(data["index"], data["node_id"], data["node_type"]) for data in started]
    assert places == [(1, "start", "start"), (2, "llm", "llm"), (3, "answer", "answer")]
    assert [data["id"] for data in started] == [data["id"] for data in finished]
    assert {frozenset(data) for data in started} == {frozenset(NODE_KEYS)}
    assert {frozenset(data) for data in finished} == {frozenset(FINISHED_KEYS)}
    assert [data["status"] for data in finished] == ["succeeded"] * 3
    assert [bool(data["outputs"]) for data in finished] == [True] * 3


@pytest.mark.requirement("api-76")
async def test_message_end_names_the_message_and_tells_the_usage(flow: Caller, user: str) -> None:
    event = (await flow.told("hi", user=user)).one("message_end")
    usage = event["metadata"]["usage"]
    assert event["id"] == event["message_id"]
    assert (set(usage) >= USAGE_IS_THERE, usage["total_tokens"]) == (True, 4)
    assert event["metadata"]["retriever_resources"] == []


@pytest.mark.requirement("api-77", "dsl-112")
async def test_workflow_finished_tells_status_and_number_of_steps(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user)
    data = stream.finished
    facts = ("status", "error", "total_steps", "total_tokens", "exceptions_count", "outputs", "files")
    assert [data[name] for name in facts] == [
        "succeeded",
        None,
        len(stream.of("node_finished")),
        4,
        0,
        {"answer": "You said: hi"},
        [],
    ]
    assert (data["created_by"]["user"], is_id(data["created_by"]["id"])) == (user, True)
    assert data["finished_at"] >= data["created_at"]


@pytest.mark.requirement("api-78", "dsl-113")
async def test_a_failed_run_ends_with_an_error_and_no_message_end(failing: Caller, user: str) -> None:
    stream = await failing.told("hi", user=user)
    assert stream.names[-2:] == ["workflow_finished", "error"]
    assert ("message_end" in stream.names, stream.finished["status"]) == (False, "failed")
    error = stream.one("error")
    assert (error["status"], error["code"]) == (400, "invalid_param")
    assert error["message"] == f"Run failed: {stream.finished['error']}"
    assert ("boom" in error["message"], error["task_id"]) == (True, stream.events[0]["task_id"])
    (message,) = await failing.messages(error["conversation_id"], user=user)
    assert (message["status"], message["error"]) == ("error", stream.finished["error"])


@pytest.mark.requirement("api-79")
async def test_an_unknown_conversation_is_a_plain_404(flow: Caller) -> None:
    reply = await flow.chat("hi", conversation_id=str(uuid4()), response_mode="streaming")
    assert reply.error == (404, "not_found", "Conversation Not Exists.")


@pytest.mark.requirement("api-80", "dsl-120")
async def test_pings_keep_a_silent_stream_alive(folder: Path) -> None:
    gate, actor = Gate(), Actor()

    async def silent(request: ChatRequest) -> AsyncIterator[str]:
        await gate.wait()
        yield "at last"

    actor.play("silent", silent)
    async with open_house(folder, models=actor, server={"ping_seconds": 0.02}) as house:
        flow = await house.serve(apps.echo_flow())
        async with flow.stream("silent") as stream:
            while stream.names[-1:] != ["node_started"] or len(stream.names) < 4:
                await stream.next()
            await stream.pinged(stream.pings + 2)
            gate.open()
            await stream.rest()
    assert stream.answer == "at last"


@pytest.mark.requirement("api-81")
async def test_a_run_goes_on_and_is_stored_when_its_client_leaves(
    house: House, flow: Caller, actor: Actor, user: str
) -> None:
    gate = Gate()

    async def leisurely(request: ChatRequest) -> AsyncIterator[str]:
        yield "one "
        await gate.wait()
        yield "two"

    actor.play("leave me", leisurely)
    async with flow.stream("leave me", user=user) as stream:
        await stream.until_text("one ")
        live = await house.let_go(stream)
    started = stream.events[0]
    gate.open()
    async with asyncio.timeout(BOUND):
        await live.ended()
    (message,) = await flow.messages(started["conversation_id"], user=user)
    run = await flow.run_detail(started["workflow_run_id"])
    assert (message["answer"], message["status"]) == ("one two", "normal")
    assert (run["status"], run["outputs"]["answer"]) == ("succeeded", "one two")


def retrying(name: str) -> apps.Data:
    retry = {"retry_enabled": True, "max_retries": 3, "retry_interval": 1}
    return apps.chatflow(
        [apps.start(), apps.llm("llm", retry_config=retry), apps.answer("{{#llm.text#}}")],
        "start > llm > answer",
        name=name,
    )


@pytest.mark.requirement("api-83", "dsl-25", "dsl-117")
async def test_a_node_that_is_tried_again_tells_so_before_it_finishes(
    house: House, actor: Actor, user: str
) -> None:
    tries = 0

    async def stubborn(request: ChatRequest) -> AsyncIterator[str]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise BadReplyError(f"try {tries} failed", provider="actor")
        yield "fine"

    actor.play("stubborn", stubborn)
    flow = await house.serve(retrying("retrying"))
    stream = await flow.told("stubborn", user=user)
    assert stream.script[3:7] == [">llm", "node_retry", "node_retry", "'fine'"]
    retries = [event["data"] for event in stream.of("node_retry")]
    assert [(data["retry_index"], data["status"], data["error"]) for data in retries] == [
        (1, "retry", "try 1 failed"),
        (2, "retry", "try 2 failed"),
    ]
    ids = {data["id"] for data in retries} | {stream.node("llm")["id"]}
    assert (len(ids), stream.node("llm")["status"]) == (1, "succeeded")
    assert (stream.finished["status"], stream.finished["exceptions_count"]) == ("partial-succeeded", 2)


def iterating() -> apps.Data:
    return apps.chatflow(
        [
            apps.start(),
            apps.code("list", "return {'items': ['a', 'b', 'c']}", {"items": "array[string]"}),
            apps.node(
                "each",
                "iteration",
                iterator_selector=["list", "items"],
                output_selector=["shout", "output"],
                start_node_id="each-start",
                is_parallel=False,
                error_handle_mode="terminated",
                flatten_output=True,
            ),
            apps.node("each-start", "iteration-start", inside="each", iteration_id="each"),
            apps.template("shout", "{{ item }}!", {"item": "each.item"}, inside="each", iteration_id="each"),
            apps.answer("{{#each.output#}}"),
        ],
        "start > list > each > answer",
        "each-start > shout",
        name="iterating",
    )


@pytest.mark.requirement("api-84", "dsl-116")
async def test_an_iteration_tells_of_its_rounds_in_events_of_its_own(house: House, user: str) -> None:
    flow = await house.serve(iterating())
    stream = await flow.told(user=user)
    inner = [">shout", "<shout"]
    rounds = ["iteration_next", *inner, "iteration_next", *inner, "iteration_next", *inner]
    begin = stream.script.index("iteration_started")
    assert stream.script[begin : begin + 11] == ["iteration_started", *rounds, "iteration_completed"]
    assert [event["data"]["index"] for event in stream.of("iteration_next")] == [0, 1, 2]
    completed = stream.one("iteration_completed")["data"]
    assert (completed["steps"], completed["outputs"]) == (3, {"output": ["a!", "b!", "c!"]})
    assert stream.one("iteration_started")["data"]["metadata"] == {"iteration_length": 3}
    nodes = stream.of("node_started") + stream.of("node_finished")
    told = {(event["data"]["node_id"], event["data"]["iteration_id"]) for event in nodes}
    assert told == {("start", None), ("list", None), ("shout", "each"), ("answer", None)}
    assert (stream.answer, stream.finished["total_steps"]) == ("- a!\n- b!\n- c!", 4)


@pytest.mark.requirement("api-85")
async def test_text_of_any_script_arrives_unescaped(flow: Caller, user: str) -> None:
    stream = await flow.told("Grüße 你好 🎉", user=user)
    said = await flow.chat("Grüße 你好 🎉", user=user)
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert stream.answer == said.ok["answer"] == message["answer"] == "You said: Grüße 你好 🎉"
    assert "Grüße 你好 🎉".encode() in said.body


async def test_the_whole_answer_and_the_stream_say_the_same(flow: Caller, user: str) -> None:
    stream = await flow.told("hi", user=user)
    said = await flow.said("hi", user=user)
    end = stream.one("message_end")
    for usage in (said["metadata"]["usage"], end["metadata"]["usage"]):
        for timing in ("latency", "time_to_first_token", "time_to_generate"):
            usage.pop(timing)
    assert (said["answer"], said["metadata"]) == (stream.answer, end["metadata"])
