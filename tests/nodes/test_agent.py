from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.tools.fake import PlayedTool, toolbox
from weft.errors import BadReplyError, GraphError, LimitExceededError
from weft.events import AgentLogged, Frame
from weft.graph import Need
from weft.nodes import Limits, Turn, build_node
from weft.providers import Message, Price, PriceTable, Rule, Script, ScriptedModel, TokenUsage, Tool, ToolCall
from weft.testing.node_harness import NodeRun, make_spec, run_node
from weft.tools import (
    BlobMessage,
    FileMessage,
    ImageMessage,
    JsonMessage,
    LinkMessage,
    LogMessage,
    TextMessage,
    ToolInvokeError,
    ToolParameter,
    VariableMessage,
)
from weft.variables import File, Value

pytestmark = pytest.mark.anyio

QUERY = ToolParameter(name="q", required=True, description="What to find")


def use(name: str = "find", **changes: Any) -> dict[str, Any]:
    """A tool in the list of an agent."""
    return {
        "enabled": True,
        "type": "builtin",
        "provider_name": "acme",
        "tool_name": name,
        "tool_label": "Find",
        "extra": {"description": ""},
        "settings": {},
        "parameters": {"q": {"auto": 1, "value": None}},
        "schemas": [{"name": "q"}],
        **changes,
    }


def agent(
    *tools: dict[str, Any], strategy: str = "function_calling", parameters: Any = None, **changes: Any
) -> dict[str, Any]:
    model = {
        "provider": "langgenius/openai/openai",
        "model": "gpt-4o-mini",
        "mode": "chat",
        "model_type": "llm",
        "type": "model-selector",
        "completion_params": {"temperature": 0.1},
    }
    given = {
        "model": {"type": "constant", "value": model},
        "tools": {"type": "constant", "value": list(tools)},
        "instruction": {"type": "constant", "value": "Help {{#start.name#}}."},
        "query": {"type": "constant", "value": "{{#sys.query#}}"},
        **(parameters or {}),
    }
    return {
        "type": "agent",
        "title": "Agent",
        "agent_strategy_provider_name": "langgenius/agent/agent",
        "agent_strategy_name": strategy,
        "agent_strategy_label": "Label",
        "agent_parameters": {name: value for name, value in given.items() if value is not None},
        "output_schema": None,
        **changes,
    }


VALUES: dict[str, Value] = {"sys.query": "Where?", "start.name": "Ada", "start.key": "k-1"}


def script(*rules: Rule) -> ScriptedModel:
    """A model that plays each rule once, in order."""
    return ScriptedModel(
        script=Script([Rule(**{**_fields(rule), "times": rule.times or 1}) for rule in rules])
    )


def _fields(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in rule.__struct_fields__}


def calls(*given: tuple[str, Any], text: str = "", **more: Any) -> Rule:
    """A reply that calls functions."""
    return Rule(
        chunks=[text] if text else [],
        tool_calls=[
            ToolCall(f"c{place}", name, value if isinstance(value, str) else json.dumps(value))
            for place, (name, value) in enumerate(given)
        ],
        **more,
    )


def log(run: NodeRun) -> list[tuple[str, str, str | None]]:
    """Label, status and label of the parent of each event."""
    events = [event for event in run.events if isinstance(event, AgentLogged)]
    labels = {event.id: event.label for event in events}
    return [
        (event.label, event.status, None if event.parent_id is None else labels[event.parent_id])
        for event in events
    ]


