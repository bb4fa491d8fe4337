"""Nodes that do nothing, of any type, so that a graph can be judged without the node types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from weft.errors import GraphError, Problem, UnsupportedNodeError
from weft.graph import ErrorStrategy, Need, NodeKind, NodeSpec, Retry
from weft.variables import Selector, Value, as_selector, compile_template

KINDS: dict[str, NodeKind] = {
    "start": "root",
    "iteration-start": "root",
    "loop-start": "root",
    "trigger-webhook": "root",
    "answer": "response",
    "end": "response",
    "if-else": "branch",
    "question-classifier": "branch",
    "human-input": "branch",
    "iteration": "container",
    "loop": "container",
}
_SELECTORS = (
    "value_selector",
    "variable_selector",
    "query_variable_selector",
    "iterator_selector",
    "input_variable_selector",
    "assigned_variable_selector",
    "query",
    "variable",
    "value",
    "reads",
)


@dataclass(frozen=True)
class StandIn:
    """Behaves as the data of its specification says, as far as a graph can tell."""

    spec: NodeSpec

    @property
    def kind(self) -> NodeKind:
        return KINDS.get(self.spec.type, "executable")

    @property
    def error_strategy(self) -> ErrorStrategy | None:
        strategy = self.spec.data.get("error_strategy")
        return next((known for known in get_args(ErrorStrategy) if known == strategy), None)

    @property
    def default_outputs(self) -> dict[str, Value]:
        return {}

    @property
    def retry(self) -> Retry | None:
        return None

    @property
    def start_node_id(self) -> str | None:
        start = self.spec.data.get("start_node_id")
        return start if isinstance(start, str) else None

    def segments(self) -> Sequence[str | Selector]:
        text = self.spec.data.get("answer")
        return compile_template(text).parts if isinstance(text, str) else ()

    def reads(self) -> Sequence[Selector]:
        return list(dict.fromkeys(_selectors(self.spec.data)))

    def writes(self) -> Sequence[Selector]:
        return ()

    def handles(self) -> Sequence[str] | None:
        data = self.spec.data
        match self.spec.type:
            case "if-else":
                return [*_ids(data.get("cases"), "case_id"), "false"]
            case "question-classifier":
                return _ids(data.get("classes"), "id")
            case "human-input":
                return [*_ids(data.get("user_actions"), "id"), "__timeout"]
            case _:
                return None

    def needs(self) -> Sequence[Need]:
        model = self.spec.data.get("model")
        if not isinstance(model, Mapping):
            return ()
        return [Need("model", f"{model.get('provider')}/{model.get('name')}", self.spec.id)]


def build_stand_in(spec: NodeSpec) -> StandIn:
    """Take any type but ``no-such-type``; data with the key ``broken`` is a wrong configuration."""
    if spec.type == "no-such-type":
        raise UnsupportedNodeError([_problem("node.unsupported_type", f"{spec.path}.data.type", spec)])
    if "broken" in spec.data:
        raise GraphError([_problem("graph.invalid_node_data", f"{spec.path}.data.broken", spec)])
    return StandIn(spec)


def _problem(code: str, path: str, spec: NodeSpec) -> Problem:
    return Problem(code=code, path=path, message=f"node {spec.id!r} is wrong", node_id=spec.id)


def _ids(items: object, key: str) -> list[str]:
    if not isinstance(items, list):
        return []
    return [str(item.get(key)) for item in items if isinstance(item, Mapping)]


def _selectors(value: object, key: str = "") -> Iterator[Selector]:
    if isinstance(value, str):
        if key not in ("code", "template"):
            yield from compile_template(value).selectors
    elif isinstance(value, Mapping):
        for name, item in value.items() if value.get("enabled") is not False else ():
            yield from _selectors(item, name)
    elif isinstance(value, list):
        selector = as_selector(value) if key in _SELECTORS else None
        if selector is not None:
            yield selector
        for item in value:
            yield from _selectors(item, _SELECTORS[0] if isinstance(item, list) else key)
