"""Starting runs: from a request that has passed the door to a run that lives on its own."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from weft.engine import Engine, RunOutcome
from weft.errors import (
    CredentialsError,
    NodeFailedError,
    ProviderError,
    QuotaExceededError,
    RateLimitedError,
    StoreError,
    TooManyRequestsError,
    UnavailableError,
    UnsupportedModelError,
    WeftError,
)
from weft.events import RunFinished, RunStarted
from weft.graph import VariableDeclaration
from weft.nodes import NoHistory, RunInfo, Services, Turn
from weft.runs import naming
from weft.runs.app_version import AppVersion
from weft.runs.live import STOP_SECONDS, LiveRun, LiveRuns
from weft.runs.recorder import Recorder, message_file
from weft.runs.request_file import input_files, message_files
from weft.store import (
    App,
    Conversation,
    ConversationVariable,
    EndUser,
    Message,
    Run,
    Store,
    conversation_variables,
    conversations,
    messages,
    runs,
)
from weft.variables import File, Value, ValueType, VariablePool, matches, render_text, revive

log = logging.getLogger(__name__)

NIL_ID = "00000000-0000-0000-0000-000000000000"
"""Parent of every message that comes through the API."""

_INTRODUCTION = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What is asked of an app, by whom; keys, modes and shapes have been checked."""

    app: App
    version: AppVersion
    end_user: EndUser
    inputs: Mapping[str, object]
    query: str | None = None
    """``None`` in workflow apps."""
    files: Sequence[object] = ()
    conversation: Conversation | None = None
    """The conversation to continue."""
    auto_generate_name: bool = True


@dataclass(slots=True)
class _Prepared:
    """A run whose rows are on disk and that has not begun."""

    live: LiveRun
    recorder: Recorder
    pool: VariablePool
    inputs: dict[str, Value] = field(default_factory=dict)


