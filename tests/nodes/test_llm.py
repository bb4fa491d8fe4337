from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from weft.errors import GraphError
from weft.events import ReasoningStreamed, ResourcesRetrieved
from weft.graph import Need
from weft.nodes import build_node
from weft.providers import Price, PriceTable, Rule, Script, ScriptedModel, TokenUsage
from weft.testing.node_harness import make_spec, run_node
from weft.variables import Value

pytestmark = pytest.mark.anyio

USAGE = TokenUsage(10, 5, 15)
PRICES = PriceTable({"openai/gpt-4o": Price(Decimal("2.5"), Decimal(10))}, built_in=False)


def llm(**more: Any) -> dict[str, Any]:
    model = {
        "provider": "langgenius/openai/openai",
        "name": "gpt-4o",
        "mode": "chat",
        "completion_params": more.pop("params", {}),
    }
    prompt = [{"role": "user", "text": "{{#sys.query#}}"}]
    return {"type": "llm", "title": "LLM", "model": model, "prompt_template": prompt, **more}


def scripted(**rule: Any) -> ScriptedModel:
    return ScriptedModel(script=Script([Rule(usage=USAGE, **rule)]))


async def test_every_chunk_is_passed_on_and_their_sum_is_the_output() -> None:
    model = scripted(chunks=["Hel", "lo", ""])

    run = await run_node(llm(), {"sys.query": "Hi"}, models=model, prices=PRICES)

    usage = {
        "prompt_tokens": 10,
        "prompt_unit_price": "2.5",
        "prompt_price_unit": "0.000001",
        "prompt_price": "0.0000250",
        "completion_tokens": 5,
        "completion_unit_price": "10",
        "completion_price_unit": "0.000001",
        "completion_price": "0.0000500",
        "total_tokens": 15,
        "total_price": "0.0000750",
        "currency": "USD",
        "latency": 0.0,
        "time_to_first_token": 0.0,
        "time_to_generate": 0.0,
    }
    assert run.port.pieces == {"text": ["Hel", "lo"]}  # dsl-35
    assert run.port.ended_streams == ["text"]
    assert run.outputs == {
        "text": "Hello",
        "reasoning_content": "",
        "usage": usage,
        "finish_reason": "stop",
    }
    assert run.context.process_data == {
        "model_mode": "chat",
        "prompts": [{"role": "user", "text": "Hi", "files": []}],
        "model_provider": "langgenius/openai/openai",
        "model_name": "gpt-4o",
        "usage": usage,
        "finish_reason": "stop",
    }
    assert run.context.metadata == {"total_tokens": 15, "total_price": "0.0000750", "currency": "USD"}
    assert run.context.usage is not None
    assert run.context.usage.total_tokens == 15
    assert run.events == []


async def test_the_service_gets_parameters_stop_words_and_who_asks() -> None:
    model = scripted(reply="ok")
    params = {
        "temperature": "{{#start.t#}}",
        "max_tokens": 5,
        "seed": "7",
        "label": "a {{#start.t#}}",
        "strict": "{{#start.flag#}}",
        "stop": ["```", ""],
    }

    await run_node(
        llm(params=params), {"sys.query": "Hi", "start.t": 0.5, "start.flag": "true"}, models=model
    )

    [request] = model.requests
    assert request.parameters == {
        "temperature": 0.5,
        "max_tokens": 5,
        "seed": "7",
        "label": "a 0.5",
        "strict": True,
    }
    assert (request.model, request.stop, request.user, request.node_id) == ("gpt-4o", ["```"], "user", "node")
    assert (request.response_schema, request.tools) == (None, [])


async def test_a_parameter_may_not_grow_without_end() -> None:
    run = await run_node(llm(params={"a": "{{#sys.query#}}"}), {"sys.query": "x" * 1025})

    assert run.error_type == "LLMNodeError"


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        ("RateLimitedError", "InvokeRateLimitError"),
        ("CredentialsError", "InvokeAuthorizationError"),
        ("ProviderTimeoutError", "InvokeConnectionError"),
    ],
)
async def test_a_failing_service_fails_the_node_with_its_own_error(error: str, error_type: str) -> None:
    run = await run_node(llm(), {"sys.query": "Hi"}, models=scripted(chunks=[], error=error, message="no"))

    assert (run.error_type, str(run.error)) == (error_type, "no")
    assert run.port.ended_streams == []
    assert run.context.usage is None
    assert run.context.process_data["model_name"] == "gpt-4o"


