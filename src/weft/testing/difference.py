"""How one run differs from another: ways taken, what went into nodes, what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from weft.testing.recording import FILE_TAG, RecordedExecution, RecordedTurn

_MEASURED = frozenset({"latency", "time_to_first_token", "time_to_generate", "elapsed_time"})
"""Keys whose values are times, which are others in every run."""
_SHOWN = 200
"""Characters of a value that are shown."""

Place: TypeAlias = tuple[str, str | None, int | None, str | None, int | None, int]
"""Node, innermost iteration and loop with their indexes, and how many times it had run there before."""


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not as it was."""

    where: str
    """``answer``, ``outputs.text``, or a node with what of it, e.g. ``node 'Advice' inputs.prompt``."""
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.where}: was {_show(self.before)}, is {_show(self.after)}"


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def differences(before: RecordedTurn, after: RecordedTurn) -> list[Difference]:
    """Everything in which two runs differ that is not time or chance, the run as a whole first."""
    found: list[Difference] = []
    for name in ("status", "error", "answer"):
        found += _compared(name, getattr(before, name), getattr(after, name), before, after)
    found += _compared("outputs", before.outputs, after.outputs, before, after)
    found += _ways(before, after)
    return found


def _ways(before: RecordedTurn, after: RecordedTurn) -> Iterator[Difference]:
    old, new = _placed(before.executions), _placed(after.executions)
    for place, execution in old.items():
        where = _name(execution, place)
        if place not in new:
            yield Difference(where, "ran", "did not run")
            continue
        other = new[place]
        for part in ("status", "error", "inputs", "process_data", "outputs"):
            was, is_now = getattr(execution, part), getattr(other, part)
            yield from _compared(f"{where} {part}", was, is_now, before, after)
    for place, execution in new.items():
        if place not in old:
            yield Difference(_name(execution, place), "did not run", "ran")


def _placed(executions: Sequence[RecordedExecution]) -> dict[Place, RecordedExecution]:
    seen: Counter[Place] = Counter()
    placed: dict[Place, RecordedExecution] = {}
    for one in executions:
        key = (one.node_id, one.iteration_id, one.iteration_index, one.loop_id, one.loop_index, 0)
        placed[(*key[:5], seen[key])] = one
        seen[key] += 1
    return placed


def _name(execution: RecordedExecution, place: Place) -> str:
    rounds = [index + 1 for index in (place[2], place[4]) if index is not None]
    again = [place[5] + 1] if place[5] else []
    told = "".join(f" [{number}]" for number in (*rounds, *again))
    return f"node {execution.title or execution.node_id!r}{told}"


def _compared(
    where: str, was: object, is_now: object, before: RecordedTurn, after: RecordedTurn
) -> Iterator[Difference]:
    yield from _deep(where, _settled(was, before.volatile), _settled(is_now, after.volatile))


def _deep(where: str, was: object, is_now: object) -> Iterator[Difference]:
    if isinstance(was, Mapping) and isinstance(is_now, Mapping):
        for key in [*was, *(key for key in is_now if key not in was)]:
            yield from _deep(f"{where}.{key}", was.get(key, ABSENT), is_now.get(key, ABSENT))
    elif isinstance(was, list) and isinstance(is_now, list) and len(was) == len(is_now):
        for index, (one, other) in enumerate(zip(was, is_now, strict=True)):
            yield from _deep(f"{where}[{index}]", one, other)
    elif was != is_now:
        yield Difference(where, was, is_now)


def _settled(value: object, volatile: Mapping[str, str]) -> object:
    """The value without what changes from run to run."""
    if isinstance(value, str):
        for id, name in volatile.items():
            if id in value:
                value = value.replace(id, name)
        return value
    if isinstance(value, Mapping):
        dropped = {*_MEASURED, "id", "related_id", "url"} if FILE_TAG in value else _MEASURED
        return {key: _settled(inner, volatile) for key, inner in value.items() if key not in dropped}
    if isinstance(value, list):
        return [_settled(inner, volatile) for inner in value]
    return value


def _show(value: object) -> str:
    if value is ABSENT:
        return "absent"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
    return repr(text) if isinstance(value, str) else text
