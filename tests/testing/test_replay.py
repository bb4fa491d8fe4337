from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.house import open_house
from tests.testing.test_flow import app, llm, tool
from weft.errors import ConfigError, NotFoundError
from weft.testing.difference import differences
from weft.testing.recording import (
    RecordedExecution,
    RecordedTurn,
    Recording,
    read_recording,
    record_run,
    without_secrets,
    write_recording,
)
from weft.testing.replay import replay_recording

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 3, 1, tzinfo=UTC)
MEMORY = {"window": {"enabled": False}, "query_prompt_template": "{{#sys.query#}}"}


async def conversation(folder: Path, path: Path, *queries: str) -> Recording:
    """Have a conversation with an app behind the API, and record it."""
    async with open_house(folder / "house") as house:
        caller = await house.serve(path)
        conversation_id, run_id = None, ""
        for query in queries:
            stream = await caller.told(query, conversation_id=conversation_id)
            conversation_id = stream.events[0]["conversation_id"]
            run_id = stream.finished["id"]
        return await record_run(house.runtime.store, run_id, NOW)


async def test_a_recorded_conversation_happens_again(tmp_path: Path) -> None:
    path = app(tmp_path, llm(memory=MEMORY), answer="{{#llm.text#}} {{#sys.conversation_id#}}")
    recording = await conversation(tmp_path, path, "Good morning", "Still there?")
    assert [turn.query for turn in recording.turns] == ["Good morning", "Still there?"]
    assert [turn.differences for turn in await replay_recording(recording)] == [[], []]


async def test_a_changed_app_shows_what_the_change_does(tmp_path: Path) -> None:
    path = app(tmp_path, llm(), answer="{{#llm.text#}}")
    recording = await conversation(tmp_path, path, "Good morning")
    changed = app(
        tmp_path,
        llm(prompt_template=[{"role": "user", "text": "Say {{#sys.query#}}"}]),
        answer="- {{#llm.text#}}",
    )
    (turn,) = await replay_recording(recording, changed)
    assert [str(difference) for difference in turn.differences] == [
        "answer: was 'You said: Good morning', is '- You said: Good morning'",
        "outputs.answer: was 'You said: Good morning', is '- You said: Good morning'",
        "node 'Model' process_data.prompts[0].text: was 'Good morning', is 'Say Good morning'",
        "node 'Answer' outputs.answer: was 'You said: Good morning', is '- You said: Good morning'",
    ]


async def test_a_node_that_was_not_there_cannot_be_replayed(tmp_path: Path) -> None:
    recording = await conversation(tmp_path, app(tmp_path, answer="Hello"), "Hi")
    (turn,) = await replay_recording(recording, app(tmp_path, tool(), answer="{{#tool.text#}}"))
    assert turn.after.status == "failed"
    assert turn.after.error is not None
    assert turn.after.error.startswith("nothing was recorded for node 'Weather' here")


async def test_failures_and_retries_happen_again_without_waiting(tmp_path: Path) -> None:
    failing = tool(
        error_strategy="default-value",
        default_value=[{"key": "text", "type": "string", "value": "no idea"}],
        retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 5},
    )
    recording = await conversation(tmp_path, app(tmp_path, failing, answer="{{#tool.text#}}"), "Hi")
    slow = recording.app.replace('"retry_interval": 5', '"retry_interval": 60000')
    assert slow != recording.app
    recording = Recording(
        **{name: getattr(recording, name) for name in recording.__struct_fields__} | {"app": slow}
    )
    (turn,) = await replay_recording(recording)
    assert (turn.after.status, turn.after.answer) == ("partial-succeeded", "no idea")
    assert turn.differences == []


async def test_a_recording_is_a_file(tmp_path: Path) -> None:
    recording = await conversation(tmp_path, app(tmp_path, answer="Hello"), "Hi")
    write_recording(tmp_path / "a.json", recording)
    assert read_recording(tmp_path / "a.json") == recording


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), (b"{", "is no recording"), (b"[]", "is no recording")],
)
async def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        read_recording(tmp_path / "a.json")


async def test_an_unknown_run_cannot_be_recorded(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        with pytest.raises(NotFoundError, match="there is no run 0199"):
            await record_run(house.runtime.store, "0199", NOW)


async def test_secrets_are_not_recorded() -> None:
    text = json.dumps(
        {
            "workflow": {
                "environment_variables": [
                    {"name": "key", "value": "s3cret", "value_type": "secret"},
                    {"name": "place", "value": "Kiel", "value_type": "string"},
                ]
            }
        }
    )
    assert "s3cret" not in without_secrets(text)
    assert "Kiel" in without_secrets(text)


async def test_a_run_is_recorded_up_to_its_own_turn(tmp_path: Path) -> None:
    async with open_house(tmp_path / "house") as house:
        caller = await house.serve(app(tmp_path, answer="Hello"))
        first = await caller.told("one")
        await caller.told("two", conversation_id=first.events[0]["conversation_id"])
        recording = await record_run(house.runtime.store, first.finished["id"], NOW)
    assert [turn.query for turn in recording.turns] == ["one"]


def turn(**more: Any) -> RecordedTurn:
    return RecordedTurn(run_id="r", status="succeeded", **more)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), values, max_size=3))
def test_nothing_differs_from_itself(outputs: dict[str, Any]) -> None:
    assert differences(turn(outputs=outputs), turn(outputs=outputs)) == []


@given(values, values)
def test_two_values_differ_unless_they_are_equal(one: Any, other: Any) -> None:
    found = differences(turn(outputs={"v": one}), turn(outputs={"v": other}))
    assert bool(found) == (one != other)


def test_ways_that_were_not_taken_before_or_are_not_any_more_are_told() -> None:
    a, b = (RecordedExecution(node_id=id, node_type="code", status="succeeded") for id in "ab")
    assert [str(one) for one in differences(turn(executions=[a]), turn(executions=[b]))] == [
        "node 'a': was 'ran', is 'did not run'",
        "node 'b': was 'did not run', is 'ran'",
    ]


def test_ids_and_times_make_no_difference() -> None:
    before = turn(outputs={"id": "run 17", "usage": {"latency": 1.5}}, volatile={"17": "<run id>"})
    after = turn(outputs={"id": "run 18", "usage": {"latency": 2.5}}, volatile={"18": "<run id>"})
    assert differences(before, after) == []
