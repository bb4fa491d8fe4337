"""When the pieces of an answer are shown. Source of the row ids: Dify app DSL, test scenarios."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.engine.harness import (
    Data,
    Gate,
    Play,
    answer,
    assign,
    assign_v1,
    choose,
    do,
    end,
    fail,
    falter,
    give,
    if_else,
    inside,
    instant,
    iteration,
    llm,
    loop,
    loop_variable,
    play,
    remote_image,
    retried,
    say,
    start,
    template,
    wait,
)
from weft.errors import NodeFailedError
from weft.events import ReasoningStreamed, TextStreamed
from weft.nodes import Context
from weft.providers import Rule, Script, ScriptedModel
from weft.variables import Value

pytestmark = pytest.mark.anyio


def speak(gate: Gate, *chunks: str, close: bool = True, **data: Any) -> Data:
    """Streams its first chunk, the others when the gate opens."""

    async def go(context: Context) -> dict[str, Value]:
        context.stream("text", chunks[0])
        await gate.wait()
        for chunk in chunks[1:]:
            context.stream("text", chunk)
        if close:
            context.end_stream("text")
        return {"text": "".join(chunks)}

    return do(go, **data)


async def test_a_model_s_words_are_shown_one_by_one_before_the_answer_node_starts_dsl_35() -> None:
    model = ScriptedModel(script=Script([Rule(chunks=["Hel", "lo ", "you"])]))
    nodes = {"start": start(), "llm": llm(), "answer": answer("{{#llm.text#}}")}
    told = await play(nodes, "start > llm > answer", values={"sys.query": "Hi"}, model=model)
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(llm)",
        "llm:'Hel'",
        "llm:'lo '",
        "llm:'you'",
        "llm:''",
        "OK(llm)",
        "S(answer)",
        "OK(answer)",
    ]
    assert told.outcome.outputs == {"answer": "Hello you"}


async def test_text_around_a_system_variable_is_shown_at_once_dsl_36() -> None:
    nodes = {"start": start(), "answer": answer("prefix {{#sys.query#}} suffix")}
    told = await play(nodes, "start > answer", values={"sys.query": "Hi"})
    assert told.events[:3] == [
        TextStreamed("prefix ", ("answer", "answer"), "answer"),
        TextStreamed("Hi", ("sys", "query"), "answer"),
        TextStreamed(" suffix", ("answer", "answer"), "answer"),
    ]
    assert told.story[3:] == ["S(start)", "OK(start)", "S(answer)", "OK(answer)"]


async def test_a_second_answer_waits_until_the_first_is_whole_dsl_37() -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "slow": speak(gate, "one", " and half"),
        "quick": say("two"),
        "first": answer("1 {{#slow.text#}}."),
        "second": answer("2 {{#quick.text#}}."),
    }

    async def let_through(playing: Play) -> None:
        await playing.saw("OK(quick)")
        gate.open()

    told = await play(nodes, "start > slow > first > second", "start > quick > second", after=let_through)
    assert told.chunks == ["1 ", "one", " and half", "", ".", "2 ", "two", "", "."]
    assert told.outcome.outputs == {"answer": "1 one and half.2 two."}


@pytest.mark.parametrize(
    ("handle", "chunks"),
    [
        pytest.param("true", ["fixed"], id="dsl-38-static"),
        pytest.param("false", ["a", "b", ""], id="dsl-38-model"),
    ],
)
async def test_only_the_side_that_is_taken_is_shown(handle: str, chunks: list[str]) -> None:
    nodes = {
        "start": start(),
        "if": choose(handle),
        "llm": say("a", "b"),
        "yes": answer("fixed"),
        "no": answer("{{#llm.text#}}"),
    }
    told = await play(nodes, "start > if:true > yes", "if:false > llm > no")
    assert (told.chunks, told.answer) == (chunks, told.outcome.outputs["answer"])


@pytest.mark.parametrize("first", [True, False], ids=["dsl-39-branch-first", "dsl-39-model-first"])
async def test_answers_of_parallel_branches_never_mix_dsl_39(first: bool) -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "if": choose("true"),
        "static": answer("fixed"),
        "llm": speak(gate, "a", "b"),
        "live": answer("{{#llm.text#}}"),
    }
    ways = ["start > if:true > static", "start > llm > live"]

    async def let_through(playing: Play) -> None:
        await playing.saw("OK(static)")
        gate.open()

    told = await play(nodes, *(ways if first else reversed(ways)), after=let_through)
    # The model's answer has nothing that could hold it back, so it is first in either case.
    assert told.answer == "abfixed"


async def test_a_model_that_is_shown_later_is_kept_and_then_let_out_at_once_dsl_40() -> None:
    a, b = Gate(), Gate()
    nodes = {
        "start": start(),
        "a": speak(a, "a1", "a2"),
        "b": speak(b, "b1", "b2"),
        "answer": answer("{{#b.text#}} {{#a.text#}}"),
    }

    async def let_through(playing: Play) -> None:
        await a.reached()
        await b.reached()
        a.open()
        await playing.saw("OK(a)")
        b.open()

    told = await play(nodes, "start > a > answer", "start > b > answer", after=let_through)
    assert told.story[2:] == [
        "S(a)",
        "S(b)",
        "b:'b1'",
        "OK(a)",
        "b:'b2'",
        "b:''",
        "answer:' '",
        "a:'a1'",
        "a:'a2'",
        "a:''",
        "OK(b)",
        "S(answer)",
        "OK(answer)",
    ]


async def test_an_end_shows_its_outputs_a_line_each_dsl_41() -> None:
    nodes = {
        "start": start(),
        "shape": template("<{{ q }}>", q="start.query"),
        "end": end(query="start.query", text="shape.output"),
    }
    told = await play(nodes, "start > shape > end", inputs={"query": "Hi"})
    assert [event for event in told.events if isinstance(event, TextStreamed)] == [
        TextStreamed("Hi", ("start", "query"), "start"),
        TextStreamed("\n", ("end", "answer"), "end"),
        TextStreamed("<Hi>", ("shape", "output"), "shape"),
    ]
    assert told.outcome.outputs == {"query": "Hi", "text": "<Hi>"}


async def test_an_end_shows_a_model_s_words_as_they_come_dsl_42() -> None:
    nodes = {"start": start(), "llm": say("a", "b"), "end": end(query="start.query", text="llm.text")}
    told = await play(nodes, "start > llm > end", inputs={"query": "Hi"})
    assert told.chunks == ["Hi", "\n", "a", "b", ""]


async def test_an_end_leaves_out_what_is_not_there() -> None:
    nodes = {
        "start": start(),
        "end": end(no_selector="", missing="start.nothing", query="start.query"),
    }
    told = await play(nodes, "start > end", inputs={"query": "Hi"})
    assert (told.chunks, told.outcome.outputs) == (
        ["\n", "Hi"],
        {"no_selector": None, "missing": None, "query": "Hi"},
    )


async def test_what_a_branch_decides_about_is_held_back_until_it_has_decided_dsl_43() -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "first": say("f1", "f2"),
        "if": {**wait(gate, lambda _: "yes"), "type": "branch"},
        "left": say("l1", "l2"),
        "right": say("r1"),
        "yes": end(first="first.text", then="left.text"),
        "no": end(first="first.text", then="right.text"),
    }
    seen: list[str] = []

    async def let_through(playing: Play) -> None:
        await gate.reached()
        seen.extend(playing.story)
        gate.open()

    told = await play(
        nodes, "start > first > if", "if:yes > left > yes", "if:no > right > no", after=let_through
    )
    assert seen == ["S(start)", "OK(start)", "S(first)", "OK(first)", "S(if)"]
    assert told.story[5:] == [
        "first:'f1'",
        "first:'f2'",
        "first:''",
        "yes:'\\n'",
        "OK(if)",
        "S(left)",
        "left:'l1'",
        "left:'l2'",
        "left:''",
        "OK(left)",
        "S(yes)",
        "OK(yes)",
    ]


async def test_a_value_that_was_not_streamed_is_one_piece_dsl_44() -> None:
    nodes = {"start": start(), "code": give(result="done"), "answer": answer("{{#code.result#}}")}
    told = await play(nodes, "start > code > answer")
    assert told.story[2:5] == ["S(code)", "code:'done'", "OK(code)"]


async def test_the_variable_of_a_skipped_branch_is_left_out_dsl_45() -> None:
    nodes = {
        "start": start(),
        "if": choose("true"),
        "a": say("A"),
        "b": say("B"),
        "answer": answer("[{{#a.text#}}|{{#b.text#}}]"),
    }
    told = await play(nodes, "start > if:true > a > answer", "if:false > b > answer")
    assert told.answer == "[A|]"
    assert told.outcome.outputs == {"answer": "[A|b.text]"}


async def test_an_unknown_variable_stalls_nothing_dsl_46() -> None:
    """The answer node's own completion lets out the rest, also that of answers that wait behind it."""
    nodes = {
        "start": start(),
        "n": give(x=1),
        "answer": answer("a {{#n.nothing#}} b {{#nobody.x#}} c"),
        "next": answer(" d"),
    }
    told = await play(nodes, "start > n > answer > next")
    assert told.answer == told.outcome.outputs["answer"] == "a n.nothing b nobody.x c d"
    assert told.story[0] == "answer:'a '"