async def test_the_model_uses_tools_until_it_answers() -> None:
    tool = PlayedTool("find", TextMessage("in the garden"), parameters=[QUERY], description="Finds things")
    model = script(calls(("find", {"q": "cat"}), text="Let me see."), Rule(chunks=["In the ", "garden."]))

    run = await run_node(agent(use()), VALUES, models=model, tools=toolbox(tool))

    assert tool.calls == [{"q": "cat"}]
    assert run.outputs["text"] == run.streamed == "Let me see.\nIn the garden."
    assert run.port.pieces["text"] == ["Let me see.", "\n", "In the ", "garden."]
    assert run.port.ended_streams == ["text"]
    first, second = model.requests
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"q": {"type": "string", "description": "What to find"}},
        "required": ["q"],
    }
    assert first.tools == second.tools == [Tool("find", "Finds things", schema)]
    assert (first.parameters, first.user, first.node_id) == ({"temperature": 0.1}, "user", "node")
    assert first.messages == [Message("system", "Help Ada."), Message("user", "Where?")]
    assert second.messages == [
        *first.messages,
        Message("assistant", "Let me see.", tool_calls=[ToolCall("c0", "find", '{"q": "cat"}')]),
        Message("tool", "in the garden", tool_call_id="c0"),
    ]
    assert run.context.inputs == {
        "model": {"provider": "langgenius/openai/openai", "model": "gpt-4o-mini"},
        "instruction": "Help Ada.",
        "query": "Where?",
        "maximum_iterations": 3,
        "tools": ["acme/find"],
    }


async def test_the_log_is_a_tree_of_rounds_thoughts_and_calls() -> None:
    tool = PlayedTool("find", LogMessage(id="1", label="Looked"), TextMessage("k-1"), parameters=[QUERY])
    usage = TokenUsage(10, 5, 15)
    model = script(
        calls(("find", {"q": "k-1"}), usage=usage, reasoning="Hm."), Rule(chunks=["Done."], usage=usage)
    )
    frame = Frame(iteration_id="i", iteration_index=1)
    data = agent(use())
    run = await run_node(data, VALUES, models=model, tools=toolbox(tool), frame=frame, secrets=["k-1"])

    assert log(run) == [
        ("ROUND 1", "start", None),
        ("gpt-4o-mini Thought", "start", "ROUND 1"),
        ("gpt-4o-mini Thought", "success", "ROUND 1"),
        ("CALL find", "start", "ROUND 1"),
        ("Looked", "success", "CALL find"),
        ("CALL find", "success", "ROUND 1"),
        ("ROUND 1", "success", None),
        ("ROUND 2", "start", None),
        ("gpt-4o-mini Thought", "start", "ROUND 2"),
        ("gpt-4o-mini Thought", "success", "ROUND 2"),
        ("ROUND 2", "success", None),
    ]
    events = [event for event in run.events if isinstance(event, AgentLogged)]
    assert {(event.node_id, event.execution_id, event.frame) for event in events} == {
        ("node", "execution", frame)
    }
    thought, call, round_end = events[2], events[5], events[6]
    masked = "*" * 20
    assert thought.data == {
        "output": "",
        "tool_name": "find",
        "tool_input": [{"name": "find", "args": {"q": masked}}],
        "reasoning": "Hm.",
    }
    at = 1772366400.0
    assert thought.metadata == {
        "started_at": at,
        "provider": "langgenius/openai/openai",
        "finished_at": at,
        "elapsed_time": 0.0,
        "total_price": "0.0000000",
        "currency": "USD",
        "total_tokens": 15,
    }
    assert call.data == {
        "output": {
            "tool_call_name": "find",
            "tool_call_input": {"q": masked},
            "tool_response": masked,
        }
    }
    assert call.metadata == {"started_at": at, "provider": "acme", "finished_at": at, "elapsed_time": 0.0}
    assert round_end.data == {
        "output": {
            "llm_response": "",
            "tool_responses": [{"tool_call_id": "c0", "tool_call_name": "find", "tool_response": masked}],
        }
    }
    entries = run.outputs["json"]
    assert isinstance(entries, list)
    assert [(entry["label"], entry["status"]) for entry in entries[:-1]] == [  # type: ignore[index, call-overload]
        ("ROUND 1", "success"),
        ("gpt-4o-mini Thought", "success"),
        ("CALL find", "success"),
        ("ROUND 2", "success"),
        ("gpt-4o-mini Thought", "success"),
    ]
    assert run.context.metadata["agent_log"] == entries[:-1]
    assert entries[-1] == {"execution_metadata": run.outputs["usage"]}


