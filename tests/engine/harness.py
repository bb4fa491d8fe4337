"""Graphs out of few words, tiny nodes for them, and a run whose whole story can be compared."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from weft.clock import Clock
from weft.engine import Engine, RunOutcome
from weft.errors import NodeFailedError
from weft.events import (
    ContainerAdvanced,
    ContainerFinished,
    ContainerStarted,
    Event,
    Frame,
    NodeFinished,
    NodeRetried,
    NodeStarted,
    ReasoningStreamed,
    TextStreamed,
    VariableUpdated,
)
from weft.graph import AppFile, EdgeSpec, Graph, NodeKind, NodeSpec, compile_graph
from weft.ids import SequentialIds
from weft.nodes import Context, Limits, Node, NodeConfig, NodeResult, RunInfo, Services, build_node
from weft.providers import ChatModel, ScriptedModel
from weft.testing.clock import FrozenClock
from weft.testing.node_harness import FakeSandbox, single_model
from weft.variables import File, Value, ValueType, VariablePool

Data = dict[str, Any]
Do = Callable[[Context], Any]
BOUND = 5.0
"""Seconds after which a test that waits has failed."""


# Nodes


class DoConfig(NodeConfig):
    """A node of a test, whose data say what it does."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)


class DoNode(Node[DoConfig]):
    """Calls the function in its data; a mapping that it returns are outputs, a text is a handle."""

    config_type: ClassVar[type[NodeConfig]] = DoConfig
    retries: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        self._do: Do = spec.data["do"]  # type: ignore[assignment]

    async def run(self, context: Context) -> NodeResult:
        done = self._do(context)
        if inspect.isawaitable(done):
            done = await done
        if isinstance(done, NodeResult):
            return done
        return NodeResult(handle=done) if isinstance(done, str) else NodeResult(done or {})


class InstantNode(DoNode):
    """One that never waits."""

    instant: ClassVar[bool] = True


class BranchNode(DoNode):
    """One that leaves by one handle."""

    kind: ClassVar[NodeKind] = "branch"
    retries: ClassVar[bool] = False


class TriggerNode(DoNode):
    """A root that something else than a question starts."""

    kind: ClassVar[NodeKind] = "root"


def build(spec: NodeSpec) -> Node[Any]:
    """Our own node types beside those of the program."""
    ours: dict[str, type[Node[Any]]] = {
        "do": DoNode,
        "instant": InstantNode,
        "branch": BranchNode,
        "trigger-webhook": TriggerNode,
    }
    return ours[spec.type].build(spec) if spec.type in ours else build_node(spec)


def do(function: Do, **data: Any) -> Data:
    """A node that calls a function with its context."""
    return {"type": "do", "do": function, **data}


def instant(function: Do = lambda _: {}, **data: Any) -> Data:
    """A node that calls a function and needs no place among the parallel ones."""
    return {"type": "instant", "do": function, **data}


def give(**outputs: Any) -> Data:
    """A node with these outputs."""
    return do(lambda _: dict(outputs))


def say(*chunks: str, close: bool = True, **data: Any) -> Data:
    """A node that streams its output `text` in these chunks."""

    async def speak(context: Context) -> dict[str, Value]:
        for chunk in chunks:
            context.stream("text", chunk)
            await asyncio.sleep(0)
        if close:
            context.end_stream("text")
        return {"text": "".join(chunks)}

    return do(speak, **data)


def fail(message: str = "boom", **data: Any) -> Data:
    """A node that always fails with that text."""

    def refuse(_: Context) -> None:
        raise NodeFailedError(message, error_type="Boom")

    return do(refuse, **data)


def falter(times: int, then: Do, **data: Any) -> Data:
    """A node that fails that many times, then does something else."""
    left = times

    def attempt(context: Context) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise NodeFailedError(f"attempt {times - left}", error_type="Falter")
        return then(context)

    return do(attempt, **data)


def choose(handle: str | None, **data: Any) -> Data:
    """A branch that leaves by that handle."""
    return {"type": "branch", "do": lambda _: NodeResult({}, handle), **data}


def trigger() -> Data:
    """A root that does not start these runs."""
    return {"type": "trigger-webhook", "do": lambda _: {}}