async def test_a_variable_that_holds_nothing_stalls_nothing() -> None:
    nodes = {"start": start(), "n": give(x=None), "answer": answer("a{{#n.x#}}b")}
    told = await play(nodes, "start > n > answer")
    assert told.answer == told.outcome.outputs["answer"] == "ab"


@pytest.mark.parametrize(
    "writer",
    [
        pytest.param(assign_v1("conversation.topic", "over-write", "sys.query"), id="dsl-47-v1"),
        pytest.param(assign("conversation.topic", "over-write", "<sys.query>"), id="dsl-47-v2"),
    ],
)
async def test_a_conversation_variable_is_shown_after_it_was_written(writer: Data) -> None:
    nodes = {"start": start(), "set": writer, "answer": answer("topic: {{#conversation.topic#}}")}
    told = await play(
        nodes,
        "start > set > answer",
        values={"sys.query": "new", "conversation.topic": "old"},
        types={"conversation.topic": "string"},
    )
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(set)",
        "conversation.topic = 'new'",
        "answer:'topic: '",
        "answer:'new'",
        "OK(set)",
        "S(answer)",
        "OK(answer)",
    ]


async def test_an_answer_that_shows_another_variable_does_not_wait_for_the_assigner() -> None:
    nodes = {
        "start": start(),
        "set": assign("conversation.topic", "over-write", "<sys.query>"),
        "answer": answer("{{#conversation.other#}}"),
    }
    told = await play(
        nodes,
        "start > set > answer",
        values={"sys.query": "new", "conversation.topic": "old", "conversation.other": "x"},
    )
    assert told.story[0] == "answer:'x'"


