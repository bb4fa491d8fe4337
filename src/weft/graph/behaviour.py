"""What a graph needs to know of its nodes. The nodes themselves live a floor above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from weft.graph.app_file import NodeSpec
from weft.variables import Selector, Value

NodeKind = Literal["executable", "response", "branch", "container", "root"]
"""How the scheduler treats a node: `branch` leaves by one handle, `response` has an answer to stream,
`container` runs frames of its own, `root` may start a frame."""

ErrorStrategy = Literal["fail-branch", "default-value"]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and after what wait a failed node is tried again."""

    max_retries: int
    interval: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something from outside that an app cannot run without."""

    kind: Literal["model", "tool", "dataset", "http", "code", "file", "human"]
    name: str
    """For example ``openai/gpt-4o`` or a dataset id."""
    node_id: str


class Behaviour(Protocol):
    """A node with its checked configuration."""

    @property
    def kind(self) -> NodeKind:
        """How the scheduler treats it, leaving its error strategy aside."""
        ...

    @property
    def error_strategy(self) -> ErrorStrategy | None:
        """What happens when it fails; ``None`` fails the frame around it."""
        ...

    @property
    def default_outputs(self) -> dict[str, Value]:
        """What stands in for the outputs under the strategy ``default-value``."""
        ...

    @property
    def retry(self) -> Retry | None:
        """How often it is tried again; ``None`` for never."""
        ...

    @property
    def start_node_id(self) -> str | None:
        """Where the frames of a container begin."""
        ...

    def segments(self) -> Sequence[str | Selector]:
        """What a response node streams, in order; nothing for the others."""
        ...

    def reads(self) -> Sequence[Selector]:
        """The variables that the node looks at, as far as its configuration tells."""
        ...

    def writes(self) -> Sequence[Selector]:
        """The variables of others that the node changes."""
        ...

    def handles(self) -> Sequence[str] | None:
        """The ways out that the node may take; ``None`` for just ``source``."""
        ...

    def needs(self) -> Sequence[Need]:
        """What the node needs from outside."""
        ...


B = TypeVar("B", bound=Behaviour)
B_co = TypeVar("B_co", bound=Behaviour, covariant=True)


class NodeBuilder(Protocol[B_co]):
    """Makes a node of a specification; a table of node types is one."""

    def __call__(self, spec: NodeSpec) -> B_co:
        """Check the configuration and make the node.

        Raises:
            GraphError: With every problem of this node.
            UnsupportedNodeError: Nothing here can run that type.
        """
        ...
