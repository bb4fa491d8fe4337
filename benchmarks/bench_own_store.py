"""A server's own records: how fast they are archived, thinned out and put back, and what the disk gets back.

Conversations have two messages each, every one with its run and three node executions, and differ in length.
Everything is done in this process and synced as ever; what is counted is its CPU time, all threads included.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks._harness import MIB, Figure, Options, Result, UnsoundError
from weft.archive import (
    AsyncArchive,
    RetentionRule,
    StoreSource,
    delete_archived,
    preview_delete_archived,
    restore_conversations,
)
from weft.clock import SystemClock
from weft.ids import TimeOrderedIds
from weft.store import (
    App,
    Connection,
    Conversation,
    EndUser,
    Message,
    NodeExecution,
    Run,
    Store,
    Workspace,
    apps,
    compact,
    conversations,
    end_users,
    messages,
    node_executions,
    open_search_index,
    open_store,
    runs,
    workspaces,
)

QUESTION = "How fast are a server's own records archived, thinned out and put back, and what is freed?"

SIZE = "WEFT_BENCH_OWN_STORE"
"""Environment variable: conversations."""
MESSAGES, NODES = 2, 3
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_PORTION = 100
_WORDS = ["invoice", "refund", "parcel", "address", "delivery", "battery", "charger", "warranty"]
_KEPT = 0.1
"""Share of the conversations that is young, and stays."""
T = TypeVar("T")


async def run(options: Options) -> list[Result]:
    size = int(os.environ.get(SIZE, options.pick(10_000, 300)))
    with TemporaryDirectory(prefix="weft-own-store-") as folder:
        return await _measure(Path(folder), size)


@dataclass(slots=True)
class _Watch:
    """Takes the time of one thing after the other."""

    figures: dict[str, dict[str, Figure]]

    async def over(self, name: str, count: int, work: Awaitable[T]) -> T:
        began, used = time.perf_counter(), time.process_time()
        done = await work
        wall, cpu = time.perf_counter() - began, time.process_time() - used
        self.figures[name] = {
            "conversations_per_second": Figure("1/s", (count / wall,)),
            "cpu_per_conversation": Figure("ms", (cpu / count * 1e3,)),
        }
        return done


async def _measure(folder: Path, size: int) -> list[Result]:
    clock, watch = SystemClock(), _Watch({})
    url = f"sqlite:///{folder}/weft.db"
    async with open_store(url, clock=clock, search_index=True) as store:
        app = await _fill(store, size)
        index = open_search_index(url)
        while await index.step(store, 500):
            pass
        async with await AsyncArchive.open(folder / "archive") as archive:
            source = StoreSource(store, clock=clock)
            report = await watch.over("pull", size, archive.pull(source))
            _sound(report.total("written"), size)
            again = await watch.over("pull, nothing new", size, archive.pull(source))
            _sound(again.total("written"), 0)
            old = size - int(size * _KEPT)
            age = (clock.now() - _at(old - 0.5, size)).total_seconds() / 86_400
            rules = [RetentionRule("old", age)]
            plan = await watch.over("preview", old, preview_delete_archived(store, archive.archive, rules))
            _sound(plan.candidates, old)
            gone = await watch.over(
                "thin", old, delete_archived(store, archive.archive, rules, max_share=1.0)
            )
            _sound(gone.deleted, old)
            slowest = _Slowest(store)
            async with slowest:
                live = await watch.over("give back, beside others", old, compact(store, url, clock))
            whole = await watch.over("give back, alone", old, compact(store, url, clock, alone=True))
            back = await watch.over("restore", old, restore_conversations(archive.archive, store, app.id))
            _sound(back.conversations, old)
    sizes = {
        "full": live.before,
        "after thinning, beside others": live.after,
        "after thinning, alone": whole.after,
    }
    return [
        *(Result(name, figures) for name, figures in watch.figures.items()),
        Result(
            "disk",
            {
                **{name: Figure("MiB", (value / MIB,)) for name, value in sizes.items()},
                "slowest write of others": Figure("ms", (max(slowest.seconds) * 1e3,)),
            },
            f"{size:,} conversations, of which {old:,} went; database and search index with their logs",
        ),
    ]


class _Slowest:
    """Somebody who writes all the while, and how long each write took."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._task: asyncio.Task[None] | None = None
        self.seconds: list[float] = [0.0]

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def __aexit__(self, *error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _write(self) -> None:
        while True:
            began = time.perf_counter()
            await self._store.write(
                lambda connection: connection.exec_driver_sql("UPDATE workspaces SET name = 'bench'")
            )
            self.seconds.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)