async def test_a_model_that_no_answer_shows_is_not_heard_dsl_48() -> None:
    nodes = {"start": start(), "llm": say("secret"), "answer": answer("fixed")}
    told = await play(nodes, "start > llm > answer")
    assert told.chunks == ["fixed"]


async def test_two_answers_may_show_the_same_model_dsl_48() -> None:
    nodes = {
        "start": start(),
        "llm": say("a", "b"),
        "one": answer("1 {{#llm.text#}} "),
        "two": answer("2 {{#llm.text#}}"),
    }
    told = await play(nodes, "start > llm > one > two")
    assert told.chunks == ["1 ", "a", "b", "", " ", "2 ", "a", "b", ""]
    assert told.answer == told.outcome.outputs["answer"] == "1 ab 2 ab"


async def test_one_answer_may_show_the_same_model_twice() -> None:
    nodes = {"start": start(), "llm": say("a"), "answer": answer("{{#llm.text#}}-{{#llm.text#}}")}
    told = await play(nodes, "start > llm > answer")
    assert told.answer == told.outcome.outputs["answer"] == "a-a"


async def test_what_a_failed_attempt_has_said_is_not_taken_back_and_the_next_one_is_shown_dsl_49() -> None:
    left = [1]

    def attempt(context: Context) -> dict[str, str]:
        context.stream("text", "Hel")
        if left:
            left.pop()
            raise NodeFailedError("cut")
        context.stream("text", "lo")
        context.end_stream("text")
        return {"text": "Hello"}

    nodes = {"start": start(), "llm": do(attempt, **retried(1)), "answer": answer("{{#llm.text#}}!")}
    told = await play(nodes, "start > llm > answer")
    assert told.story[2:] == [
        "S(llm)",
        "llm:'Hel'",
        "R1(llm)",
        "llm:'Hel'",
        "llm:'lo'",
        "llm:''",
        "answer:'!'",
        "OK(llm)",
        "S(answer)",
        "OK(answer)",
    ]


