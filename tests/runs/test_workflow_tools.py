from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.contract.actor import Actor, Gate
from tests.contract.house import House, open_house
from weft.store import Connection, Run, runs
from weft.store.tables import runs as runs_table

pytestmark = pytest.mark.anyio


def flow(name: str, mode: str, nodes: list[dict[str, Any]], *, description: str = "") -> dict[str, Any]:
    ids = [node["id"] for node in nodes]
    edges = [{"source": one, "target": other} for one, other in pairwise(ids)]
    return {
        "kind": "app",
        "version": "0.3.1",
        "app": {"name": name, "mode": mode, "description": description},
        "workflow": {"graph": {"nodes": nodes, "edges": edges}},
    }


def node(id: str, type: str, **data: Any) -> dict[str, Any]:
    return {"id": id, "data": {"type": type, "title": id.title(), **data}}


GREETER = flow(
    "Greet people",
    "workflow",
    [
        node(
            "start",
            "start",
            variables=[
                {"variable": "name", "type": "text-input", "required": True, "label": "Whom"},
                {"variable": "times", "type": "number", "required": False},
            ],
        ),
        node(
            "text",
            "template-transform",
            template="{{ 'Hello ' * (times or 1) }}{{ name }}",
            variables=[
                {"variable": "name", "value_selector": ["start", "name"]},
                {"variable": "times", "value_selector": ["start", "times"]},
            ],
        ),
        node("end", "end", outputs=[{"variable": "greeting", "value_selector": ["text", "output"]}]),
    ],
    description="Greets somebody.",
)


def caller(
    tool_name: str = "greet_people", answer: str = "{{#tool.greeting#}}", **data: Any
) -> dict[str, Any]:
    tool = node(
        "tool",
        "tool",
        provider_id="0b5cc8a7-uuid",
        provider_type="workflow",
        provider_name="Somebody's greeter",
        tool_name=tool_name,
        tool_parameters={
            "name": {"type": "mixed", "value": "{{#sys.query#}}"},
            "times": {"type": "constant", "value": 2},
        },
        tool_configurations={},
        **data,
    )
    return flow(
        "Door",
        "advanced-chat",
        [node("start", "start", variables=[]), tool, node("answer", "answer", answer=answer)],
    )


async def all_runs(house: House) -> list[Run]:
    def read(connection: Connection) -> list[Run]:
        rows = connection.execute(
            runs_table.select().order_by(runs_table.c.created_at, runs_table.c.id)
        ).all()
        return [runs.CODEC.decode(tuple(row)) for row in rows]

    return await house.runtime.store.read(read)


async def test_a_workflow_that_is_served_here_is_a_tool_under_its_name(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.serve(GREETER)
        door = await house.serve(caller())
        assert (await door.said("Ada"))["answer"] == "Hello Hello Ada"
        outer, inner = await all_runs(house)
    assert (outer.mode, inner.mode, inner.status) == ("advanced-chat", "workflow", "succeeded")
    assert inner.outputs == {"greeting": "Hello Hello Ada"}


async def test_its_outputs_are_text_and_an_object_too(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.serve(GREETER)
        door = await house.serve(caller(answer="{{#tool.text#}} {{#tool.json#}}"))
        stream = await door.told("Ada")
    (done,) = [event["data"] for event in stream.of("node_finished") if event["data"]["node_id"] == "tool"]
    assert done["outputs"] == {
        "text": '{"greeting":"Hello Hello Ada"}',
        "files": [],
        "json": [{"greeting": "Hello Hello Ada"}],
        "greeting": "Hello Hello Ada",
    }


async def test_the_settings_say_which_app_a_tool_is(tmp_path: Path) -> None:
    tools = {"Somebody's greeter": {"app": "Greet people"}}
    async with open_house(tmp_path, tools=tools) as house:
        await house.serve(GREETER)
        door = await house.serve(caller("say_hello"))
        assert (await door.said("Ada"))["answer"] == "Hello Hello Ada"


async def test_a_workflow_that_is_not_here_is_a_clear_failure(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        door = await house.serve(caller("say_hello"))
        reply = await door.chat("Ada")
    assert reply.status == 400
    assert "serve an app of that name here" in reply.json["message"]


async def test_an_input_that_the_workflow_refuses_fails_the_tool(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.serve(GREETER)
        wrong = caller()
        del wrong["workflow"]["graph"]["nodes"][1]["data"]["tool_parameters"]["name"]
        reply = await (await house.serve(wrong)).chat("Ada")
    assert "parameter 'name' is required" in reply.json["message"]


async def test_a_workflow_that_fails_fails_the_tool_with_its_reason(tmp_path: Path) -> None:
    failing = json.loads(json.dumps(GREETER))
    failing["workflow"]["graph"]["nodes"][1]["data"]["template"] = "{{ name.nothing.at_all }}"
    async with open_house(tmp_path) as house:
        await house.serve(failing)
        reply = await (await house.serve(caller())).chat("Ada")
    assert "workflow 'Greet people' did not succeed: " in reply.json["message"]


async def test_workflows_that_call_one_another_in_a_circle_end_at_the_limit(tmp_path: Path) -> None:
    again = node(
        "again",
        "tool",
        provider_id="x",
        provider_type="workflow",
        provider_name="Circle",
        tool_name="circle",
        tool_parameters={},
        tool_configurations={},
    )
    circle = flow(
        "Circle", "workflow", [node("start", "start", variables=[]), again, node("end", "end", outputs=[])]
    )
    async with open_house(tmp_path, limits={"max_call_depth": 3}) as house:
        caller_of = await house.serve(circle)
        whole = await caller_of.run({})
        assert len(await all_runs(house)) == 4
    assert whole["data"]["status"] == "failed"
    assert "limits.max_call_depth" in whole["data"]["error"]


async def test_stopping_the_caller_stops_the_workflow(tmp_path: Path) -> None:
    gate, actor = Gate(), Actor()

    async def waiting(request: Any) -> Any:
        yield "Once"
        await gate.wait()

    actor.play("slow", waiting)
    slow = flow(
        "Greet people",
        "workflow",
        [
            node("start", "start", variables=[]),
            node(
                "slow",
                "llm",
                model={"provider": "openai", "name": "gpt-4o-mini", "mode": "chat"},
                prompt_template=[{"role": "user", "text": "Tell"}],
            ),
            node("end", "end", outputs=[{"variable": "greeting", "value_selector": ["slow", "text"]}]),
        ],
    )
    async with open_house(tmp_path, models=actor) as house:
        await house.serve(slow)
        door = await house.serve(caller())
        stream = asyncio.create_task(door.told("Ada"))
        await gate.seen()
        outer = next(live for live in house.runtime.runner.live if live.run.mode == "advanced-chat")
        outer.stop()
        told = await stream
        for live in house.runtime.runner.live:
            await live.ended()
        states = [run.status for run in await all_runs(house)]
    assert told.finished["status"] == "stopped"
    assert states == ["stopped", "stopped"]
