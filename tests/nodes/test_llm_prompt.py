from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from weft.nodes import Limits, Turn
from weft.providers import (
    AudioPart,
    Feature,
    FilePart,
    ImagePart,
    Message,
    ScriptedModel,
    TextPart,
    VideoPart,
)
from weft.testing.node_harness import FakeHistory, NodeRun, run_node
from weft.variables import File, Value

pytestmark = pytest.mark.anyio

PICTURE = File(type="image", url="https://files/a.png", filename="a.png", extension=".png")
TURNS = (Turn("q1", "a1"), Turn("q2", "a2"), Turn("q3", "a3"))


class Plain(ScriptedModel):
    """A model of a certain size that can do what it is said to."""

    def __init__(self, features: frozenset[Feature] = frozenset(), size: int | None = None) -> None:
        super().__init__()
        self._features = features
        self._size = size

    def features(self, model: str) -> frozenset[Feature]:
        return self._features

    def context_size(self, model: str) -> int | None:
        return self._size


def llm(prompt: object, mode: str = "chat", **more: Any) -> dict[str, Any]:
    model = {
        "provider": "openai",
        "name": "gpt-4o",
        "mode": mode,
        "completion_params": more.pop("params", {}),
    }
    return {"type": "llm", "title": "LLM", "model": model, "prompt_template": prompt, **more}


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "text": text, **more}


async def ask(
    data: Mapping[str, object],
    values: Mapping[str, Value] | None = None,
    *,
    model: ScriptedModel | None = None,
    history: FakeHistory | Sequence[Turn] = (),
    limits: Limits | None = None,
) -> tuple[list[Message], NodeRun]:
    model = model or ScriptedModel()
    run = await run_node(data, values, models=model, history=history, limits=limits)
    return [message for request in model.requests for message in request.messages], run


async def test_messages_come_in_order_with_their_variables() -> None:
    prompt = [
        {"role": "system", "text": "Be {{#start.tone#}}.", "id": "x", "edition_type": None},
        {"role": "assistant", "text": "Yes {{#start.none#}}"},
        user("{{#sys.query#}} {{#start.data#}} {{#not-a-template#}}"),
    ]
    values: dict[str, Value] = {
        "start.tone": "kind",
        "start.none": None,
        "sys.query": "{{#start.tone#}}",
        "start.data": {"a": 1},
    }

    messages, run = await ask(llm(prompt), values)

    assert messages == [
        Message("system", "Be kind."),
        Message("assistant", "Yes "),
        Message("user", '{{#start.tone#}} {"a": 1} {{#not-a-template#}}'),
    ]
    assert run.context.inputs == {
        "#start.tone#": "kind",
        "#start.none#": "",
        "#sys.query#": "{{#start.tone#}}",
        "#start.data#": '{"a": 1}',
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(llm([user("{{#start.gone#}}")]), id="dsl-100-in-a-message"),
        pytest.param(
            llm([user("Hi")], memory={"query_prompt_template": "{{#start.gone#}}"}),
            id="dsl-100-in-the-query-template",
        ),
        pytest.param(llm([user("Hi")], params={"temperature": "{{#start.gone#}}"}), id="in-a-parameter"),
    ],
)
async def test_a_missing_variable_fails_the_node(data: dict[str, Any]) -> None:
    messages, run = await ask(data)

    assert (run.error_type, messages) == ("VariableNotFoundError", [])
    assert "'start.gone'" in str(run.error)


async def test_a_variable_without_a_value_reads_as_nothing() -> None:
    messages, _ = await ask(llm([user("[{{#start.none#}}]")]), {"start.none": None})

    assert messages == [Message("user", "[]")]  # dsl-100


async def test_empty_messages_are_left_out() -> None:
    prompt = [{"role": "system", "text": ""}, user("{{#start.none#}}"), user("Hi", jinja2_text="no")]

    messages, _ = await ask(llm(prompt), {"start.none": None})

    assert messages == [Message("user", "Hi")]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(llm([]), id="dsl-102-no-messages"),
        pytest.param(llm(None), id="dsl-102-no-template"),
        pytest.param(llm([user("")]), id="dsl-102-empty-message"),
        pytest.param(llm({"text": ""}, mode="completion"), id="dsl-102-empty-completion"),
        pytest.param(
            llm([user("{{#start.picture#}}")]),
            id="dsl-102-a-picture-for-a-model-without-eyes",
        ),
    ],
)
async def test_a_prompt_without_anything_in_it_fails_the_node(data: dict[str, Any]) -> None:
    messages, run = await ask(data, {"start.picture": PICTURE}, model=Plain())

    assert (run.error_type, messages) == ("NoPromptFoundError", [])


