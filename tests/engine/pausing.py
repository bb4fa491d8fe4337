"""Runs that pause: saved as JSON text, and gone on with by another engine that knows only that text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.engine.harness import BOUND, Data, Play, Setting, Told, check_order, engine_tasks
from weft.engine import Engine
from weft.events import Event, NodeStarted, PauseReason
from weft.graph import Graph
from weft.nodes import Node
from weft.variables import Value, VariablePool

Answers = dict[str, dict[str, Value]]
Answer = Callable[[PauseReason], dict[str, Value] | None]


def ask(*actions: str, content: str = "Well?", fields: Sequence[str] = (), **data: Any) -> Data:
    """A node that asks a person."""
    return {
        "type": "human-input",
        "form_content": content,
        "inputs": [{"type": "paragraph", "output_variable_name": name} for name in fields],
        "user_actions": [{"id": action, "title": action.title()} for action in actions or ("yes", "no")],
        **data,
    }


def submitted(action: str = "yes", **values: Value) -> dict[str, Value]:
    """What comes for a form that was filled in."""
    return {"status": "submitted", "action_id": action, "values": values, "rendered_content": "Well."}


def expired() -> dict[str, Value]:
    """What comes for a form whose time is over."""
    return {"status": "expired"}


def key(reason: PauseReason) -> str:
    assert reason.form is not None
    return reason.form.form_id


class Pausing(Play):
    """A run that may pause and be gone on with."""

    def __init__(self, graph: Graph[Node[Any]], setting: Setting) -> None:
        super().__init__(graph, setting)
        self._graph = graph
        self.pauses: list[list[PauseReason]] = []
        self.states: list[Any] = []
        """What was saved at each pause."""

    async def go(self, answers: Mapping[str, Mapping[str, Value]] | None = None) -> Told:
        """Run to the end or to a pause."""
        before = engine_tasks()
        async with asyncio.timeout(BOUND):
            outcome = await self.engine.run(answers or {})
        await asyncio.sleep(0)
        assert engine_tasks() <= before, "the run left tasks behind"
        if outcome.status == "paused":
            self.pauses.append(outcome.reasons)
        return Told(outcome, self.events, self.pool, self.clock)

    def reopen(self) -> None:
        """Save, and put another engine in the place of the one that has paused."""
        state = json.loads(json.dumps(self.engine.save()))
        self.states.append(state)
        self.pool = VariablePool()
        for name, value in self.environment.items():
            self.pool.set("env", name, value)
        self.engine = Engine(self._graph, self.pool, self.services, self.info, self._hear, saved=state)

    async def through(self, answer: Answer, *, most: int = 50) -> Told:
        """Run to the end, through all pauses; `answer` says what comes for a form, if anything yet."""
        told = await self.go()
        for _ in range(most):
            if told.outcome.status != "paused":
                check_order(joined(told.events))
                return told
            answers: Answers = {}
            for reason in told.outcome.reasons:
                given = None if reason.form is None else answer(reason)
                if given is not None:
                    answers[key(reason)] = given
            self.reopen()
            told = await self.go(answers)
        raise AssertionError("the run pauses again and again")


def joined(events: Sequence[Event]) -> list[Event]:
    """The events as of a run without pauses: an execution that goes on does not start twice."""
    seen: dict[str, NodeStarted] = {}
    left: list[Event] = []
    for event in events:
        if isinstance(event, NodeStarted):
            if event.execution_id in seen:
                assert event == seen[event.execution_id]
                continue
            seen[event.execution_id] = event
        left.append(event)
    return left