async def test_usage_is_added_up_over_all_rounds() -> None:
    prices = PriceTable({"openai/gpt-4o-mini": Price(Decimal(1), Decimal(2))}, built_in=False)
    model = script(
        calls(("find", {"q": "a"}), usage=TokenUsage(100, 10, 110)),
        Rule(chunks=["b"], usage=TokenUsage(200, 20, 220)),
    )
    tools = toolbox(PlayedTool("find", parameters=[QUERY]))
    run = await run_node(agent(use()), VALUES, models=model, tools=tools, prices=prices)
    usage = run.outputs["usage"]
    assert isinstance(usage, dict)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (300, 30, 330)
    assert run.context.usage is not None
    assert run.context.usage.total_tokens == 330
    assert run.context.metadata["total_tokens"] == 330
    assert usage["total_price"] == run.context.metadata["total_price"] == "0.0003600"


async def test_what_rounds_before_a_failure_used_counts_too() -> None:
    model = script(
        calls(("find", {"q": "a"}), usage=TokenUsage(100, 10, 110)),
        Rule(chunks=["half"], error="BadReplyError", message="broke off"),
    )
    tools = toolbox(PlayedTool("find", parameters=[QUERY]))
    run = await run_node(agent(use()), VALUES, models=model, tools=tools)
    assert isinstance(run.error, BadReplyError)
    assert run.context.usage is not None
    assert run.context.usage.total_tokens > 110
    assert log(run)[-3:] == [
        ("gpt-4o-mini Thought", "start", "ROUND 2"),
        ("gpt-4o-mini Thought", "error", "ROUND 2"),
        ("ROUND 2", "error", None),
    ]
    assert run.events[-1].error == "broke off"  # type: ignore[union-attr]
    entries = run.context.metadata["agent_log"]
    assert isinstance(entries, list)
    assert len(entries) == 5


FILE = File(id="f", filename="a.txt", url="https://files/a.txt")


@pytest.mark.parametrize(
    ("messages", "observation"),
    [
        ([TextMessage("a"), TextMessage("b")], "ab"),
        ([LinkMessage("https://a")], "A link for the user: https://a"),
        ([JsonMessage({"a": "ä"})], '{"a":"ä"}'),
        ([JsonMessage({"a": 1}), TextMessage('{"a": 1}'), VariableMessage("a", 1)], '{"a": 1}'),
        ([VariableMessage("n", [1]), VariableMessage("t", "x")], "n: [1]\nt: x"),
        ([VariableMessage("t", "x", stream=True), VariableMessage("t", "y", stream=True)], "t: xy"),
        ([FileMessage(FILE)], "A file has been made and the user has it already."),
        (
            [ImageMessage("https://a/b.png")],
            "A picture has been made and is shown to the user already; only tell them so.",
        ),
        (
            [TextMessage("a"), BlobMessage(b"x", "image/png")],
            "a\n(the tool gives a file (image/png, 1 bytes) that cannot be kept here; "
            "use a tool that gives an address instead)",
        ),
        ([], "The tool has done its work and says nothing."),
        ([TextMessage("a"), ToolInvokeError("it broke")], "The tool failed: it broke"),
        ([TextMessage("x" * 100_001)], "x" * 100_000 + "\n(cut here; the whole has 100001 characters)"),
    ],
)
async def test_the_model_is_told_what_came_of_a_tool(messages: Any, observation: str) -> None:
    model = script(calls(("find", {"q": "a"})), Rule(chunks=["done"]))
    tools = toolbox(PlayedTool("find", *messages, parameters=[QUERY]))
    run = await run_node(agent(use()), VALUES, models=model, tools=tools)
    assert run.outputs["text"] == "done"
    assert model.requests[1].messages[-1] == Message("tool", observation, tool_call_id="c0")


