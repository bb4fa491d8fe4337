from __future__ import annotations

from typing import Any

import pytest

from weft.nodes.agent_step import Act, Step, StepSink, read_step


def fed(text: str, size: int) -> tuple[StepSink, list[str]]:
    said: list[str] = []
    sink = StepSink(said.append)
    for place in range(0, len(text), size):
        sink.text(text[place : place + size])
    sink.finish()
    return sink, said


@pytest.mark.parametrize(
    ("text", "thought", "end"),
    [
        (
            'Thought: I need it.\nAction: {"action": "find", "action_input": {"q": "x"}}',
            "I need it.",
            Act("find", {"q": "x"}),
        ),
        (
            'Thought: a\nb\nAction:\n```json\n{"action": "find", "action_input": {"q": 1}}\n```',
            "a\nb",
            Act("find", {"q": 1}),
        ),
        ('{"action": "find", "action_input": "{\\"q\\": 1}"}', "", Act("find", {"q": 1})),
        ('{"action": "find", "action_input": "just text"}', "", Act("find", None)),
        ('{"action": "find"}', "", Act("find", {})),
        ('**Action:** `find`\n**Action Input:** {"q": "x"}', "", Act("find", {"q": "x"})),
        ("Action: find", "", Act("find", {})),
        ("Action: find\nAction Input: nothing in particular", "", Act("find", None)),
        (
            'Action: {"action": "find", "action_input": {}}\nObservation: I made this up\nFinal Answer: 5',
            "",
            Act("find", {}),
        ),
        ("Thought: Easy.\nFinal Answer: It is 5.\nReally.", "Easy.", "It is 5.\nReally."),
        ("**Final Answer:** It is 5.", "", "It is 5."),
        ("Thought: x\nFinal Answer:\n\n5\n", "x", "5"),
        ('Action: {"action": "Final Answer", "action_input": "It is 5."}', "", "It is 5."),
        ('Action: {"action": "Final_Answer", "action_input": {"a": 1}}', "", '{"a": 1}'),
        ("Just an answer.", "", "Just an answer."),
        ("Thought: Just a thought.", "", "Just a thought."),
        ("Here is code:\n```\nx = {}\n```\nDone.", "", "Here is code:\n```\nx = {}\n```\nDone."),
        ("Observation: of the moon\nFinal Answer: full", "Observation: of the moon", "full"),
        ("", "", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_step_is_read_however_it_is_written(text: str, thought: str, end: Act | str, size: int) -> None:
    step = read_step(text)
    assert (step.thought, step.end) == (thought, end)
    sink, said = fed(text, size)
    assert (sink.step.thought, sink.step.end) == (thought, end)
    assert "".join(said).strip() == ("" if isinstance(end, Act) else end)


def test_what_the_model_made_up_is_no_part_of_the_step() -> None:
    text = 'Thought: t\nAction: {"action": "find", "action_input": {}}\nObservation: 7\nThought: done'
    assert read_step(text) == Step(
        "t", Act("find", {}), 'Thought: t\nAction: {"action": "find", "action_input": {}}'
    )


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["Thought: a\nFinal", " Answer", ": ", "It ", "is 5."], ["It", " is 5."]),
        (["Final Answer:", "\n", "\n", "It", " is"], ["It", " is"]),
        (["**Final Answer:", "** 5", " or 6"], ["5", " or 6"]),
        (["No form ", "at all"], ["No form at all"]),
        (["Action: find", "\nFinal Answer: 5"], []),
        (["<think>Final Answer: 1</think>", "Final Answer: 2"], ["2"]),
    ],
)
def test_an_answer_is_said_as_soon_as_it_is_known_to_be_one(pieces: list[str], said: list[str]) -> None:
    heard: list[str] = []
    sink = StepSink(heard.append)
    for piece in pieces:
        sink.text(piece)
    sink.finish()
    assert heard == said


def test_thoughts_are_kept_apart() -> None:
    sink = StepSink(lambda piece: None)
    sink.text("<think>hm</think>Final Answer: 5")
    sink.finish()
    assert ("".join(sink.thoughts), sink.step.end) == ("hm", "5")


def test_a_long_line_is_no_burden() -> None:
    heard: list[Any] = []
    sink = StepSink(heard.append)
    for _ in range(20_000):
        sink.text("word word ")
    sink.text("\nFinal Answer: 5")
    sink.finish()
    assert heard == ["5"]
