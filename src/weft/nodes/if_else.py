"""If-else: the way out whose conditions hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from weft.graph import NodeKind, NodeSpec
from weft.nodes.condition import Condition, ConditionList, Evaluation, LogicalOperator
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.variables import Selector, Value

_ELSE = "false"


class Case(BaseModel):
    """Conditions, and the way out that is taken when they hold."""

    model_config = ConfigDict(extra="ignore")

    case_id: str = Field(validation_alias=AliasChoices("case_id", "id"))
    logical_operator: LogicalOperator = "and"
    conditions: list[Condition] = Field(default_factory=list)


class IfElseConfig(NodeConfig):
    """Cases in order; files from before there were several have the conditions of a single one."""

    cases: list[Case] | None = None
    """``None`` in old files; a list without any case leaves only the else branch."""
    logical_operator: LogicalOperator = "and"
    conditions: list[Condition] = Field(default_factory=list)

    @field_validator("logical_operator", mode="before")
    @classmethod
    def _operator(cls, value: object) -> object:
        return "and" if value is None else value

    @field_validator("conditions", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return [] if value is None else value


class IfElseNode(Node[IfElseConfig]):
    """Leaves by the handle of the first case whose conditions hold, else by `false`.

    Outputs: `result`, whether one of them does, and `selected_case_id`, the handle.
    """

    config_type: ClassVar[type[NodeConfig]] = IfElseConfig
    kind: ClassVar[NodeKind] = "branch"
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Take the conditions apart."""
        cases = self.config.cases
        if cases is None:
            only = ConditionList(self.config.conditions, self.config.logical_operator)
            self._cases: list[tuple[str, ConditionList, Value]] = [("true", only, "default")]
        else:
            self._cases = [
                (
                    case.case_id or _ELSE,
                    ConditionList(case.conditions, case.logical_operator),
                    case.model_dump(mode="json"),
                )
                for case in cases
            ]

    def reads(self) -> Sequence[Selector]:
        """The variables of all conditions."""
        return [selector for _, conditions, _ in self._cases for selector in conditions.selectors]

    def handles(self) -> Sequence[str]:
        """The cases in order, then `false`."""
        return [*dict.fromkeys(case_id for case_id, _, _ in self._cases if case_id != _ELSE), _ELSE]

    async def run(self, context: Context) -> NodeResult:
        """Look for the first case that holds.

        Raises:
            NodeFailedError: A condition that matters cannot be judged.
        """
        results: list[Value] = []
        context.process_data = {"condition_results": results}
        context.inputs = {"conditions": []}
        for case_id, conditions, group in self._cases:
            evaluation = Evaluation()
            context.inputs["conditions"] = evaluation.inputs
            conditions.evaluate(context.pool, evaluation)
            results.append({"group": group, "results": evaluation.results, "final_result": evaluation.result})
            if evaluation.result:
                return NodeResult({"result": True, "selected_case_id": case_id}, handle=case_id)
        return NodeResult({"result": False, "selected_case_id": _ELSE}, handle=_ELSE)
