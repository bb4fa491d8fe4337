from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from weft.errors import ConfigError
from weft.testing.flow import ask, open_flow
from weft.testing.mock import Mock

pytestmark = pytest.mark.anyio


def app(folder: Path, *middle: Mapping[str, Any], answer: str) -> Path:
    """A chatflow of these nodes one after the other; a branch leads on by every way."""
    nodes = [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        *middle,
        {"id": "answer", "data": {"type": "answer", "title": "Answer", "answer": answer}},
    ]
    edges = []
    for source, target in pairwise(nodes):
        data = source["data"]
        assert isinstance(data, dict)
        ways = [way["id"] for way in data.get("classes", ())] or ["source"]
        edges += [{"source": source["id"], "sourceHandle": way, "target": target["id"]} for way in ways]
    content = {
        "kind": "app",
        "version": "0.3.1",
        "app": {"name": "Test", "mode": "advanced-chat"},
        "workflow": {"graph": {"nodes": nodes, "edges": edges}},
    }
    path = folder / "app.yml"
    path.write_text(json.dumps(content))
    return path


def llm(id: str = "llm", title: str = "Model", **more: Any) -> dict[str, Any]:
    data = {
        "type": "llm",
        "title": title,
        "model": {"provider": "openai", "name": "gpt-4o-mini", "mode": "chat"},
        "prompt_template": [{"role": "user", "text": "{{#sys.query#}}"}],
        **more,
    }
    return {"id": id, "data": data}


def tool(**more: Any) -> dict[str, Any]:
    data = {
        "type": "tool",
        "title": "Weather",
        "provider_id": "acme",
        "provider_type": "builtin",
        "tool_name": "weather",
        "tool_parameters": {},
        "tool_configurations": {},
        **more,
    }
    return {"id": "tool", "data": data}


@pytest.mark.parametrize("key", ["llm", "Model", "type:llm"])
async def test_a_mock_finds_its_node_by_id_title_or_type(tmp_path: Path, key: str) -> None:
    path = app(tmp_path, llm(), answer="{{#llm.text#}}!")
    async with open_flow(path, mocks={key: Mock(text="Hello")}) as flow:
        run = await flow.ask("Hi")
    assert (run.status, run.answer) == ("succeeded", "Hello!")


async def test_the_id_counts_before_the_title_and_the_title_before_the_type(tmp_path: Path) -> None:
    path = app(
        tmp_path, llm("a", "A"), llm("b", "B"), llm("c", "C"), answer="{{#a.text#}}{{#b.text#}}{{#c.text#}}"
    )
    mocks = {"type:llm": Mock(text="type "), "B": Mock(text="title "), "a": Mock(text="id ")}
    mocks["A"] = Mock(text="not this ")
    async with open_flow(path, mocks={key: mocks[key] for key in ("type:llm", "B", "a")}) as flow:
        assert (await flow.ask("Hi")).answer == "id title type "


async def test_a_reply_streams_in_the_pieces_that_are_given(tmp_path: Path) -> None:
    path = app(tmp_path, llm(), answer="{{#llm.text#}}")
    async with open_flow(path, mocks={"llm": Mock(chunks=["He", "llo"])}) as flow:
        run = await flow.ask("Hi")
    assert (run.pieces, run.answer) == (("He", "llo"), "Hello")


async def test_a_mocked_reply_goes_through_all_that_the_node_does_with_replies(tmp_path: Path) -> None:
    classes = [{"id": "1", "name": "tea"}, {"id": "2", "name": "coffee"}]
    classifier = {
        "id": "sort",
        "data": {
            "type": "question-classifier",
            "title": "Sort",
            "query_variable_selector": ["sys", "query"],
            "model": {"provider": "openai", "name": "gpt-4o-mini", "mode": "chat"},
            "classes": classes,
        },
    }
    path = app(tmp_path, classifier, answer="{{#sort.class_name#}}")
    reply = Mock(text='It is {"category_id": "2", "category_name": "coffee"}')
    async with open_flow(path, mocks={"sort": reply}) as flow:
        run = await flow.ask("Espresso")
    assert run.answer == "coffee"
    assert run.executions_of("sort")[0].inputs == {
        "query": "Espresso",
        "model_provider": "openai",
        "model_name": "gpt-4o-mini",
    }


