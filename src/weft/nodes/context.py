"""What a node sees of its run, and how it says what happens.

A node reads the pool, asks the services, emits events, and returns its result. It never sees the engine: what
it needs of it stands here as a port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from weft.clock import Clock
from weft.egress import Egress, RefusingEgress
from weft.errors import NodeFailedError, WeftError
from weft.events import ContainerKind, Event, FormRequested, Frame, PauseReason
from weft.ids import Ids
from weft.nodes.kept_file import KeptFiles, NoFiles
from weft.nodes.limits import Limits
from weft.providers import Models, Usage
from weft.retrieval import Datasets
from weft.sandbox import Sandbox
from weft.tools import Toolbox
from weft.variables import MISSING, File, Selector, Value, VariablePool


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of the conversation."""

    query: str
    answer: str
    files: tuple[File, ...] = ()
    """Those that came with the query."""


class History(Protocol):
    """The conversation so far."""

    async def recent(self, limit: int) -> list[Turn]:
        """The newest answered exchanges, at most `limit`, oldest first."""
        ...


class NoHistory:
    """A run outside of any conversation."""

    async def recent(self, limit: int) -> list[Turn]:
        """Nothing was said before."""
        return []


class Forms(Protocol):
    """Where the forms of a run are kept until a person fills them in."""

    async def open(self, form: FormRequested) -> None:
        """Keep a form, so that it can be filled in from now on."""
        ...


class NoForms:
    """A run whose forms nobody can fill in, because nothing keeps them."""

    async def open(self, form: FormRequested) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all runs of a process share."""

    clock: Clock
    ids: Ids
    models: Models
    sandbox: Sandbox
    limits: Limits
    egress: Egress = field(default_factory=RefusingEgress)
    """The way out for requests of flows; none are sent unless one is given."""
    tools: Toolbox = field(default_factory=Toolbox)
    """What tool and agent nodes call; what is built in and installed unless given."""
    datasets: Datasets = field(default_factory=Datasets)
    """What knowledge retrieval searches; there are none unless given."""
    files: KeptFiles = field(default_factory=NoFiles)
    """Where files are kept; none are unless a place is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Who runs what for whom."""

    run_id: str
    app_id: str
    workflow_id: str
    user: str
    conversation_id: str | None = None
    history: History = field(default_factory=NoHistory)
    forms: Forms = field(default_factory=NoForms)
    secrets: tuple[str, ...] = ()
    """Values of secret environment variables, to be masked in records."""
    call_depth: int = 0
    """How many workflows have called one another as tools to get here."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a node cannot go on without.

    The node is run again, as the same execution, once the run goes on; its context then has a `Resumption`.
    """

    state: dict[str, Value] = field(default_factory=dict)
    """What the node wants to find again, in any process: plain data and files."""
    key: str = ""
    """Names the answer that it waits for, in the whole run; empty for a container, whose inside waits."""
    reason: PauseReason | None = None
    """What is told of a run that pauses for it; ``None`` for a container."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a node that has waited goes on with."""

    state: dict[str, Value]
    """What it left in its `Wait`."""
    answer: Mapping[str, Value] | None = None
    """What came from outside for its key."""


@dataclass(slots=True)
class NodeResult:
    """How a node ended well, or what it waits for."""

    outputs: dict[str, Value] = field(default_factory=dict)
    handle: str | None = None
    """The way out that a branch takes."""
    dead_end: str = ""
    """Why the node has failed if no edge leaves by `handle`; empty where that is no failure."""
    wait: Wait | None = None
    """The node has not ended: it waits, and all else here counts for nothing."""


def usage_metadata(usage: Usage) -> dict[str, Value]:
    """What the record of a node says of the model calls in it."""
    return {
        "total_tokens": usage.total_tokens,
        "total_price": format(usage.total_price, "f"),
        "currency": usage.currency,
    }


@dataclass(slots=True)
class FrameResult:
    """How one item or round of a container ended."""

    error: str | None = None
    """Why a node in it failed for good; ``None`` if none did."""
    error_type: str = ""
    total_tokens: int = 0
    usage: Usage | None = None
    """What its model calls used, where the engine counts that."""
    loop_ended: bool = False
    """A loop-end node of the loop that this is a round of was reached."""
    cause: WeftError | None = None
    """The error itself, where the engine has it."""
    paused: bool = False
    """It has not ended: something in it waits. The same frame goes on when it is run again after a pause."""

    @property
    def failure(self) -> WeftError:
        """What to fail of where `error` says that the frame failed; its class is the node's own."""
        return self.cause or NodeFailedError(self.error or "", error_type=self.error_type)


