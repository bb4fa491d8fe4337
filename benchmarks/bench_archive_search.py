"""How fast the archive's search index is made, asked and counted; for a million messages run
`python -m benchmarks.bench_archive_search --messages 1000000`."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks._harness import Figure, Options, Result, record, show
from weft.archive import Archive, Conversation, LocalFileSystem, Query
from weft.archive.index import ArchiveIndex

QUESTION = "How fast is the search index made, and asked for words of every frequency in three languages?"
TURNS = 10
DAYS = 365
MIB = 1024 * 1024
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_SYLLABLES = {
    "en": [
        "re",
        "fund",
        "or",
        "der",
        "ship",
        "ment",
        "to",
        "day",
        "cus",
        "tom",
        "er",
        "pay",
        "ing",
        "de",
        "liv",
    ],
    "de": [
        "rück",
        "gabe",
        "be",
        "stel",
        "lung",
        "ver",
        "sand",
        "kos",
        "ten",
        "für",
        "größe",
        "zahl",
        "ung",
        "über",
    ],
    "zh": [chr(code) for code in range(0x4E00, 0x4E00 + 2500)],
}
WORDS = 20_000
"""Of each language; the n-th is 1/n as frequent as the first, as in real texts."""


class _Unsynced(LocalFileSystem):
    """The archive that is measured is thrown away, so its files need not be safe."""

    def sync_file(self, path: Path) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


async def run(options: Options) -> list[Result]:
    """Measure in a folder of its own."""
    return await asyncio.to_thread(measure, options.pick(100_000, 3_000), options.pick(40, 4))


def measure(messages: int, asked: int) -> list[Result]:
    with TemporaryDirectory(prefix="weft-search-") as folder:
        root = Path(folder)
        with Archive.open(root, file_system=_Unsynced()) as archive:
            archive.save(_conversations(messages // TURNS))
            stored = sum(row.totals.size_bytes for row in archive.rows().values())
            index = ArchiveIndex(archive.vault)
            try:
                made = _made(index, messages)
                found = _asked(index, asked)
                counted = _counted(index, asked)
                changed = _changed(archive, index)
            finally:
                index.close()
    note = f"{messages} messages, {stored / 1e6:.0f} MB of conversations"
    return [Result("index", made, note), Result("search", found), Result("statistics", counted), changed]


def _made(index: ArchiveIndex, messages: int) -> dict[str, Figure]:
    """Seconds say little where other programs run: then look at the CPU time of all threads, and at how many
    cores these got."""
    before = _memory()
    began, used = time.perf_counter(), time.process_time()
    done = index.rebuild()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if done.messages != messages or done.damaged:
        raise AssertionError(f"{done.messages} of {messages} messages are in the index")
    return {
        "build": Figure("s", (seconds,)),
        "build_cpu": Figure("s", (cpu,)),
        "build_cores": Figure("cores", (cpu / seconds,)),
        "load_meanwhile": Figure("processes", (load,)),
        "build_memory": Figure("MiB", (_memory() - before,)),
        "size": Figure("MB", (index.status().size_bytes / 1e6,)),
    }


def _asked(index: ArchiveIndex, asked: int) -> dict[str, Figure]:
    """Newest first, for words that nearly every message has, and ever fewer."""
    random = Random(2)
    searches: dict[str, list[str]] = {}
    for language in _SYLLABLES:
        words = _words(language)
        for name, low, high in (("common", 0, 20), ("middle", 20, 500), ("rare", 500, WORDS)):
            searches[f"{language}_{name}"] = [random.choice(words[low:high]) for _ in range(asked)]
    english, chinese = _words("en"), _words("zh")
    searches["two_words"] = [f"{random.choice(english[:300])} {random.choice(english)}" for _ in range(asked)]
    searches["excluded"] = [
        f"{random.choice(english[:50])} -{random.choice(english[:5])}" for _ in range(asked)
    ]
    searches["zh_phrase"] = [random.choice(chinese[:50]) + random.choice(chinese[:50]) for _ in range(asked)]
    searches["zh_character"] = [random.choice(chinese[:500])[0] for _ in range(asked)]
    searches["prefix"] = [random.choice(english)[:4] + "*" for _ in range(asked)]
    searches["filtered"] = [
        f"{random.choice(english[:300])} app:app-3 user:user-{random.randrange(1000)}" for _ in range(asked)
    ]
    searches["nothing"] = [f"zzz{random.randrange(99)}" for _ in range(asked)]
    searches["prefix_of_2"] = [random.choice(english)[:2] + "*" for _ in range(asked)]
    before = _memory()
    found = {name: _timed([_ask(index, text) for text in texts]) for name, texts in searches.items()}
    plain = [_ask(index, text, snippets=False) for texts in searches.values() for text in texts]
    found["all_without_snippets"] = _timed(plain)
    ranked = searches["en_common"] + searches["en_middle"] + searches["zh_middle"]
    found["by_relevance"] = _timed([_ask(index, text, order="relevance") for text in ranked])
    found["deep_page"] = _timed([_pages(index, text) for text in searches["en_common"][:3]])
    found["search_memory"] = Figure("MiB", (_memory() - before,))
    return found


def _ask(index: ArchiveIndex, text: str, **how: object) -> Callable[[], object]:
    return lambda: index.search(text, **how)  # type: ignore[arg-type]


def _pages(index: ArchiveIndex, text: str) -> Callable[[], object]:
    cursor = None
    for _ in range(20):
        cursor = index.search(text, limit=100, cursor=cursor, snippets=False).cursor or cursor
    return lambda: index.search(text, cursor=cursor)


def _counted(index: ArchiveIndex, asked: int) -> dict[str, Figure]:
    rounds = max(3, asked // 4)
    may = Query(start=datetime(2025, 5, 1, tzinfo=UTC).date(), end=datetime(2025, 5, 31, tzinfo=UTC).date())
    return {
        "summary": _timed([lambda: index.statistics()] * rounds),
        "summary_by_day": _timed([lambda: index.statistics(by="day")] * rounds),
        "summary_by_app": _timed([lambda: index.statistics(by="app")] * rounds),
        "summary_by_user": _timed([lambda: index.statistics(by="user")] * rounds),
        "summary_by_model": _timed([lambda: index.statistics(by="model")] * rounds),
        "summary_by_month": _timed([lambda: index.statistics(by="month")] * rounds),
        "month_of_berlin": _timed([lambda: index.statistics(may, by="day", zone="Europe/Berlin")] * rounds),
        "likes_exactly": _timed([lambda: index.statistics(Query(rating="like"))] * 3),
    }


def _changed(archive: Archive, index: ArchiveIndex) -> Result:
    """One conversation is added to the archive, again and again."""
    times = []
    for number in range(20):
        archive.save(
            [_conversation(number, 10_000_000 + number, 1, _texts(), at=_BEGIN + timedelta(days=DAYS))]
        )
        began = time.process_time()
        index.refresh()
        times.append((time.process_time() - began) * 1e3)
    if (wrong := index.verify()) or index.days_behind():
        raise AssertionError(f"the index is wrong: {wrong}")
    return Result("refresh", {"one_conversation": Figure("ms CPU", tuple(times))})


def _timed(calls: Sequence[Callable[[], object]]) -> Figure:
    """CPU time of each call: what else runs on the machine at the moment must not count."""
    times = []
    for call in calls:
        began = time.process_time()
        call()
        times.append((time.process_time() - began) * 1e3)
    return Figure("ms CPU", tuple(times))


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _words(language: str) -> list[str]:
    random = Random(language)
    syllables = _SYLLABLES[language]
    if language == "zh":
        return ["".join(random.choices(syllables, k=2)) for _ in range(WORDS)]
    return [
        "".join(random.choices(syllables, k=random.randint(1, 4))) + str(n % 7 or "") for n in range(WORDS)
    ]


def _texts() -> dict[str, list[str]]:
    random = Random(1)
    found: dict[str, list[str]] = {}
    for language in _SYLLABLES:
        words = _words(language)
        weights = [1 / (n + 1) for n in range(WORDS)]
        chosen = random.choices(words, weights, k=400_000)
        between = "" if language == "zh" else " "
        found[language] = [
            between.join(chosen[start : start + random.randint(8, 60)]) for start in range(0, 399_000, 40)
        ]
    return found


def _conversations(count: int) -> Iterator[Conversation]:
    texts = _texts()
    for number in range(count):
        yield _conversation(number, number, count, texts)


def _conversation(
    number: int, id: int, count: int, texts: dict[str, list[str]], at: datetime | None = None
) -> Conversation:
    begin = at or _BEGIN + timedelta(days=number * DAYS // count, seconds=number * 7919 % 80_000)
    some = texts[("en", "de", "zh")[number % 3]]
    return Conversation.parse(
        {
            "conversation_id": f"018f2b6e-7c3a-7000-8000-{id:012x}",
            "app_id": f"app-{number % 5}",
            "name": some[number % len(some)][:40],
            "created_at": begin.isoformat(),
            "messages": [
                {
                    "id": f"018f2b6e-7c3b-7000-{turn:04x}-{id:012x}",
                    "query": some[(number * 31 + turn * 7) % len(some)][:120],
                    "answer": some[(number * 17 + turn * 101) % len(some)],
                    "created_at": (begin + timedelta(seconds=20 * turn)).isoformat(),
                    "message_tokens": 100 + number % 50,
                    "answer_tokens": 60,
                    "provider_response_latency": 0.2 + (number * 13 + turn) % 400 / 100,
                    "from_end_user_id": f"user-{number % 1000}",
                    "metadata": {"usage": {"total_price": "0.0012345", "currency": "USD"}},
                    "model_id": f"model-{number % 3}",
                    "feedback": {"rating": "like" if turn else "dislike"} if number % 20 == 0 else None,
                }
                for turn in range(TURNS)
            ],
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_archive_search", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--keep", action="store_true", help="add a line to results/")
    wanted = parser.parse_args()
    results = measure(wanted.messages, 40)
    show(QUESTION, results, Console())
    if wanted.keep:
        record("archive_search", QUESTION, results, datetime.now(UTC))


if __name__ == "__main__":
    main()