async def test_mocked_outputs_stand_in_for_what_cannot_be_had(tmp_path: Path) -> None:
    path = app(tmp_path, tool(), answer="{{#tool.text#}}")
    async with open_flow(path, mocks={"tool": Mock(outputs={"text": "Rain"})}) as flow:
        assert (await flow.ask("Hi")).answer == "Rain"


async def test_a_mocked_failure_meets_the_node_s_strategy_and_retries(tmp_path: Path) -> None:
    node = tool(
        error_strategy="default-value",
        default_value=[{"key": "text", "type": "string", "value": "no idea"}],
        retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 1},
    )
    path = app(tmp_path, node, answer="{{#tool.text#}}")
    async with open_flow(path, mocks={"tool": Mock(error="closed")}) as flow:
        run = await flow.ask("Hi")
    assert (run.status, run.answer) == ("partial-succeeded", "no idea")
    assert sorted(one.status for one in run.executions if one.node_id == "tool") == [
        "exception",
        "retry",
        "retry",
    ]


async def test_a_list_of_mocks_is_played_in_order_and_its_last_stays(tmp_path: Path) -> None:
    path = app(tmp_path, llm(), answer="{{#llm.text#}}")
    async with open_flow(path, mocks={"llm": [Mock(text="one"), Mock(text="two")]}) as flow:
        assert [(await flow.ask("Hi")).answer for _ in range(3)] == ["one", "two", "two"]


async def test_a_conversation_goes_on_with_memory(tmp_path: Path) -> None:
    memory = {"window": {"enabled": False}, "query_prompt_template": "{{#sys.query#}}"}
    system = [{"role": "system", "text": "You know the weather."}]
    path = app(tmp_path, llm(memory=memory, prompt_template=system), answer="{{#llm.text#}}")
    async with open_flow(path, mocks={"llm": Mock(text="Yes.")}) as flow:
        first = await flow.ask("Is it raining?")
        second = await flow.ask("Still?", conversation_id=first.conversation_id)
    (execution,) = second.executions_of("llm")
    assert execution.process_data is not None
    assert [prompt["text"] for prompt in execution.process_data["prompts"]] == [  # type: ignore[attr-defined]  # plain JSON
        "You know the weather.",
        "Is it raining?",
        "Yes.",
        "Still?",
    ]


async def test_a_mock_without_a_node_is_refused(tmp_path: Path) -> None:
    path = app(tmp_path, llm(), answer="")
    with pytest.raises(ConfigError, match="mocks without a node: 'model'"):
        async with open_flow(path, mocks={"model": Mock(text="Hello")}):
            pass


async def test_a_reply_for_a_node_that_asks_no_model_is_refused(tmp_path: Path) -> None:
    path = app(tmp_path, tool(), answer="")
    with pytest.raises(ConfigError, match=r"is of type 'tool' and asks no model.*say its outputs"):
        async with open_flow(path, mocks={"tool": Mock(text="Hello")}):
            pass


@pytest.mark.parametrize("said", [{}, {"text": "a", "error": "b"}])
def test_a_mock_says_one_thing(said: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a mock says one of text, chunks, outputs and error"):
        Mock(**said)  # type: ignore[arg-type]  # that is the point


async def test_a_chatflow_wants_a_question_and_a_known_conversation(tmp_path: Path) -> None:
    path = app(tmp_path, answer="Hello")
    async with open_flow(path) as flow:
        with pytest.raises(ConfigError, match="give a query"):
            await flow.ask()
        with pytest.raises(ConfigError, match="has no conversation nowhere"):
            await flow.ask("Hi", conversation_id="nowhere")


def test_a_flow_can_be_asked_without_a_loop(tmp_path: Path) -> None:
    assert ask(app(tmp_path, answer="Hello"), "Hi").answer == "Hello"
