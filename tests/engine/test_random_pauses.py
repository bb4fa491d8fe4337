"""A run that pauses, is saved as text and goes on elsewhere does what it would have done without a pause."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.harness import (
    Data,
    Setting,
    Told,
    answer,
    choose,
    graph,
    inside,
    iteration,
    loop,
    play,
    start,
)
from tests.engine.pausing import Pausing, ask, key, submitted
from tests.engine.test_random_graphs import UNHURRIED, Drawn, graphs, text_of
from weft.events import (
    ContainerAdvanced,
    ContainerFinished,
    ContainerStarted,
    Event,
    NodeFinished,
    PauseReason,
)
from weft.nodes import NodeResult
from weft.variables import Value

pytestmark = pytest.mark.anyio

QUICK = settings(UNHURRIED, max_examples=40)
"""Each example is two runs."""


@st.composite
def asking(draw: Any, *, answers: int = 1) -> Drawn:
    """A graph some of whose nodes ask a person; what that one says stands in their data."""
    drawn: Drawn = draw(graphs(answers=answers))
    plain = [id for id, data in drawn.nodes.items() if data.get("kind") in ("give", "say")]
    for id in draw(st.lists(st.sampled_from(plain), unique=True, max_size=4)) if plain else []:
        action = draw(st.sampled_from(["source", "other"]))
        drawn.nodes[id] = ask("source", "other", fields=["x"], action=action, kind="ask")
    return drawn


def said(nodes: Mapping[str, Data], reason: PauseReason) -> dict[str, Value]:
    return submitted(nodes[reason.node_id]["action"], x=f"<{reason.node_id}>")


def at_once(nodes: Mapping[str, Data]) -> dict[str, Data]:
    """The same nodes, but whoever is asked answers before anybody has to wait."""

    def answered(id: str, data: Data) -> Data:
        action = data["action"]
        outputs: dict[str, Value] = {
            "x": f"<{id}>",
            "__action_id": action,
            "__action_value": action.title(),
            "__rendered_content": "Well.",
        }
        rest = {name: value for name, value in data.items() if name in ("inside", "kind")}
        return {**choose(action, **rest), "do": lambda _: NodeResult(dict(outputs), action)}

    return {id: answered(id, data) if data.get("kind") == "ask" else data for id, data in nodes.items()}


def executions(events: Iterable[Event]) -> Counter[str]:
    """What was executed and how it ended, in no order: what comes first may depend on who is waited for."""
    found: Counter[str] = Counter()
    for event in events:
        match event:
            case NodeFinished():
                place = (event.node_id, event.frame, event.status, event.inputs, event.outputs, event.error)
                found[repr(place)] += 1
            case ContainerStarted() | ContainerAdvanced():
                found[f"{type(event).__name__} {event.node_id} {event.frame}"] += 1
            case ContainerFinished():
                found[repr((event.node_id, event.frame, event.status, event.outputs, event.steps))] += 1
    return found


def same(told: Told, other: Told) -> None:
    assert told.outcome.status == other.outcome.status
    assert told.outcome.error == other.outcome.error
    assert told.outcome.exceptions_count == other.outcome.exceptions_count
    assert told.outcome.total_steps == other.outcome.total_steps
    assert executions(told.events) == executions(other.events)


class Person:
    """Answers as the data of nodes say: each time all forms, or only one of them."""

    def __init__(self, nodes: Mapping[str, Data], *, all_at_once: bool) -> None:
        self._nodes = nodes
        self._all = all_at_once
        self._busy: list[PauseReason] = []

    def __call__(self, playing: Pausing) -> Any:
        def answer_to(reason: PauseReason) -> dict[str, Value] | None:
            forms = [other for other in playing.pauses[-1] if other.form is not None]
            first = forms[0].form is not None and reason.form is not None and key(forms[0]) == key(reason)
            return said(self._nodes, reason) if self._all or first else None

        return answer_to


@QUICK
@given(drawn=asking(), all_at_once=st.booleans())
async def test_a_run_with_pauses_is_the_run_without(drawn: Drawn, all_at_once: bool) -> None:
    playing = Pausing(graph(drawn.nodes, *drawn.ways), Setting())
    told = await playing.through(Person(drawn.nodes, all_at_once=all_at_once)(playing))
    plain = await play(at_once(drawn.nodes), *drawn.ways)
    same(told, plain)
    assert (told.answer, told.outcome.outputs) == (plain.answer, plain.outcome.outputs)


@QUICK
@given(drawn=asking(answers=4), all_at_once=st.booleans())
async def test_answers_do_not_mix_across_pauses(drawn: Drawn, all_at_once: bool) -> None:
    playing = Pausing(graph(drawn.nodes, *drawn.ways), Setting())
    told = await playing.through(Person(drawn.nodes, all_at_once=all_at_once)(playing))
    same(told, await play(at_once(drawn.nodes), *drawn.ways))
    spoke = [id for id in dict.fromkeys(told.nodes) if "answer" in drawn.nodes[id]]
    texts = [text_of(told, drawn, id, skipped_too=False) for id in spoke]
    assert told.answer in {"".join(order) for order in permutations(texts)}


@QUICK
@given(
    drawn=asking(),
    container=st.sampled_from(["iteration", "parallel", "loop"]),
    all_at_once=st.booleans(),
)
async def test_a_container_with_pauses_is_the_container_without(
    drawn: Drawn, container: str, all_at_once: bool
) -> None:
    nodes, ways = contained(drawn, container)
    setting: dict[str, Any] = {"inputs": {"items": ["a", "b", "c"]}}
    playing = Pausing(graph(nodes, *ways), Setting(**setting))
    told = await playing.through(Person(nodes, all_at_once=all_at_once)(playing))
    plain = await play(at_once(nodes), *ways, **setting)
    same(told, plain)
    assert told.outcome.outputs == plain.outcome.outputs
    if container != "parallel":
        assert told.answer == plain.answer


@QUICK
@given(
    drawn=asking(),
    container=st.sampled_from(["", "iteration", "parallel", "loop"]),
    stops=st.lists(st.integers(1, 15), max_size=4),
)
async def test_pauses_from_outside_change_nothing(drawn: Drawn, container: str, stops: list[int]) -> None:
    nodes, ways = contained(drawn, container) if container else (drawn.nodes, drawn.ways)
    setting: dict[str, Any] = {"inputs": {"items": ["a", "b", "c"]}}
    playing = Pausing(graph(nodes, *ways), Setting(**setting))
    left = copy.copy(stops)

    def interrupt(event: Event) -> None:
        if left:
            left[0] -= 1
            if left[0] == 0:
                left.pop(0)
                playing.engine.pause()

    playing.on_event = interrupt
    told = await playing.through(lambda reason: said(nodes, reason))
    plain = await play(at_once(nodes), *ways, **setting)
    same(told, plain)
    if container != "parallel":
        assert told.answer == plain.answer


def contained(drawn: Drawn, container: str) -> tuple[dict[str, Data], list[str]]:
    """The graph inside a container, with an answer behind it."""
    box = (
        loop(2)
        if container == "loop"
        else iteration("start.items", "answer.answer", is_parallel=container == "parallel", parallel_nums=2)
    )
    within = {id: data for id, data in drawn.nodes.items() if id != "start"}
    nodes = {"start": start(), "box": box, **inside("box", **within), "last": answer("{{#box.output#}}")}
    ways = [way.replace("start:source", "box_start:source") for way in drawn.ways]
    return nodes, [*ways, "start > box > last"]
