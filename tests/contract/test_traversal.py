"""Which nodes run, in which order, and how the run ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate, Part, raising
from tests.contract.apps import (
    answer,
    assign,
    chatflow,
    code,
    end,
    failing,
    field,
    if_else,
    llm,
    node,
    start,
    template,
    workflow,
)
from tests.contract.caller import BOUND, Caller, Stream
from tests.contract.house import House, open_house
from weft.errors import BadReplyError
from weft.providers import ChatChunk, ChatRequest
from weft.runs import RunRequest
from weft.store import Connection, end_users
from weft.store import apps as app_rows

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("dsl-12")
@pytest.mark.parametrize(
    "text", ["", " ", "Grüße 你好 🎉", "x" * 50_000, "\n\t\r\f", '{"a": [1]}', "{{#sys.query#}}"]
)
async def test_a_text_passes_through_as_it_is(house: House, text: str) -> None:
    caller = await house.serve(
        workflow([start(field("x", "paragraph")), end(x="start.x")], "start > end"), "pass text"
    )
    stream = await caller.ran({"x": text})
    assert (stream.finished["outputs"], stream.answer) == ({"x": text}, text)


@pytest.mark.requirement("dsl-12")
async def test_values_pass_through_with_their_types(house: House) -> None:
    form = (field("n", "number"), field("b", "checkbox"), field("o", "json_object"))
    made = code(
        "made",
        "return {'l': [1, 2.5], 'e': [], 'z': None}",
        {"l": "array[number]", "e": "array[string]", "z": "string"},
    )
    outputs = end(n="start.n", b="start.b", o="start.o", l="made.l", e="made.e", z="made.z", u="nobody.knows")
    caller = await house.serve(workflow([start(*form), made, outputs], "start > made > end"), "pass values")
    data = (await caller.run({"n": 1.5, "b": True, "o": {"a": [1, None]}}))["data"]
    assert data["outputs"] == {
        "n": 1.5,
        "b": True,
        "o": {"a": [1, None]},
        "l": [1, 2.5],
        "e": [],
        "z": None,
        "u": None,
    }


@pytest.mark.requirement("dsl-13")
@pytest.mark.parametrize(
    ("text", "taken"), [("say hello", "yes"), ("HELLO", "no"), ("helo", "no"), ("hellohello", "yes")]
)
async def test_contains_is_decided_with_regard_to_case(house: House, text: str, taken: str) -> None:
    caller = await house.serve(
        workflow(
            [
                start(field("x")),
                if_else("if", hit=("start.x", "contains", "hello")),
                end(id="yes", yes="start.x"),
                end(id="no", no="start.x"),
            ],
            "start > if:hit > yes",
            "if:false > no",
        ),
        "contains",
    )
    stream = await caller.ran({"x": text})
    assert (stream.started, stream.finished["outputs"]) == (["start", "if", taken], {taken: text})


@pytest.mark.requirement("dsl-14")
@pytest.mark.parametrize(("text", "side"), [("a", "left"), ("b", "right")])
async def test_a_node_where_branches_meet_runs_once(house: House, text: str, side: str) -> None:
    caller = await house.serve(
        workflow(
            [
                start(field("x")),
                if_else("if", hit=("start.x", "is", "a")),
                template("left", "left"),
                template("right", "right"),
                end(left="left.output", right="right.output"),
            ],
            "start > if:hit > left > end",
            "if:false > right > end",
        ),
        "meeting",
    )
    stream = await caller.ran({"x": text})
    assert stream.started == ["start", "if", side, "end"]
    assert stream.finished["outputs"] == {"left": None, "right": None, side: side}


@pytest.mark.requirement("dsl-14", "dsl-16")
async def test_a_join_waits_for_the_slow_side_that_was_taken(house: House, actor: Actor, user: str) -> None:
    gate = Gate()

    async def slow(request: ChatRequest) -> AsyncIterator[str]:
        await gate.wait()
        yield "slow"

    actor.play(f"diamond {user}", slow)
    flow = await house.serve(
        chatflow(
            [
                start(),
                if_else("if", skipped=("sys.query", "is", "never")),
                template("off", "off"),
                llm("slow"),
                answer("{{#slow.text#}}!"),
            ],
            "start > if:skipped > off > answer",
            "start > slow > answer",
            "if:false > slow",
        ),
        "diamond",
    )
    async with flow.stream(f"diamond {user}", user=user) as stream:
        await gate.seen()
        gate.open()
        await stream.rest()
    assert (stream.started, stream.answer) == (["start", "if", "slow", "answer"], "slow!")


@pytest.mark.requirement("dsl-15")
async def test_what_lies_behind_a_branch_not_taken_does_not_start(house: House) -> None:
    caller = await house.serve(
        workflow(
            [
                start(field("x")),
                if_else("outer", go=("start.x", "is", "go")),
                if_else("inner", deep=("start.x", "is", "go")),
                template("one", "1"),
                template("two", "2"),
                template("shared", "3"),
                end(id="deep", deep="one.output"),
                end(id="other", other="start.x"),
            ],
            "start > outer:go > inner:deep > one > shared > deep",
            "inner:false > two > shared",
            "outer:false > other",
        ),
        "nested",
    )
    stream = await caller.ran({"x": "stay"})
    assert stream.started == ["start", "outer", "other"]
    assert stream.finished["outputs"] == {"other": "stay"}
    assert (await caller.ran({"x": "go"})).started == ["start", "outer", "inner", "one", "shared", "deep"]


@pytest.mark.requirement("dsl-16")
async def test_a_way_not_taken_decides_a_node_that_another_way_reached_before(house: House) -> None:
    caller = await house.serve(
        workflow(
            [
                start(),
                template("early", "early"),
                template("late", "late"),
                if_else("if", never=("late.output", "is", "x")),
                template("off", "off"),
                end(early="early.output", off="off.output"),
            ],
            "start > early > end",
            "start > late > if:never > off > end",
        ),
        "last undecided",
    )
    stream = await caller.ran()
    assert (stream.started[-1], stream.started.count("end"), "off" in stream.started) == ("end", 1, False)
    assert stream.finished["outputs"] == {"early": "early", "off": None}


@pytest.mark.requirement("dsl-17")
async def test_a_branch_without_an_edge_ends_the_run_well_and_empty(house: House) -> None:
    caller = await house.serve(
        workflow(
            [start(field("x")), if_else("if", hit=("start.x", "is", "a")), end(x="start.x")],
            "start > if:hit > end",
        ),
        "dead end",
    )
    stream = await caller.ran({"x": "b"})
    assert (stream.started, stream.finished["status"]) == (["start", "if"], "succeeded")
    assert stream.finished["outputs"] == {}


@pytest.mark.requirement("dsl-18")
async def test_parallel_nodes_all_run_before_their_join(house: House, actor: Actor, user: str) -> None:
    gates = {"left": Gate(), "right": Gate()}

    async def wait(request: ChatRequest) -> AsyncIterator[str]:
        await gates[request.node_id.removeprefix("p-")].wait()
        yield request.node_id

    actor.play(f"parallel {user}", wait)
    flow = await house.serve(
        chatflow(
            [
                start(),
                llm("p-left"),
                llm("p-right"),
                code(
                    "join",
                    "return {'both': a + b}",
                    {"both": "string"},
                    {"a": "p-left.text", "b": "p-right.text"},
                ),
                answer("{{#join.both#}}"),
            ],
            "start > p-left > join > answer",
            "start > p-right > join",
        ),
        "parallel",
    )
    async with flow.stream(f"parallel {user}", user=user) as stream:
        await gates["left"].seen()
        await gates["right"].seen()
        gates["right"].open()
        await stream.until("node_finished")
        await stream.until("node_finished")
        gates["left"].open()
        await stream.rest()
    assert (stream.started[0], stream.started[3:]) == ("start", ["join", "answer"])
    assert sorted(stream.started[1:3]) == ["p-left", "p-right"]
    assert stream.answer == "p-leftp-right"


@pytest.mark.requirement("dsl-18")
async def test_all_edges_of_one_way_out_are_taken(house: House) -> None:
    caller = await house.serve(
        workflow(
            [
                start(field("x")),
                if_else("if", hit=("start.x", "is", "a")),
                *(template(name, name) for name in ("one", "two", "three", "off")),
                end(one="one.output", two="two.output", three="three.output", off="off.output"),
            ],
            "start > if:hit > one > end",
            "if:hit > two > end",
            "if:hit > three > end",
            "if:false > off > end",
        ),
        "fan out",
    )
    stream = await caller.ran({"x": "a"})
    assert (sorted(stream.started[2:5]), stream.started[5:]) == (["one", "three", "two"], ["end"])
    assert stream.finished["outputs"] == {"one": "one", "two": "two", "three": "three", "off": None}


@pytest.mark.requirement("dsl-19")
async def test_an_island_stays_silent(house: House) -> None:
    caller = await house.serve(
        workflow(
            [
                start(),
                template("real", "real"),
                template("island", "x"),
                template("beach", "y"),
                end(real="real.output"),
            ],
            "start > real > end",
            "island > beach",
        ),
        "island",
    )
    stream = await caller.ran()
    assert (stream.started, stream.finished["status"]) == (["start", "real", "end"], "succeeded")


@pytest.mark.requirement("dsl-19")
async def test_a_node_that_waits_for_an_island_does_not_run(house: House) -> None:
    caller = await house.serve(
        workflow(
            [start(), template("island", "x"), template("shared", "shared"), end(shared="shared.output")],
            "start > shared > end",
            "island > shared",
        ),
        "shared with an island",
    )
    stream = await caller.ran()
    assert (stream.started, stream.finished["outputs"]) == (["start"], {})


@pytest.mark.requirement("dsl-19a")
async def test_what_only_another_root_leads_to_is_left_out(house: House) -> None:
    caller = await house.serve(
        workflow(
            [
                start(),
                node("hook", "trigger-webhook"),
                node("clock", "trigger-schedule"),
                template("private", "private"),
                template("shared", "shared"),
                end(private="private.output", shared="shared.output"),
            ],
            "start > shared > end",
            "hook > private > shared",
            "clock > shared",
        ),
        "three roots",
    )
    stream = await caller.ran()
    assert stream.started == ["start", "shared", "end"]
    assert stream.finished["outputs"] == {"private": None, "shared": "shared"}


@pytest.mark.requirement("dsl-20")
async def test_a_failure_without_a_strategy_fails_the_run(house: House) -> None:
    caller = await house.serve(
        workflow(
            [start(), failing("broken"), template("after", "after"), end(x="after.output")],
            "start > broken > after > end",
        ),
        "fatal",
    )
    stream = await caller.ran()
    assert stream.started == ["start", "broken"]
    node = stream.node("broken")
    assert (node["status"], node["error"]) == ("failed", stream.finished["error"])
    assert (stream.finished["status"], stream.finished["outputs"]) == ("failed", {})
    assert ("boom" in node["error"], stream.finished["exceptions_count"]) == (True, 1)


@pytest.mark.requirement("dsl-20")
@pytest.mark.parametrize("order", [("broken", "slow"), ("slow", "broken")])
async def test_a_failure_ends_the_run_at_once_whatever_else_is_going_on(
    house: House, actor: Actor, user: str, order: tuple[str, str]
) -> None:
    gate = Gate()

    async def slow(request: ChatRequest) -> AsyncIterator[str]:
        await gate.wait()
        yield "never"

    async def fail(request: ChatRequest) -> AsyncIterator[str | ChatChunk]:
        await gate.seen()
        async for text in raising(BadReplyError("boom", provider="actor"))(request):
            yield text

    cues: dict[str, Part] = {"slow": slow, "broken": fail}
    for name, part in cues.items():
        actor.play(f"{name} {user}", part)
    flow = await house.serve(
        chatflow(
            [
                start(),
                *(llm(name, f"{name} {{{{#sys.query#}}}}") for name in cues),
                answer("{{#slow.text#}}"),
            ],
            *(f"start > {name} > answer" for name in order),
        ),
        f"first {order[0]}",
    )
    stream = await flow.told(user, user=user)
    assert (stream.finished["status"], "boom" in stream.finished["error"]) == ("failed", True)
    assert "answer" not in stream.started


def caught(name: str, broken: apps.Data) -> apps.Data:
    """A node with both ways out."""
    return workflow(
        [
            start(),
            broken,
            end(id="good", result="broken.result"),
            end(id="bad", message="broken.error_message", type="broken.error_type"),
        ],
        "start > broken > good",
        "broken:fail-branch > bad",
        name=name,
    )


@pytest.mark.requirement("dsl-21")
async def test_a_failure_takes_the_fail_branch(house: House) -> None:
    caller = await house.serve(caught("caught", failing("broken", error_strategy="fail-branch")))
    stream = await caller.ran()
    assert (stream.started, stream.node("broken")["status"]) == (["start", "broken", "bad"], "exception")
    outputs = stream.finished["outputs"]
    assert ("boom" in outputs["message"], outputs["type"]) == (True, "CodeExecutionError")
    assert stream.node("broken")["execution_metadata"]["error_strategy"] == "fail-branch"
    assert (stream.finished["status"], stream.finished["exceptions_count"]) == ("partial-succeeded", 1)
    assert stream.finished["error"] in (None, "")


@pytest.mark.requirement("dsl-22")
async def test_a_success_leaves_the_fail_branch_alone(house: House) -> None:
    fine = code("broken", "return {'result': 'fine'}", {"result": "string"}, error_strategy="fail-branch")
    caller = await house.serve(caught("not caught", fine))
    stream = await caller.ran()
    assert (stream.started, stream.finished["status"]) == (["start", "broken", "good"], "succeeded")
    assert (stream.finished["outputs"], stream.finished["exceptions_count"]) == ({"result": "fine"}, 0)


@pytest.mark.requirement("dsl-23")
async def test_a_failure_goes_on_with_default_values(house: House, user: str) -> None:
    defaults = [{"key": "result", "type": "number", "value": "132123"}]
    broken = code(
        "broken",
        "raise ValueError('boom')",
        {"result": "number"},
        error_strategy="default-value",
        default_value=defaults,
    )
    flow = await house.serve(
        chatflow(
            [start(), broken, answer("{{#broken.result#}}"), answer(" {{#broken.error_type#}}", id="why")],
            "start > broken > answer > why",
        ),
        "defaults",
    )
    stream = await flow.told(user=user)
    assert (stream.answer, stream.finished["status"]) == ("132123 CodeExecutionError", "partial-succeeded")
    assert (stream.node("broken")["status"], stream.names[-2]) == ("exception", "message_end")
    assert (await flow.said(user=user))["answer"] == "132123 CodeExecutionError"


def keyless(id: str, **data: Any) -> apps.Data:
    """An http node that wants a key and was given none."""
    return node(
        id,
        "http-request",
        method="get",
        url="https://example.org/",
        authorization={"type": "api-key", "config": None},
        headers="",
        params="",
        body={"type": "none", "data": []},
        **data,
    )


@pytest.mark.requirement("dsl-24")
async def test_a_wrong_setting_of_an_http_node_is_caught_by_its_strategy(house: House, user: str) -> None:
    defaults = [{"key": "body", "type": "string", "value": "nothing"}]
    flow = await house.serve(
        chatflow(
            [
                start(),
                keyless("one", error_strategy="fail-branch"),
                keyless("two", error_strategy="default-value", default_value=defaults),
                answer("never", id="good"),
                answer("{{#one.error_type#}} {{#two.body#}}"),
            ],
            "start > one > good",
            "one:fail-branch > two > answer",
        ),
        "keyless",
    )
    stream = await flow.told(user=user)
    assert (stream.started, stream.answer) == (
        ["start", "one", "two", "answer"],
        "AuthorizationConfigError nothing",
    )
    assert (stream.finished["status"], stream.finished["exceptions_count"]) == ("partial-succeeded", 2)


NEVER = raising(BadReplyError("no luck", provider="actor"))


def stubborn(**data: Any) -> apps.Data:
    retry = {"retry_enabled": True, "max_retries": 2, "retry_interval": 1}
    return chatflow(
        [start(), llm("llm", retry_config=retry, **data), answer("{{#llm.text#}}")], "start > llm > answer"
    )


@pytest.mark.requirement("dsl-26")
async def test_once_all_tries_are_used_up_the_run_fails(house: House, actor: Actor, user: str) -> None:
    actor.play("hopeless", NEVER)
    flow = await house.serve(stubborn(), "hopeless")
    stream = await flow.told("hopeless", user=user)
    indices = [event["data"]["retry_index"] for event in stream.of("node_retry")]
    assert (indices, stream.node("llm")["status"]) == ([1, 2], "failed")
    assert (stream.finished["status"], stream.finished["exceptions_count"]) == ("failed", 3)


@pytest.mark.requirement("dsl-26")
async def test_once_all_tries_are_used_up_the_default_counts(house: House, actor: Actor, user: str) -> None:
    actor.play("hopeless", NEVER)
    defaults = [{"key": "text", "type": "string", "value": "sorry"}]
    flow = await house.serve(
        stubborn(error_strategy="default-value", default_value=defaults), "hopeless with a default"
    )
    stream = await flow.told("hopeless", user=user)
    assert (len(stream.of("node_retry")), stream.node("llm")["status"]) == (2, "exception")
    assert (stream.answer, stream.finished["status"]) == ("sorry", "partial-succeeded")


@pytest.mark.requirement("dsl-27")
async def test_a_branch_is_not_tried_again(house: House) -> None:
    branch = if_else("if", hit=("nobody.knows", "is", "x"))
    branch["data"]["retry_config"] = {"retry_enabled": True, "max_retries": 3, "retry_interval": 1}
    caller = await house.serve(workflow([start(), branch, end()], "start > if:hit > end"), "no retry")
    stream = await caller.ran()
    assert ("node_retry" in stream.names, stream.finished["status"]) == (False, "failed")


@pytest.mark.requirement("dsl-28")
async def test_a_run_with_too_many_steps_fails_and_names_the_limit(folder: Path) -> None:
    chain = [template(f"t{n}", "x") for n in range(5)]
    ways = " > ".join(["start", *(item["id"] for item in chain), "end"])
    async with open_house(folder, models=Actor(), limits={"max_steps": 3}) as house:
        caller = await house.serve(workflow([start(), *chain, end()], ways))
        stream = await caller.ran()
    assert (stream.started, stream.finished["status"]) == (["start", "t0", "t1"], "failed")
    assert ("max_steps" in stream.finished["error"], stream.names[-1]) == (True, "workflow_finished")


@pytest.mark.requirement("dsl-28")
async def test_a_run_that_takes_too_long_fails_and_names_the_limit(folder: Path) -> None:
    actor, gate = Actor(), Gate()

    async def endless(request: ChatRequest) -> AsyncIterator[str]:
        yield "one"
        await gate.wait()

    actor.play("endless", endless)
    async with open_house(folder, models=actor, limits={"max_run_seconds": 0.2}) as house:
        flow = await house.serve(apps.echo_flow())
        stream = await flow.told("endless")
        (message,) = await flow.messages(stream.events[0]["conversation_id"])
    assert stream.names[-2:] == ["workflow_finished", "error"]
    assert ("max_run_seconds" in stream.one("error")["message"], stream.finished["status"]) == (
        True,
        "failed",
    )
    assert (message["status"], message["answer"]) == ("error", "one")


@pytest.mark.requirement("dsl-29")
async def test_a_run_stopped_before_its_first_node_shows_only_its_end(
    house: House, flow: Caller, user: str
) -> None:
    # Nobody learns a task before its first node runs, so the run is begun without HTTP.
    runtime = house.runtime

    def find(connection: Connection) -> tuple[Any, Any]:
        return app_rows.find(connection, flow.app_id), end_users.find_by_session(
            connection, flow.app_id, user
        )

    await flow.said("hi", user=user)
    app, end_user = await runtime.store.read(find)
    version = runtime.catalog.find(flow.workflow_id)
    assert version is not None
    live = await runtime.runner.start(
        RunRequest(
            app=app, version=version, end_user=end_user, inputs={}, query="hi", auto_generate_name=False
        )
    )
    heard: list[str] = []
    live.listen(lambda event: heard.append(type(event).__name__))
    live.stop("Changed my mind.")
    async with asyncio.timeout(BOUND):
        await live.ended()
    detail = await flow.run_detail(live.run.id)
    assert heard == ["RunStarted", "RunFinished"]
    assert (detail["status"], detail["error"], detail["total_steps"]) == ("stopped", "Changed my mind.", 0)


@pytest.mark.requirement("dsl-30")
async def test_a_stop_starts_no_further_node_in_any_branch(house: House, actor: Actor, user: str) -> None:
    gates = {"near": Gate(), "far": Gate()}

    async def wait(request: ChatRequest) -> AsyncIterator[str]:
        yield request.node_id
        await gates[request.node_id].wait()

    actor.play(f"two ways {user}", wait)
    flow = await house.serve(
        chatflow(
            [
                start(),
                llm("near"),
                llm("far"),
                template("after", "x"),
                answer("{{#near.text#}} {{#far.text#}}"),
            ],
            "start > near > after > answer",
            "start > far > after",
        ),
        "two ways",
    )
    async with flow.stream(f"two ways {user}", user=user) as stream:
        await stream.until_text("near")
        for gate in gates.values():
            await gate.seen()
        await flow.stop(stream.events[0]["task_id"], user=user)
        await stream.rest()
    assert (stream.started[0], sorted(stream.started[1:])) == ("start", ["far", "near"])
    terminal = [name for name in stream.names if name in ("workflow_finished", "message_end", "error")]
    assert (terminal, stream.finished["status"]) == (["message_end", "workflow_finished"], "stopped")
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert message["answer"] == stream.answer


@pytest.mark.requirement("dsl-34")
async def test_of_two_ends_with_the_same_output_the_last_to_finish_wins(
    house: House, actor: Actor, user: str
) -> None:
    gate = Gate()

    async def last(request: ChatRequest) -> AsyncIterator[str]:
        await gate.wait()
        yield "last"

    actor.play(f"last {user}", last)
    caller = await house.serve(
        workflow(
            [
                start(field("x")),
                llm("model", "{{#start.x#}}"),
                end(id="slow", result="model.text"),
                end(id="fast", result="start.x"),
            ],
            "start > model > slow",
            "start > fast",
        ),
        "two ends",
    )

    async def finished(stream: Stream, id: str) -> None:
        while (await stream.until("node_finished"))["data"]["node_id"] != id:
            pass

    async with caller.run_stream({"x": f"last {user}"}, user=user) as stream:
        await finished(stream, "fast")
        gate.open()
        await stream.rest()
    assert stream.finished["outputs"] == {"result": "last"}


def loop(*inside: apps.Data, break_at: str, count: int = 5) -> list[apps.Data]:
    """A loop over those nodes that counts in ``n`` and leaves at that number."""
    return [
        node(
            "loop",
            "loop",
            loop_count=count,
            start_node_id="loop-start",
            logical_operator="and",
            break_conditions=[
                {
                    "variable_selector": ["loop", "n"],
                    "comparison_operator": "≥",
                    "value": break_at,
                    "varType": "number",
                }
            ],
            loop_variables=[{"label": "n", "var_type": "number", "value_type": "constant", "value": 0}],
        ),
        node("loop-start", "loop-start", inside="loop", loop_id="loop"),
        *inside,
    ]


@pytest.mark.requirement("dsl-116")
async def test_a_loop_tells_of_its_rounds_in_events_of_its_own(house: House) -> None:
    step = assign("step", ("loop.n", "+=", 1), inside="loop", loop_id="loop")
    caller = await house.serve(
        workflow(
            [start(), *loop(step, break_at="2"), end(n="loop.n")], "start > loop > end", "loop-start > step"
        ),
        "looping",
    )
    stream = await caller.ran()
    assert stream.script == [
        "workflow_started",
        ">start",
        "<start",
        "loop_started",
        ">step",
        "<step",
        "loop_next",
        ">step",
        "<step",
        "loop_completed",
        "'2'",
        ">end",
        "<end",
        "workflow_finished",
    ]
    assert {event["data"]["loop_id"] for event in stream.of("node_started")} == {None, "loop"}
    assert stream.finished["outputs"] == {"n": 2}


@pytest.mark.requirement("dsl-55")
async def test_an_answer_in_a_loop_speaks_in_every_round(house: House, user: str) -> None:
    inner = [
        answer("{{#loop.n#}}\n", id="say", loop_id="loop"),
        assign("step", ("loop.n", "+=", 1), inside="loop", loop_id="loop"),
    ]
    inner[0]["parentId"] = "loop"
    flow = await house.serve(
        chatflow(
            [start(), *loop(*inner, break_at="2"), answer("{{#loop.n#}} in all")],
            "start > loop > answer",
            "loop-start > say > step",
        ),
        "counting aloud",
    )
    stream = await flow.told(user=user)
    assert stream.answer == "0\n1\n2 in all"
    rounds = [line for line in stream.script if line in ("'0'", "'1'", "<step")]
    assert rounds == ["'0'", "<step", "'1'", "<step"]
    assert (await flow.said(user=user))["answer"] == "0\n1\n2 in all"