async def test_a_model_that_breaks_off_and_is_asked_again_is_shown_to_its_end_dsl_49() -> None:
    script = Script([Rule(chunks=["Hel"], error="BadReplyError", times=1), Rule(chunks=["Hel", "lo"])])
    nodes = {"start": start(), "llm": llm(**retried(1)), "answer": answer("{{#llm.text#}}!")}
    told = await play(
        nodes, "start > llm > answer", values={"sys.query": "Hi"}, model=ScriptedModel(script=script)
    )
    assert told.story[3:8] == ["llm:'Hel'", "R1(llm)", "llm:'Hel'", "llm:'lo'", "llm:''"]
    assert told.outcome.outputs == {"answer": "Hello!"}


async def test_a_plain_value_of_a_node_that_was_tried_again_is_shown_once_dsl_49() -> None:
    nodes = {"start": start(), "n": falter(1, lambda _: {"x": 1}, **retried(1)), "a": answer("{{#n.x#}}")}
    told = await play(nodes, "start > n > a")
    assert told.chunks == ["1"]


@pytest.mark.parametrize("strategy", ["default-value", "fail-branch"])
async def test_a_stream_that_ends_as_an_exception_is_closed(strategy: str) -> None:
    """The values that stand in are stored, but what was shown stays as it is."""

    def attempt(context: Context) -> None:
        context.stream("text", "Hel")
        raise NodeFailedError("cut")

    settings = {
        "error_strategy": strategy,
        "default_value": [{"key": "text", "type": "string", "value": "sorry"}],
    }
    nodes = {"start": start(), "llm": do(attempt, **settings), "answer": answer("{{#llm.text#}}!")}
    told = await play(nodes, "start > llm > answer", "llm:fail-branch > answer")
    assert told.answer == "Hel!"
    assert told.outcome.status == "partial-succeeded"


async def test_default_values_are_shown_where_nothing_was_streamed() -> None:
    settings: Data = {
        "error_strategy": "default-value",
        "default_value": [{"key": "text", "type": "string", "value": "sorry"}],
    }
    nodes = {"start": start(), "llm": fail(**settings), "answer": answer("{{#llm.text#}}!")}
    told = await play(nodes, "start > llm > answer")
    assert told.answer == told.outcome.outputs["answer"] == "sorry!"


async def test_a_stream_that_the_node_forgot_to_close_ends_with_the_node() -> None:
    nodes = {"start": start(), "llm": say("a", close=False), "answer": answer("{{#llm.text#}}b")}
    told = await play(nodes, "start > llm > answer")
    assert told.story[3:6] == ["llm:'a'", "llm:''", "answer:'b'"]


async def test_a_stream_without_any_piece_shows_the_value() -> None:
    def silent(context: Context) -> dict[str, str]:
        context.end_stream("text")
        return {"text": "whole"}

    nodes = {"start": start(), "llm": do(silent), "answer": answer("{{#llm.text#}}.")}
    told = await play(nodes, "start > llm > answer")
    assert told.chunks == ["whole", "."]