class Port(Protocol):
    """What a context asks of the frame that its node runs in."""

    def emit(self, event: Event) -> None:
        """Say that something happened."""
        ...

    def stream(self, context: Context, name: str, text: str) -> None:
        """Say the next piece of an output that is still being made."""
        ...

    def end_stream(self, context: Context, name: str) -> None:
        """Say that no further piece comes."""
        ...

    def end_loop(self, loop_id: str) -> None:
        """End that loop after its present round."""
        ...

    async def run_child(
        self, context: Context, kind: ContainerKind, index: int, pool: VariablePool
    ) -> FrameResult:
        """Run the frame of a container once."""
        ...

    def child_members(self, container_id: str) -> frozenset[str]:
        """Ids of all nodes in a container."""
        ...

    def merge_outputs(self, context: Context, index: int) -> None:
        """Let the outputs of responses in the container's item count for the run."""
        ...


class Context:
    """One execution of one node.

    What the node notes down in `inputs`, `process_data`, `metadata` and `usage` goes into the record even if
    it fails afterwards, so a node notes before it does.
    """

    __slots__ = (
        "_port",
        "execution_id",
        "files",
        "frame",
        "inputs",
        "metadata",
        "node_id",
        "node_type",
        "outputs",
        "pool",
        "process_data",
        "recalls",
        "resumption",
        "run",
        "services",
        "title",
        "usage",
    )

    def __init__(
        self,
        *,
        node_id: str,
        node_type: str,
        title: str,
        execution_id: str,
        frame: Frame,
        pool: VariablePool,
        services: Services,
        run: RunInfo,
        port: Port,
    ) -> None:
        self.node_id = node_id
        self.node_type = node_type
        self.title = title
        self.execution_id = execution_id
        self.frame = frame
        self.pool = pool
        self.services = services
        self.run = run
        self.inputs: dict[str, Value] = {}
        self.process_data: dict[str, Value] = {}
        self.outputs: dict[str, Value] = {}
        """Outputs to show in the record of a node that fails."""
        self.metadata: dict[str, Value] = {}
        self.recalls = False
        """The node's prompts may hold what was said in earlier runs; its record marks it."""
        self.usage: Usage | None = None
        self.files: list[File] = []
        self.resumption: Resumption | None = None
        """Set when the node is run again after it has waited."""
        self._port = port

    def forget_attempt(self) -> None:
        """Make room for what another attempt has to show; what this one showed has been told."""
        self.inputs, self.process_data, self.outputs, self.metadata, self.files = {}, {}, {}, {}, []

    def emit(self, event: Event) -> None:
        """Say that something happened."""
        self._port.emit(event)

    def stream(self, name: str, text: str) -> None:
        """Say the next piece of the output `name`; an answer that shows it passes it on at once."""
        self._port.stream(self, name, text)

    def end_stream(self, name: str) -> None:
        """Say that the output `name` is complete."""
        self._port.end_stream(self, name)

    def end_loop(self, loop_id: str) -> None:
        """End the loop of that id, which is around this node, after its present round."""
        self._port.end_loop(loop_id)

    async def run_child(self, kind: ContainerKind, index: int, pool: VariablePool) -> FrameResult:
        """Run this container's frame once, as its item or round `index`."""
        return await self._port.run_child(self, kind, index, pool)

    def members(self) -> frozenset[str]:
        """Ids of all nodes inside this container."""
        return self._port.child_members(self.node_id)

    def merge_outputs(self, index: int) -> None:
        """Let answers given inside this container's item `index` count for the run."""
        self._port.merge_outputs(self, index)

    def collect(self, selectors: Mapping[str, Selector]) -> dict[str, Value]:
        """Values by name; what is missing reads as ``None``."""
        values: dict[str, Value] = {}
        for name, selector in selectors.items():
            value = self.pool.find(selector)
            values[name] = None if value is MISSING else value
        return values
