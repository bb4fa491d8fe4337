"""How a run ends from outside: a person stops it, a limit is hit, its task is cancelled."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.engine.harness import (
    BOUND,
    Data,
    Gate,
    Play,
    Setting,
    answer,
    brief,
    do,
    end,
    engine_tasks,
    falter,
    give,
    graph,
    inside,
    instant,
    iteration,
    loop,
    play,
    retried,
    say,
    start,
    wait,
)
from weft.clock import SystemClock
from weft.errors import LimitExceededError, NodeFailedError, RunStoppedError
from weft.events import Event, NodeFinished, TextStreamed
from weft.nodes import Context, Limits
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


async def test_a_run_that_was_stopped_before_it_began_does_nothing_dsl_29() -> None:
    playing = Play(graph({"start": start(), "end": end()}, "start > end"), Setting())
    playing.engine.stop("Not today.")
    told = await playing.run()
    assert (told.events, told.end) == ([], ("stopped", {}, 0))
    assert (told.outcome.error, type(told.outcome.cause)) == ("Not today.", RunStoppedError)


async def test_a_stop_while_a_model_streams_keeps_what_was_said_dsl_30() -> None:
    gate = Gate()

    async def speak(context: Context) -> dict[str, str]:
        context.stream("text", "Hel")
        await gate.wait()
        context.stream("text", "lo")
        return {"text": "Hello"}

    nodes = {"start": start(), "llm": do(speak), "answer": answer("{{#llm.text#}}!"), "after": give()}

    async def stop(playing: Play) -> None:
        await gate.reached()
        playing.engine.stop()

    told = await play(nodes, "start > llm > answer > after", after=stop)
    assert told.story == ["S(start)", "OK(start)", "S(llm)", "llm:'Hel'", "stop(llm)"]
    assert (told.end, told.outcome.error) == (("stopped", {}, 0), "Stopped by user.")


async def test_a_stop_closes_every_open_node_in_all_branches() -> None:
    gate = Gate()
    nodes = {"start": start(), **{id: wait(gate) for id in "abc"}, "join": end()}

    async def stop(playing: Play) -> None:
        await gate.reached(3)
        playing.engine.stop()

    told = await play(nodes, "start > a > join", "start > b > join", "start > c > join", after=stop)
    assert sorted(told.story[5:]) == ["stop(a)", "stop(b)", "stop(c)"]
    assert told.outcome.status == "stopped"


@pytest.mark.parametrize("parallel", [False, True], ids=["one-by-one", "parallel"])
async def test_a_stop_inside_containers_closes_them_from_the_inside_out(parallel: bool) -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "it": iteration("start.items", "deep.x", is_parallel=parallel, parallel_nums=2),
        **inside("it", lo=loop(3)),
        **inside("lo", deep=wait(gate)),
        "end": end(),
    }
    ways = ["start > it > end", "it_start > lo", "lo_start > deep"]

    async def stop(playing: Play) -> None:
        await gate.reached(1 + parallel)
        playing.engine.stop()

    told = await play(nodes, *ways, after=stop, inputs={"items": ["a", "b", "c"]})
    closing = [text for text in told.story if text.startswith("stop")]
    items = ["i0", "i1"] if parallel else ["i0"]
    assert sorted(closing) == sorted(
        [
            *(f"stop(deep {item} l0)" for item in items),
            *(f"stopped(lo {item} after 3)" for item in items),
            *(f"stop(lo {item})" for item in items),
            "stopped(it after 3)",
            "stop(it)",
        ]
    )
    assert closing[-2:] == ["stopped(it after 3)", "stop(it)"]
    assert closing.index("stopped(lo i0 after 3)") < closing.index("stop(lo i0)")
    assert (gate.inside, told.outcome.status) == (0, "stopped")


async def test_the_work_of_finished_items_is_kept_when_the_rest_is_stopped() -> None:
    gate = Gate()

    async def work(context: Context) -> dict[str, object]:
        item = context.pool.get(("it", "item"))
        if item == "b":
            await gate.wait()
        return {"x": item}

    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x", is_parallel=True),
        **inside("it", n=do(work)),
    }

    async def stop(playing: Play) -> None:
        await playing.saw("OK(n i2)")
        playing.engine.stop()

    told = await play(nodes, "start > it", "it_start > n", after=stop, inputs={"items": ["a", "b", "c"]})
    assert told.container("it").outputs == {"output": ["a", "c"]}


def at(text: str, act: Callable[[Play], None]) -> Callable[[Play], Callable[[Event], None]]:
    """A listener that acts in the middle of the event that reads so."""
    return lambda playing: lambda event: act(playing) if brief(event) == text else None


@pytest.mark.parametrize("moment", ["S(start)", "OK(start)", "S(b)", "b:'x'", "OK(b)", "S(end)", "OK(end)"])
async def test_a_listener_may_stop_the_run_in_the_middle_of_any_event(moment: str) -> None:
    """Nothing here ever waits, so the run is never interrupted by itself."""

    def speak(context: Context) -> dict[str, str]:
        context.stream("text", "x")
        return {"text": "x"}

    nodes = {"start": start(), "b": instant(speak), "end": answer("{{#b.text#}}")}
    playing = Play(graph(nodes, "start > b > end"), Setting())
    playing.on_event = at(moment, lambda playing: playing.engine.stop())(playing)
    told = await playing.run()
    whole = ["S(start)", "OK(start)", "S(b)", "b:'x'", "b:''", "OK(b)", "S(end)", "OK(end)"]
    # The node that is at work is not interrupted, as it does not wait, but none follows it.
    cut = {"S(start)": 2, "OK(start)": 2, "S(b)": 6, "b:'x'": 6, "OK(b)": 6, "S(end)": 8, "OK(end)": 8}
    assert told.story == whole[: cut[moment]]
    assert told.outcome.status == "stopped"
    await asyncio.sleep(0)  # a cancellation that came too late would arrive here
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_second_stop_and_one_after_the_end_change_nothing() -> None:
    gate = Gate()

    async def stop(playing: Play) -> None:
        await gate.reached()
        playing.engine.stop("first")
        playing.engine.stop("second")

    playing = Play(graph({"start": start(), "n": wait(gate)}, "start > n"), Setting())
    task = asyncio.create_task(playing.run())
    await stop(playing)
    told = await task
    playing.engine.stop("third")
    await asyncio.sleep(0)
    assert (told.outcome.error, told.story[-1]) == ("first", "stop(n)")


async def test_a_node_that_will_not_be_interrupted_is_the_last_one() -> None:
    gate = Gate()

    async def insist(_: Context) -> dict[str, int]:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return {"x": 1}
        return {"x": 0}

    nodes = {"start": start(), "n": do(insist), "after": end()}

    async def stop(playing: Play) -> None:
        await gate.reached()
        playing.engine.stop()

    told = await play(nodes, "start > n > after", after=stop)
    assert told.story == ["S(start)", "OK(start)", "S(n)", "OK(n)"]
    assert told.end == ("stopped", {}, 0)


async def test_a_stop_while_a_node_waits_for_its_next_attempt_closes_it() -> None:
    clock = FrozenClock(holds=True)
    nodes = {"start": start(), "n": falter(1, lambda _: {}, **retried(1, 60_000))}

    async def stop(playing: Play) -> None:
        await clock.sleeper()
        playing.engine.stop()

    told = await play(nodes, "start > n", after=stop, clock=clock)
    assert told.story == ["S(start)", "OK(start)", "S(n)", "stop(n)"]


async def test_cancelling_whoever_runs_the_engine_is_no_outcome_but_closes_everything() -> None:
    gate = Gate()
    nodes = {"start": start(), "a": wait(gate), "b": wait(gate)}
    playing = Play(graph(nodes, "start > a", "start > b"), Setting())
    task = asyncio.create_task(playing.engine.run())
    before = engine_tasks() - {task}
    await gate.reached(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ended = [event.node_id for event in playing.events if isinstance(event, NodeFinished)]
    assert (sorted(ended), engine_tasks() <= before) == (["a", "b", "start"], True)


async def test_a_stop_and_a_cancellation_at_once_are_a_cancellation() -> None:
    gate = Gate()
    playing = Play(graph({"start": start(), "n": wait(gate)}, "start > n"), Setting())
    task = asyncio.create_task(playing.engine.run())
    await gate.reached()
    playing.engine.stop()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_stop_leaves_the_calling_task_as_it_was() -> None:
    gate = Gate()
    playing = Play(graph({"start": start(), "n": wait(gate)}, "start > n"), Setting())

    async def run_and_go_on() -> tuple[str, int]:
        outcome = await playing.engine.run()
        async with asyncio.timeout(BOUND):
            await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return outcome.status, task.cancelling()

    task = asyncio.create_task(run_and_go_on())
    await gate.reached()
    playing.engine.stop()
    assert await task == ("stopped", 0)


# Limits

NAMED = "limits.max_steps exceeded: the limit is 3; raise the setting 'limits.max_steps' if this is intended"


@pytest.mark.parametrize("kind", [instant, do], ids=["dsl-28-instant", "dsl-28-waiting"])
async def test_a_run_takes_no_more_steps_than_it_may(kind: Callable[..., Data]) -> None:
    nodes = {"start": start(), **{id: kind(lambda _: {}) for id in "abcd"}}
    told = await play(nodes, "start > a > b > c > d", limits=Limits(max_steps=3))
    assert told.nodes == ["start", "a", "b"]
    assert told.end == ("failed", {}, 0)
    assert (told.outcome.error, told.outcome.total_steps) == (NAMED, 3)
    assert isinstance(told.outcome.cause, LimitExceededError)


async def test_a_run_may_take_exactly_as_many_steps_as_the_limit_says() -> None:
    nodes = {"start": start(), "a": give(), "b": end()}
    told = await play(nodes, "start > a > b", limits=Limits(max_steps=3))
    assert (told.outcome.status, told.outcome.total_steps) == ("succeeded", 3)


async def test_the_limit_of_steps_holds_for_all_branches_together() -> None:
    gate = Gate()
    nodes = {"start": start(), "slow": wait(gate), "a": give(), "b": give(), "c": give()}
    told = await play(nodes, "start > slow", "start > a > b > c", limits=Limits(max_steps=4))
    assert told.nodes == ["start", "slow", "a", "b"]
    assert (told.story[-1], told.outcome.status, gate.inside) == ("stop(slow)", "failed", 0)


async def test_attempts_are_steps_and_a_node_cut_short_by_that_is_closed() -> None:
    nodes = {"start": start(), "n": falter(5, lambda _: {}, **retried(5))}
    told = await play(nodes, "start > n", limits=Limits(max_steps=3))
    assert told.story == ["S(start)", "OK(start)", "S(n)", "R1(n)", "R2(n)", "stop(n)"]
    assert (told.outcome.error, told.outcome.exceptions_count) == (NAMED, 2)


async def test_steps_inside_containers_do_not_count() -> None:
    nodes = {
        "start": start(),
        "it": iteration("start.items", "n.x"),
        **inside("it", n=give(x=1)),
    }
    told = await play(
        nodes, "start > it", "it_start > n", limits=Limits(max_steps=2), inputs={"items": [1] * 20}
    )
    assert (told.outcome.status, told.outcome.total_steps) == ("succeeded", 2)


async def test_a_run_may_take_no_longer_than_its_limit_dsl_28() -> None:
    gate = Gate()
    nodes = {"start": start(), "say": say("so far"), "slow": wait(gate), "answer": answer("{{#say.text#}}")}
    told = await play(nodes, "start > say > answer", "say > slow", limits=Limits(max_run_seconds=0.02))
    assert (told.story[-1], told.outcome.status, told.answer) == ("stop(slow)", "failed", "so far")
    assert told.outcome.error == (
        "limits.max_run_seconds exceeded: the limit is 0.02; "
        "raise the setting 'limits.max_run_seconds' if this is intended"
    )


async def test_the_limit_of_time_also_ends_nodes_that_never_wait() -> None:
    nodes = {
        "start": start(),
        "lo": loop(10_000_000),
        **inside("lo", n=instant()),
    }
    told = await play(
        nodes, "start > lo", "lo_start > n", limits=Limits(max_run_seconds=0.05), clock=SystemClock()
    )
    assert (told.outcome.status, told.story[-1]) == ("failed", "stop(lo)")
    assert told.outcome.elapsed_time < 1


async def test_no_alarm_rings_after_the_end() -> None:
    told = await play({"start": start()}, limits=Limits(max_run_seconds=0.001))
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.003, done.set)
    await done.wait()
    assert told.outcome.status == "succeeded"


async def test_a_failure_counts_more_than_what_it_cuts_short_but_less_than_a_stop() -> None:
    gate = Gate()

    def refuse(_: Context) -> None:
        raise NodeFailedError("boom")

    nodes = {"start": start(), "n": wait(gate, refuse)}
    playing = Play(graph(nodes, "start > n"), Setting())
    playing.on_event = at("F(n)", lambda playing: playing.engine.stop())(playing)
    task = asyncio.create_task(playing.run())
    await gate.reached()
    gate.open()
    assert (await task).outcome.status == "stopped"


async def test_a_crash_outside_any_node_is_raised_whichever_branch_it_is_in() -> None:
    """Whoever listens must not raise; if it does, the run does not pass that over in silence."""
    for broken in ("OK(a)", "OK(b)"):
        gate = Gate()
        nodes = {"start": start(), "a": give(), "b": give(), "slow": wait(gate)}

        def crash(playing: Play) -> None:
            raise OSError("the disk is gone")

        playing = Play(graph(nodes, "start > a", "start > b", "start > slow"), Setting())
        playing.on_event = at(broken, crash)(playing)
        before = engine_tasks()
        with pytest.raises(OSError, match="the disk is gone"):
            async with asyncio.timeout(BOUND):
                await playing.engine.run()
        assert engine_tasks() <= before
        assert gate.inside == 0


# Fairness


@pytest.fixture
def _no_garbage_collection() -> Iterator[None]:
    """A collection takes longer the more tests have run before."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_garbage_collection")
