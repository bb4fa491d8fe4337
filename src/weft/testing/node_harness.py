"""Running one node by itself, as tests of node types do.

::

    run = await run_node({"type": "answer", "answer": "Hi {{#start.name#}}"}, {"start.name": "Ada"})
    assert run.outputs["answer"] == "Hi Ada"
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from weft.egress import Egress, RefusingEgress
from weft.errors import CodeFailedError, WeftError
from weft.events import ROOT, ContainerKind, Event, Frame
from weft.graph import NodeSpec
from weft.ids import SequentialIds
from weft.nodes import (
    Context,
    FrameResult,
    History,
    KeptFiles,
    Limits,
    NodeResult,
    NoFiles,
    RunInfo,
    Services,
    Turn,
    build_node,
)
from weft.providers import (
    ChatModel,
    Http,
    Models,
    ModelsConfig,
    PriceTable,
    ProviderConfig,
    ProviderType,
    ScriptedModel,
)
from weft.registry import Registry
from weft.sandbox import Language, Sandbox, SandboxLimits
from weft.tools import Toolbox
from weft.variables import Value, ValueType, VariablePool

RunChild = Callable[[Context, ContainerKind, int, VariablePool], Awaitable[FrameResult]]
"""Stands in for the frame of a container; gets what `weft.nodes.Port.run_child` gets."""


class StillClock:
    """A clock that goes on only where somebody waits for it."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._passed = 0.0
        self.waits: list[float] = []
        """Seconds of every wait."""

    def now(self) -> datetime:
        """The start, and what was waited since."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Seconds that were waited."""
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Pass the time at once."""
        self.waits.append(seconds)
        self._passed += seconds
        await asyncio.sleep(0)


class FakeSandbox:
    """A sandbox that runs a function of the test instead of the code.

    Args:
        main: Gets the inputs and gives the outputs; without it every call fails.
    """

    def __init__(self, main: Callable[[Mapping[str, object]], dict[str, object]] | None = None) -> None:
        self._main = main
        self.calls: list[tuple[Language, str, dict[str, object]]] = []
        """Language, source and inputs of every call."""

    async def run(
        self,
        language: Language,
        source: str,
        inputs: Mapping[str, object],
        *,
        limits: SandboxLimits | None = None,
    ) -> dict[str, object]:
        """Call the function; see `weft.sandbox.Sandbox`."""
        self.calls.append((language, source, dict(inputs)))
        if self._main is None:
            raise CodeFailedError("this sandbox was given nothing to run")
        return self._main(inputs)

    async def close(self) -> None:
        """Nothing to give back."""


class FakeHistory:
    """A conversation so far.

    Args:
        turns: Oldest first.
    """

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        self._turns = list(turns)
        self.limits: list[int] = []
        """What was asked for."""

    async def recent(self, limit: int) -> list[Turn]:
        """The newest of them."""
        self.limits.append(limit)
        return self._turns[-limit:] if limit > 0 else []


class RecordingPort:
    """Writes down all that a node says."""

    def __init__(self, child: RunChild | None = None, members: frozenset[str] = frozenset()) -> None:
        self.events: list[Event] = []
        self.pieces: dict[str, list[str]] = {}
        """Streamed pieces by name of the output."""
        self.ended_streams: list[str] = []
        self.ended_loops: list[str] = []
        self.merged: list[int] = []
        """Items of the container whose answers count for the run."""
        self._child = child
        self._members = members

    def emit(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)

    def stream(self, context: Context, name: str, text: str) -> None:
        """Keep the piece."""
        self.pieces.setdefault(name, []).append(text)

    def end_stream(self, context: Context, name: str) -> None:
        """Keep the name."""
        self.ended_streams.append(name)

    def end_loop(self, loop_id: str) -> None:
        """Keep the id."""
        self.ended_loops.append(loop_id)

    async def run_child(
        self, context: Context, kind: ContainerKind, index: int, pool: VariablePool
    ) -> FrameResult:
        """Ask the test's stand-in; without one every frame ends well at once."""
        return FrameResult() if self._child is None else await self._child(context, kind, index, pool)

    def child_members(self, container_id: str) -> frozenset[str]:
        """What the test said."""
        return self._members

    def merge_outputs(self, context: Context, index: int) -> None:
        """Keep the index."""
        self.merged.append(index)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """What a node did."""

    result: NodeResult | None
    """``None`` if it failed."""
    error: WeftError | None
    context: Context
    port: RecordingPort
    events: list[Event] = field(default_factory=list)

    @property
    def outputs(self) -> dict[str, Value]:
        """Outputs of a node that ended well; a failure is raised here, so that a test shows it."""
        if self.result is None:
            raise self.error or AssertionError("the node gave no result")
        return self.result.outputs

    @property
    def handle(self) -> str | None:
        """The way out that a branch took."""
        return None if self.result is None else self.result.handle

    @property
    def error_type(self) -> str | None:
        """The class name that the record of a failed node shows."""
        if self.error is None:
            return None
        return getattr(self.error, "error_type", "") or type(self.error).__name__

    @property
    def streamed(self) -> str:
        """What was streamed of the output `text`."""
        return "".join(self.port.pieces.get("text", []))


