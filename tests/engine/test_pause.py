"""Runs that wait: for a person, or because somebody outside asked them to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.engine.harness import (
    Gate,
    Setting,
    answer,
    assign,
    do,
    end,
    fail,
    give,
    graph,
    inside,
    iteration,
    loop,
    loop_variable,
    play,
    say,
    start,
    wait,
)
from tests.engine.pausing import Pausing, ask, expired, key, submitted
from weft.engine import FORMAT, Engine, awaited_keys
from weft.errors import RunError, VariableError
from weft.events import FormRequested, PauseReason
from weft.nodes import Context, Limits
from weft.variables import File, Value, VariablePool

pytestmark = pytest.mark.anyio


def run(nodes: Any, *ways: str, **setting: Any) -> Pausing:
    return Pausing(graph(nodes, *ways), Setting(**setting))


CHOICE = (
    {"start": start(), "ask": ask(fields=["why"]), "a": answer("A: {{#ask.why#}}"), "b": answer("B")},
    "start > ask:yes > a",
    "ask:no > b",
)


TWO = {
    "start": start(),
    "a": ask(fields=["x"]),
    "b": ask(fields=["x"]),
    "out": answer("{{#a.x#}}{{#b.x#}}"),
}


async def test_a_run_that_asks_pauses_with_its_form() -> None:
    playing = run(*CHOICE)
    told = await playing.go()
    (form,) = [event for event in told.events if isinstance(event, FormRequested)]
    assert told.outcome.status == "paused"
    assert told.outcome.outputs == {}
    assert told.outcome.reasons == [
        PauseReason(type="human_input_required", node_id="ask", node_title="The ask", form=form)
    ]
    assert told.story == ["S(start)", "OK(start)", "S(ask)", "FormRequested"]
    assert form.expires_at == playing.clock.now() + timedelta(hours=36)
    assert awaited_keys(playing.engine.save()) == {form.form_id}


async def test_the_chosen_action_is_the_way_on_and_the_fields_are_outputs() -> None:
    playing = run(*CHOICE)
    told = await playing.through(lambda reason: submitted("yes", why="because"))
    assert told.story[4:] == ["S(ask)", "a:'A: '", "ask:'because'", "OK(ask)", "S(a)", "OK(a)"]
    assert told.outcome.outputs == {"answer": "A: because"}
    assert told.answer == "A: because"
    assert told.finished("ask").outputs == {
        "why": "because",
        "__action_id": "yes",
        "__action_value": "Yes",
        "__rendered_content": "Well.",
    }
    assert (told.outcome.status, told.outcome.total_steps) == ("succeeded", 3)


async def test_a_form_whose_time_is_over_leaves_by_its_own_way() -> None:
    nodes = {"start": start(), "ask": ask(), "late": answer("late: {{#ask.__action_id#}}.")}
    told = await run(nodes, "start > ask:__timeout > late").through(lambda reason: expired())
    assert told.end == ("succeeded", {"answer": "late: ."}, 0)


async def test_a_form_whose_time_is_over_fails_the_run_where_nothing_leads_on() -> None:
    told = await run(*CHOICE).through(lambda reason: expired())
    assert (told.outcome.status, told.outcome.error) == ("failed", "Human input form expired")


async def test_an_action_without_an_edge_ends_its_branch_well() -> None:
    told = await run({"start": start(), "ask": ask(), "a": answer("A")}, "start > ask:yes > a").through(
        lambda reason: submitted("no")
    )
    assert told.end == ("succeeded", {}, 0)


async def test_other_branches_end_before_the_run_pauses() -> None:
    gate = Gate()
    gate.open()
    nodes = {
        "start": start(),
        "ask": ask(),
        "slow": wait(gate, lambda _: {"x": "slow"}),
        "both": answer("{{#slow.x#}} {{#ask.__action_id#}}"),
    }
    playing = run(nodes, "start > ask:yes > both", "start > slow > both")
    told = await playing.go()
    assert told.outcome.status == "paused"
    assert {"OK(slow)", "FormRequested"} <= set(told.story)
    playing.reopen()
    told = await playing.go({key(told.outcome.reasons[0]): submitted()})
    assert told.answer == "slow yes"


async def test_text_that_was_held_back_is_released_when_the_run_goes_on() -> None:
    nodes = {
        "start": start(),
        "speak": say("one", "two"),
        "ask": ask(),
        "out": answer("{{#speak.text#}}!"),
    }
    playing = run(nodes, "start > speak > ask:yes > out")
    told = await playing.go()
    assert told.chunks == []
    playing.reopen()
    told = await playing.go({key(told.outcome.reasons[0]): submitted()})
    assert told.answer == "onetwo!"
    assert told.story[-8:] == [
        "S(ask)",
        "speak:'one'",
        "speak:'two'",
        "speak:''",
        "out:'!'",
        "OK(ask)",
        "S(out)",
        "OK(out)",
    ]


async def test_text_that_was_shown_before_a_pause_is_not_shown_again() -> None:
    nodes = {
        "start": start(),
        "hi": answer("Hi. "),
        "ask": ask(fields=["x"]),
        "bye": answer("Bye {{#ask.x#}}"),
    }
    playing = run(nodes, "start > hi > ask:yes > bye")
    told = await playing.go()
    assert told.answer == "Hi. "
    told = await _on(playing, submitted(x="Ada"))
    assert (told.answer, told.outcome.outputs) == ("Hi. Bye Ada", {"answer": "Hi. Bye Ada"})


async def test_a_run_pauses_again_for_the_next_form() -> None:
    nodes = {
        "start": start(),
        "a": ask(fields=["x"]),
        "b": ask(fields=["x"]),
        "out": answer("{{#a.x#}}{{#b.x#}}"),
    }
    playing = run(nodes, "start > a:yes > b:yes > out")
    told = await playing.through(lambda reason: submitted(x=reason.node_id))
    assert [[reason.node_id for reason in pause] for pause in playing.pauses] == [["a"], ["b"]]
    assert told.answer == "ab"


async def test_a_form_that_is_not_answered_yet_waits_on_untouched() -> None:
    nodes = {
        "start": start(),
        "a": ask(fields=["x"]),
        "b": ask(fields=["x"]),
        "out": answer("{{#a.x#}}{{#b.x#}}"),
    }
    playing = run(nodes, "start > a:yes > out", "start > b:yes > out")
    order = iter(["b", "a"])
    now = next(order)

    def one_by_one(reason: PauseReason) -> dict[str, Value] | None:
        return submitted(x=reason.node_id) if reason.node_id == now else None

    told = await playing.go()
    while told.outcome.status == "paused":
        answers = {key(reason): given for reason in told.outcome.reasons if (given := one_by_one(reason))}
        playing.reopen()
        told = await playing.go(answers)
        now = next(order, "")
    assert [[reason.node_id for reason in pause] for pause in playing.pauses] == [["a", "b"], ["a"]]
    assert told.story.count("FormRequested") == 2
    assert told.answer == "ab"


async def test_a_run_that_fails_while_a_form_waits_tells_that_the_form_is_over() -> None:
    nodes = {"start": start(), "ask": ask(), "bad": fail()}
    told = await run(nodes, "start > ask", "start > bad").through(lambda reason: submitted())
    assert (told.outcome.status, told.finished("ask").status) == ("failed", "stopped")


async def test_a_form_in_a_failing_iteration_is_over_too() -> None:
    def bad(context: Context) -> None:
        if context.pool.find(("it", "index")) == 1:
            raise VariableError("no")

    nodes = {
        "start": start(),
        "it": iteration("start.items", "it.item", is_parallel=True),
        **inside("it", ask=ask(), bad=do(bad)),
        "out": answer("{{#it.error_message#}}"),
    }
    playing = run(nodes, "start > it > out", "it_start > ask", "it_start > bad", inputs={"items": [1, 2]})
    told = await playing.through(lambda reason: submitted())
    assert told.outcome.status == "failed"
    stops = sorted(line for line in told.story if line.startswith("stop("))
    assert stops == ["stop(ask i0)", "stop(ask i1)"]


READ = {"item": ("it", "item"), "x": ("ask", "x")}


@pytest.mark.parametrize("parallel", [False, True])
async def test_items_of_an_iteration_wait_each_for_itself(parallel: bool) -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "join.y", is_parallel=parallel, parallel_nums=2),
        **inside(
            "it",
            ask=ask(content="{{#it.item#}}?", fields=["x"]),
            join=do(
                lambda context: {"y": f"{context.pool.get(('it', 'item'))}{context.pool.get(('ask', 'x'))}"}
            ),
        ),
        "out": answer("{{#it.output#}}"),
    }
    playing = run(nodes, "start > it > out", "it_start > ask:yes > join", inputs={"items": ["a", "b", "c"]})
    told = await playing.through(
        lambda reason: submitted(x=reason.form.content if reason.form is not None else None)
    )
    assert told.finished("it").outputs == {"output": ["aa?", "bb?", "cc?"]}
    assert [len(pause) for pause in playing.pauses] == ([2, 1] if parallel else [1, 1, 1])
    assert [line for line in told.story if line.startswith(("begin", "next", "succeeded"))] == [
        "begin(it of 3)",
        "next(it 0)",
        "next(it 1)",
        "next(it 2)",
        "succeeded(it after 3)",
    ]


async def test_a_loop_goes_on_in_the_round_in_which_it_paused() -> None:
    nodes = {
        "start": start(),
        "lp": loop(3, variables=[loop_variable("n", "number", 0)]),
        **inside("lp", ask=ask(fields=["x"]), add=assign("lp.n", "+=", 1), say=answer("{{#ask.x#}} ")),
        "out": end(n="lp.n", rounds="lp.loop_round"),
    }
    playing = run(nodes, "start > lp > out", "lp_start > ask:yes > add > say")
    numbers = iter("abc")
    told = await playing.through(lambda reason: submitted(x=next(numbers)))
    assert told.outcome.outputs["n"] == 3
    assert told.outcome.outputs["rounds"] == 3
    assert told.answer.startswith("a b c ")
    assert len(playing.pauses) == 3


async def test_a_loop_in_a_parallel_iteration_keeps_its_place() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "lp.n", is_parallel=True),
        **inside("it", lp=loop(2, variables=[loop_variable("n", "string", "")])),
        **inside(
            "lp", ask=ask(content="{{#it.item#}}", fields=["x"]), set=assign("lp.n", "over-write", "<ask.x>")
        ),
        "out": answer("{{#it.output#}}"),
    }
    playing = run(
        nodes, "start > it > out", "it_start > lp", "lp_start > ask:yes > set", inputs={"items": ["a", "b"]}
    )
    told = await playing.through(
        lambda reason: submitted(x=f"{reason.form.content}{len(playing.pauses)}" if reason.form else "")
    )
    assert told.finished("it").outputs == {"output": ["a2", "b2"]}


async def test_values_are_what_they_were_after_a_pause() -> None:
    file = File(type="image", url="https://example.org/a.png", filename="a.png")
    odd: dict[str, Value] = {
        "none": None,
        "whole": 10**30,
        "float": 1.0,
        "infinite": float("inf"),
        "half": "\ud800 and \x00",
        "file": file,
        "files": [file, file],
        "looks like a file": {"dify_model_identity": "__dify__file__", "filename": "x"},
        "dollar": {"$file": {"a": 1}, "$map": []},
        "one dollar": {"$int": "7"},
        "empty": {},
        "list": [[], {}, True, 0, ""],
    }
    playing = run(
        *CHOICE, values={"conversation.n": 1, "env.key": "secret"}, types={"conversation.n": "number"}
    )
    playing.pool.update("odd", odd)
    told = await playing.through(lambda reason: submitted("no"))
    assert {name: told.pool.get(("odd", name)) for name in odd} == odd
    assert [type(told.pool.get(("odd", name))) for name in odd] == [type(value) for value in odd.values()]
    assert told.pool.declared_type(("conversation", "n")) == "number"
    assert told.pool.get(("env", "key")) == "secret"
    assert "secret" not in str(playing.states)


async def test_counts_and_indices_go_on_where_they_were() -> None:
    nodes = {
        "start": start(),
        "odd": fail(
            error_strategy="default-value", default_value=[{"key": "x", "type": "string", "value": "d"}]
        ),
        "ask": ask(),
        "out": answer("{{#odd.x#}}"),
    }
    told = await run(nodes, "start > odd > ask:yes > out").through(lambda reason: submitted())
    assert told.end == ("partial-succeeded", {"answer": "d"}, 1)
    assert told.outcome.total_steps == 4


async def test_a_pause_takes_nothing_from_the_time_that_a_run_has() -> None:
    playing = run(*CHOICE)
    told = await playing.go()
    assert told.outcome.elapsed_time == 0
    playing.clock.advance(10**6)  # type: ignore[attr-defined]  # a frozen one
    told = await _on(playing, submitted(why=""))
    assert (told.outcome.status, told.outcome.elapsed_time) == ("succeeded", 0)


async def test_steps_before_a_pause_count() -> None:
    nodes = {"start": start(), "ask": ask(), "a": give(x=1), "b": give(x=1)}
    told = await run(nodes, "start > ask:yes > a > b", limits=Limits(max_steps=3)).through(
        lambda reason: submitted()
    )
    assert told.outcome.status == "failed"
    assert told.outcome.error is not None
    assert "limits.max_steps" in told.outcome.error


@pytest.mark.parametrize(
    "state",
    [{}, {"frame": 1}, {"nothing": "of ours"}],
)
async def test_a_state_that_is_none_is_refused(state: dict[str, Any]) -> None:
    playing = run(*CHOICE)
    with pytest.raises(RunError, match="cannot be read"):
        Engine(graph(*CHOICE), VariablePool(), playing.services, playing.info, lambda _: None, saved=state)


async def test_a_state_of_another_graph_is_refused() -> None:
    playing = run(*CHOICE)
    await playing.go()
    state = playing.engine.save()
    other = graph({"start": start(), "a": answer("A")}, "start > a")
    engine = Engine(other, VariablePool(), playing.services, playing.info, lambda _: None, saved=state)
    with pytest.raises(RunError, match="does not fit"):
        await engine.run()


async def test_only_a_run_that_has_paused_can_be_saved() -> None:
    playing = run({"start": start(), "a": answer("A")}, "start > a")
    await playing.go()
    with pytest.raises(RunError, match="not paused"):
        playing.engine.save()


def test_the_form_of_saved_runs_has_a_version() -> None:
    assert FORMAT == 1


# Commands


async def test_a_run_that_is_paused_from_outside_lets_running_nodes_end_and_starts_no_other() -> None:
    gate = Gate()
    nodes = {"start": start(), "slow": wait(gate), "next": give(x=1), "out": answer("done {{#next.x#}}")}
    playing = run(nodes, "start > slow > next > out")

    def on_event(event: object) -> None:
        if playing.story[-1] == "S(slow)":
            playing.engine.pause()
            gate.open()

    playing.on_event = on_event
    told = await playing.go()
    assert told.story == ["out:'done '", "S(start)", "OK(start)", "S(slow)", "OK(slow)"]
    assert told.outcome.status == "paused"
    assert told.outcome.reasons == [PauseReason(type="scheduling_pause", node_id="", node_title="")]
    playing.on_event = lambda event: None
    playing.reopen()
    told = await playing.go()
    assert (
        told.story[4:] == ["S(next)", "next:'1'", "OK(next)", "S(out)", "OK(out)"] or told.answer == "done 1"
    )
    assert told.outcome.outputs == {"answer": "done 1"}


async def test_a_run_that_is_paused_before_it_begins_begins_later() -> None:
    playing = run({"start": start(), "a": answer("A")}, "start > a")
    playing.engine.pause()
    told = await playing.go()
    assert (told.outcome.status, told.nodes) == ("paused", [])
    playing.reopen()
    assert (await playing.go()).outcome.outputs == {"answer": "A"}


async def test_a_pause_that_comes_too_late_changes_nothing() -> None:
    playing = run({"start": start(), "a": answer("A")}, "start > a")
    playing.on_event = lambda event: playing.engine.pause() if playing.story[-1] == "S(a)" else None
    assert (await playing.go()).outcome.status == "succeeded"


async def test_a_container_is_paused_between_two_nodes_and_between_two_rounds() -> None:
    nodes = {
        "start": start(),
        "lp": loop(3, variables=[loop_variable("n", "number", 0)]),
        **inside("lp", a=give(x=1), add=assign("lp.n", "+=", 1)),
        "out": end(n="lp.n"),
    }
    for at in ("OK(a l1)", "OK(add l1)"):
        playing = run(nodes, "start > lp > out", "lp_start > a > add")
        playing.on_event = lambda event, p=playing, at=at: p.engine.pause() if p.story[-1] == at else None  # type: ignore[misc]
        told = await playing.go()
        assert told.outcome.status == "paused"
        playing.on_event = lambda event: None
        playing.reopen()
        assert (await playing.go()).outcome.outputs == {"n": 3}


async def test_variables_that_are_changed_from_outside_are_seen_by_the_next_node() -> None:
    gate = Gate()
    nodes = {"start": start(), "slow": wait(gate), "out": answer("{{#start.a#}} {{#conversation.n#}}")}

    async def change(playing: Any) -> None:
        await gate.reached()
        playing.engine.set_variables({("start", "a"): "new", ("conversation", "n"): "5"})
        gate.open()

    told = await play(
        nodes,
        "start > slow > out",
        after=change,
        inputs={"a": "old"},
        values={"conversation.n": 1},
        types={"conversation.n": "number"},
    )
    assert told.outcome.outputs == {"answer": "new 5"}
    assert "conversation.n = 5" in told.story


@pytest.mark.parametrize(
    ("selector", "value"),
    [(("env", "key"), "x"), (("start",), "x"), (("a", "b", "c"), 1), (("conversation", "n"), "no number")],
)
async def test_what_cannot_be_changed_from_outside_is_refused_and_nothing_is_changed(
    selector: tuple[str, ...], value: Value
) -> None:
    playing = run(*CHOICE, values={"conversation.n": 1}, types={"conversation.n": "number"})
    with pytest.raises(VariableError):
        playing.engine.set_variables({("start", "a"): 1, selector: value})
    assert not playing.pool.find(("start", "a"))


async def _on(playing: Pausing, given: dict[str, Value]) -> Any:
    """Go on with one answer to all forms."""
    reasons = playing.pauses[-1]
    playing.reopen()
    return await playing.go({key(reason): given for reason in reasons})