async def test_files_of_tools_are_outputs() -> None:
    model = script(calls(("find", {"q": "a"}), ("find", {"q": "b"})), Rule(chunks=["done"]))
    tools = toolbox(PlayedTool("find", FileMessage(FILE), parameters=[QUERY]))
    run = await run_node(agent(use()), VALUES, models=model, tools=tools)
    assert run.outputs["files"] == run.context.files == [FILE, FILE]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("lose", "{}", "There is no tool 'lose'. Tools: find"),
        ("find", "[1]", "The parameters could not be read; give them as one JSON object."),
        ("find", "nonsense", "The parameters could not be read; give them as one JSON object."),
        (
            "find",
            "",
            "The tool failed: tool 'find' of 'acme': parameter 'q' is required; give it a value",
        ),
        (
            "find",
            '{"q": "a", "n": "many"}',
            "The tool failed: tool 'find' of 'acme': parameter 'n': 'many' is no number",
        ),
    ],
)
async def test_a_wrong_call_is_told_to_the_model_and_fails_nothing(
    name: str, arguments: str, told: str
) -> None:
    tool = PlayedTool("find", parameters=[QUERY, ToolParameter(name="n", type="number")])
    model = script(calls((name, arguments)), Rule(chunks=["done"]))
    run = await run_node(agent(use()), VALUES, models=model, tools=toolbox(tool))
    assert run.outputs["text"] == "done"
    assert (model.requests[1].messages[-1].text, tool.calls) == (told, [])
    line = next(event for event in run.events if isinstance(event, AgentLogged) and event.status == "error")
    assert (line.label, line.error) == (f"CALL {name}", told.removeprefix("The tool failed: "))


async def test_broken_arguments_are_mended_where_that_is_possible() -> None:
    tool = PlayedTool("find", parameters=[QUERY])
    model = script(calls(("find", '{"q": "a",}'), ("Find", "{'q': 'b'}")), Rule(chunks=["done"]))
    await run_node(agent(use()), VALUES, models=model, tools=toolbox(tool))
    assert tool.calls == [{"q": "a"}, {"q": "b"}]


async def test_after_the_last_round_the_model_has_to_answer() -> None:
    tool = PlayedTool("find", TextMessage("more"), parameters=[QUERY])
    model = script(
        calls(("find", {"q": "a"}), times=2),
        calls(("find", {"q": "again"}), text="All I know."),
    )
    rounds = {"maximum_iterations": {"type": "constant", "value": "{{#start.rounds#}}"}}
    run = await run_node(
        agent(use(), parameters=rounds), {**VALUES, "start.rounds": 2}, models=model, tools=toolbox(tool)
    )
    assert [request.tool_choice for request in model.requests] == [None, None, "none"]
    assert len(tool.calls) == 2
    assert run.outputs["text"] == "All I know."
    assert run.events[-1].error == (  # type: ignore[union-attr]
        "the model wants to use more tools after 2 rounds; raise maximum_iterations if this is intended"
    )


async def test_a_reply_may_not_call_too_many_tools() -> None:
    tool = PlayedTool("find", parameters=[QUERY])
    model = script(calls(*[("find", {"q": str(n)}) for n in range(40)]), Rule(chunks=["done"]))
    await run_node(agent(use()), VALUES, models=model, tools=toolbox(tool))
    assert len(tool.calls) == 32
    assert model.requests[1].messages[-1].text == "Not done: at most 32 tools are used at once."


async def test_an_agent_without_tools_only_answers() -> None:
    model = script(Rule(chunks=["Hello"]))
    data = agent(use(enabled=False), parameters={"instruction": None})
    run = await run_node(data, VALUES, models=model)
    assert run.outputs["text"] == "Hello"
    [request] = model.requests
    assert (request.messages, request.tools) == ([Message("user", "Where?")], [])


