"""How things are measured here, and how what was found is kept and shown.

A benchmark is a module `bench_<name>.py` with a `QUESTION` and ``async def run(options) -> list[Result]``.
Servers that are compared take turns, round by round, so that a change in the machine's speed meets them all;
a ratio is taken within a round and the median of the rounds is shown.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks._machine import commit, machine
from benchmarks._process import ServerProcess
from benchmarks.load import LoadClient, LoadReport, Target, percentile

RESULTS = Path(__file__).resolve().parent / "results"
FLOOR = "floor"
MIB = 1024 * 1024
# Read before anything is pinned, this process included.
_AVAILABLE = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
LEAST_CPU_SECONDS = 0.3
"""Below this, the clock tick of 10 ms is more than three per cent of what is measured."""


class AbsentError(Exception):
    """Something that the benchmark needs is not installed here; the message says what, and how to get it."""


class UnsoundError(Exception):
    """The measurement cannot be trusted: answers failed, or too little was measured."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured."""

    short: bool = False
    """See that it works, in seconds; the figures are rough."""

    def pick(self, full: int, short: int) -> int:
        """One of two amounts."""
        return short if self.short else full


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, once for each round."""

    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        return percentile(self.values, 0.95)

    def ratio(self, other: Figure) -> float:
        """The median of the ratios of values that were measured in the same round, or of the medians."""
        if len(self.values) == len(other.values):
            return statistics.median(mine / its for mine, its in zip(self.values, other.values, strict=True))
        return self.median / other.median


@dataclass(frozen=True, slots=True)
class Result:
    """What was found of one thing; the one named `floor` is what others are compared with."""

    name: str
    figures: Mapping[str, Figure]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server to be measured: how it is started and what it is asked."""

    server: ServerProcess
    target: Target
    """Its host and port are filled in when the server runs."""


@dataclass(slots=True)
class _Rounds:
    """The values of one candidate, by figure, as rounds bring them."""

    units: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, unit: str, value: float) -> None:
        self.units[name] = unit
        self.values.setdefault(name, []).append(value)

    def figures(self) -> dict[str, Figure]:
        return {name: Figure(self.units[name], tuple(values)) for name, values in self.values.items()}


def cores() -> tuple[int | None, int | None]:
    """A core for the server and one for everything else; none where the machine has a single core."""
    return (_AVAILABLE[0], _AVAILABLE[1]) if len(_AVAILABLE) > 1 else (None, None)


async def compare(
    candidates: Mapping[str, Candidate], *, answers: int, warmup: int, rounds: int
) -> list[Result]:
    """Start all servers, warm each up, then measure them in turns.

    Args:
        candidates: Name to server; `floor` is the one that others are compared with.
        answers: Answers in one measured window.
        warmup: Answers before the first window, on the same connections.
        rounds: Windows for each server.

    Raises:
        UnsoundError: An answer failed, or a window was too short for the clock.
    """
    found = {name: _Rounds() for name in candidates}
    async with AsyncExitStack() as stack:
        running: dict[str, tuple[ServerProcess, LoadClient]] = {}
        for name, candidate in candidates.items():
            server = await stack.enter_async_context(candidate.server)
            target = replace(candidate.target, host=server.host, port=server.port)
            client = await stack.enter_async_context(LoadClient(target))
            _sound(name, await client.run(warmup))
            found[name].add("startup", "ms", server.startup * 1000)
            running[name] = server, client
        for _ in range(rounds):
            for name, (server, client) in running.items():
                await _measure(name, server, client, answers, found[name])
    return [Result(name, rounds_of.figures()) for name, rounds_of in found.items()]


async def _measure(
    name: str, server: ServerProcess, client: LoadClient, answers: int, found: _Rounds
) -> None:
    before = server.cpu_seconds()
    report = await client.run(answers)
    used = server.cpu_seconds() - before
    memory = server.memory()
    _sound(name, report)
    if used < LEAST_CPU_SECONDS:
        raise UnsoundError(
            f"{name} used {used:.2f} s of CPU for {answers} answers, too little for the clock; ask for more"
        )
    found.add("cpu_per_answer", "ms", used / report.answers * 1e3)
    found.add("cpu_per_event", "µs", used / report.events * 1e6)
    found.add("answers_per_second", "1/s", report.answers_per_second)
    found.add("first_event", "ms", percentile(report.first_event, 0.5) * 1e3)
    found.add("first_event_p95", "ms", percentile(report.first_event, 0.95) * 1e3)
    if report.delays:
        found.add("delay", "ms", percentile(report.delays, 0.5) * 1e3)
        found.add("delay_p95", "ms", percentile(report.delays, 0.95) * 1e3)
    found.add("rss", "MiB", memory.rss / MIB)
    found.add("pss", "MiB", memory.pss / MIB)


def _sound(name: str, report: LoadReport) -> None:
    if report.errors:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in report.errors.most_common())
        raise UnsoundError(f"{name} failed: {kinds}\n{report.sample}")


def record(
    name: str,
    question: str,
    results: Sequence[Result],
    at: datetime,
    folder: Path = RESULTS,
) -> Path:
    """Append one line to the results of a benchmark: question, figures, machine, commit.

    Returns:
        The file.
    """
    line = {
        "benchmark": name,
        "question": question,
        "at": at.isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "results": {
            result.name: {
                **({"note": result.note} if result.note else {}),
                **{
                    key: {
                        "unit": figure.unit,
                        "median": round(figure.median, 4),
                        "p95": round(figure.p95, 4),
                        "rounds": len(figure.values),
                    }
                    for key, figure in result.figures.items()
                },
            }
            for result in results
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path


def show(question: str, results: Sequence[Result], console: Console) -> None:
    """Print a table: a row for each figure, a column for each thing, ratios to the floor in brackets."""
    table = Table(title=question, title_justify="left", caption="median (95th percentile), × floor")
    table.add_column("")
    for result in results:
        table.add_column(result.name, justify="right")
    floor = next((result for result in results if result.name == FLOOR), None)
    for key in dict.fromkeys(key for result in results for key in result.figures):
        units = {result.figures[key].unit for result in results if key in result.figures}
        cells = [_cell(result, key, floor) for result in results]
        table.add_row(f"{key.replace('_', ' ')} [{'/'.join(sorted(units))}]".replace("[", r"\["), *cells)
    console.print(table)
    for result in results:
        if result.note:
            console.print(f"{result.name}: {result.note}")


def _cell(result: Result, key: str, floor: Result | None) -> str:
    figure = result.figures.get(key)
    if figure is None:
        return ""
    text = f"{figure.median:.4g}"
    if len(figure.values) > 1:
        text += f" ({figure.p95:.4g})"
    base = floor.figures.get(key) if floor is not None and floor is not result else None
    if base is not None and min(base.values) > 0:
        text += f" ×{figure.ratio(base):.2f}"
    return text
