"""Who runs after whom. Source of the row ids: Dify app DSL, test scenarios."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.harness import (
    Gate,
    Play,
    answer,
    choose,
    do,
    end,
    give,
    if_else,
    instant,
    play,
    start,
    trigger,
    wait,
)
from weft.nodes import Context, Limits
from weft.variables import Value

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="dsl-12-empty"),
        pytest.param("Grüße, 你好 🎈", id="dsl-12-unicode"),
        pytest.param("x" * 1_000_000, id="dsl-12-very-long"),
        pytest.param(1.5, id="dsl-12-number"),
        pytest.param(False, id="dsl-12-bool"),
        pytest.param(["a", {"b": [1, None]}], id="dsl-12-list"),
        pytest.param(None, id="dsl-12-nothing"),
    ],
)
async def test_a_value_passes_through_unchanged(value: Value) -> None:
    told = await play({"start": start(), "end": end(out="start.x")}, "start > end", inputs={"x": value})
    assert told.end == ("succeeded", {"out": value}, 0)
    assert type(told.outcome.outputs["out"]) is type(value)


@pytest.mark.parametrize(
    ("text", "taken"),
    [("say hello", "yes"), ("SAY HELLO", "no")],
    ids=["dsl-13-holds", "dsl-13-case-sensitive"],
)
async def test_a_condition_decides_which_end_is_reached(text: str, taken: str) -> None:
    nodes = {
        "start": start(),
        "if": if_else(true=("start.x", "contains", "hello")),
        "yes": end(way="start.x"),
        "no": end(),
    }
    told = await play(nodes, "start > if:true > yes", "if:false > no", inputs={"x": text})
    assert told.nodes == ["start", "if", taken]


@pytest.mark.parametrize("handle", ["true", "false"], ids=["dsl-14-first", "dsl-14-second"])
async def test_a_join_behind_both_sides_of_a_branch_runs_once(handle: str) -> None:
    nodes = {"start": start(), "if": choose(handle), "a": give(), "b": give(), "join": end()}
    told = await play(nodes, "start > if:true > a > join", "if:false > b > join")
    assert told.nodes == ["start", "if", {"true": "a", "false": "b"}[handle], "join"]


@pytest.mark.parametrize("handle", ["true", "false"], ids=["dsl-14-direct-both", "dsl-14-direct-one"])
async def test_two_edges_between_the_same_nodes_make_one_run(handle: str) -> None:
    nodes = {"start": start(), "if": choose(handle), "join": end()}
    told = await play(nodes, "start > if:true > join", "if:false > join")
    assert told.nodes == ["start", "if", "join"]


async def test_a_join_waits_for_the_taken_side_though_the_other_is_skipped_dsl_14() -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "slow": wait(gate),
        "if": choose("true"),
        "skipped": give(),
        "join": end(),
    }

    async def let_through(_: Play) -> None:
        await gate.reached()
        gate.open()

    told = await play(
        nodes,
        "start > slow > join",
        "start > if:false > skipped > join",
        after=let_through,
    )
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(slow)",
        "S(if)",
        "OK(if)",
        "OK(slow)",
        "S(join)",
        "OK(join)",
    ]


async def test_what_only_a_skipped_branch_leads_to_is_skipped_dsl_15() -> None:
    nodes = {
        "start": start(),
        "outer": choose("false"),
        "inner": choose("true"),
        "a": give(),
        "b": end(),
        "c": end(),
        "else": end(),
    }
    told = await play(
        nodes, "start > outer:true > inner:true > a > b", "inner:false > c", "outer:false > else"
    )
    assert told.nodes == ["start", "outer", "else"]


async def test_a_skip_stops_at_a_node_that_is_still_undecided_and_starts_one_that_waited_for_it_dsl_16() -> (
    None
):
    gate = Gate()
    nodes = {
        "start": start(),
        "slow": wait(gate),
        "late": choose("false"),
        "undecided": give(),
        "taken": give(),
    }

    async def let_through(_: Play) -> None:
        await gate.reached()
        gate.open()

    # `taken` has a taken edge first, and its last one is skipped in the end; `undecided` the other way round.
    told = await play(
        nodes,
        "start > taken",
        "start > slow > late:true > taken",
        "late:false > undecided",
        after=let_through,
    )
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(slow)",
        "OK(slow)",
        "S(late)",
        "OK(late)",
        "S(taken)",
        "OK(taken)",
        "S(undecided)",
        "OK(undecided)",
    ]


async def test_a_handle_without_an_edge_ends_the_run_well_dsl_17() -> None:
    nodes = {"start": start(), "if": choose("nowhere"), "a": end(x="sys.query")}
    told = await play(nodes, "start > if:true > a")
    assert (told.nodes, told.end) == (["start", "if"], ("succeeded", {}, 0))


@pytest.mark.parametrize("handle", [None, ""], ids=["none", "empty"])
async def test_a_branch_that_chooses_no_way_fails_the_run(handle: str | None) -> None:
    nodes = {"start": start(), "if": choose(handle), "a": end()}
    told = await play(nodes, "start > if:true > a")
    assert told.story == ["S(start)", "OK(start)", "S(if)", "F(if)"]
    assert told.outcome.error == "node 'if' (branch) chose no way out"


async def test_parallel_nodes_both_start_before_either_is_done_dsl_18() -> None:
    a, b = Gate(), Gate()
    nodes = {
        "start": start(),
        "a": wait(a, lambda _: {"x": 1}),
        "b": wait(b, lambda _: {"x": 2}),
        "join": end(a="a.x", b="b.x"),
    }

    async def let_through(_: Play) -> None:
        await a.reached()
        await b.reached()
        b.open()
        a.open()

    told = await play(nodes, "start > a > join", "start > b > join", after=let_through)
    assert sorted(told.story[2:4]) == ["S(a)", "S(b)"]
    assert told.story[-2:] == ["S(join)", "OK(join)"]
    assert told.end == ("succeeded", {"a": 1, "b": 2}, 0)


async def test_all_edges_of_one_handle_are_taken_dsl_18() -> None:
    nodes = {"start": start(), "if": choose("true"), "a": give(), "b": give(), "c": give(), "d": give()}
    told = await play(nodes, "start > if:true > a", "if:true > b", "if:true > c", "if:false > d")
    assert sorted(told.nodes) == ["a", "b", "c", "if", "start"]


async def test_roots_that_did_not_start_the_run_are_skipped_with_all_that_is_theirs_dsl_19() -> None:
    nodes = {
        "hook": trigger(),
        "mail": trigger(),
        "start": start(),
        "private": give(),
        "deep": give(),
        "shared": give(),
        "end": end(),
    }
    told = await play(
        nodes, "start > shared > end", "hook > private > deep > shared", "mail > private", "mail > end"
    )
    assert told.story == [
        "S(start)",
        "OK(start)",
        "S(shared)",
        "OK(shared)",
        "S(end)",
        "OK(end)",
    ]


async def test_an_island_never_runs_and_does_not_keep_the_run_alive_dsl_19() -> None:
    nodes = {"start": start(), "end": end(), "island": give(), "beach": give()}
    told = await play(nodes, "start > end", "island > beach")
    assert told.story == ["S(start)", "OK(start)", "S(end)", "OK(end)"]


async def test_a_node_that_also_waits_for_an_island_never_becomes_ready() -> None:
    nodes = {"start": start(), "join": end(), "island": give()}
    told = await play(nodes, "start > join", "island > join")
    assert (told.nodes, told.end) == (["start"], ("succeeded", {}, 0))


async def test_a_cycle_that_is_reached_from_outside_never_becomes_ready() -> None:
    nodes = {"start": start(), "a": give(), "b": give(), "c": end()}
    told = await play(nodes, "start > a > b > a", "start > c")
    assert (told.nodes, told.outcome.status) == (["start", "c"], "succeeded")


async def test_of_two_ends_with_the_same_output_the_last_one_wins_dsl_34() -> None:
    gate = Gate()
    nodes = {
        "start": start(),
        "slow": wait(gate, lambda _: {"x": "slow"}),
        "quick": give(x="quick"),
        "first": end(out="slow.x"),
        "second": end(out="quick.x", only="quick.x"),
    }

    async def let_through(playing: Play) -> None:
        await playing.saw("OK(second)")
        gate.open()

    told = await play(nodes, "start > slow > first", "start > quick > second", after=let_through)
    assert told.outcome.outputs == {"out": "slow", "only": "quick"}


async def test_a_run_goes_on_after_its_first_answer() -> None:
    nodes = {"start": start(), "a": answer("one"), "b": give(), "c": answer(" two")}
    told = await play(nodes, "start > a > b > c")
    assert (told.nodes, told.end) == (
        ["start", "a", "b", "c"],
        ("succeeded", {"answer": "one two"}, 0),
    )


async def test_a_node_knows_who_made_it_ready() -> None:
    nodes = {"start": start(), "if": choose("x"), "a": give(), "join": end()}
    told = await play(nodes, "start > if:x > a > join", "if:y > join")
    assert [(told.finished(id).predecessor_id, id) for id in told.nodes] == [
        (None, "start"),
        ("start", "if"),
        ("if", "a"),
        ("a", "join"),
    ]


async def test_no_more_nodes_wait_for_the_outside_world_than_the_limit_allows() -> None:
    gate = Gate()
    nodes = {"start": start(), **{f"n{index}": wait(gate) for index in range(9)}}

    async def watch(_: Play) -> None:
        await gate.reached(4)
        for _turn in range(20):
            await asyncio.sleep(0)
        gate.open()

    told = await play(
        nodes, *(f"start > n{index}" for index in range(9)), after=watch, limits=Limits(max_parallel=4)
    )
    assert (gate.most, len(told.nodes), told.outcome.status) == (4, 10, "succeeded")


async def test_nodes_that_wait_for_nothing_need_no_place() -> None:
    gate = Gate()
    nodes = {"start": start(), "slow": wait(gate), "quick": instant(), "after": instant()}

    async def watch(playing: Play) -> None:
        await playing.saw("OK(after)")
        gate.open()

    told = await play(
        nodes, "start > slow", "start > quick > after", after=watch, limits=Limits(max_parallel=1)
    )
    assert told.outcome.status == "succeeded"


async def test_a_chain_of_three_hundred_nodes_runs_in_order() -> None:
    order: list[str] = []

    def note(context: Context) -> None:
        order.append(context.node_id)

    ids = [f"n{index}" for index in range(300)]
    nodes = {"start": start(), **{id: do(note) for id in ids}, "end": end()}
    told = await play(nodes, " > ".join(["start", *ids, "end"]))
    assert order == ids
    assert (told.outcome.status, told.outcome.total_steps, len(told.events)) == ("succeeded", 302, 604)
