"""Which models a run used, and how much: chatflows name their models only in the executions of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from weft.archive.index.message_row import COST_PARTS, MOST_TOKENS, cost_of, currency_of
from weft.archive.json_text import decode


class _Execution(msgspec.Struct, frozen=True):
    process_data: object = None
    outputs: object = None
    execution_metadata: object = None


class _Run(msgspec.Struct, frozen=True):
    run_id: str
    node_executions: list[_Execution] = []


@dataclass(slots=True)
class Usage:
    """What one model did in a run, in one currency."""

    message_tokens: int = 0
    """Of what it was asked; all of them where only their total is known."""
    answer_tokens: int = 0
    cost: int = 0
    """In parts of `COST_PARTS`."""

    @property
    def split_cost(self) -> tuple[int, int]:
        """The cost as whole units and parts."""
        return divmod(self.cost, COST_PARTS)


Usages = Mapping[tuple[str, str], Usage]
"""By model and currency; the currency is empty where nothing was said to cost anything."""


def read_usages(data: bytes, path: str) -> Usages:
    """The usages of a run's file.

    An execution counts when it names its model in ``process_data``; containers, tools and workflows do not,
    so that what their inner nodes used is counted once.

    Raises:
        BadJsonError: It is no run.

    Source: Dify, `process_data` and `execution_metadata` of node executions with a model.
    """
    found: dict[tuple[str, str], Usage] = {}
    for execution in decode(data, _Run, path).node_executions:
        process = _object(execution.process_data)
        model = process.get("model_name")
        if not isinstance(model, str) or not model:
            continue
        metadata = _object(execution.execution_metadata)
        told = _object(process.get("usage")) or _object(_object(execution.outputs).get("usage"))
        price, currency = told.get("total_price"), told.get("currency")
        if price is None:
            price, currency = metadata.get("total_price"), metadata.get("currency")
        whole, part = (0, 0) if price is None else cost_of(str(price))
        usage = found.setdefault((model, "" if price is None else currency_of(currency)), Usage())
        asked, answered = _tokens(told, metadata)
        usage.message_tokens += asked
        usage.answer_tokens += answered
        usage.cost += whole * COST_PARTS + part
    return found


def _tokens(told: Mapping[str, object], metadata: Mapping[str, object]) -> tuple[int, int]:
    asked, answered = _count(told.get("prompt_tokens")), _count(told.get("completion_tokens"))
    if asked or answered:
        return asked, answered
    return _count(told.get("total_tokens")) or _count(metadata.get("total_tokens")), 0


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(int(value), 0), MOST_TOKENS)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
