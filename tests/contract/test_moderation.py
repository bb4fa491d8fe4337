"""What an app is not to hear and not to say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.caller import Caller
from tests.contract.house import House, open_house
from weft.errors import BadReplyError
from weft.providers import Moderation

pytestmark = pytest.mark.anyio

REFUSED = "I would rather not hear that."
WITHDRAWN = "I would rather not say that."


class Judging(Actor):
    """A model that also judges: bombs are not to be spoken of."""

    def __init__(self) -> None:
        super().__init__()
        self.judged: list[str] = []
        self.gate: Gate | None = None
        self.error: Exception | None = None

    async def moderate(self, model: str, texts: Sequence[str]) -> list[Moderation]:
        self.judged += texts
        if self.gate is not None:
            self.gate.reached.set()
        if self.error is not None:
            raise self.error
        return [Moderation("bomb" in text) for text in texts]


@pytest.fixture(scope="module")
def model() -> Judging:
    return Judging()


@pytest.fixture(scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory, model: Judging) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("moderation"), models=model) as opened:
        yield opened


@pytest.fixture(autouse=True)
def fresh(model: Judging) -> None:
    model.judged, model.error, model.gate = [], None, None
    model.forget()


def rules(
    kind: str = "keywords", *, hears: bool = True, says: bool = True, words: str = ""
) -> dict[str, Any]:
    return {
        "sensitive_word_avoidance": {
            "enabled": True,
            "type": kind,
            "config": {
                "keywords": words,
                "inputs_config": {"enabled": hears, "preset_response": REFUSED},
                "outputs_config": {"enabled": says, "preset_response": WITHDRAWN},
            },
        }
    }


async def keyword_app(strict: House, **more: Any) -> Caller:
    return await strict.serve(
        apps.echo_flow(
            apps.field("topic"),
            features=rules(words="Bomb\n\n  dirty word  \n", **more),
            name=f"Keywords {more}",
        )
    )


@pytest.mark.parametrize(
    ("query", "inputs"),
    [("How is a BOMB made?", {}), ("a dirty word", {}), ("Tell me more", {"topic": "bombs"})],
)
async def test_a_question_with_a_keyword_is_answered_without_a_run(
    strict: House, model: Judging, query: str, inputs: dict[str, str]
) -> None:
    app = await keyword_app(strict)
    asked = len(model.requests)

    told = await app.told(query, inputs=inputs, auto_generate_name=False)
    whole = await app.said(query, inputs=inputs, auto_generate_name=False)

    assert (told.names, told.answer) == (["message", "message_end"], REFUSED)
    assert (whole["answer"], whole["metadata"]["retriever_resources"]) == (REFUSED, [])
    assert len(model.requests) == asked
    kept = await app.messages(told.one("message_end")["conversation_id"])
    assert [(message["query"], message["answer"]) for message in kept] == [(query, REFUSED)]


async def test_other_questions_pass(strict: House) -> None:
    app = await keyword_app(strict)
    told = await app.told("bo mb dirtyword", inputs={"topic": "peace"})
    assert told.answer == "You said: bo mb dirtyword"
    assert told.of("message_replace") == []


async def test_an_answer_is_broken_off_at_a_keyword_and_replaced(strict: House, model: Judging) -> None:
    app = await keyword_app(strict)
    for piece in (["Take a bo", "MB and", " run."], ["Take a Bomb."], ["b", "o", "m", "b", "!"]):
        model.play("how", apps_part(piece))
        told = await app.told("how?")
        shown = told.texts
        assert shown[-1] == WITHDRAWN
        assert "bomb" not in "".join(shown).lower()
        assert told.one("message_replace")["answer"] == WITHDRAWN
        assert told.one("message_replace")["reason"] == "output_moderation"
        names = told.names
        assert names.index("message_replace") < names.index("message_end")
        finished = told.one("workflow_finished")["data"]
        assert (finished["status"], finished["error"]) == ("stopped", "Stopped by output moderation.")
        assert finished["outputs"].get("answer", WITHDRAWN) == WITHDRAWN
        [kept] = await app.messages(told.one("message_end")["conversation_id"])
        assert (kept["answer"], kept["status"]) == (WITHDRAWN, "normal")


async def test_a_whole_answer_is_replaced(strict: House, model: Judging) -> None:
    app = await keyword_app(strict)
    model.play("how", apps_part(["a bomb"]))
    assert (await app.said("how?"))["answer"] == WITHDRAWN


async def test_each_direction_can_be_switched_off(strict: House) -> None:
    deaf = await keyword_app(strict, hears=False)
    mute = await keyword_app(strict, says=False)
    assert (await deaf.said("a bomb"))["answer"] == WITHDRAWN
    assert (await mute.said("a bomb"))["answer"] == REFUSED
    free = await strict.serve(
        apps.echo_flow(features=rules(words="bomb", hears=False, says=False), name="Free")
    )
    assert (await free.said("a bomb"))["answer"] == "You said: a bomb"


async def test_a_workflow_app_says_in_its_stream_what_replaces_its_text(strict: House) -> None:
    app = apps.echo_workflow()
    app["workflow"]["features"] = rules(words="bomb")
    told = await (await strict.serve(app)).ran({"text": "a bomb"})
    assert told.one("text_replace")["data"] == {"text": WITHDRAWN}
    assert "bomb" not in str(told.finished["outputs"])


async def test_a_model_judges_questions(strict: House, model: Judging) -> None:
    app = await strict.serve(apps.echo_flow(features=rules("openai_moderation", says=False), name="Model"))
    assert (await app.said("a bomb"))["answer"] == REFUSED
    assert (await app.said("a rose"))["answer"] == "You said: a rose"
    assert model.judged == ["a bomb", "a rose"]


async def test_a_model_judges_a_long_answer_while_it_streams(strict: House, model: Judging) -> None:
    app = await strict.serve(apps.echo_flow(features=rules("openai_moderation", hears=False), name="Long"))
    endless, model.gate = Gate(), Gate()
    model.play("how", apps_part(["bomb " * 100, " and"], endless))
    told = await app.told("how?")
    assert told.one("message_replace")["answer"] == WITHDRAWN
    assert told.texts[-1] == WITHDRAWN
    assert told.one("workflow_finished")["data"]["status"] == "stopped"


async def test_a_model_judges_a_short_answer_when_it_is_whole(strict: House, model: Judging) -> None:
    app = await strict.serve(apps.echo_flow(features=rules("openai_moderation", hears=False), name="Short"))
    told = await app.told("a bomb")
    assert "".join(told.texts) == "You said: a bomb"
    assert told.one("message_replace")["answer"] == WITHDRAWN
    finished = told.one("workflow_finished")["data"]
    assert (finished["status"], finished["outputs"]["answer"]) == ("succeeded", WITHDRAWN)
    [kept] = await app.messages(told.one("message_end")["conversation_id"])
    assert kept["answer"] == WITHDRAWN


async def test_nothing_passes_a_judge_who_cannot_be_asked(strict: House, model: Judging) -> None:
    model.error = BadReplyError("the judge is out")
    deaf = await strict.serve(apps.echo_flow(features=rules("openai_moderation", says=False), name="Deaf"))
    mute = await strict.serve(apps.echo_flow(features=rules("openai_moderation", hears=False), name="Mute"))
    heard, said = await deaf.chat("hi"), await mute.chat("hi")
    assert (heard.status, heard.json["code"]) == (400, "completion_request_error")
    assert (said.status, said.json["code"]) == (400, "completion_request_error")


async def test_an_app_that_nobody_can_judge_does_not_answer(strict: House) -> None:
    app = await strict.serve(apps.echo_flow(features=rules("api"), name="Elsewhere"))
    reply = await app.chat("hi")
    assert (reply.status, reply.json["code"]) == (400, "invalid_param")
    assert "judged by 'api'" in reply.json["message"]


async def test_openai_clients_see_what_replaces_an_answer(strict: House, model: Judging) -> None:
    app = await keyword_app(strict)
    model.play("how", apps_part(["a bomb"]))
    body = {"model": "x", "messages": [{"role": "user", "content": "how?"}]}
    assert (await app.post("/chat/completions", body)).ok["choices"][0]["message"]["content"] == WITHDRAWN


def apps_part(pieces: Sequence[str], gate: Gate | None = None) -> Any:
    async def part(_: object) -> AsyncIterator[str]:
        for piece in pieces:
            yield piece
        if gate is not None:
            await gate.wait()

    return part


@pytest.mark.parametrize(
    "config", [None, [], {"keywords": 3}, {"keywords": "a", "inputs_config": {"enabled": 1}}]
)
async def test_a_malformed_feature_harms_nothing(strict: House, config: Any, tmp_path: Path) -> None:
    feature = {"enabled": True, "type": "keywords", "config": config}
    app = await strict.serve(apps.echo_flow(features={"sensitive_word_avoidance": feature}, name="Odd"))
    assert (await app.chat("hi")).status == 200