async def test_values_that_the_author_gives_are_not_for_the_model() -> None:
    tool = PlayedTool(
        "find",
        parameters=[
            QUERY,
            ToolParameter(name="limit", type="number", default=9),
            ToolParameter(name="key"),
            ToolParameter(name="style"),
            ToolParameter(name="zone", form="form", default="UTC"),
            ToolParameter(name="plan", form="form", default="free"),
            ToolParameter(name="picture", type="file"),
        ],
    )
    entry = use(
        parameters={
            "q": {"auto": 1, "value": None},
            "limit": {"auto": 0, "value": {"type": "constant", "value": "5"}},
            "key": {"auto": 0, "value": {"type": "variable", "value": ["start", "key"]}},
            "style": {"auto": 0, "value": {"type": "mixed", "value": "like {{#start.name#}}"}},
        },
        settings={"zone": {"value": "Asia/Tokyo"}, "plan": {"value": None}},
        extra={"description": "Finds for Ada"},
    )
    model = script(calls(("find", {"q": "a", "key": "stolen", "zone": "x"})), Rule(chunks=["done"]))
    await run_node(agent(entry), VALUES, models=model, tools=toolbox(tool))
    assert tool.calls == [
        {"q": "a", "limit": 5, "key": "k-1", "style": "like Ada", "zone": "Asia/Tokyo", "plan": "free"}
    ]
    [described] = model.requests[0].tools
    assert described.description == "Finds for Ada"
    assert list(described.parameters["properties"]) == ["q"]  # type: ignore[call-overload]


async def test_plain_values_of_old_files_are_fixed_unless_they_are_empty() -> None:
    tool = PlayedTool(
        "find",
        parameters=[
            QUERY,
            ToolParameter(name="max_results", type="number"),
            ToolParameter(name="sum", type="boolean"),
        ],
    )
    entry = use(parameters={"q": "", "max_results": 5, "sum": False})
    model = script(calls(("find", {"q": "a", "max_results": 50})), Rule(chunks=["done"]))
    await run_node(agent(entry), VALUES, models=model, tools=toolbox(tool))
    assert tool.calls == [{"q": "a", "max_results": 5, "sum": False}]


async def test_tools_of_one_name_are_told_apart() -> None:
    one, two = PlayedTool("find", parameters=[QUERY]), PlayedTool("get orders/all", parameters=[QUERY])
    model = script(
        calls(("find", {"q": "1"}), ("find_acme", {"q": "2"}), ("get_orders_all", {"q": "3"})),
        Rule(chunks=["done"]),
    )
    data = agent(use(), use(), use("get orders/all"), use())
    await run_node(data, VALUES, models=model, tools=toolbox(one, two))
    names = [tool.name for tool in model.requests[0].tools]
    assert names == ["find", "find_acme", "get_orders_all", "find_acme_2"]
    assert (one.calls, two.calls) == ([{"q": "1"}, {"q": "2"}], [{"q": "3"}])


async def test_the_conversation_so_far_stands_before_the_query() -> None:
    memory = {"window": {"enabled": True, "size": 1}, "query_prompt_template": "unused"}
    turns = [Turn("old", "gone"), Turn("before", "then")]
    model = script(Rule(chunks=["done"]))
    await run_node(agent(memory=memory), VALUES, models=model, history=turns)
    assert model.requests[0].messages == [
        Message("system", "Help Ada."),
        Message("user", "before", from_history=True),
        Message("assistant", "then", from_history=True),
        Message("user", "Where?"),
    ]


REACT_CALL = 'Thought: I look.\nAction: {"action": "find", "action_input": {"q": "cat"}}'