async def test_a_reply_that_breaks_off_counts_and_leaves_its_text_open_for_another_attempt() -> None:
    model = scripted(chunks=["one two", " three"], error="BadReplyError")

    run = await run_node(llm(), {"sys.query": "Hi"}, models=model)

    assert run.error_type == "InvokeServerUnavailableError"
    assert (run.streamed, run.port.ended_streams) == ("one two three", [])
    assert run.context.usage is not None
    assert run.context.usage.completion_tokens == 4
    assert run.context.metadata["total_tokens"] == run.context.usage.total_tokens


CHUNKS = [
    "<th",
    "ink>be",
    "cause ",
    "</thi",
    "nk>",
    "\n\n",
    "So ",
    "it",
    " is",
    "<THINK a='b'>",
    "x</think>.",
]


async def test_tagged_thoughts_stay_in_the_text() -> None:
    run = await run_node(llm(), {"sys.query": "Hi"}, models=scripted(chunks=CHUNKS))

    assert run.port.pieces["text"] == CHUNKS  # dsl-52
    assert run.outputs["text"] == "".join(CHUNKS)
    assert run.outputs["reasoning_content"] == ""
    assert run.events == []


async def test_separated_thoughts_are_events_and_the_text_is_clean() -> None:
    run = await run_node(
        llm(reasoning_format="separated"), {"sys.query": "Hi"}, models=scripted(chunks=CHUNKS)
    )

    assert run.outputs["text"] == run.streamed == "So it is."  # dsl-50
    assert run.outputs["reasoning_content"] == "because\nx"
    assert run.port.ended_streams == ["text"]
    assert run.events == [
        ReasoningStreamed(text="be", node_id="node"),
        ReasoningStreamed(text="cause", node_id="node"),
        ReasoningStreamed(text="\nx", node_id="node"),
        ReasoningStreamed(text="", node_id="node", is_final=True),
    ]


@pytest.mark.parametrize(
    ("chunks", "text", "events"),
    [
        pytest.param(["a <thinking> 1 <", " 2"], "a <thinking> 1 < 2", [], id="dsl-51a"),
        pytest.param(["a<think>b", "</thin"], "a", ["b", "</thin", ""], id="dsl-51b"),
    ],
)
async def test_tags_that_are_none_or_never_end(chunks: list[str], text: str, events: list[str]) -> None:
    run = await run_node(
        llm(reasoning_format="separated"), {"sys.query": "Hi"}, models=scripted(chunks=chunks)
    )

    assert run.outputs["text"] == run.streamed == text
    assert [event.text for event in run.events if isinstance(event, ReasoningStreamed)] == events


async def test_thoughts_sent_apart_are_put_between_tags() -> None:
    model = scripted(reasoning="first then", reply="so it is")

    run = await run_node(llm(), {"sys.query": "Hi"}, models=model)

    assert run.outputs["text"] == run.streamed == "<think>\nfirst then\n</think>so it is"
    assert run.events == []


async def test_thoughts_without_an_answer_are_closed() -> None:
    run = await run_node(llm(), {"sys.query": "Hi"}, models=scripted(reasoning="hm", chunks=[]))

    assert run.outputs["text"] == run.streamed == "<think>\nhm\n</think>"


async def test_thoughts_sent_apart_are_events_where_they_are_separated() -> None:
    model = scripted(reasoning=" first then ", chunks=["<think>more</think>", "so"])

    run = await run_node(llm(reasoning_format="separated"), {"sys.query": "Hi"}, models=model)

    assert run.outputs["text"] == run.streamed == "so"
    assert run.outputs["reasoning_content"] == "first then\nmore"
    assert isinstance(run.events[-1], ReasoningStreamed)
    assert [event for event in run.events if isinstance(event, ReasoningStreamed) and event.is_final] == [
        run.events[-1]
    ]


