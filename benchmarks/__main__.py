"""`python -m benchmarks [NAME ...] [--short] [--list]`: run benchmarks, keep what they find, show it."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import pkgutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module

import uvloop
from rich.console import Console

import benchmarks
from benchmarks._harness import AbsentError, Options, Result, UnsoundError, cores, record, show
from benchmarks._process import ServerFailedError

PREFIX = "bench_"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module that answers a question by measuring."""

    name: str
    question: str
    run: Callable[[Options], Awaitable[list[Result]]]


def discover() -> list[str]:
    """Names of all benchmarks, without the prefix of their modules, sorted."""
    names = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX))


def load(name: str) -> Benchmark:
    """The benchmark of that name."""
    module = import_module(f"benchmarks.{PREFIX}{name}")
    return Benchmark(name, module.QUESTION, module.run)


def run(names: Sequence[str], options: Options, console: Console) -> int:
    """Run benchmarks one after the other; one that fails does not keep the others from running.

    Returns:
        0 when all were measured, else 1; one whose peer is absent says so and counts as measured.
    """
    code = 0
    for name in names:
        try:
            benchmark = load(name)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                results = runner.run(_run(benchmark, options))
        except AbsentError as error:
            console.print(f"{name}: not measured: {error}", markup=False)
        except (ServerFailedError, UnsoundError) as error:
            console.print(f"{name}: failed: {error}", markup=False)
            code = 1
        else:
            show(f"{name}: {benchmark.question}", results, console)
            if not options.short:
                path = record(name, benchmark.question, results, datetime.now(UTC))
                console.print(f"kept in {os.path.relpath(path)}", markup=False)
    return code


async def _run(benchmark: Benchmark, options: Options) -> list[Result]:
    return await benchmark.run(options)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (default: all)")
    parser.add_argument("--short", action="store_true", help="only see that they work; nothing is kept")
    parser.add_argument("--list", action="store_true", help="say which there are and what they ask")
    chosen = parser.parse_args(arguments)
    known = discover()
    for name in chosen.names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            parser.error(f"unknown benchmark {name!r}; {hint}")
    if chosen.list:
        for name in chosen.names or known:
            print(f"{name:12} {load(name).question}")
        return 0
    _, own = cores()
    if own is not None:
        os.sched_setaffinity(0, {own})
    return run(chosen.names or known, Options(short=chosen.short), Console())


if __name__ == "__main__":
    sys.exit(main())