@pytest.mark.parametrize("strategy", ["ReAct", "react", "cot_agent"])
async def test_a_model_may_write_its_steps_down_instead(strategy: str) -> None:
    tool = PlayedTool("find", TextMessage("in the garden"), parameters=[QUERY], description="Finds things")
    model = script(
        Rule(chunks=[REACT_CALL], usage=TokenUsage(1, 2, 3)),
        Rule(chunks=["Thought: I know.\nFinal ", "Answer: In the ", "garden."], usage=TokenUsage(4, 5, 9)),
    )
    run = await run_node(agent(use(), strategy=strategy), VALUES, models=model, tools=toolbox(tool))

    assert tool.calls == [{"q": "cat"}]
    assert run.outputs["text"] == "In the garden."
    assert run.port.pieces["text"] == ["In the", " garden."]
    usage = run.outputs["usage"]
    assert isinstance(usage, dict)
    assert usage["total_tokens"] == 12
    first, second = model.requests
    system, query = first.messages
    assert (first.tools, first.stop, query) == ([], ["Observation:"], Message("user", "Where?"))
    assert system.text.startswith("Help Ada.\n\nYou solve the task")
    assert '{"name": "find", "description": "Finds things", "parameters": {"type": "object"' in system.text
    assert '"action": "name of one of: find"' in system.text
    assert second.messages == [
        system,
        query,
        Message("assistant", REACT_CALL),
        Message("user", "Observation: in the garden"),
    ]
    events = [event for event in run.events if isinstance(event, AgentLogged)]
    assert log(run) == [
        ("ROUND 1", "start", None),
        ("gpt-4o-mini Thought", "start", "ROUND 1"),
        ("gpt-4o-mini Thought", "success", "ROUND 1"),
        ("CALL find", "start", "ROUND 1"),
        ("CALL find", "success", "ROUND 1"),
        ("ROUND 1", "success", None),
        ("ROUND 2", "start", None),
        ("gpt-4o-mini Thought", "start", "ROUND 2"),
        ("gpt-4o-mini Thought", "success", "ROUND 2"),
        ("ROUND 2", "success", None),
    ]
    assert events[5].data == {
        "thought": "I look.",
        "action_name": "find",
        "action_input": {"q": "cat"},
        "observation": "in the garden",
    }
    assert events[9].data == {"thought": "I know.", "final_answer": "In the garden."}


@pytest.mark.parametrize(
    ("last", "text"),
    [("Final Answer: 5", "5"), (REACT_CALL, "I look."), ("Something", "Something")],
)
async def test_a_model_that_writes_has_to_answer_after_the_last_round(last: str, text: str) -> None:
    tool = PlayedTool("find", TextMessage("no"), parameters=[QUERY])
    model = script(Rule(chunks=[REACT_CALL]), Rule(chunks=[last]))
    once = {"maximum_iterations": {"type": "constant", "value": 1}}
    data = agent(use(), strategy="ReAct", parameters=once)
    run = await run_node(data, VALUES, models=model, tools=toolbox(tool))
    assert (len(tool.calls), run.outputs["text"]) == (1, text)
    assert model.requests[1].messages[-1].text == (
        "Observation: no\n\nYou may use no more tools. Write your Final Answer now, from what you have seen."
    )


async def test_a_model_that_writes_needs_no_tools() -> None:
    model = script(Rule(chunks=["Final Answer: Hi"]))
    run = await run_node(agent(strategy="ReAct"), VALUES, models=model)
    assert run.outputs["text"] == "Hi"
    assert "Action" not in model.requests[0].messages[0].text


