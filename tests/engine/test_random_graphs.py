"""What holds of every graph, whatever it looks like."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.harness import BOUND, Data, Play, Setting, Told, answer, choose, do, graph, play, start
from weft.errors import NodeFailedError
from weft.events import NodeFinished
from weft.nodes import Context
from weft.variables import MISSING, Value, compile_template, render_markdown

pytestmark = pytest.mark.anyio

KINDS = ["give", "say", "choose", "fail-branch", "default-value"]
HANDLES = {"choose": ["true", "false"], "fail-branch": ["source", "fail-branch"]}


UNHURRIED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy."""


@dataclass
class Drawn:
    """A graph as a test case."""

    nodes: dict[str, Data]
    ways: list[str]
    ancestors: dict[str, set[str]]

    def __repr__(self) -> str:
        kinds = {id: data.get("kind", data["type"]) for id, data in self.nodes.items()}
        texts = {id: data["answer"] for id, data in self.nodes.items() if "answer" in data}
        return f"Drawn({kinds}, {self.ways}, {texts})"


def node(kind: str, label: str, turns: int, handle: str, broken: bool) -> Data:
    async def pause() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def run(context: Context) -> dict[str, Value]:
        await pause()
        if broken:
            raise NodeFailedError(f"{label} broke")
        if kind == "say":
            for letter in label:
                context.stream("x", letter)
                await pause()
            context.end_stream("x")
        return {"x": label}

    if kind == "choose":
        return choose(handle, kind=kind)
    settings: Data = {"kind": kind}
    if kind in ("fail-branch", "default-value"):
        settings["error_strategy"] = kind
        settings["default_value"] = [{"key": "x", "type": "string", "value": f"({label})"}]
    return do(run, **settings)


@st.composite
def graphs(draw: Any, *, answers: int = 1, fatal: bool = False) -> Drawn:
    """A graph whose every way ends in the node ``answer``; others may answer on the way."""
    nodes: dict[str, Data] = {"start": start()}
    ways: list[str] = []
    ancestors: dict[str, set[str]] = {"start": set()}
    kinds = {"start": "start"}
    said = draw(st.integers(1, answers))
    for index in range(draw(st.integers(0, 9))):
        id = f"n{index}"
        is_answer = index < said - 1
        kind = "answer" if is_answer else draw(st.sampled_from(KINDS))
        before = draw(st.lists(st.sampled_from(sorted(nodes)), min_size=1, max_size=3, unique=True))
        ancestors[id] = {ancestor for one in before for ancestor in (one, *ancestors[one])}
        for one in before:
            handle = draw(st.sampled_from(HANDLES.get(kinds[one], ["source"])))
            ways.append(f"{one}:{handle} > {id}")
        if is_answer:
            nodes[id] = answer(_template(draw, ancestors[id]), kind=kind)
        else:
            broken = draw(st.booleans()) if kind in ("fail-branch", "default-value") or fatal else False
            nodes[id] = node(
                kind, f"<{id}>", draw(st.integers(0, 3)), draw(st.sampled_from(["true", "false"])), broken
            )
        kinds[id] = kind
    sinks = [id for id in nodes if not any(way.startswith(f"{id}:") for way in ways)]
    for id in nodes:
        if id in sinks:
            ways.append(f"{id}:{draw(st.sampled_from(HANDLES.get(kinds[id], ['source'])))} > answer")
    ancestors["answer"] = set(nodes)
    nodes["answer"] = answer(_template(draw, ancestors["answer"]))
    ways = draw(st.permutations(ways))
    return Drawn(nodes, ways, ancestors)


def _template(draw: Any, ancestors: set[str]) -> str:
    names = [id for id in sorted(ancestors) if id.startswith("n")] or ["nobody"]
    pieces = draw(
        st.lists(st.one_of(st.sampled_from(["; ", "text ", "\n"]), st.sampled_from(names)), max_size=6)
    )
    return "".join(f"{{{{#{piece}.x#}}}}" if piece in names else piece for piece in pieces)


def text_of(told: Told, drawn: Drawn, id: str, *, skipped_too: bool) -> str:
    """What an answer says; of skipped nodes, the output has the path and the stream has nothing."""
    text = ""
    for part in compile_template(drawn.nodes[id]["answer"]).parts:
        if isinstance(part, str):
            text += part
            continue
        value = told.pool.find(part)
        if value is not MISSING:
            text += render_markdown(value)
        elif skipped_too or (part[0] in told.nodes or part[0] not in drawn.nodes):
            text += ".".join(part)
    return text


@UNHURRIED
@given(drawn=graphs())
async def test_what_is_shown_is_what_the_only_answer_says(drawn: Drawn) -> None:
    told = await play(drawn.nodes, *drawn.ways)
    reached = "answer" in told.nodes
    assert told.outcome.status in ("succeeded", "partial-succeeded")
    assert told.answer == (text_of(told, drawn, "answer", skipped_too=False) if reached else "")
    whole = {"answer": text_of(told, drawn, "answer", skipped_too=True)} if reached else {}
    assert told.outcome.outputs == whole


@UNHURRIED
@given(drawn=graphs(answers=4))
async def test_answers_never_mix_and_nothing_is_lost(drawn: Drawn) -> None:
    told = await play(drawn.nodes, *drawn.ways)
    said = [id for id in told.nodes if "answer" in drawn.nodes[id]]
    texts = [text_of(told, drawn, id, skipped_too=False) for id in said]
    assert told.answer in {"".join(order) for order in permutations(texts)}


@UNHURRIED
@given(drawn=graphs(answers=3, fatal=True), stop_after=st.one_of(st.none(), st.integers(0, 25)))
async def test_whatever_ends_a_run_each_node_that_started_has_one_end(
    drawn: Drawn, stop_after: int | None
) -> None:
    playing = Play(graph(drawn.nodes, *drawn.ways), Setting())
    if stop_after is not None:
        playing.on_event = lambda event: playing.engine.stop() if len(playing.events) == stop_after else None
    async with asyncio.timeout(BOUND):
        told = await playing.run()  # looks at the order of events and for tasks left behind
    finished = [event for event in told.events if isinstance(event, NodeFinished)]
    failures = sum(1 for event in finished if event.status in ("failed", "exception"))
    assert told.outcome.exceptions_count == failures
    match told.outcome.status:
        case "failed":
            assert any(event.status == "failed" for event in finished)
        case "succeeded":
            assert {event.status for event in finished} == {"succeeded"}
        case "partial-succeeded":
            assert {event.status for event in finished} == {"succeeded", "exception"}
        case "stopped":
            assert stop_after is not None