async def test_pieces_after_the_end_of_a_stream_are_dropped() -> None:
    def talkative(context: Context) -> dict[str, str]:
        context.stream("text", "a")
        context.end_stream("text")
        context.end_stream("text")
        context.stream("text", "b")
        return {"text": "ab"}

    nodes = {"start": start(), "llm": do(talkative), "answer": answer("{{#llm.text#}}")}
    told = await play(nodes, "start > llm > answer")
    assert told.chunks == ["a", ""]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(["a", "b"], "- a\n- b", id="dsl-54-array"),
        pytest.param([], "", id="dsl-54-empty-array"),
        pytest.param({"a": "ä"}, '{\n  "a": "ä"\n}', id="dsl-54-object"),
        pytest.param(True, "True", id="dsl-54-bool"),
        pytest.param(1.5, "1.5", id="dsl-54-number"),
        pytest.param(remote_image("a.png"), "![a.png](https://example.org/a.png)", id="dsl-54-image"),
    ],
)
async def test_a_value_reads_the_same_in_the_stream_and_in_the_output(value: Value, text: str) -> None:
    nodes = {"start": start(), "n": give(x=value), "answer": answer("{{#n.x#}}")}
    told = await play(nodes, "start > n > answer")
    assert (told.answer, told.outcome.outputs["answer"]) == (text, text)


async def test_an_answer_names_the_files_that_it_refers_to() -> None:
    image, other = remote_image("a.png"), remote_image("b.png")
    nodes = {
        "start": start(),
        "n": give(one=image, many=[other, image], text="x"),
        "answer": answer("{{#n.one#}} {{#n.text#}} {{#n.many#}}"),
    }
    told = await play(nodes, "start > n > answer")
    assert told.outcome.outputs["files"] == [image, other, image]
    assert (told.outcome.files, told.finished("answer").files) == ([image, other, image],) * 2


# What holds a session back


async def test_an_answer_behind_another_opens_when_that_one_has_finished() -> None:
    nodes = {"start": start(), "a": answer("one"), "b": answer(" two")}
    told = await play(nodes, "start > a > b")
    assert told.story == [
        "a:'one'",
        "S(start)",
        "OK(start)",
        "S(a)",
        "b:' two'",
        "OK(a)",
        "S(b)",
        "OK(b)",
    ]


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(choose("source"), id="branch"),
        pytest.param(give() | {"error_strategy": "fail-branch"}, id="fail-branch"),
        pytest.param(answer(""), id="response"),
    ],
)
async def test_text_behind_a_node_that_may_turn_the_run_away_waits_for_it(node: Data) -> None:
    nodes = {"start": start(), "n": node, "answer": answer("x")}
    told = await play(nodes, "start > n > answer")
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(n)",
        "answer:'x'",
        "OK(n)",
        "S(answer)",
        "OK(answer)",
    ]


async def test_text_behind_a_container_waits_for_it() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x"),
        **inside("it", n=give(x=1)),
        "answer": answer("{{#it.output#}}"),
    }
    told = await play(nodes, "start > it > answer", "it_start > n", inputs={"items": []})
    assert told.story[2:] == [
        "S(it)",
        "begin(it of 0)",
        "succeeded(it after 0)",
        "OK(it)",
        "S(answer)",
        "OK(answer)",
    ]


async def test_one_way_without_anything_in_it_is_enough_to_open() -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "if": {**wait(gate, lambda _: "true"), "type": "branch"},
        "n": give(),
        "answer": answer("x"),
    }

    async def let_through(playing: Play) -> None:
        await gate.reached()
        assert playing.story[0] == "answer:'x'"
        gate.open()

    told = await play(nodes, "start > if:true > answer", "start > n > answer", after=let_through)
    assert told.answer == "x"