class Runner:
    """Starts the runs of a process and sees them to their end.

    Args:
        store: Where records go.
        services: What nodes work with.
        owner_id: Id of this process, noted in every run.
        max_active_requests: Runs of one app at a time; 0 means no limit. The app's own number counts
            where it is smaller.
    """

    def __init__(
        self, store: Store, services: Services, *, owner_id: str, max_active_requests: int = 0
    ) -> None:
        self.live = LiveRuns()
        self._store = store
        self._services = services
        self._owner_id = owner_id
        self._max_active = max_active_requests
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._starting: Counter[str] = Counter()
        """Runs by app id that are about to live: their rows are being written."""

    def refuse_new(self) -> None:
        """Begin no further run: the process is about to end."""
        self._closing = True

    def check_slot(self, app: App) -> None:
        """Make sure that the app may start another run.

        Raises:
            TooManyRequestsError: It has as many as it may.
            UnavailableError: No app may, because the process is about to end.
        """
        if self._closing:
            raise UnavailableError("The server is stopping; ask again, another may answer.")
        limits = [limit for limit in (self._max_active, app.max_active_requests or 0) if limit > 0]
        if limits and self.live.count(app.id) + self._starting[app.id] >= min(limits):
            raise TooManyRequestsError(
                "Too many requests. Please try again later. The current maximum concurrent requests "
                f"allowed for {app.id} is {min(limits)}."
            )

    async def start(self, request: RunRequest) -> LiveRun:
        """Check files and inputs, store what the run begins with, and let it run.

        Nothing of the run has been said when this returns, so a listener that is added without waiting
        in between hears everything.

        Raises:
            InvalidRequestError: Files or inputs do not fit the app.
            NotFoundError: The conversation was deleted meanwhile.
            StoreError: The run could not be stored; nothing has happened.
            TooManyRequestsError: The app has as many runs as it may.
        """
        self.check_slot(request.app)
        self._starting[request.app.id] += 1
        try:
            prepared = await self._prepare(request)
        finally:
            self._starting[request.app.id] -= 1
        live = prepared.live
        engine = Engine(
            request.version.graph,
            prepared.pool,
            self._services,
            RunInfo(
                run_id=live.run.id,
                app_id=request.app.id,
                workflow_id=request.version.workflow_id,
                user=request.end_user.session_id,
                conversation_id=None if live.conversation is None else live.conversation.id,
                history=self._history(request),
                secrets=tuple(
                    str(variable.value)
                    for variable in request.version.file.environment_variables
                    if variable.value_type == "secret" and variable.value
                ),
            ),
            live.emit,
        )
        live.engine = engine
        live.listen(prepared.recorder.hear)
        self.live.add(live)
        live.task = asyncio.create_task(self._run(request, prepared, engine))
        self._own(live.task)
        return live

    async def name_conversation(self, app_version: AppVersion, query: str) -> str:
        """A title for a conversation that begins with that query."""
        return await naming.title(query, self._services.models, app_version.models())

    async def close(self, drain_seconds: float) -> None:
        """Let running answers finish within a bound, stop the rest, and wait for all records."""
        await self.live.drain(drain_seconds)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=drain_seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)

    async def _prepare(self, request: RunRequest) -> _Prepared:
        ids, now = self._services.ids, self._services.clock.now()
        version, app = request.version, request.app
        files = message_files(request.files, version.uploads, ids)
        inputs = version.start.accept(request.inputs, input_files(ids))
        run_id = ids.new()
        conversation, message = None, None
        if request.query is not None:
            conversation = self._conversation(request, inputs)
            message = Message(
                id=ids.new(),
                app_id=app.id,
                conversation_id=conversation.id,
                query=request.query,
                from_source="api",
                created_at=now,
                updated_at=now,
                parent_message_id=NIL_ID,
                run_id=run_id,
                end_user_id=request.end_user.id,
                invoke_from="service-api",
                inputs=inputs,
            )
        pool = self._pool(request, inputs, files, run_id, conversation)
        shown = {**inputs, **{f"sys.{name}": value for name, value in pool.all("sys").items()}}
        shown.pop("sys.conversation_id", None)
        run = Run(
            id=run_id,
            app_id=app.id,
            workflow_id=version.workflow_id,
            version=version.label,
            mode=app.mode,
            log_id=ids.new(),
            triggered_from="app-run",
            created_from="service-api",
            created_by_role="end_user",
            created_at=now,
            conversation_id=None if conversation is None else conversation.id,
            message_id=None if message is None else message.id,
            end_user_id=request.end_user.id,
            task_id=ids.new(),
            owner_id=self._owner_id,
            inputs=shown,
        )
        variables = await self._variables(request, conversation)
        rows = [message_file(file, message.id, "user", now, ids) for file in files] if message else []
        stored = list(variables.values())
        new_conversation = conversation if request.conversation is None else None
        await self._store.write(
            lambda connection: runs.start(connection, new_conversation, message, run, stored, rows)
        )
        for variable in variables.values():
            pool.set(
                "conversation", variable.name, revive(variable.value), cast(ValueType, variable.value_type)
            )
        live = LiveRun(run, message, conversation)
        recorder = Recorder(live, variables, store=self._store, clock=self._services.clock, ids=ids)
        return _Prepared(live, recorder, pool, shown)

    def _conversation(self, request: RunRequest, inputs: dict[str, Value]) -> Conversation:
        """The conversation with this message counted: the one to continue, or a new one."""
        if request.conversation is not None:
            return msgspec.structs.replace(
                request.conversation, dialogue_count=request.conversation.dialogue_count + 1
            )
        now = self._services.clock.now()
        opening = request.version.file.features.get("opening_statement")
        return Conversation(
            id=self._services.ids.new(),
            app_id=request.app.id,
            name=naming.provisional_name(request.query or ""),
            from_source="api",
            created_at=now,
            updated_at=now,
            end_user_id=request.end_user.id,
            invoke_from="service-api",
            inputs=inputs,
            introduction=_introduction(opening if isinstance(opening, str) else "", inputs),
            dialogue_count=1,
        )

    def _pool(
        self,
        request: RunRequest,
        inputs: dict[str, Value],
        files: list[File],
        run_id: str,
        conversation: Conversation | None,
    ) -> VariablePool:
        pool = VariablePool()
        system: dict[str, Value] = {
            "files": list(files),
            "user_id": request.end_user.session_id,
            "app_id": request.app.id,
            "workflow_id": request.version.workflow_id,
            "workflow_run_id": run_id,
        }
        if conversation is not None:
            system = {
                "query": request.query,
                "conversation_id": conversation.id,
                "dialogue_count": conversation.dialogue_count,
                **system,
            }
        for name, value in system.items():
            pool.set("sys", name, value)
        for variable in request.version.file.environment_variables:
            pool.set("env", variable.name, variable.value, variable.value_type)
        pool.update(request.version.graph.root.start.id, inputs)
        return pool

    async def _variables(
        self, request: RunRequest, conversation: Conversation | None
    ) -> dict[str, ConversationVariable]:
        """Conversation variables by name: stored values, and defaults for what was never stored."""
        declared = request.version.file.conversation_variables
        if conversation is None or not declared:
            return {}
        stored: dict[str, ConversationVariable] = {}
        if request.conversation is not None:
            rows = await self._store.read_quick(
                lambda connection: conversation_variables.list_all(
                    connection, request.app.id, conversation.id
                )
            )
            stored = {row.variable_id: row for row in rows}
        now = self._services.clock.now()
        return {
            variable.name: _redeclared(stored[variable.id], variable)
            if variable.id in stored
            else ConversationVariable(
                id=self._services.ids.new(),
                conversation_id=conversation.id,
                app_id=request.app.id,
                variable_id=variable.id,
                name=variable.name,
                value_type=variable.value_type,
                created_at=now,
                updated_at=now,
                value=variable.value,
                description=variable.description,
            )
            for variable in declared
        }

    def _history(self, request: RunRequest) -> NoHistory | _StoredHistory:
        if request.conversation is None:
            return NoHistory()
        return _StoredHistory(self._store, request.app.id, request.conversation.id)

    async def _run(self, request: RunRequest, prepared: _Prepared, engine: Engine) -> None:
        live, recorder, clock = prepared.live, prepared.recorder, self._services.clock
        live.emit(
            RunStarted(
                run_id=live.run.id,
                workflow_id=live.run.workflow_id,
                inputs=prepared.inputs,
                at=live.run.created_at,
            )
        )
        try:
            outcome = await self._outcome(engine, recorder, request, live.run.id)
            live.error_code = error_code(outcome.cause)
            live.emit(
                RunFinished(
                    run_id=live.run.id,
                    workflow_id=live.run.workflow_id,
                    status=outcome.status,
                    outputs=outcome.outputs,
                    error=outcome.error,
                    error_code=live.error_code,
                    elapsed_time=outcome.elapsed_time,
                    total_tokens=outcome.usage.total_tokens,
                    total_steps=outcome.total_steps,
                    exceptions_count=outcome.exceptions_count,
                    started_at=live.run.created_at,
                    at=live.run.finished_at or clock.now(),
                    files=outcome.files,
                )
            )
        finally:
            self.live.remove(live)
            live.end()
        if request.query is not None and request.conversation is None and request.auto_generate_name:
            await self._name(request, live)

    async def _outcome(
        self, engine: Engine, recorder: Recorder, request: RunRequest, run_id: str
    ) -> RunOutcome:
        """Run, and have the end on disk; what goes wrong with either is an outcome of its own."""
        try:
            outcome = await engine.run()
        except Exception as error:  # the border around a whole run
            log.exception("run %s broke", run_id)
            outcome = engine.outcome(NodeFailedError(str(error) or type(error).__name__), 0.0)
        resources = request.version.feature("retriever_resource").get("enabled")
        try:
            await recorder.finish(outcome, show_resources=bool(resources))
        except Exception as error:  # also a value that cannot be written as JSON
            log.exception("the end of run %s could not be stored", run_id)
            cause = StoreError(f"the end of this run could not be stored: {error}")
            outcome = engine.outcome(cause, outcome.elapsed_time)
            try:
                await recorder.finish(outcome, show_resources=False)  # without what was to be written before
            except StoreError:
                log.exception("run %s stays without an end until this process is gone", run_id)
        return outcome

    async def _name(self, request: RunRequest, live: LiveRun) -> None:
        """Give a new conversation a better name; trouble leaves it the name that it has."""
        if live.conversation is None or request.query is None:
            return
        conversation_id = live.conversation.id
        try:
            name = await self.name_conversation(request.version, request.query)
            now = self._services.clock.now()
            await self._store.write(
                lambda connection: conversations.rename(
                    connection, request.app.id, conversation_id, name, now, end_user_id=None
                )
            )
        except WeftError as error:
            log.info("conversation %s keeps its name: %s", conversation_id, error)
        except Exception:  # the border around a background task
            log.exception("conversation %s keeps its name", conversation_id)

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _StoredHistory:
    """The earlier exchanges of a stored conversation."""

    def __init__(self, store: Store, app_id: str, conversation_id: str) -> None:
        self._store = store
        self._app_id = app_id
        self._conversation_id = conversation_id

    async def recent(self, limit: int) -> list[Turn]:
        """The newest answered exchanges, oldest first."""
        rows = await self._store.read_quick(
            lambda connection: messages.list_answered(
                connection, self._app_id, self._conversation_id, limit=limit
            )
        )
        return [Turn(row.query, row.answer) for row in rows]


def error_code(cause: WeftError | None) -> str | None:
    """The API's code for what ended a run, where it has one of its own."""
    match cause:
        case CredentialsError():
            return "provider_not_initialize"
        case QuotaExceededError():
            return "provider_quota_exceeded"
        case RateLimitedError():
            return "rate_limit_error"
        case UnsupportedModelError():
            return "model_currently_not_support"
        case ProviderError():
            return "completion_request_error"
        case StoreError():
            return "internal_server_error"
        case _:
            return None


def _introduction(opening: str, inputs: Mapping[str, Value]) -> str:
    """The opening statement with the inputs in place of ``{{name}}``."""
    return _INTRODUCTION.sub(
        lambda match: render_text(inputs[match[1]]) if match[1] in inputs else match[0], opening
    )


def _redeclared(stored: ConversationVariable, declared: VariableDeclaration) -> ConversationVariable:
    """The stored value under its present declaration; a value of another type than that keeps its own."""
    kept = matches(declared.value_type, stored.value)
    return msgspec.structs.replace(
        stored, name=declared.name, value_type=declared.value_type if kept else stored.value_type
    )
