from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest

from weft.events import (
    ROOT,
    AgentLogged,
    AnswerReplaced,
    ContainerAdvanced,
    ContainerFinished,
    ContainerStarted,
    Event,
    FileProduced,
    FormFilled,
    FormRequested,
    FormTimedOut,
    Frame,
    NodeFinished,
    NodeRetried,
    NodeStarted,
    PauseReason,
    ReasoningStreamed,
    ResourcesRetrieved,
    RunFinished,
    RunPaused,
    RunStarted,
    TextStreamed,
    VariableUpdated,
)
from weft.variables import File

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = File(type="image", filename="a.png", url="https://e.org/a.png")
FRAME = Frame(iteration_id="it", iteration_index=1, loop_id="lo", loop_index=0)
NODE = {"execution_id": "e", "node_id": "n", "node_type": "llm", "title": "N"}
PLACE = {**NODE, "index": 1, "frame": FRAME, "predecessor_id": "start"}
TIMES = {"started_at": AT, "at": AT, "elapsed_time": 0.5}
RUN = {"run_id": "r", "workflow_id": "w"}
MAPS = {"inputs": {"a": 1}, "process_data": {"b": [None]}, "outputs": {"c": "d"}, "metadata": {"e": True}}

FORM = FormRequested(
    form_id="f",
    node_id="n",
    node_title="N",
    content="Well?",
    inputs=[{"type": "paragraph", "output_variable_name": "why"}],
    actions=[{"id": "yes", "title": "Yes"}],
    display_in_ui=True,
    token="t",
    resolved_defaults={"why": None},
    expires_at=AT,
)
EVENTS: list[Event] = [
    msgspec.convert({**RUN, "inputs": {"sys.query": "Hi"}, "at": AT}, RunStarted),
    RunFinished(
        run_id="r",
        workflow_id="w",
        status="partial-succeeded",
        outputs={"answer": "x"},
        error=None,
        error_code=None,
        elapsed_time=1.5,
        total_tokens=3,
        total_steps=2,
        exceptions_count=1,
        started_at=AT,
        at=AT,
        files=[FILE],
    ),
    RunPaused(
        run_id="r",
        workflow_id="w",
        reasons=[
            PauseReason(type="human_input_required", node_id="n", node_title="N", form=FORM),
            PauseReason(type="scheduling_pause", node_id="", node_title=""),
        ],
        outputs={},
        elapsed_time=1.0,
        total_tokens=0,
        total_steps=1,
        started_at=AT,
        at=AT,
    ),
    msgspec.convert({**PLACE, "at": AT, "extras": {"icon": "i"}}, NodeStarted),
    msgspec.convert(
        {**PLACE, **TIMES, **MAPS, "status": "exception", "error": "x", "error_type": "X"}, NodeFinished
    ),
    msgspec.convert(
        {**PLACE, **TIMES, **MAPS, "retry_index": 1, "error": "x", "error_type": None}, NodeRetried
    ),
    msgspec.convert({**NODE, "kind": "loop", "inputs": {}, "length": 3, "at": AT}, ContainerStarted),
    msgspec.convert({**NODE, "kind": "iteration", "index": 2, "at": AT, "frame": FRAME}, ContainerAdvanced),
    msgspec.convert(
        {
            **NODE,
            **TIMES,
            "kind": "iteration",
            "status": "stopped",
            "inputs": {},
            "outputs": {"output": [1]},
            "error": None,
            "steps": 3,
            "total_tokens": 0,
            "metadata": {},
        },
        ContainerFinished,
    ),
    TextStreamed("Hi", ("llm", "text"), "llm", FRAME),
    ReasoningStreamed(text="hm", node_id="llm", is_final=True),
    AnswerReplaced(text="no", reason="output_moderation"),
    VariableUpdated(selector=("conversation", "topic"), value=["a"], value_type="array[string]", node_id="n"),
    ResourcesRetrieved(resources=[{"document_id": "d"}], node_id="n"),
    AgentLogged(
        id="1",
        label="L",
        parent_id=None,
        error=None,
        status="start",
        data={"a": 1},
        metadata={},
        node_id="n",
        execution_id="e",
    ),
    FileProduced(file=FILE, node_id="n"),
    FormRequested(
        form_id="f",
        node_id="n",
        node_title="N",
        content="?",
        inputs=[{"type": "paragraph"}],
        actions=[{"id": "yes"}],
        display_in_ui=True,
        token="t",
        resolved_defaults={},
        expires_at=AT,
    ),
    FormFilled(
        node_id="n",
        node_title="N",
        rendered_content="!",
        action_id="yes",
        action_text="Yes",
        submitted={"a": "b"},
    ),
    FormTimedOut(node_id="n", node_title="N", expires_at=AT),
]


def test_there_is_a_sample_of_every_event() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_json_and_says_what_it_is(event: Event) -> None:
    text = msgspec.json.encode(event)
    assert msgspec.json.decode(text)["type"] == type(event).__name__
    assert msgspec.json.decode(text, type=Event) == event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_cannot_be_changed(event: Event) -> None:
    with pytest.raises(AttributeError):
        setattr(event, event.__struct_fields__[0], "changed")


def test_a_frame_keeps_the_innermost_container_of_each_kind() -> None:
    item = ROOT.inside("iteration", "outer", 2)
    assert item == Frame(iteration_id="outer", iteration_index=2)
    assert item.inside("iteration", "inner", 0) == Frame(iteration_id="inner", iteration_index=0)
    assert item.inside("loop", "lo", 1) == Frame(
        iteration_id="outer", iteration_index=2, loop_id="lo", loop_index=1
    )
    assert Frame() == ROOT
