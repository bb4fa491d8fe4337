from __future__ import annotations

import io
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import _harness
from benchmarks.__main__ import discover, load, main
from benchmarks._harness import Candidate, Figure, Result, UnsoundError, compare, cores, record, show
from benchmarks._process import ServerFailedError, ServerProcess, python
from benchmarks.load import Target

linux = pytest.mark.skipif(sys.platform != "linux", reason="measures processes through /proc")

FLOOR = python("-m", "benchmarks.floor", "--chunks", "5", "--loop", "asyncio")
RESULTS = [
    Result("floor", {"cpu": Figure("ms", (1.0, 2.0, 4.0)), "startup": Figure("ms", (10.0,))}),
    Result("ours", {"cpu": Figure("ms", (1.5, 4.0, 6.0))}, note="in one process"),
]


@linux
@pytest.mark.anyio
async def test_servers_are_measured_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_harness, "LEAST_CPU_SECONDS", -1.0)
    core, _ = cores()
    target = Target(host="", port=0, streams=2)
    candidates = {name: Candidate(ServerProcess(FLOOR, core=core), target) for name in ("floor", "again")}
    results = await compare(candidates, answers=10, warmup=2, rounds=3)
    assert [result.name for result in results] == ["floor", "again"]
    for result in results:
        assert {name: len(figure.values) for name, figure in result.figures.items()} == {
            "startup": 1,
            "cpu_per_answer": 3,
            "cpu_per_event": 3,
            "answers_per_second": 3,
            "first_event": 3,
            "first_event_p95": 3,
            "rss": 3,
            "pss": 3,
        }
        assert result.figures["rss"].median >= result.figures["pss"].median > 1


@linux
@pytest.mark.anyio
async def test_a_window_that_is_too_short_for_the_clock_is_no_measurement() -> None:
    candidate = Candidate(ServerProcess(FLOOR), Target(host="", port=0))
    with pytest.raises(UnsoundError, match="too little for the clock"):
        await compare({"floor": candidate}, answers=1, warmup=1, rounds=1)


FAMILY = """
import subprocess, sys, time
burn = "import time\\nwhile time.process_time() < 0.2: pass\\n"
subprocess.run([sys.executable, "-c", burn])
speak = "print('http://here:1', flush=True)\\ninput()"
child = subprocess.Popen([sys.executable, "-c", burn + speak], stdin=subprocess.PIPE)
child.wait()
"""


@linux
@pytest.mark.anyio
async def test_the_cpu_of_children_counts_whether_they_ended_or_not() -> None:
    async with ServerProcess(python("-c", FAMILY)) as server:
        assert server.cpu_seconds() >= 0.38
        assert (server.host, server.port) == ("here", 1)
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@linux
@pytest.mark.anyio
async def test_a_server_runs_on_the_core_that_it_was_given() -> None:
    core = sorted(os.sched_getaffinity(0))[0]
    async with ServerProcess(FLOOR, core=core) as server:
        assert os.sched_getaffinity(server.pid) == {core}


@linux
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('no such file'); raise SystemExit(3)", r"ended with code 3\nno such file"),
        (
            "print('thinking', flush=True); __import__('time').sleep(60)",
            r"not ready after 0.5 s\nthinking",
        ),
    ],
)
async def test_a_server_that_does_not_start_is_reported_with_what_it_said(code: str, message: str) -> None:
    with pytest.raises(ServerFailedError, match=message):
        async with ServerProcess(python("-c", code), timeout=0.5 if "sleep" in code else 20):
            pytest.fail("it did start")


def test_a_ratio_is_taken_within_rounds() -> None:
    floor, ours = RESULTS[0].figures["cpu"], RESULTS[1].figures["cpu"]
    assert (ours.ratio(floor), ours.median, ours.p95) == (1.5, 4.0, 6.0)
    assert ours.ratio(RESULTS[0].figures["startup"]) == 0.4


def test_a_line_is_added_to_what_was_found_before(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    record("stream", "How fast?", RESULTS, at, tmp_path)
    path = record("stream", "How fast?", RESULTS, at, tmp_path)
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first == second
    assert {key: first[key] for key in ("benchmark", "question", "at")} == {
        "benchmark": "stream",
        "question": "How fast?",
        "at": "2026-01-02T03:04:05+00:00",
    }
    assert first["results"]["ours"] == {
        "note": "in one process",
        "cpu": {"unit": "ms", "median": 4.0, "p95": 6.0, "rounds": 3},
    }
    assert first["machine"]["packages"]["weft"]


def test_the_table_has_a_row_for_each_figure_with_ratios_to_the_floor() -> None:
    out = io.StringIO()
    show("How fast?", RESULTS, Console(file=out, width=100))
    rows = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in out.getvalue().splitlines()]
    assert ["cpu [ms]", "2 (4)", "4 (6) ×1.50"] in rows
    assert ["startup [ms]", "10", ""] in rows
    assert "ours: in one process" in out.getvalue()


def test_every_benchmark_asks_a_question() -> None:
    assert "floor" in discover()
    assert [name for name in discover() if not load(name).question.endswith("?")] == []


def test_a_benchmark_that_does_not_exist_is_refused_with_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["flor"])
    assert caught.value.code == 2
    assert "unknown benchmark 'flor'; did you mean 'floor'?" in capsys.readouterr().err
