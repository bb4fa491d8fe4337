"""The base of all node types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import ValidationError

from weft.errors import GraphError, Problem
from weft.graph import ErrorStrategy, Need, NodeKind, NodeSpec, Retry
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.variables import Selector, Value

C = TypeVar("C", bound=NodeConfig)


class Node(ABC, Generic[C]):
    """A node with its checked configuration.

    A type is a subclass that names its configuration model and says what `run` does. One instance serves all
    runs of a graph, so it keeps nothing of a run in itself.
    """

    config_type: ClassVar[type[NodeConfig]] = NodeConfig
    kind: ClassVar[NodeKind] = "executable"
    retries: ClassVar[bool] = False
    """Whether the node honours its retry settings; only types that talk to the outside world do."""
    instant: ClassVar[bool] = False
    """Whether `run` never waits for anything outside; such a node needs no place among the parallel ones."""
    agent_strategy: dict[str, Value] | None = None
    """What is told of an agent when it starts: ``name`` of how it goes about its task, and ``icon``."""

    def __init__(self, spec: NodeSpec, config: C) -> None:
        self.id = spec.id
        self.type = spec.type
        self.title = spec.title
        self.config = config
        self.default_outputs: dict[str, Value] = {item.key: item.resolve() for item in config.default_value}
        self.prepare(spec)

    def prepare(self, spec: NodeSpec) -> None:
        """Take apart once what every run would otherwise take apart again.

        Raises:
            ValueError: The configuration cannot work; the message says why.
        """

    @abstractmethod
    async def run(self, context: Context) -> NodeResult:
        """Do the node's work.

        Raises:
            NodeFailedError: It cannot be done; the class name of the failure goes into the record.
            WeftError: Any other of ours fails the node just the same.
        """

    @property
    def error_strategy(self) -> ErrorStrategy | None:
        """What happens when the node fails."""
        return self.config.error_strategy

    @property
    def retry(self) -> Retry | None:
        """How often the node is tried again."""
        retry = self.config.retry_config
        if not self.retries or not retry.retry_enabled or retry.max_retries < 1:
            return None
        return Retry(retry.max_retries, max(0, retry.retry_interval) / 1000)

    @property
    def start_node_id(self) -> str | None:
        """Where a container's frames begin."""
        return None

    def segments(self) -> Sequence[str | Selector]:
        """What a response streams."""
        return ()

    def reads(self) -> Sequence[Selector]:
        """The variables that the node looks at."""
        return ()

    def writes(self) -> Sequence[Selector]:
        """The variables of others that the node changes."""
        return ()

    def handles(self) -> Sequence[str] | None:
        """The ways out that the node may take."""
        return None

    def needs(self) -> Sequence[Need]:
        """What the node needs from outside."""
        return ()

    @classmethod
    def build(cls, spec: NodeSpec) -> Node[Any]:
        """Check a specification's data and make the node.

        Raises:
            GraphError: With every problem of the configuration.
        """
        try:
            config = cls.config_type.model_validate(dict(spec.data))
        except ValidationError as error:
            raise GraphError(
                [
                    Problem(
                        code="graph.invalid_node_data",
                        path=".".join([f"{spec.path}.data", *(str(part) for part in detail["loc"])]),
                        node_id=spec.id,
                        node_title=spec.title,
                        message=f"node {spec.id!r} ({spec.type}): {detail['msg']}",
                        fix="correct this field in the editor and export the app again",
                    )
                    for detail in error.errors(include_url=False, include_input=False)
                ]
            ) from error
        try:
            return cls(spec, config)  # type: ignore[arg-type]  # `config_type` is the model of C
        except ValueError as error:
            raise GraphError(
                [
                    Problem(
                        code="graph.invalid_node_data",
                        path=f"{spec.path}.data",
                        node_id=spec.id,
                        node_title=spec.title,
                        message=f"node {spec.id!r} ({spec.type}): {error}",
                        fix="correct the node in the editor and export the app again",
                    )
                ]
            ) from error