async def test_jinja_messages_get_native_values() -> None:
    prompt = [
        {
            "role": "user",
            "edition_type": "jinja2",
            "text": "{{#start.gone#}}",
            "jinja2_text": "{% for item in items %}{{ item.n + 1 }},{% endfor %}[{{ gone }}]",
        }
    ]
    config = {
        "jinja2_variables": [
            {"variable": "items", "value_selector": ["start", "items"]},
            {"variable": "gone", "value_selector": ["start", "gone"]},
        ]
    }

    messages, run = await ask(llm(prompt, prompt_config=config), {"start.items": [{"n": 1}, {"n": 2}]})

    assert messages == [Message("user", "2,3,[]")]
    assert run.context.inputs == {"items": [{"n": 1}, {"n": 2}], "gone": None}


async def test_a_wrong_jinja_message_fails_the_node() -> None:
    prompt = [{"role": "user", "edition_type": "jinja2", "jinja2_text": "{{ 1 / 0 }}"}]

    messages, run = await ask(llm(prompt))

    assert (run.error_type, messages) == ("TemplateRenderError", [])


async def test_the_context_takes_its_place_and_is_no_template() -> None:
    prompt = [{"role": "system", "text": "Use <{{#context#}}> and {#context#}"}, user("Hi")]
    context = {"enabled": True, "variable_selector": ["k", "result"]}

    messages, run = await ask(
        llm(prompt, context=context), {"k.result": "a {{#sys.query#}}", "sys.query": "no"}
    )
    without, _ = await ask(llm(prompt, context=context), {})

    assert messages[0] == Message("system", "Use <a {{#sys.query#}}> and {#context#}")
    assert run.context.inputs["#context#"] == "a {{#sys.query#}}"
    assert without[0] == Message("system", "Use <> and {#context#}")


async def test_files_in_a_message_follow_it() -> None:
    document = File(type="document", url="https://files/a.pdf", filename="a.pdf")
    unknown = File(type="custom", url="https://files/a.bin")
    prompt = [user("See {{#start.file#}}{{#start.files#}}."), {"role": "assistant", "text": "Ok"}]

    messages, _ = await ask(
        llm(prompt, vision={"enabled": False, "configs": {"detail": "low"}}),
        {"start.file": PICTURE, "start.files": [document, unknown]},
    )

    assert messages == [
        Message("user", "See ."),
        Message(
            "user",
            [ImagePart("https://files/a.png", "low"), FilePart("https://files/a.pdf", "a.pdf")],
        ),
        Message("assistant", "Ok"),
    ]


async def test_seen_files_go_in_front_of_the_last_message_of_the_user() -> None:
    prompt = [{"role": "system", "text": "Look"}, user("What is it?")]
    files: list[Value] = [
        PICTURE,
        File(type="audio", url="https://files/a.mp3", extension=".mp3"),
        File(type="video", url="https://files/a.mp4"),
        File(type="image"),
    ]

    messages, run = await ask(llm(prompt, vision={"enabled": True}), {"sys.files": files})

    assert messages == [  # dsl-104
        Message("system", "Look"),
        Message(
            "user",
            [
                ImagePart("https://files/a.png", "high"),
                AudioPart("https://files/a.mp3", "mp3"),
                VideoPart("https://files/a.mp4"),
                TextPart("What is it?"),
            ],
        ),
    ]
    assert run.context.inputs == {"#files#": files}


async def test_seen_files_get_a_message_where_the_user_did_not_speak_last() -> None:
    prompt = [user("Hi"), {"role": "assistant", "text": "Show me"}]
    vision = {"enabled": True, "configs": {"detail": "low", "variable_selector": ["start", "picture"]}}

    messages, _ = await ask(llm(prompt, vision=vision), {"start.picture": PICTURE})

    assert messages[2:] == [Message("user", [ImagePart("https://files/a.png", "low")])]


async def test_files_are_not_seen_where_vision_is_off_or_the_model_is_blind() -> None:
    values: dict[str, Value] = {"sys.files": [PICTURE]}

    off, _ = await ask(llm([user("Hi")], vision={"enabled": False}), values)
    blind, _ = await ask(
        llm([user("Hi")], vision={"enabled": True}), values, model=Plain(frozenset({"audio"}))
    )

    assert off == blind == [Message("user", "Hi")]


async def test_files_of_the_context_are_seen_too() -> None:
    context = {"enabled": True, "variable_selector": ["k", "result"]}

    messages, _ = await ask(
        llm([user("{{#context#}}")], context=context, vision={"enabled": True}),
        {"k.result": [{"content": "text", "files": [PICTURE]}], "sys.files": []},
    )

    assert messages == [Message("user", [ImagePart("https://files/a.png", "high"), TextPart("text")])]


async def test_something_else_than_files_cannot_be_seen() -> None:
    vision = {"enabled": True, "configs": {"variable_selector": ["start", "text"]}}

    _, run = await ask(llm([user("Hi")], vision=vision), {"start.text": "no file"})

    assert run.error_type == "InvalidVariableTypeError"


