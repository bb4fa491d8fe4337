"""Loop: the same nodes round after round, on variables that live as long as the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError, VariableError, WeftError
from weft.graph import NodeKind, NodeSpec
from weft.nodes.condition import Condition, ConditionList, LogicalOperator
from weft.nodes.config import NodeConfig
from weft.nodes.container import Rounds
from weft.nodes.context import Context, NodeResult, Wait
from weft.nodes.node import Node
from weft.variables import ARRAY_TYPES, Selector, Value, ValueType, as_selector, coerce

CompletedReason = Literal["loop_break", "loop_completed", "error"]


class LoopVariable(BaseModel):
    """A variable of the loop and what it holds before the first round."""

    model_config = ConfigDict(extra="ignore")

    label: str
    var_type: ValueType = "string"
    value_type: Literal["constant", "variable"] = "constant"
    value: object = None


class LoopConfig(NodeConfig):
    """How often, until when, and with which variables."""

    loop_count: int = Field(default=1, ge=1)
    break_conditions: list[Condition] = Field(default_factory=list)
    logical_operator: LogicalOperator = "and"
    loop_variables: list[LoopVariable] = Field(default_factory=list)
    start_node_id: str = ""

    @field_validator("break_conditions", "loop_variables", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or []

    @field_validator("logical_operator", mode="before")
    @classmethod
    def _operator(cls, value: object) -> object:
        return value or "and"


class LoopNode(Node[LoopConfig]):
    """Runs its frame until a condition holds, a loop-end node is reached, or the rounds are used up.

    Outputs: the final value of each loop variable, and `loop_round`, the rounds that were run.
    """

    config_type: ClassVar[type[NodeConfig]] = LoopConfig
    kind: ClassVar[NodeKind] = "container"

    def prepare(self, spec: NodeSpec) -> None:
        """Take the break conditions apart."""
        self._breaks = ConditionList(self.config.break_conditions, self.config.logical_operator)

    @property
    def start_node_id(self) -> str | None:
        """Where the frame of a round begins."""
        return self.config.start_node_id

    def reads(self) -> Sequence[Selector]:
        """The variables that loop variables begin with."""
        selectors = (
            as_selector(variable.value)
            for variable in self.config.loop_variables
            if variable.value_type == "variable"
        )
        return [selector for selector in selectors if selector is not None]

    async def run(self, context: Context) -> NodeResult:
        """Run the rounds.

        Raises:
            NodeFailedError: A loop variable cannot be set, a round failed, or a break condition cannot be
                judged.
        """
        if context.resumption is None:
            for variable in self.config.loop_variables:
                context.pool.set(
                    context.node_id, variable.label, _first_value(variable, context), variable.var_type
                )
        return await _Loop(self.config, self._breaks, context).run()


def _first_value(variable: LoopVariable, context: Context) -> Value:
    try:
        if variable.value_type == "constant":
            if variable.value is None and variable.var_type in ARRAY_TYPES:
                return []
            return coerce(variable.var_type, variable.value, name=variable.label)
        selector = as_selector(variable.value)
        if selector is None:
            raise VariableError(f"loop variable {variable.label!r} has no selector to begin with")
        return coerce(variable.var_type, context.pool.get(selector), name=variable.label)
    except VariableError as error:
        raise NodeFailedError(str(error), error_type="LoopVariableError") from error


class _Loop:
    """One execution of the node."""

    def __init__(self, config: LoopConfig, breaks: ConditionList, context: Context) -> None:
        self._config = config
        self._breaks = breaks
        self._context = context
        self._labels = [variable.label for variable in config.loop_variables]
        self._members = context.members()
        self._held: dict[str, Value] = {}
        """The loop variables after each round."""
        self._round = 0
        self._rounds = Rounds(context, "loop")
        self._in_round = False
        """A round has paused, and goes on."""

    async def run(self) -> NodeResult:
        context = self._context
        if context.resumption is None:
            context.inputs = {"loop_count": self._config.loop_count, **self._values()}
            self._rounds.begin(self._config.loop_count)
            if self._begins_broken():
                return self._end("succeeded", {}, steps=0, reason="loop_break")
        else:
            self._restore(context.resumption.state)
        try:
            reason = await self._run_rounds()
        except asyncio.CancelledError:
            self._end("stopped", self._outputs(), reason="error")
            raise
        except WeftError as error:
            context.outputs = self._outputs()
            self._end("failed", context.outputs, reason="error", error=str(error))
            raise
        if reason is None:
            return NodeResult(wait=Wait(self._save()))
        return self._end("succeeded", self._outputs(), reason=reason)

    def _begins_broken(self) -> bool:
        """Whether there is nothing to do; what cannot be judged before the first round does not count."""
        if not self._config.break_conditions:
            return False
        try:
            return self._breaks.evaluate(self._context.pool).result
        except (NodeFailedError, VariableError):
            return False

    async def _run_rounds(self) -> CompletedReason | None:
        """Run rounds until there is a reason to end, or one of them pauses."""
        context = self._context
        while True:
            if not self._in_round:
                if self._round:
                    self._rounds.advance(self._round)
                context.pool.forget(self._members)
            result = await self._rounds.run(self._round, context.pool)
            self._in_round = result.paused
            if result.paused:
                return None
            context.merge_outputs(self._round)
            self._held[str(self._round)] = self._values()
            self._round += 1
            if result.error is not None:
                raise result.failure
            if result.loop_ended:
                return "loop_break"
            if self._config.break_conditions and self._breaks.evaluate(context.pool).result:
                return "loop_break"
            if self._round >= self._config.loop_count:
                return "loop_completed"

    def _save(self) -> dict[str, Value]:
        return {"round": self._round, "held": self._held, "rounds": self._rounds.save()}

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self._round = int(saved["round"])
        self._held = dict(saved["held"])
        self._in_round = True
        self._rounds.restore(saved["rounds"])

    def _values(self) -> dict[str, Value]:
        node_id = self._context.node_id
        return {label: self._context.pool.get((node_id, label)) for label in self._labels}

    def _outputs(self) -> dict[str, Value]:
        return {**self._values(), "loop_round": self._round}

    def _end(
        self,
        status: Literal["succeeded", "failed", "stopped"],
        outputs: dict[str, Value],
        *,
        reason: CompletedReason,
        steps: int | None = None,
        error: str | None = None,
    ) -> NodeResult:
        self._rounds.finish(
            status,
            outputs,
            steps=self._config.loop_count if steps is None else steps,
            error=error,
            metadata={"loop_variable_map": self._held, "completed_reason": reason},
        )
        return NodeResult(outputs)