class Gate:
    """Where a node waits until a test lets it through."""

    def __init__(self) -> None:
        self._came = asyncio.Event()
        self._opened = asyncio.Event()
        self.inside = 0
        """Who waits now."""
        self.most = 0
        """The most who waited at the same time."""

    async def reached(self, number: int = 1) -> None:
        """Wait until so many stand here."""
        async with asyncio.timeout(BOUND):
            while self.inside < number:
                self._came.clear()
                await self._came.wait()

    def open(self) -> None:
        self._opened.set()

    async def wait(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self._came.set()
        try:
            async with asyncio.timeout(BOUND):
                await self._opened.wait()
        finally:
            self.inside -= 1


def wait(gate: Gate, then: Do = lambda _: {}, **data: Any) -> Data:
    """A node that waits at a gate before it does anything."""

    async def go(context: Context) -> Any:
        await gate.wait()
        done = then(context)
        return await done if inspect.isawaitable(done) else done

    return do(go, **data)


def start(*variables: Data) -> Data:
    return {"type": "start", "variables": list(variables)}


def answer(text: str, **data: Any) -> Data:
    return {"type": "answer", "answer": text, **data}


def end(**outputs: str) -> Data:
    """Outputs by name with their dotted paths."""
    return {
        "type": "end",
        "outputs": [
            {"variable": name, "value_selector": path.split(".") if path else []}
            for name, path in outputs.items()
        ],
    }


def if_else(**cases: tuple[str, str, str]) -> Data:
    """A branch: handles with the condition (path, operator, value) of each."""
    return {
        "type": "if-else",
        "cases": [
            {"case_id": handle, "logical_operator": "and", "conditions": [condition(*given)]}
            for handle, given in cases.items()
        ],
    }


def condition(path: str, operator: str, value: str = "") -> Data:
    return {"variable_selector": path.split("."), "comparison_operator": operator, "value": value}


def llm(prompt: str = "{{#sys.query#}}", **data: Any) -> Data:
    return {
        "type": "llm",
        "model": {"provider": "openai", "name": "gpt", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": prompt}],
        "context": {"enabled": False},
        "vision": {"enabled": False},
        **data,
    }


def template(text: str, **inputs: str) -> Data:
    """A Jinja2 template; its output is `output`."""
    return {
        "type": "template-transform",
        "template": text,
        "variables": [{"variable": name, "value_selector": path.split(".")} for name, path in inputs.items()],
    }


def assign(path: str, operation: str, value: Any = None) -> Data:
    """An assigner of version 2; a value of the form ``<path>`` is a variable."""
    is_path = isinstance(value, str) and value.startswith("<")
    source = value.strip("<>").split(".") if is_path else value
    by_variable = is_path or operation in ("clear", "remove-first", "remove-last")
    return {
        "type": "assigner",
        "version": "2",
        "items": [
            {
                "variable_selector": path.split("."),
                "input_type": "variable" if by_variable else "constant",
                "operation": operation,
                "value": source,
            }
        ],
    }


def assign_v1(target: str, mode: str, source: str = "") -> Data:
    return {
        "type": "assigner",
        "assigned_variable_selector": target.split("."),
        "write_mode": mode,
        "input_variable_selector": source.split(".") if source else [],
    }


def iteration(over: str, output: str, **data: Any) -> Data:
    """An iteration; its frame begins at the node ``<its id>_start``, which `graph` adds."""
    return {
        "type": "iteration",
        "iterator_selector": over.split("."),
        "output_selector": output.split("."),
        **data,
    }


def loop(count: int, *breaks: Data, variables: Sequence[Data] = (), **data: Any) -> Data:
    """A loop; its frame begins at the node ``<its id>_start``, which `graph` adds."""
    return {
        "type": "loop",
        "loop_count": count,
        "break_conditions": list(breaks),
        "logical_operator": "and",
        "loop_variables": list(variables),
        **data,
    }


def loop_variable(label: str, var_type: str, value: Any, value_type: str = "constant") -> Data:
    return {"id": label, "label": label, "var_type": var_type, "value_type": value_type, "value": value}


def retried(times: int, interval_ms: int = 0) -> Data:
    """Retry settings."""
    return {
        "retry_config": {"retry_enabled": True, "max_retries": times, "retry_interval": interval_ms},
    }


def inside(container: str, **nodes: Data) -> dict[str, Data]:
    """Nodes that belong to a container."""
    return {id: {**data, "inside": container} for id, data in nodes.items()}


# Graphs


def app_file(nodes: Mapping[str, Data], *ways: str) -> AppFile:
    """An app file; ways are chains such as ``start > if:true > a > end``."""
    specs: list[NodeSpec] = []
    all_nodes = dict(nodes)
    for id, data in nodes.items():
        if data["type"] in ("iteration", "loop"):
            all_nodes[f"{id}_start"] = {"type": f"{data['type']}-start", "inside": id}
            all_nodes[id] = {**data, "start_node_id": f"{id}_start"}
    for id, data in all_nodes.items():
        owner = data.get("inside")
        specs.append(
            NodeSpec(
                id=id,
                type=data["type"],
                title=f"The {id}",
                version=str(data.get("version", "1")),
                data={key: value for key, value in data.items() if key != "inside"},
                parent_id=owner,
                path=f"nodes[{len(specs)}]",
            )
        )
    return AppFile(name="Test", mode="advanced-chat", nodes=tuple(specs), edges=tuple(edges(*ways)))


def edges(*ways: str) -> list[EdgeSpec]:
    found = []
    for way in ways:
        stops = [stop.strip() for stop in way.split(">")]
        for source, target in pairwise(stops):
            id, _, handle = source.partition(":")
            found.append(EdgeSpec(id, target.partition(":")[0], handle or "source"))
    return found


def graph(nodes: Mapping[str, Data], *ways: str) -> Graph[Node[Any]]:
    """A compiled graph; see `app_file`."""
    return compile_graph(app_file(nodes, *ways), build)


# Runs


@dataclass
class Told:
    """A run that is over, and all that was told of it."""

    outcome: RunOutcome
    events: list[Event]
    pool: VariablePool
    clock: Clock

    @property
    def story(self) -> list[str]:
        """Every event in a few letters; see `brief`."""
        return [brief(event) for event in self.events]

    @property
    def chunks(self) -> list[str]:
        """The pieces of the answer."""
        return [event.text for event in self.events if isinstance(event, TextStreamed)]

    @property
    def answer(self) -> str:
        """What a person sees."""
        return "".join(self.chunks)

    @property
    def end(self) -> tuple[str, dict[str, Value], int]:
        """Status, outputs and exceptions count."""
        return self.outcome.status, self.outcome.outputs, self.outcome.exceptions_count

    @property
    def nodes(self) -> list[str]:
        """Nodes in the order in which they started."""
        return [event.node_id for event in self.events if isinstance(event, NodeStarted)]

    def finished(self, node_id: str) -> NodeFinished:
        """How a node that ran once ended."""
        (event,) = [
            event for event in self.events if isinstance(event, NodeFinished) and event.node_id == node_id
        ]
        return event

    def container(self, node_id: str) -> ContainerFinished:
        """How a container that ran once ended."""
        (event,) = [
            event
            for event in self.events
            if isinstance(event, ContainerFinished) and event.node_id == node_id
        ]
        return event


def brief(event: Event) -> str:
    """An event in a few letters.

    ``S(a)`` a started, ``OK(a)`` it succeeded, ``F(a)`` failed, ``X(a)`` became an exception, ``stop(a)`` was
    stopped, ``R2(a)`` is tried a third time, ``a:'text'`` a piece of the answer that a gave. Inside
    containers the item follows as ``i0``, the round as ``l0``.
    """
    match event:
        case NodeStarted():
            return f"S({event.node_id}{_place(event.frame)})"
        case NodeFinished():
            letter = {"succeeded": "OK", "failed": "F", "exception": "X", "stopped": "stop"}[event.status]
            return f"{letter}({event.node_id}{_place(event.frame)})"
        case NodeRetried():
            return f"R{event.retry_index}({event.node_id}{_place(event.frame)})"
        case TextStreamed():
            return f"{event.node_id}{_place(event.frame)}:{event.text!r}"
        case ReasoningStreamed():
            return f"{event.node_id} thinks {event.text!r}" + (" at last" if event.is_final else "")
        case ContainerStarted():
            return f"begin({event.node_id}{_place(event.frame)} of {event.length})"
        case ContainerAdvanced():
            return f"next({event.node_id}{_place(event.frame)} {event.index})"
        case ContainerFinished():
            return f"{event.status}({event.node_id}{_place(event.frame)} after {event.steps})"
        case VariableUpdated():
            return f"{'.'.join(event.selector)} = {event.value!r}"
        case _:
            return type(event).__name__


def _place(frame: Frame) -> str:
    item = "" if frame.iteration_index is None else f" i{frame.iteration_index}"
    return item + ("" if frame.loop_index is None else f" l{frame.loop_index}")


@dataclass
class Setting:
    """What a run is given besides its graph."""

    inputs: Mapping[str, Value] = field(default_factory=dict)
    """Of the node ``start``."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """By dotted path, such as ``sys.query`` or ``conversation.topic``."""
    types: Mapping[str, ValueType] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    clock: Clock | None = None
    model: ChatModel | None = None


class Play:
    """A run that a test watches, and may stop."""

    def __init__(self, graph: Graph[Node[Any]], setting: Setting) -> None:
        clock = setting.clock or FrozenClock()
        self.clock = clock
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        """Called with every event, in the middle of the run."""
        self._news = asyncio.Event()
        self.pool = VariablePool()
        self.pool.update("start", setting.inputs)
        for path, value in setting.values.items():
            node_id, _, name = path.partition(".")
            self.pool.set(node_id, name, value, setting.types.get(path))
        model = setting.model or ScriptedModel(clock=clock)
        self.environment = {
            path.partition(".")[2]: value for path, value in setting.values.items() if path.startswith("env.")
        }
        self.services = Services(
            clock=clock,
            ids=SequentialIds(),
            models=single_model(model, clock=clock),  # type: ignore[arg-type]  # any clock will do
            sandbox=FakeSandbox(),
            limits=setting.limits,
        )
        self.info = RunInfo(run_id="run", app_id="app", workflow_id="workflow", user="user")
        self.engine = Engine(graph, self.pool, self.services, self.info, self._hear)

    @property
    def story(self) -> list[str]:
        """Every event so far in a few letters."""
        return [brief(event) for event in self.events]

    async def run(self) -> Told:
        """Run to the end and look whether everything was left in order."""
        before = engine_tasks()
        async with asyncio.timeout(BOUND):
            outcome = await self.engine.run()
        await asyncio.sleep(0)
        assert engine_tasks() <= before, "the run left tasks behind"
        check_order(self.events)
        return Told(outcome, self.events, self.pool, self.clock)

    async def saw(self, text: str, times: int = 1) -> None:
        """Wait until an event that reads so has been told, that many times."""
        while self.story.count(text) < times:
            self._news.clear()
            await self._news.wait()

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        self.on_event(event)


async def play(
    nodes: Mapping[str, Data] | Graph[Node[Any]],
    *ways: str,
    after: Callable[[Play], Awaitable[None]] | None = None,
    **setting: Any,
) -> Told:
    """Run a graph once.

    Args:
        nodes: The graph, or its nodes.
        ways: Its edges.
        after: What a test does while the run goes on.
        setting: Fields of `Setting`.
    """
    made = nodes if isinstance(nodes, Graph) else graph(nodes, *ways)
    playing = Play(made, Setting(**setting))
    if after is None:
        return await playing.run()
    task = asyncio.create_task(playing.run())
    async with asyncio.timeout(BOUND):
        await after(playing)
        return await task


def engine_tasks() -> set[asyncio.Task[Any]]:
    """The tasks that run parts of graphs; a server that shares this loop has others."""
    return {task for task in asyncio.all_tasks() if "/weft/engine/" in _file(task)}


def _file(task: asyncio.Task[Any]) -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return "" if code is None else Path(code.co_filename).as_posix()


def check_order(events: Sequence[Event]) -> None:
    """What holds of every run: each start has one end, and a node starts after the one that made it ready."""
    open_executions: dict[str, NodeStarted] = {}
    ended: set[str] = set()
    indices: list[int] = []
    for event in events:
        match event:
            case NodeStarted():
                assert event.execution_id not in open_executions
                assert event.execution_id not in ended
                open_executions[event.execution_id] = event
                indices.append(event.index)
            case NodeRetried():
                assert event.execution_id in open_executions
            case NodeFinished():
                started = open_executions.pop(event.execution_id)
                same = ("node_id", "node_type", "title", "index", "predecessor_id", "frame")
                assert [getattr(event, name) for name in same] == [getattr(started, name) for name in same]
                ended.add(event.execution_id)
            case ContainerStarted() | ContainerAdvanced() | ContainerFinished():
                assert event.execution_id in open_executions
    assert open_executions == {}
    assert indices == list(range(1, len(indices) + 1))


def remote_image(name: str) -> File:
    url = f"https://example.org/{name}"
    return File(type="image", transfer_method="remote_url", url=url, remote_url=url, filename=name)