async def test_answers_that_open_together_are_shown_in_the_order_of_their_ids() -> None:
    nodes = {"start": start(), "z": answer("z"), "a": answer("a"), "m": answer("m")}
    told = await play(nodes, "start > z", "start > m", "start > a")
    assert told.answer == "amz"


async def test_an_answer_that_is_skipped_while_it_waits_lets_the_next_one_go_on() -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "first": {**wait(gate, lambda _: "true"), "type": "branch"},
        "second": choose("no"),
        "gone": answer("gone"),
        "shown": answer("shown"),
        "other": answer("other"),
    }

    async def let_through(playing: Play) -> None:
        await gate.reached()
        gate.open()

    told = await play(
        nodes,
        "start > first:true > second",
        "second:yes > gone",
        "second:no > shown",
        "first:false > other",
        after=let_through,
    )
    assert told.answer == "shown"


async def test_a_failed_run_shows_what_was_said_and_nothing_of_what_waited() -> None:
    gate = Gate()

    async def refuse(context: Context) -> None:
        context.stream("text", "so far")
        await gate.wait()
        raise NodeFailedError("boom")

    nodes = {
        "start": start(),
        "llm": do(refuse),
        "answer": answer("{{#llm.text#}} never"),
        "other": answer("waits"),
    }

    async def let_through(playing: Play) -> None:
        await playing.saw("OK(other)")
        gate.open()

    told = await play(nodes, "start > llm > answer", "start > other", after=let_through)
    assert (told.outcome.status, told.chunks) == ("failed", ["so far"])


# Inside containers


async def test_answers_inside_a_loop_are_shown_round_by_round_dsl_55() -> None:
    nodes = {
        "start": start(),
        "lo": loop(3, variables=[loop_variable("n", "number", "1")]),
        **inside("lo", say=answer("{{#lo.n#}}\n"), more=assign("lo.n", "+=", 1)),
        "after": answer("done"),
    }
    told = await play(nodes, "start > lo > after", "lo_start > say > more")
    assert told.answer == told.outcome.outputs["answer"] == "1\n2\n3\ndone"
    assert told.story[3:10] == [
        "begin(lo of 3)",
        "lo l0:'1'",
        "say l0:'\\n'",
        "S(say l0)",
        "OK(say l0)",
        "S(more l0)",
        "lo.n = 2",
    ]


async def test_a_loop_variable_is_shown_after_it_was_written_in_the_round() -> None:
    nodes = {
        "start": start(),
        "lo": loop(2, variables=[loop_variable("n", "number", "1")]),
        **inside("lo", more=assign("lo.n", "+=", 1), say=answer("{{#lo.n#}} ")),
    }
    told = await play(nodes, "start > lo", "lo_start > more > say")
    assert told.answer == told.outcome.outputs["answer"] == "2 3 "


async def test_answers_inside_an_iteration_are_shown_but_only_the_last_item_s_counts() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x"),
        **inside("it", n=say("a", "b"), say=answer("{{#it.item#}}{{#n.text#}} ")),
    }
    told = await play(nodes, "start > it", "it_start > n > say", inputs={"items": [1, 2]})
    assert told.answer == "1ab 2ab "
    assert told.outcome.outputs == {"answer": "2ab "}


async def test_an_answer_inside_a_container_may_show_what_was_said_outside() -> None:
    nodes = {
        "start": start(),
        "llm": say("a", "b"),
        "it": iteration("start.items", "say.answer"),
        **inside("it", say=answer("{{#llm.text#}}{{#it.index#}} ")),
    }
    told = await play(nodes, "start > llm > it", "it_start > say", inputs={"items": [1, 2]})
    assert (told.chunks, told.finished("it").outputs) == (
        ["ab", "0", " ", "ab", "1", " "],
        {"output": ["ab0 ", "ab1 "]},
    )


# Thoughts


