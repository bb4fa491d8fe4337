"""What the archive costs: storing, finding, exporting, proving."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks._harness import Figure, Options, Result
from weft.archive import Archive, Conversation, Query

QUESTION = "How fast are storing, summary, export and verify on an archive of a million messages?"
TURNS = 10
DAYS = 365
MIB = 1024 * 1024
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_WORDS = ["order", "delivery", "refund", "please", "the", "a", "of", "to", "and", "is", "we", "can", "your"]
_WORDS += ["account", "number", "product", "tomorrow", "shipping", "help", "with", "cancel", "answer", "team"]


async def run(options: Options) -> list[Result]:
    """Measure in a folder of its own; the archive is made first, which is measured too."""
    return await asyncio.to_thread(measure, options.pick(100_000, 2_000), options.pick(3, 2))


def measure(conversations: int, rounds: int) -> list[Result]:
    with TemporaryDirectory(prefix="weft-archive-") as folder:
        root = Path(folder)
        stored, seconds = _store(root, conversations)
        with Archive.open(root) as archive:
            plain = _figures(archive, rounds, stored, seconds)
            began = time.perf_counter()
            packed = archive.compress_sealed_days(0)
            packing = time.perf_counter() - began
            small = _figures(archive, max(1, rounds // 2), stored, 0)
        small["packing"] = Figure("MB/s", (packed.bytes_before / 1e6 / packing,))
        small["ratio"] = Figure("x", (packed.bytes_before / packed.bytes_after,))
        with Archive.open(root, read_only=True) as reader:
            small["summary_read_only"] = _timed(reader.get_logs_summary, rounds, "ms", 1e3)
    note = f"{conversations} conversations, {conversations * TURNS} messages, {stored / 1e6:.0f} MB"
    return [Result("plain", plain, note), Result("packed", small)]


def _store(root: Path, conversations: int) -> tuple[int, float]:
    began = time.perf_counter()
    with Archive.open(root) as archive:
        stored = archive.save(_conversations(conversations)).bytes_written
    return stored, time.perf_counter() - began


def _figures(archive: Archive, rounds: int, stored: int, seconds: float) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if seconds:
        figures["store"] = Figure("MB/s", (stored / 1e6 / seconds,))
    figures["summary"] = _timed(archive.get_logs_summary, rounds, "ms", 1e3)
    figures["count"] = _timed(lambda: archive.count(Query(rating="none")), rounds, "ms", 1e3)
    for name in ("jsonl", "csv", "openai"):
        speeds = []
        for _ in range(rounds if name == "jsonl" else 1):
            began, used = time.perf_counter(), time.process_time()
            size = sum(len(chunk) for chunk in archive.export(name))
            speeds.append(size / 1e6 / (time.perf_counter() - began))
            cpu = time.process_time() - used
        figures[f"export_{name}"] = Figure("MB/s", tuple(speeds))
        figures[f"export_{name}_cpu"] = Figure("s", (cpu,))
        figures[f"export_{name}_memory"] = Figure("MiB", (_memory(archive.root, name),))
    for depth in ("structure", "bytes"):
        began = time.perf_counter()
        if archive.verify(depth).findings:
            raise AssertionError("the archive that was just written is not sound")
        figures[f"verify_{depth}"] = Figure("s", (time.perf_counter() - began,))
    return figures


def _memory(root: Path, name: str) -> float:
    """What an export adds to the peak of a process that did nothing before, in MiB."""
    command = [sys.executable, "-m", "benchmarks.bench_archive", str(root), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _print_memory(root: Path, name: str) -> None:
    with Archive.open(root, read_only=True) as archive:
        before = _peak_kib()
        for _ in archive.export(name):
            pass
        print((_peak_kib() - before) / 1024)


def _peak_kib() -> int:
    # Not ru_maxrss: a child begins with the peak of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _timed(function: Callable[[], object], rounds: int, unit: str, factor: float) -> Figure:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        function()
        times.append((time.perf_counter() - began) * factor)
    return Figure(unit, tuple(times))


def _conversations(count: int) -> Iterator[Conversation]:
    random = Random(1)  # the same words every time
    texts = [" ".join(random.choices(_WORDS, k=random.randint(20, 60))) for _ in range(500)]
    for number in range(count):
        at = _BEGIN + timedelta(days=number * DAYS // count, seconds=number % 80_000)
        yield Conversation.parse(
            {
                "conversation_id": f"018f2b6e-7c3a-7000-8000-{number:012x}",
                "app_id": f"app-{number % 5}",
                "name": texts[number % 500][:40],
                "created_at": at.isoformat(),
                "messages": [
                    {
                        "id": f"018f2b6e-7c3b-7000-{turn:04x}-{number:012x}",
                        "query": texts[(number + turn) % 500][:120],
                        "answer": texts[(number * 7 + turn) % 500] + f" {number}",
                        "created_at": (at + timedelta(seconds=20 * turn)).isoformat(),
                        "message_tokens": 100,
                        "answer_tokens": 60,
                        "provider_response_latency": 0.8,
                        "from_end_user_id": f"user-{number % 1000}",
                    }
                    for turn in range(TURNS)
                ],
            }
        )


if __name__ == "__main__":
    _print_memory(Path(sys.argv[1]), sys.argv[2])  # in a process that has held nothing else