@pytest.mark.parametrize(
    ("nodes", "ways"),
    [
        pytest.param(
            {"start": start(), **{f"n{index}": instant() for index in range(3000)}},
            [" > ".join(["start", *(f"n{index}" for index in range(3000))])],
            id="chain",
        ),
        pytest.param(
            {"start": start(), "lo": loop(1000), **inside("lo", n=instant())},
            ["start > lo", "lo_start > n"],
            id="loop",
        ),
        pytest.param(
            {"start": start(), "it": iteration("start.items", "n.x"), **inside("it", n=instant())},
            ["start > it", "it_start > n"],
            id="iteration",
        ),
    ],
)
async def test_a_run_that_never_waits_lets_others_run(nodes: dict[str, Data], ways: list[str]) -> None:
    """Measured in processor time, as a busy machine must not make it fail."""
    setting = Setting(clock=SystemClock(), limits=Limits(max_steps=5000), inputs={"items": list(range(1000))})
    playing = Play(graph(nodes, *ways), setting)
    turns: list[float] = []

    async def other() -> None:
        while True:
            turns.append(time.process_time())
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    outcome = await playing.engine.run()
    turns.append(time.process_time())
    task.cancel()
    longest = max(later - earlier for earlier, later in pairwise(turns))
    assert (outcome.status, len(turns) > 5) == ("succeeded", True)
    assert longest < 0.1, f"others had to wait for {longest:.3f} s of {turns[-1] - turns[0]:.3f} s"


async def test_text_is_told_while_the_model_still_speaks() -> None:
    gate = Gate()

    async def speak(context: Context) -> dict[str, str]:
        context.stream("text", "first")
        await gate.wait()
        return {"text": "first"}

    nodes = {"start": start(), "llm": do(speak), "answer": answer("{{#llm.text#}}")}
    heard: list[str] = []

    async def look(playing: Play) -> None:
        await gate.reached()
        heard.extend(event.text for event in playing.events if isinstance(event, TextStreamed))
        gate.open()

    await play(nodes, "start > llm > answer", after=look)
    assert heard == ["first"]
