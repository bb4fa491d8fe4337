"""What a test case expects of a run, and how far it is from that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from weft.testing.flow import FlowRun

_SHOWN = 300
"""Characters of a value that are shown."""


class NodeExpectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is expected of a node, the last time that it ran."""

    status: Any = msgspec.UNSET
    inputs: dict[str, Any] = {}
    process_data: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    error: Any = msgspec.UNSET
    times: int | None = None
    """How often it ran, retries not counted."""


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is expected of a run. A value is met by an equal one, or is an object of tests.

    The tests are `equals`, `contains`, `not_contains`, `matches` (a regular expression that is found
    somewhere), `one_of`, `at_least`, `at_most`, `length` and `exists`; all that are given must hold.
    """

    status: Any = "succeeded"
    answer: Any = msgspec.UNSET
    error: Any = msgspec.UNSET
    outputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    """Conversation variables after the run."""
    nodes: dict[str, NodeExpectation] = {}
    """By id or title."""
    ran: list[str] = []
    not_ran: list[str] = []
    order: list[str] = []
    """Nodes that began in this order, whatever came between."""
    max_tokens: int | None = None


def complaints(expected: Expectation, run: FlowRun) -> list[str]:
    """Everything in which a run is not as expected; nothing if it is."""
    found = [
        *_unmet("status", expected.status, run.status),
        *_unmet("answer", expected.answer, run.answer),
        *_unmet("error", expected.error, run.error),
        *_all_unmet("outputs", expected.outputs, run.outputs),
        *_all_unmet("variables", expected.variables, run.variables),
    ]
    if run.error is not None and found and expected.error is msgspec.UNSET:
        found.append(f"the run's error: {run.error}")
    found += [f"node {node!r} did not run" for node in expected.ran if not run.ran(node)]
    found += [f"node {node!r} ran" for node in expected.not_ran if run.ran(node)]
    found += _disorder(expected.order, run)
    for node, wanted in expected.nodes.items():
        found += _node_complaints(node, wanted, run)
    if expected.max_tokens is not None and run.total_tokens > expected.max_tokens:
        found.append(f"tokens: expected at most {expected.max_tokens}, got {run.total_tokens}")
    return found


def _node_complaints(node: str, wanted: NodeExpectation, run: FlowRun) -> Iterator[str]:
    executions = run.executions_of(node)
    if wanted.times is not None and len(executions) != wanted.times:
        yield f"node {node!r}: expected {wanted.times} executions, got {len(executions)}"
    if not executions:
        if wanted.times is None:
            yield f"node {node!r} did not run"
        return
    last = executions[-1]
    yield from _unmet(f"node {node!r} status", wanted.status, last.status)
    yield from _unmet(f"node {node!r} error", wanted.error, last.error)
    for part in ("inputs", "process_data", "outputs"):
        yield from _all_unmet(f"node {node!r} {part}", getattr(wanted, part), getattr(last, part) or {})


def _disorder(order: Sequence[str], run: FlowRun) -> Iterator[str]:
    places = []
    for node in order:
        found = [place for place, one in enumerate(run.executions) if node in (one.node_id, one.title)]
        if not found:
            yield f"order: node {node!r} did not run"
            return
        places.append(found[0])
    if places != sorted(places):
        actual = [node for _, node in sorted(zip(places, order, strict=True))]
        yield f"order: expected {', '.join(order)}; got {', '.join(actual)}"


def _all_unmet(where: str, expected: Mapping[str, Any], actual: Mapping[str, object]) -> Iterator[str]:
    for name, value in expected.items():
        yield from _unmet(f"{where}.{name}", value, actual.get(name), present=name in actual)


def _unmet(where: str, expected: Any, actual: object, *, present: bool = True) -> Iterator[str]:
    if expected is msgspec.UNSET:
        return
    actual = msgspec.to_builtins(actual)
    if not is_tests(expected):
        if actual != expected or not present:
            yield f"{where}: expected {_show(expected)}, got {_show(actual) if present else 'nothing'}"
        return
    for name, wanted in expected.items():
        if name == "exists":
            if bool(wanted) != present:
                yield f"{where}: expected to {'exist' if wanted else 'be absent'}"
        elif not present or not _TESTS[name](actual, wanted):
            yield f"{where}: expected {name} {_show(wanted)}, got {_show(actual) if present else 'nothing'}"


def is_tests(value: object) -> bool:
    """Whether an expected value is an object of tests and no value itself."""
    return isinstance(value, Mapping) and bool(value) and all(key in _TESTS for key in value)


def bad_tests(value: object) -> Iterator[str]:
    """What is wrong with the tests in an expected value."""
    if isinstance(value, Mapping):
        if is_tests(value) and "matches" in value:
            try:
                re.compile(str(value["matches"]))
            except re.error as error:
                yield f"matches: {value['matches']!r} is no regular expression: {error}"
        for inner in value.values():
            yield from bad_tests(inner)


def _contains(actual: object, wanted: object) -> bool:
    if isinstance(actual, str):
        return all(str(part) in actual for part in _each(wanted))
    return isinstance(actual, list | Mapping) and all(part in actual for part in _each(wanted))


def _each(wanted: object) -> Sequence[object]:
    return wanted if isinstance(wanted, list) else [wanted]


def _number(actual: object) -> float:
    return float(actual) if isinstance(actual, int | float) else float("nan")


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": lambda actual, wanted: bool(actual == wanted),
    "contains": _contains,
    "not_contains": lambda actual, wanted: not any(_contains(actual, part) for part in _each(wanted)),
    "matches": lambda actual, wanted: isinstance(actual, str) and re.search(str(wanted), actual) is not None,
    "one_of": lambda actual, wanted: actual in wanted,
    "at_least": lambda actual, wanted: _number(actual) >= wanted,
    "at_most": lambda actual, wanted: _number(actual) <= wanted,
    "length": lambda actual, wanted: hasattr(actual, "__len__") and len(actual) == wanted,
    "exists": lambda actual, wanted: True,
}


def _show(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
    return repr(text) if isinstance(value, str) else text
