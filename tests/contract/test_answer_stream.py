"""When the pieces of an answer are streamed, and in which order."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.actor import Actor, Gate, Part, pieces
from tests.contract.apps import (
    Data,
    answer,
    assign,
    chatflow,
    code,
    conversation_variable,
    end,
    field,
    if_else,
    llm,
    start,
    template,
    workflow,
)
from tests.contract.caller import Stream
from tests.contract.house import House
from weft.errors import BadReplyError
from weft.providers import ChatChunk, ChatRequest

pytestmark = pytest.mark.anyio


def gated(gate: Gate, *texts: str) -> Part:
    """A part that says the first piece, and the rest when the gate is open."""

    async def part(request: ChatRequest) -> AsyncIterator[str]:
        yield texts[0]
        await gate.wait()
        for text in texts[1:]:
            yield text

    return part


def held(gate: Gate, *texts: str) -> Part:
    """A part that says nothing before the gate is open."""

    async def part(request: ChatRequest) -> AsyncIterator[str]:
        await gate.wait()
        for text in texts:
            yield text

    return part


@pytest.mark.requirement("dsl-35")
async def test_a_reply_streams_piece_by_piece_before_the_answer_starts(
    house: House, actor: Actor, user: str
) -> None:
    actor.play(f"pieces {user}", pieces(["a", "b", " c"]))
    flow = await house.serve(
        chatflow([start(), llm("llm"), answer("{{#llm.text#}}")], "start > llm > answer"), "direct"
    )
    stream = await flow.told(f"pieces {user}", user=user)
    assert stream.script[3:-2] == [">llm", "'a'", "'b'", "' c'", "<llm", ">answer", "<answer"]
    assert stream.node("answer")["outputs"]["answer"] == stream.answer == "ab c"
    assert stream.finished["outputs"]["answer"] == "ab c"


@pytest.mark.requirement("dsl-36")
async def test_text_and_variables_are_streamed_in_order_without_a_model(house: House, user: str) -> None:
    flow = await house.serve(
        chatflow([start(), answer("prefix {{#sys.query#}} suffix")], "start > answer"), "no llm"
    )
    stream = await flow.told("hello", user=user)
    assert stream.texts == ["prefix ", "hello", " suffix"]
    script = stream.script
    assert script.index("' suffix'") < script.index("<start")
    selectors = [event["from_variable_selector"] for event in stream.of("message")]
    assert selectors == [["answer", "answer"], ["sys", "query"], ["answer", "answer"]]


@pytest.mark.requirement("dsl-37")
async def test_answers_that_follow_each_other_are_never_mixed_up(
    house: House, actor: Actor, user: str
) -> None:
    gate = Gate()
    actor.play(f"early {user}", held(gate, "one", " one"))
    actor.play(f"late {user}", pieces(["two"]))
    flow = await house.serve(
        chatflow(
            [
                start(),
                llm("first", "early {{#sys.query#}}"),
                llm("second", "late {{#sys.query#}}"),
                answer("1: {{#first.text#}}\n", id="say1"),
                answer("2: {{#second.text#}}", id="say2"),
            ],
            "start > first > say1 > say2",
            "start > second > say2",
        ),
        "two answers",
    )
    async with flow.stream(user, user=user) as stream:
        while "<second" not in stream.script:
            await stream.next()
        heard = stream.answer
        gate.open()
        await stream.rest()
    assert (heard, stream.answer) == ("1: ", "1: one one\n2: two")
    assert stream.finished["outputs"]["answer"] == stream.answer


@pytest.mark.requirement("dsl-38")
@pytest.mark.parametrize(("query", "said"), [("fixed", "This is fixed."), ("free", "Model: said")])
async def test_only_the_side_that_is_taken_is_heard(
    house: House, actor: Actor, user: str, query: str, said: str
) -> None:
    actor.play(f"free {user}", pieces(["said"]))
    flow = await house.serve(
        chatflow(
            [
                start(),
                if_else("if", fixed=("sys.query", "contains", "fixed")),
                answer("This is fixed.", id="yes"),
                llm("llm"),
                answer("Model: {{#llm.text#}}", id="no"),
            ],
            "start > if:fixed > yes",
            "if:false > llm > no",
        ),
        "choosing",
    )
    stream = await flow.told(f"{query} {user}", user=user)
    assert stream.answer == said
    first = next(line for line in stream.script if line.startswith("'"))
    assert stream.script.index(first) > stream.script.index(">if")


@pytest.mark.requirement("dsl-39")
async def test_texts_of_parallel_answers_do_not_interleave(house: House, actor: Actor, user: str) -> None:
    gate = Gate()
    actor.play(f"long {user}", gated(gate, "m1", " m2", " m3"))
    flow = await house.serve(
        chatflow(
            [
                start(),
                if_else("if", always=("sys.query", "not empty", "")),
                answer("[branch]", id="branch"),
                llm("llm"),
                answer("{{#llm.text#}}", id="free"),
            ],
            "start > if:always > branch",
            "start > llm > free",
        ),
        "beside a branch",
    )
    async with flow.stream(f"long {user}", user=user) as stream:
        await gate.seen()
        while "<branch" not in stream.script:
            await stream.next()
        gate.open()
        await stream.rest()
    assert stream.answer in ("m1 m2 m3[branch]", "[branch]m1 m2 m3")
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert message["answer"] == stream.answer


@pytest.mark.requirement("dsl-40")
async def test_an_answer_keeps_the_order_of_its_variables(house: House, actor: Actor, user: str) -> None:
    gate = Gate()
    actor.play(f"a {user}", pieces(["A1", " A2"]))
    actor.play(f"b {user}", gated(gate, "B1", " B2"))
    flow = await house.serve(
        chatflow(
            [
                start(),
                llm("a", "a {{#sys.query#}}"),
                llm("b", "b {{#sys.query#}}"),
                answer("{{#b.text#}} then {{#a.text#}}"),
            ],
            "start > a > answer",
            "start > b > answer",
        ),
        "b then a",
    )
    async with flow.stream(user, user=user) as stream:
        while "<a" not in stream.script:
            await stream.next()
        await gate.seen()
        await stream.until_text("B1")
        gate.open()
        await stream.rest()
    assert stream.texts == ["B1", " B2", " then ", "A1", " A2"]
    assert stream.script.index("' A2'") < stream.script.index(">answer")


@pytest.mark.requirement("dsl-41")
async def test_an_end_streams_its_outputs_separated_by_newlines(
    house: House, actor: Actor, user: str
) -> None:
    actor.play(f"templated {user}", pieces(["a", "b"]))
    caller = await house.serve(
        workflow(
            [
                start(field("query")),
                llm("llm", "templated {{#start.query#}}"),
                template("shout", "{{ text }}!", {"text": "llm.text"}),
                end(query="start.query", text="shout.output"),
            ],
            "start > llm > shout > end",
        ),
        "templated",
    )
    stream = await caller.ran({"query": user}, user=user)
    assert stream.texts == [user, "\n", "ab!"]
    script = stream.script
    assert script.index("'\\n'") < script.index(">llm") < script.index("'ab!'") < script.index(">end")
    selectors = [tuple(event["data"]["from_variable_selector"]) for event in stream.of("text_chunk")]
    assert (selectors[0], selectors[-1]) == (("start", "query"), ("shout", "output"))
    assert selectors[1][0] == "end"


@pytest.mark.requirement("dsl-42")
async def test_an_end_streams_a_reply_as_it_comes(house: House, actor: Actor, user: str) -> None:
    gate = Gate()
    actor.play(f"live {user}", gated(gate, "a", "b"))
    caller = await house.serve(
        workflow(
            [
                start(field("query")),
                llm("llm", "live {{#start.query#}}"),
                end(query="start.query", text="llm.text"),
            ],
            "start > llm > end",
        ),
        "live",
    )
    async with caller.run_stream({"query": user}, user=user) as stream:
        await stream.until_text(f"{user}\na")
        gate.open()
        await stream.rest()
    assert stream.texts == [user, "\n", "a", "b"]


@pytest.mark.requirement("dsl-43")
async def test_what_a_decision_holds_back_is_streamed_once_it_is_made(
    house: House, actor: Actor, user: str
) -> None:
    gate = Gate()
    actor.play(f"initial {user}", pieces(["Initial", " stream"]))
    actor.play(f"primary {user}", gated(gate, "Primary", " stream"))
    actor.play(f"second {user}", pieces(["never"]))
    caller = await house.serve(
        workflow(
            [
                start(field("x")),
                llm("initial", "initial {{#start.x#}}"),
                if_else("if", hit=("start.x", "not empty", "")),
                llm("primary", "primary {{#start.x#}}"),
                llm("second", "second {{#start.x#}}"),
                end(id="end1", initial="initial.text", text="primary.text"),
                end(id="end2", initial="initial.text", text="second.text"),
            ],
            "start > initial > if:hit > primary > end1",
            "if:false > second > end2",
        ),
        "held back",
    )
    async with caller.run_stream({"x": user}, user=user) as stream:
        await stream.until_text("Initial stream\nPrimary")
        gate.open()
        await stream.rest()
    assert stream.texts == ["Initial", " stream", "\n", "Primary", " stream"]
    script = stream.script
    assert script.index("<initial") < script.index("'Initial'") < script.index(">primary")
    assert "second" not in stream.started


@pytest.mark.requirement("dsl-44")
async def test_the_output_of_a_code_node_is_streamed_once(house: House, user: str) -> None:
    flow = await house.serve(
        chatflow(
            [
                start(),
                code("sum", "return {'total': 6 * 7}", {"total": "number"}),
                answer("It is {{#sum.total#}}."),
            ],
            "start > sum > answer",
        ),
        "computed",
    )
    stream = await flow.told(user=user)
    assert stream.texts == ["It is ", "42", "."]
    assert stream.script.index(">sum") < stream.script.index("'42'") < stream.script.index(">answer")


@pytest.mark.requirement("dsl-45")
async def test_a_variable_of_a_branch_not_taken_is_left_out(house: House, user: str) -> None:
    flow = await house.serve(
        chatflow(
            [
                start(),
                if_else("if", left=("sys.query", "is", "left")),
                template("one", "L"),
                template("two", "R"),
                answer("<{{#one.output#}}|{{#two.output#}}>"),
            ],
            "start > if:left > one > answer",
            "if:false > two > answer",
        ),
        "left out",
    )
    stream = await flow.told("right", user=user)
    assert stream.answer == "<|R>"
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert message["answer"] == "<|R>"


@pytest.mark.requirement("dsl-46")
async def test_a_variable_that_nothing_provides_does_not_hold_up_the_rest(house: House, user: str) -> None:
    flow = await house.serve(
        chatflow(
            [start(), answer("before {{#nobody.knows#}} after"), answer("!", id="second")],
            "start > answer > second",
        ),
        "unknown variable",
    )
    stream = await flow.told(user=user)
    assert stream.answer == stream.finished["outputs"]["answer"] == "before nobody.knows after!"
    assert (await flow.said(user=user))["answer"] == "before nobody.knows after!"


@pytest.mark.requirement("dsl-47")
@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_conversation_variable_is_shown_with_the_value_that_the_run_gives_it(
    house: House, user: str, version: str
) -> None:
    step = assign("set", ("conversation.topic", "over-write", "{sys.query}"))
    if version == "1":
        step["data"] = {
            "type": "assigner",
            "title": "set",
            "assigned_variable_selector": ["conversation", "topic"],
            "input_variable_selector": ["sys", "query"],
            "write_mode": "over-write",
        }
    flow = await house.serve(
        chatflow(
            [start(), step, answer("{{#conversation.topic#}}")],
            "start > set > answer",
            variables=[conversation_variable("topic", "string", "old")],
        ),
        f"assigned {version}",
    )
    stream = await flow.told("new", user=user)
    assert stream.script[3:-2] == [">set", "'new'", "<set", ">answer", "<answer"]
    assert await flow.variables(stream.events[0]["conversation_id"], user=user) == {"topic": "new"}


@pytest.mark.requirement("dsl-48")
async def test_a_reply_that_no_answer_refers_to_is_not_streamed(
    house: House, actor: Actor, user: str
) -> None:
    actor.play(f"unheard {user}", pieces(["secret"]))
    flow = await house.serve(
        chatflow([start(), llm("llm"), answer("done")], "start > llm > answer"), "unheard"
    )
    stream = await flow.told(f"unheard {user}", user=user)
    assert (stream.answer, stream.node("llm")["outputs"]["text"]) == ("done", "secret")


@pytest.mark.requirement("dsl-48")
async def test_a_reply_that_two_answers_refer_to_is_streamed_twice(
    house: House, actor: Actor, user: str
) -> None:
    actor.play(f"twice {user}", pieces(["a", "b"]))
    flow = await house.serve(
        chatflow(
            [start(), llm("llm"), answer("{{#llm.text#}}"), answer("-{{#llm.text#}}", id="again")],
            "start > llm > answer > again",
        ),
        "twice",
    )
    stream = await flow.told(f"twice {user}", user=user)
    assert stream.answer == stream.finished["outputs"]["answer"] == "ab-ab"


@pytest.mark.requirement("dsl-49")
async def test_a_model_that_is_asked_again_takes_nothing_back(house: House, actor: Actor, user: str) -> None:
    tries = 0

    async def broken_off(request: ChatRequest) -> AsyncIterator[str]:
        nonlocal tries
        tries += 1
        yield f"try{tries} "
        if tries == 1:
            raise BadReplyError("broke off", provider="actor")
        yield "done"

    actor.play(f"again {user}", broken_off)
    retry = {"retry_enabled": True, "max_retries": 1, "retry_interval": 1}
    flow = await house.serve(
        chatflow([start(), llm("llm", retry_config=retry), answer("{{#llm.text#}}")], "start > llm > answer"),
        "asked again",
    )
    stream = await flow.told(f"again {user}", user=user)
    assert (stream.answer, len(stream.of("node_retry"))) == ("try1 try2 done", 1)
    assert ("message_replace" in stream.names, stream.finished["status"]) == (False, "partial-succeeded")
    assert stream.node("llm")["outputs"]["text"] == "try2 done"
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert message["answer"] == stream.answer


def thoughts_of(stream: Stream) -> str:
    return "".join(event["data"]["reasoning"] for event in stream.of("reasoning_chunk"))


def thinking(*, reasoning_format: str, shown: str = "{{#llm.text#}}") -> Data:
    return chatflow(
        [start(), llm("llm", reasoning_format=reasoning_format), answer(shown)], "start > llm > answer"
    )


@pytest.mark.requirement("dsl-50", "dsl-51")
@pytest.mark.parametrize(
    ("said", "thoughts", "text"),
    [
        pytest.param(["<th", "ink>hm", "m</thi", "nk>Hello", " you"], "hmm", "Hello you", id="split tags"),
        pytest.param(["<think>a</think>x<think>b</think>y"], "a\nb", "xy", id="two blocks"),
        pytest.param(['<THINK type="deep">a</THINK>x'], "a", "x", id="attributes, upper case"),
        pytest.param(
            ["<thinking>x</thinking> 1 < 2 <think x"],
            "",
            "<thinking>x</thinking> 1 < 2 <think x",
            id="only looks like it",
        ),
        pytest.param(["x<think>never", " ends"], "never ends", "x", id="unclosed"),
    ],
)
async def test_thoughts_are_kept_apart_where_the_node_says_so(
    house: House, actor: Actor, user: str, said: list[str], thoughts: str, text: str
) -> None:
    actor.play(f"think, {user}", pieces(said))
    flow = await house.serve(thinking(reasoning_format="separated"), "separated")
    stream = await flow.told(f"think, {user}", user=user)
    outputs = stream.node("llm")["outputs"]
    assert (outputs["text"], outputs["reasoning_content"]) == (text, thoughts)
    assert stream.answer == text
    finals = [event["data"]["is_final"] for event in stream.of("reasoning_chunk")]
    assert thoughts_of(stream).replace("\n", "") == thoughts.replace("\n", "")
    assert finals.count(True) == (1 if thoughts else 0)
    (message,) = await flow.messages(stream.events[0]["conversation_id"], user=user)
    assert message["answer"] == text


@pytest.mark.requirement("dsl-50")
async def test_thoughts_that_the_service_sends_apart_stay_apart(
    house: House, actor: Actor, user: str
) -> None:
    async def aloud(request: ChatRequest) -> AsyncIterator[str | ChatChunk]:
        yield ChatChunk(reasoning="hmm")
        yield "Hello"

    actor.play(f"apart, {user}", aloud)
    flow = await house.serve(thinking(reasoning_format="separated"), "separated")
    stream = await flow.told(f"apart, {user}", user=user)
    assert (stream.answer, thoughts_of(stream)) == ("Hello", "hmm")


@pytest.mark.requirement("dsl-52")
async def test_thoughts_stay_in_the_answer_where_the_node_says_so(
    house: House, actor: Actor, user: str
) -> None:
    actor.play(f"tagged, {user}", pieces(["<think>", "hmm</think>", "Hello"]))
    flow = await house.serve(thinking(reasoning_format="tagged"), "tagged")
    stream = await flow.told(f"tagged, {user}", user=user)
    assert (stream.answer, stream.of("reasoning_chunk")) == ("<think>hmm</think>Hello", [])
    assert stream.node("llm")["outputs"]["text"] == "<think>hmm</think>Hello"


@pytest.mark.requirement("dsl-53")
async def test_thoughts_that_no_answer_shows_are_not_streamed(house: House, actor: Actor, user: str) -> None:
    actor.play(f"hidden, {user}", pieces(["<think>hmm</think>Hello"]))
    flow = await house.serve(thinking(reasoning_format="separated", shown="done"), "hidden")
    stream = await flow.told(f"hidden, {user}", user=user)
    assert (stream.answer, stream.of("reasoning_chunk")) == ("done", [])


@pytest.mark.requirement("dsl-54")
@pytest.mark.parametrize(
    ("value", "type", "shown"),
    [
        ("['a', 'b']", "array[string]", "- a\n- b"),
        ("[1, 2.5]", "array[number]", "- 1\n- 2.5"),
        ("[]", "array[string]", ""),
        ("{'a': 1, 'ü': [2]}", "object", '{\n  "a": 1,\n  "ü": [\n    2\n  ]\n}'),
        ("True", "boolean", "True"),
        ("2.5", "number", "2.5"),
        ("None", "string", ""),
    ],
)
async def test_values_that_are_no_text_are_shown_as_text(
    house: House, user: str, value: str, type: str, shown: str
) -> None:
    flow = await house.serve(
        chatflow(
            [
                start(),
                code("made", f"return {{'value': {value}}}", {"value": type}),
                answer("<{{#made.value#}}>"),
            ],
            "start > made > answer",
        ),
        "values",
    )
    stream = await flow.told(user=user)
    assert stream.answer == stream.finished["outputs"]["answer"] == f"<{shown}>"