async def test_passages_of_a_dataset_are_announced_before_the_first_chunk() -> None:
    passage: dict[str, Value] = {
        "title": "T",
        "content": "text",
        "metadata": {
            "_source": "knowledge",
            "position": 1,
            "dataset_id": "d",
            "segment_hit_count": 3,
            "score": 0.5,
        },
    }
    data = llm(
        context={"enabled": True, "variable_selector": ["k", "result"]},
        prompt_template=[{"role": "user", "text": "{{#context#}}"}],
    )

    run = await run_node(data, {"k.result": [passage, {"content": "other", "metadata": {}}]})

    [event] = run.events
    assert isinstance(event, ResourcesRetrieved)
    assert event.node_id == "node"
    assert [
        {name: value for name, value in item.items() if value is not None} for item in event.resources
    ] == [{"position": 1, "dataset_id": "d", "hit_count": 3, "score": 0.5, "content": "text"}]
    assert run.outputs["text"] == "You said: text\nother"


def test_the_node_says_what_it_reads_and_needs() -> None:
    data = llm(
        params={"temperature": "{{#start.t#}}"},
        memory={},
        context={"enabled": True, "variable_selector": ["k", "result"]},
        vision={"enabled": True},
        retry_config={"retry_enabled": True, "max_retries": 1, "retry_interval": 1000},
        prompt_template=[
            {"role": "user", "text": "{{#a.b#}} {{#context#}}"},
            {"role": "user", "edition_type": "jinja2", "jinja2_text": "{{ x }}"},
        ],
        prompt_config={"jinja2_variables": [{"variable": "x", "value_selector": ["c", "d"]}]},
    )

    node = build_node(make_spec(data))

    assert list(node.reads()) == [
        ("a", "b"),
        ("c", "d"),
        ("sys", "query"),
        ("k", "result"),
        ("sys", "files"),
        ("start", "t"),
    ]
    assert node.needs() == (Need("model", "langgenius/openai/openai/gpt-4o", "node"),)
    assert node.retry is not None


@pytest.mark.parametrize(
    "data",
    [
        llm(model=None),
        llm(prompt_template=[{"role": "robot", "text": "x"}]),
    ],
)
def test_a_node_without_a_model_or_with_a_wrong_prompt_is_refused_at_load(data: dict[str, Any]) -> None:
    with pytest.raises(GraphError):
        build_node(make_spec(data))


@pytest.mark.parametrize("model", [{"provider": "", "name": ""}, {"name": None}, {}])
async def test_a_node_without_a_chosen_model_asks_whoever_answers_for_all(model: dict[str, Any]) -> None:
    run = await run_node(llm(model=model), {"sys.query": "Hi"}, models=scripted(reply="Hello"))

    assert run.outputs["text"] == "Hello"
    assert build_node(make_spec(llm(model=model))).needs() == (Need("model", "?/?", "node"),)


@pytest.mark.parametrize(
    "more",
    [
        {"vision": None, "context": None, "prompt_config": None, "memory": None, "reasoning_format": None},
        {"structured_output": {"enabled": False}, "structured_output_enabled": None},
        {"variables": [], "desc": None, "selected": True},
        {
            "vision": {"enabled": False, "configs": None},
            "context": {"enabled": False, "variable_selector": None},
        },
    ],
)
async def test_shapes_that_files_really_have_are_accepted(more: dict[str, Any]) -> None:
    run = await run_node(llm(**more), {"sys.query": "Hi"})

    assert run.outputs["text"] == "You said: Hi"


async def test_one_node_serves_many_runs() -> None:
    data = llm(vision={"enabled": True})

    first = await run_node(data, {"sys.query": "one"}, models=scripted(chunks=["x"], error="BadReplyError"))
    second = await run_node(data, {"sys.query": "two"})

    assert first.result is None
    assert second.outputs["text"] == "You said: two"
    assert second.context.files == []  # dsl-105
