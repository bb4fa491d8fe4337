"""What the engine costs per node, in the shapes that flows have, without server and store."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from benchmarks._apps import START, Node, app, node
from benchmarks._harness import Figure, Options, Result
from weft.clock import SystemClock
from weft.engine import Engine
from weft.graph import Graph, compile_graph, load_app
from weft.ids import TimeOrderedIds
from weft.nodes import Limits, RunInfo, Services, build_node
from weft.nodes import Node as EngineNode
from weft.providers import ModelsConfig, open_models
from weft.sandbox import open_sandbox
from weft.variables import VariablePool

QUESTION = "What does the engine use per node, alone: chains, branches, iterations and loops?"


def template(id: str, source: tuple[str, str], **data: Any) -> Node:
    return node(
        id,
        "template-transform",
        template="{{ value }}.",
        variables=[{"variable": "value", "value_selector": list(source)}],
        **data,
    )


def end(*outputs: tuple[str, str]) -> Node:
    return node(
        "end",
        "end",
        outputs=[
            {"variable": f"x{i}", "value_selector": list(selector)} for i, selector in enumerate(outputs)
        ],
    )


def chain(length: int) -> str:
    """Templates one after the other."""
    names = [f"t{i}" for i in range(length)]
    nodes = [START]
    before = ("sys", "user_id")
    for name in names:
        nodes.append(template(name, before))
        before = (name, "output")
    path = ["start", *names, "end"]
    return app("workflow", [*nodes, end(before)], list(itertools.pairwise(path)))


def fan(width: int) -> str:
    """Templates side by side, joined at the end."""
    names = [f"t{i}" for i in range(width)]
    return app(
        "workflow",
        [
            START,
            *(template(name, ("sys", "user_id")) for name in names),
            end(*((n, "output") for n in names)),
        ],
        [*(("start", name) for name in names), *((name, "end") for name in names)],
    )


def iteration(parallel: bool) -> str:
    """One template for each item of a list."""
    return app(
        "workflow",
        [
            node(
                "start",
                "start",
                variables=[{"variable": "items", "type": "json_object", "required": False}],
            ),
            node(
                "it",
                "iteration",
                iterator_selector=["start", "items", "list"],
                output_selector=["t", "output"],
                start_node_id="itstart",
                is_parallel=parallel,
                parallel_nums=10,
            ),
            {**node("itstart", "iteration-start", isInIteration=True), "parentId": "it"},
            {**template("t", ("it", "item"), iteration_id="it"), "parentId": "it"},
            end(("it", "output")),
        ],
        [("start", "it"), ("itstart", "t"), ("it", "end")],
    )


def loop(rounds: int) -> str:
    """One assigner that counts."""
    return app(
        "workflow",
        [
            START,
            node(
                "lp",
                "loop",
                loop_count=rounds,
                start_node_id="lpstart",
                break_conditions=[],
                logical_operator="and",
                loop_variables=[{"label": "n", "var_type": "number", "value_type": "constant", "value": 0}],
            ),
            {**node("lpstart", "loop-start"), "parentId": "lp"},
            {
                **node(
                    "add",
                    "assigner",
                    version="2",
                    loop_id="lp",
                    items=[
                        {
                            "variable_selector": ["lp", "n"],
                            "input_type": "constant",
                            "operation": "+=",
                            "value": 1,
                        }
                    ],
                ),
                "parentId": "lp",
            },
            end(("lp", "n")),
        ],
        [("start", "lp"), ("lpstart", "add"), ("lp", "end")],
    )


async def run(options: Options) -> list[Result]:
    many = options.pick(1000, 200)
    shapes = {
        "chain of 300": (chain(300), 302, {}),
        "50 branches": (fan(50), 52, {}),
        f"iteration over {many}": (iteration(False), 2 * many + 3, {"list": list(range(many))}),
        f"iteration over {many}, ten at a time": (
            iteration(True),
            2 * many + 3,
            {"list": list(range(many))},
        ),
        f"loop of {many}": (loop(many), 2 * many + 3, {}),
    }
    clock = SystemClock()
    sandbox = open_sandbox()
    services = Services(
        clock=clock,
        ids=TimeOrderedIds(),
        models=open_models(ModelsConfig(), clock=clock),
        sandbox=sandbox,
        limits=Limits(),
    )
    results = []
    for name, (text, nodes, items) in shapes.items():
        graph = compile_graph(load_app(text), build_node)
        await _once(graph, services, items)
        times = []
        for _ in range(options.pick(20, 3)):
            began = time.process_time()
            await _once(graph, services, items)
            times.append(time.process_time() - began)
        results.append(
            Result(
                name,
                {
                    "cpu_per_node": Figure("µs", tuple(seconds / nodes * 1e6 for seconds in times)),
                    "cpu": Figure("ms", tuple(seconds * 1e3 for seconds in times)),
                },
            )
        )
    await sandbox.close()
    return results


async def _once(graph: Graph[EngineNode[Any]], services: Services, items: dict[str, Any]) -> None:
    pool = VariablePool()
    pool.set("sys", "user_id", "somebody")
    pool.set("start", "items", json.loads(json.dumps(items)))
    info = RunInfo(run_id="r", app_id="a", workflow_id="w", user="u")
    events: list[object] = []
    outcome = await Engine(graph, pool, services, info, events.append).run()
    if outcome.status != "succeeded":
        raise RuntimeError(f"the measured run ended {outcome.status}: {outcome.error}")