@pytest.mark.parametrize(
    ("data", "error_type", "told"),
    [
        (
            agent(strategy="TOD", agent_strategy_provider_name="svcvit/agent/agent"),
            "AgentStrategyNotFoundError",
            "the agent's strategy 'svcvit/agent/agent/TOD' is not known here",
        ),
        (
            agent(agent_node_kind="dify_agent", strategy="", agent_strategy_provider_name=""),
            "AgentStrategyNotFoundError",
            "the agent's strategy 'dify_agent' is not known here",
        ),
        (
            agent(use(provider_name="tavily")),
            "ToolNodeError",
            "tool 'find' cannot be had: the tool provider 'tavily' is not set up",
        ),
        (
            agent(parameters={"query": {"type": "variable", "value": ["x", "y"]}}),
            "AgentVariableNotFoundError",
            "parameter 'query' of the agent is the variable 'x.y', which no node that ran has set",
        ),
        (
            agent(use(parameters={"q": {"auto": 0, "value": {"type": "variable", "value": ["x", "y"]}}})),
            "AgentVariableNotFoundError",
            "parameter 'q' of the agent's tool 'find' is the variable 'x.y'",
        ),
        (
            agent(parameters={"maximum_iterations": {"type": "constant", "value": 0}}),
            "AgentMaxIterationError",
            "maximum_iterations of the agent is 0; it has to be a whole number from 1 to 99",
        ),
        (
            agent(parameters={"maximum_iterations": {"type": "constant", "value": "many"}}),
            "AgentMaxIterationError",
            "maximum_iterations of the agent is 'many'",
        ),
        (
            agent(parameters={"mcp_server": {"type": "constant", "value": "https://mcp.example/sse"}}),
            "ToolInvokeError",
            "requests cannot be sent from here",
        ),
        (
            agent(parameters={"mcp_server": {"type": "constant", "value": "stdio"}}),
            "ToolParameterError",
            "the address of an MCP server has to look like https://host/path",
        ),
        (
            agent(parameters={"model": {"type": "variable", "value": ["start", "model"]}}),
            "AgentParameterError",
            "the model or the tools of the agent cannot be read",
        ),
    ],
)
async def test_an_agent_that_cannot_begin_fails(data: dict[str, Any], error_type: str, told: str) -> None:
    values: dict[str, Value] = {**VALUES, "start.model": {"provider": 5, "model": "m"}}
    run = await run_node(data, values, tools=toolbox(PlayedTool("find", parameters=[QUERY])))
    assert (run.result, run.error_type) == (None, error_type)
    assert told in str(run.error)


async def test_what_runs_too_deep_ends_the_agent() -> None:
    entry = use("flow", type="workflow", provider_name="flows")
    run = await run_node(agent(entry), VALUES, limits=Limits(max_call_depth=0))
    assert isinstance(run.error, LimitExceededError)


async def test_model_and_tools_may_come_from_variables() -> None:
    tool = PlayedTool("find", parameters=[QUERY])
    model = script(calls(("find", {"q": "a"})), Rule(chunks=["done"]))
    data = agent(
        parameters={
            "model": {"type": "variable", "value": ["start", "model"]},
            "tools": {"type": "variable", "value": ["start", "tools"]},
        }
    )
    values: dict[str, Value] = {
        **VALUES,
        "start.model": {"provider": "p", "model": "m"},
        "start.tools": [use()],
    }
    run = await run_node(data, values, models=model, tools=toolbox(tool))
    assert (run.outputs["text"], tool.calls) == ("done", [{"q": "a"}])
    assert build_node(make_spec(data)).needs() == []


def test_an_agent_says_what_it_needs_and_reads() -> None:
    api = use("run", type="api", provider_name="My API")
    server = {"mcp_server": {"type": "constant", "value": "https://mcp.example/sse?key=hush"}}
    data = agent(use(), use("off", enabled=False), api, strategy="TOD", parameters=server)
    built = build_node(make_spec(data))
    assert list(built.needs()) == [
        Need("model", "langgenius/openai/openai/gpt-4o-mini", "node"),
        Need("tool", "acme/find", "node"),
        Need("tool", "My API/run", "node"),
        Need("tool", "agent strategy langgenius/agent/agent/TOD", "node"),
        Need("tool", "MCP server mcp.example", "node"),
    ]
    assert set(built.reads()) == {("start", "name"), ("sys", "query")}
    assert built.retry is None


@pytest.mark.parametrize(
    "parameters",
    [
        {"model": {"type": "constant", "value": {"provider": 5, "model": "m"}}},
        {"query": {"type": "mixed", "value": 5}},
        {"query": {"type": "variable", "value": "x"}},
    ],
)
def test_parameters_that_cannot_be_right_are_told_when_the_file_is_loaded(parameters: Any) -> None:
    with pytest.raises(GraphError):
        build_node(make_spec(agent(parameters=parameters)))


def test_an_agent_says_how_it_goes_about_its_task() -> None:
    node = build_node(make_spec(agent(strategy="ReAct")))
    assert node.agent_strategy == {"name": "ReAct", "icon": None}