async def run_node(
    data: Mapping[str, object],
    values: Mapping[str, Value] | None = None,
    *,
    types: Mapping[str, ValueType] | None = None,
    models: Models | ChatModel | None = None,
    prices: PriceTable | None = None,
    sandbox: Sandbox | None = None,
    egress: Egress | None = None,
    tools: Toolbox | None = None,
    files: KeptFiles | None = None,
    secrets: Sequence[str] = (),
    history: History | Sequence[Turn] = (),
    limits: Limits | None = None,
    clock: StillClock | None = None,
    frame: Frame = ROOT,
    child: RunChild | None = None,
    members: frozenset[str] = frozenset(),
    node_id: str = "node",
) -> NodeRun:
    """Build a node and run it once.

    Args:
        data: The node's data as a file has them, with `type`.
        values: Values of the pool by dotted path, e.g. ``{"sys.query": "Hi"}``.
        types: Declared types of some of them, by the same paths.
        models: Who answers; a single `ChatModel` answers for every provider and model. Without any the
            model repeats what it is told.
        prices: What models cost; nothing by default. Counts only with a single `ChatModel`.
        sandbox: Runs code; without it code fails.
        egress: Sends requests; without it they fail.
        tools: What may be called; what is built in unless given.
        files: Where files are kept; none are unless given.
        secrets: Values of secret environment variables.
        history: The conversation so far, or its exchanges, oldest first.
        limits: How much the node may do.
        clock: The run's clock; it stands still.
        frame: Where the node runs.
        child: Stands in for the frame of a container.
        members: Ids of the nodes in the container.
        node_id: The node's id.

    Raises:
        GraphError: The data are wrong; nothing was run.
    """
    node = build_node(make_spec(data, node_id))
    clock = clock or StillClock()
    port = RecordingPort(child, members)
    pool = make_pool(values or {}, types or {})
    if isinstance(models, Models):
        gateway = models
    else:
        gateway = single_model(models or ScriptedModel(clock=clock), clock=clock, prices=prices)
    context = Context(
        node_id=node.id,
        node_type=node.type,
        title=node.title,
        execution_id="execution",
        frame=frame,
        pool=pool,
        services=Services(
            clock=clock,
            ids=SequentialIds(),
            models=gateway,
            sandbox=sandbox or FakeSandbox(),
            limits=limits or Limits(),
            egress=egress or RefusingEgress(),
            tools=tools or Toolbox(),
            files=files or NoFiles(),
        ),
        run=RunInfo(
            run_id="run",
            app_id="app",
            workflow_id="workflow",
            user="user",
            conversation_id="conversation",
            history=FakeHistory(history) if isinstance(history, Sequence) else history,
            secrets=tuple(secrets),
        ),
        port=port,
    )
    result: NodeResult | None = None
    failure: WeftError | None = None
    try:
        result = await node.run(context)
    except WeftError as error:
        failure = error
    return NodeRun(result=result, error=failure, context=context, port=port, events=port.events)


def make_spec(data: Mapping[str, object], node_id: str = "node") -> NodeSpec:
    """The specification of a node that stands alone in its file."""
    return NodeSpec(
        id=node_id,
        type=str(data["type"]),
        title=str(data.get("title", "")),
        version=str(data.get("version", "1")),
        data=data,
        parent_id=None,
        path="workflow.graph.nodes[0]",
    )


def make_pool(values: Mapping[str, Value], types: Mapping[str, ValueType] | None = None) -> VariablePool:
    """A pool with values by dotted path."""
    pool = VariablePool()
    for path, value in values.items():
        node_id, _, name = path.partition(".")
        pool.set(node_id, name, value, (types or {}).get(path))
    return pool


def single_model(chat: ChatModel, *, clock: StillClock, prices: PriceTable | None = None) -> Models:
    """A gateway where one model answers for all."""
    types: Registry[ProviderType] = Registry("provider type", "weft.testing.providers", {})
    types.add("given", lambda name, config, *, clock, http: chat)
    config = ModelsConfig(default=ProviderConfig(type="given"), prices=prices or PriceTable(built_in=False))
    return Models(config, clock=clock, http=Http(None), types=types)


__all__ = [
    "FakeHistory",
    "FakeSandbox",
    "NodeRun",
    "RecordingPort",
    "RunChild",
    "StillClock",
    "make_pool",
    "make_spec",
    "run_node",
    "single_model",
]