def think(*pieces: str, **data: Any) -> Data:
    """Says what it thinks, then what it says."""

    async def go(context: Context) -> dict[str, Value]:
        for piece in pieces:
            context.emit(ReasoningStreamed(text=piece, node_id=context.node_id))
            await asyncio.sleep(0)
        context.emit(ReasoningStreamed(text="", node_id=context.node_id, is_final=True))
        context.stream("text", "said")
        context.end_stream("text")
        return {"text": "said", "reasoning_content": "".join(pieces)}

    return do(go, **data)


@pytest.mark.parametrize(
    "shown", ["{{#llm.text#}}", "{{#llm.reasoning_content#}}"], ids=["dsl-50-text", "dsl-50-reasoning"]
)
async def test_thoughts_are_told_along_with_an_answer_that_shows_the_model(shown: str) -> None:
    nodes = {"start": start(), "llm": think("hm", "ah"), "answer": answer(shown)}
    told = await play(nodes, "start > llm > answer")
    assert told.story[3:6] == ["llm thinks 'hm'", "llm thinks 'ah'", "llm thinks '' at last"]


@pytest.mark.parametrize(
    ("nodes", "ways"),
    [
        pytest.param({"answer": answer("fixed")}, ["start > llm > answer"], id="dsl-53-no-answer-shows-it"),
        pytest.param(
            {"if": choose("no"), "answer": answer("{{#llm.text#}}"), "else": answer("x")},
            ["start > llm > if:yes > answer", "if:no > else"],
            id="dsl-53-its-answer-is-not-reached",
        ),
    ],
)
async def test_thoughts_without_an_answer_are_private(nodes: dict[str, Data], ways: list[str]) -> None:
    told = await play({"start": start(), "llm": think("hm"), **nodes}, *ways)
    assert [event for event in told.events if isinstance(event, ReasoningStreamed)] == []


async def test_a_thinking_model_s_tags_are_split_off_wherever_they_are_cut_dsl_50() -> None:
    script = Script([Rule(chunks=["<th", "ink>h", "m</thi", "nk>An", "swer"])])
    nodes = {
        "start": start(),
        "llm": llm(reasoning_format="separated"),
        "answer": answer("{{#llm.text#}}"),
    }
    told = await play(
        nodes, "start > llm > answer", values={"sys.query": "Hi"}, model=ScriptedModel(script=script)
    )
    thoughts = [event.text for event in told.events if isinstance(event, ReasoningStreamed)]
    assert ("".join(thoughts), told.answer, told.outcome.outputs) == ("hm", "Answer", {"answer": "Answer"})


async def test_tags_stay_where_they_are_not_to_be_split_off_dsl_52() -> None:
    script = Script([Rule(chunks=["<think>hm</think>", "Answer"])])
    nodes = {"start": start(), "llm": llm(), "answer": answer("{{#llm.text#}}")}
    told = await play(
        nodes, "start > llm > answer", values={"sys.query": "Hi"}, model=ScriptedModel(script=script)
    )
    assert told.answer == told.outcome.outputs["answer"] == "<think>hm</think>Answer"
    assert [event for event in told.events if isinstance(event, ReasoningStreamed)] == []


async def test_an_aggregator_shows_whichever_branch_was_taken() -> None:
    nodes = {
        "start": start(),
        "if": if_else(true=("sys.query", "is", "a")),
        "a": say("A1", "A2"),
        "b": say("B1"),
        "either": {"type": "variable-aggregator", "variables": [["a", "text"], ["b", "text"]]},
        "answer": answer("{{#either.output#}}"),
    }
    ways = ["start > if:true > a > either > answer", "if:false > b > either"]
    for query, text in (("a", "A1A2"), ("b", "B1")):
        told = await play(nodes, *ways, values={"sys.query": query})
        assert (told.chunks, told.outcome.outputs) == ([text], {"answer": text})


async def test_an_instant_node_may_stream_too() -> None:
    def go(context: Context) -> dict[str, str]:
        context.stream("text", "x")
        return {"text": "x"}

    told = await play({"start": start(), "n": instant(go), "a": answer("{{#n.text#}}")}, "start > n > a")
    assert told.chunks == ["x", ""]