async def test_memory_tells_the_conversation_and_then_the_query() -> None:
    history = FakeHistory(TURNS)

    messages, _ = await ask(
        llm([{"role": "system", "text": "S"}], memory={"window": {"enabled": False, "size": 1}}),
        {"sys.query": "now {{#sys.x#}}"},
        history=history,
    )

    assert messages == [
        Message("system", "S"),
        *(
            message
            for turn in TURNS
            for message in (
                Message("user", turn.query, from_history=True),
                Message("assistant", turn.answer, from_history=True),
            )
        ),
        Message("user", "now {{#sys.x#}}"),
    ]
    assert history.limits == [500]


async def test_a_window_limits_the_exchanges() -> None:
    history = FakeHistory(TURNS)

    messages, _ = await ask(
        llm([user("T")], memory={"window": {"enabled": True, "size": 1}, "role_prefix": {"user": None}}),
        {"sys.query": "now"},
        history=history,
    )

    assert [message.text for message in messages] == ["T", "q3", "a3", "now"]  # dsl-104
    assert history.limits == [1]


async def test_the_query_template_replaces_the_query() -> None:
    memory = {
        "query_prompt_template": "{{#sys.query#}} in {{#start.language#}} {{#sys.files#}}",
        "enabled": False,
    }
    values: dict[str, Value] = {"sys.query": "now", "start.language": "French", "sys.files": [PICTURE]}

    messages, _ = await ask(llm([user("T")], memory=memory), values)

    assert messages[1:] == [
        Message("user", "now in French "),
        Message("user", [ImagePart("https://files/a.png", "high")]),
    ]


async def test_without_memory_no_query_is_added() -> None:
    messages, _ = await ask(llm([user("T")], memory=None), {"sys.query": "now"}, history=TURNS)

    assert messages == [Message("user", "T")]


@pytest.mark.parametrize(
    ("size", "params", "told"),
    [
        pytest.param(45, {}, ["q2", "q3"], id="what-the-prompt-leaves"),
        pytest.param(45, {"max_tokens": 10}, ["q3"], id="less-room-for-the-reply"),
        pytest.param(45, {"max_tokens": 100}, [], id="no-room-at-all"),
        pytest.param(None, {"max_tokens": 100}, ["q2", "q3"], id="unknown-size"),
    ],
)
async def test_only_the_newest_exchanges_that_fit_are_told(
    size: int | None, params: dict[str, object], told: list[str]
) -> None:
    messages, _ = await ask(
        llm([user("T")], memory={}, params=params),
        {"sys.query": "now"},
        model=Plain(size=size),
        history=TURNS,
        limits=Limits(default_memory_tokens=30),
    )

    assert [message.text for message in messages if message.text.startswith("q")] == told


async def test_pictures_of_earlier_exchanges_are_seen_only_with_vision() -> None:
    turns = [Turn("q", "a", (PICTURE,))]

    seen, _ = await ask(llm([], memory={}, vision={"enabled": True}), {"sys.query": "now"}, history=turns)
    unseen, _ = await ask(llm([], memory={}, vision={"enabled": False}), {"sys.query": "now"}, history=turns)

    picture = ImagePart("https://files/a.png", "high")
    assert seen[0] == Message("user", [TextPart("q"), picture], from_history=True)
    assert unseen[0] == Message("user", "q", from_history=True)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("{{#histories#}}\nMe: {{#sys.query#}}", "U: q3\nA: a3\nMe: now"),
        ("#histories#\nMe: #sys.query#", "U: q3\nA: a3\nMe: now"),
        ("Me: {{#sys.query#}}", "U: q3\nA: a3\nMe: now"),
    ],
)
async def test_a_completion_prompt_is_one_message_with_the_conversation_in_it(text: str, prompt: str) -> None:
    memory = {"role_prefix": {"user": "U", "assistant": "A"}, "window": {"enabled": True, "size": 1}}

    messages, run = await ask(
        llm({"text": text}, mode="completion", memory=memory), {"sys.query": "now"}, history=TURNS
    )

    assert messages == [Message("user", prompt)]
    assert run.context.process_data["model_mode"] == "completion"


async def test_a_completion_prompt_without_memory_leaves_no_trace_of_it() -> None:
    messages, _ = await ask(
        llm({"text": "{{#histories#}}<{{#context#}}>{{#sys.query#}}"}, mode="completion"),
        {"sys.query": "now"},
    )

    assert messages == [Message("user", "<>now")]


async def test_a_completion_prompt_with_memory_needs_role_prefixes() -> None:
    messages, run = await ask(
        llm({"text": "T"}, mode="completion", memory={"window": {}}), {"sys.query": "now"}
    )

    assert (run.error_type, messages) == ("MemoryRolePrefixRequiredError", [])