def _sound(found: int, wanted: int) -> None:
    if found != wanted:
        raise UnsoundError(f"{found} conversations instead of {wanted}")


def _at(number: float, size: int) -> datetime:
    return _BEGIN + timedelta(days=90) * (number / size)


async def _fill(store: Store, size: int) -> App:
    ids, chance = TimeOrderedIds(), random.Random(1)
    workspace = Workspace(ids.new(), "bench", _BEGIN)
    app = App(ids.new(), workspace.id, "bench", "advanced-chat", _BEGIN, _BEGIN)
    users = [EndUser(ids.new(), workspace.id, app.id, f"person-{n}", _BEGIN, _BEGIN) for n in range(100)]

    def seed(connection: Connection) -> None:
        workspaces.find_or_create(connection, workspace)
        apps.create(connection, app)
        for user in users:
            end_users.find_or_create(connection, user)

    await store.write(seed)
    for first in range(0, size, _PORTION):
        numbers = range(first, min(first + _PORTION, size))
        rows = [_talk(ids, app, users[n % len(users)], _at(n, size), chance) for n in numbers]
        await store.write(_inserting(rows))
    return app


_Rows = tuple[Conversation, list[tuple[Message, Run, list[NodeExecution]]]]


def _inserting(rows: Sequence[_Rows]) -> Callable[[Connection], None]:
    def insert(connection: Connection) -> None:
        for talk, said in rows:
            conversations.insert(connection, talk)
            for message, made, executions in said:
                messages.insert(connection, message)
                runs.start(connection, None, None, made)
                node_executions.append(connection, executions)

    return insert


def _talk(ids: TimeOrderedIds, app: App, user: EndUser, at: datetime, chance: random.Random) -> _Rows:
    talk = Conversation(
        id=ids.new(),
        app_id=app.id,
        name="About a parcel",
        from_source="api",
        created_at=at,
        updated_at=at,
        end_user_id=user.id,
        invoke_from="service-api",
    )
    return talk, [_message(ids, talk, user, at, chance) for _ in range(MESSAGES)]


def _message(
    ids: TimeOrderedIds, talk: Conversation, user: EndUser, at: datetime, chance: random.Random
) -> tuple[Message, Run, list[NodeExecution]]:
    query = " ".join(chance.choices(_WORDS, k=12))
    answer = " ".join(chance.choices(_WORDS, k=chance.choice([20, 60, 200])))
    message_id, run_id = ids.new(), ids.new()
    message = Message(
        id=message_id,
        app_id=talk.app_id,
        conversation_id=talk.id,
        query=query,
        from_source="api",
        created_at=at,
        updated_at=at,
        run_id=run_id,
        end_user_id=user.id,
        invoke_from="service-api",
        answer=answer,
    )
    made = Run(
        id=run_id,
        app_id=talk.app_id,
        workflow_id=talk.app_id,
        version="1",
        mode="advanced-chat",
        log_id=ids.new(),
        triggered_from="app-run",
        created_from="service-api",
        created_by_role="end_user",
        created_at=at,
        status="succeeded",
        conversation_id=talk.id,
        message_id=message_id,
        end_user_id=user.id,
        inputs={"sys.query": query},
        outputs={"answer": answer},
        finished_at=at,
    )
    executions = [
        NodeExecution(
            id=ids.new(),
            run_id=run_id,
            app_id=talk.app_id,
            index=index + 1,
            node_id=f"node{index}",
            node_type="llm",
            title="Node",
            status="succeeded",
            created_at=at,
            inputs={"text": query},
            outputs={"text": answer},
            elapsed_time=0.5,
            finished_at=at,
        )
        for index in range(NODES)
    ]
    return message, made, executions
