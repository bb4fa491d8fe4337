from __future__ import annotations

import pytest

from tests.runs.house import TitleModel
from weft.providers import Models, ScriptedModel
from weft.providers import Rule as ScriptRule
from weft.providers import Script as ModelScript
from weft.runs import suggest
from weft.runs.suggesting import parse_questions
from weft.testing.clock import FrozenClock
from weft.testing.node_harness import single_model

pytestmark = pytest.mark.anyio

TURNS = [("Rain?", "Yes.")]
OURS = [("openai", "gpt-4o"), ("other", "model")]


def models(chat: object) -> Models:
    return single_model(chat, clock=FrozenClock())  # type: ignore[arg-type]  # any clock will do


@pytest.mark.parametrize(
    ("reply", "questions"),
    [
        ('["A?", "B?"]', ["A?", "B?"]),
        ('```json\n["A?",\n "B?"]\n```', ["A?", "B?"]),
        ('Of course! ["A?"] Anything else?', ["A?"]),
        ('<think>["no?"]</think>["A?"]', ["A?"]),
        ('[1] and [2] say: ["A?", "B?"]', ["A?", "B?"]),
        ('["What is [x]?", "B?"]', ["What is [x]?", "B?"]),
        ('["A?", "A?", "", "  B?\\n ", 5, null]', ["A?", "B?"]),
        ('[{"question": "A?"}, {"text": "B?"}, {}]', ["A?", "B?"]),
        ('["1", "2", "3", "4", "5", "6"]', ["1", "2", "3", "4", "5"]),
        ('["A?", "B', []),
        ("none", []),
        ("", []),
        ("[" * 5000, []),
        ('{"A?": 1}', []),
    ],
)
def test_questions_are_found_in_whatever_a_model_wraps_them(reply: str, questions: list[str]) -> None:
    assert parse_questions(reply) == questions


async def test_the_first_model_of_the_app_is_asked_about_the_conversation() -> None:
    model = TitleModel('["A', '?"]')

    assert await suggest(TURNS, models(model), {}, OURS) == ["A?"]

    (request,) = model.requests
    assert request.model == "gpt-4o"
    assert [(message.role, message.text) for message in request.messages[:2]] == [
        ("user", "Rain?"),
        ("assistant", "Yes."),
    ]
    assert "JSON array" in request.messages[2].text


async def test_a_script_without_a_rule_for_it_has_sensible_questions() -> None:
    questions = [
        "Can you tell me more about this?",
        "Can you give me an example?",
        "What should I know next?",
    ]
    assert await suggest(TURNS, models(ScriptedModel()), {}, OURS) == questions
    chatty = ScriptedModel(script=ModelScript([ScriptRule(reply="Hello!")]))
    assert await suggest(TURNS, models(chatty), {}, OURS) == questions


async def test_a_script_may_have_a_rule_for_it() -> None:
    script = ModelScript([ScriptRule(node_id="suggested-questions", reply='["Mine?"]')])
    assert await suggest(TURNS, models(ScriptedModel(script=script)), {}, OURS) == ["Mine?"]


async def test_a_script_that_fails_suggests_nothing() -> None:
    script = ModelScript([ScriptRule(error="RateLimitedError")])
    assert await suggest(TURNS, models(ScriptedModel(script=script)), {}, OURS) == []


async def test_an_app_without_models_suggests_nothing() -> None:
    assert await suggest(TURNS, models(ScriptedModel()), {}, []) == []


@pytest.mark.parametrize("model", [None, "gpt", {}, {"provider": "x"}, {"provider": "x", "name": ""}])
async def test_a_model_of_the_feature_that_is_none_leaves_it_to_the_apps(model: object) -> None:
    asked = TitleModel('["A?"]')
    await suggest(TURNS, models(asked), {"model": model}, OURS)
    assert asked.requests[0].model == "gpt-4o"
