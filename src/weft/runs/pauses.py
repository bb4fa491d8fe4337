"""Paused runs: reading one from disk to let it go on, ending one, and telling other processes of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from weft.engine import FORMAT, awaited_keys, change_variables, load_saved
from weft.errors import ConflictError, GraphError, RunError, StoreError, VariableError
from weft.events import PauseReason, RunFinished, RunPaused
from weft.nodes import History, NoHistory, RunInfo, Services
from weft.runs.app_version import AppVersion, Catalog
from weft.runs.forms import form_answer, form_closed, form_requested
from weft.runs.fresh_links import sign_again
from weft.runs.history import StoredHistory
from weft.runs.live import LiveRun, LiveRuns
from weft.runs.prepared import Prepared
from weft.runs.recorder import Recorder
from weft.store import (
    Connection,
    Conversation,
    ConversationVariable,
    Form,
    Message,
    Run,
    RunState,
    Signal,
    Store,
    Workflow,
    conversation_variables,
    conversations,
    forms,
    messages,
    run_states,
    runs,
    signals,
    workflows,
)
from weft.variables import Selector, Value, VariablePool, revive

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    """A paused run as it lies on disk."""

    run: Run
    state: RunState | None
    forms: Sequence[Form]
    workflow: Workflow | None
    message: Message | None
    conversation: Conversation | None
    variables: Sequence[ConversationVariable]


class Pauses:
    """The paused runs of all processes.

    Args:
        store: Where they are.
        services: Clock and ids.
        catalog: Compiled versions.
        owner_id: Id of this process.
        live: The runs that go on here.
    """

    def __init__(
        self, store: Store, services: Services, catalog: Catalog, *, owner_id: str, live: LiveRuns
    ) -> None:
        self._store = store
        self._services = services
        self._catalog = catalog
        self._owner_id = owner_id
        self._live = live

    async def prepare(
        self, app_id: str, run_id: str, *, anyway: bool, live: LiveRun | None = None
    ) -> Prepared | None:
        """Take a paused run over, to go on in this process with what has come for it.

        A run that cannot go on, because its state or its graph cannot be read by this program, is ended as
        failed and says why.

        Args:
            app_id: Its app.
            run_id: The run.
            anyway: Go on even if nothing that it waits for has come, as after a pause from outside.
            live: The run itself, where it has paused in this process just now and still has its listeners.

        Returns:
            The run; nothing if it is not paused, waits on, was ended, or another process was faster.
        """
        while True:
            found = await self._store.read(lambda connection: _find(connection, app_id, run_id))
            if found is None:
                return None
            prepared = await self._prepare(found, anyway, live)
            if prepared is None:
                return None
            try:
                if not await self._claim(found, prepared):
                    return None
            except ConflictError:
                continue  # it has gone on and paused again meanwhile
            await self._sign_again(prepared)
            return prepared

    async def _prepare(self, found: _Found, anyway: bool, live: LiveRun | None) -> Prepared | None:
        try:
            state = _readable(found.state)
            version = self._version(found.workflow)
            awaited = awaited_keys(state.state)
            closed = [form for form in found.forms if form.id in awaited and form.status != "waiting"]
            if not closed and not anyway:
                return None
            return self._prepared(found, state, version, closed, live)
        except (RunError, VariableError, GraphError) as error:
            log.exception("run %s cannot go on", found.run.id)
            await self.end(found.run, "failed", f"This run cannot go on: {error}")
            return None

    async def _claim(self, found: _Found, prepared: Prepared) -> bool:
        state, owner_id = found.state, self._owner_id
        if state is None or not await self._store.write(
            lambda connection: runs.claim(connection, state, owner_id)
        ):
            return False
        prepared.live.run = msgspec.structs.replace(found.run, status="running", owner_id=owner_id)
        return True

    async def _sign_again(self, prepared: Prepared) -> None:
        if prepared.saved is None:
            return
        run = prepared.live.run
        user = RunInfo(
            run_id=run.id,
            app_id=run.app_id,
            workflow_id=run.workflow_id,
            user=prepared.user,
            conversation_id=run.conversation_id,
        )
        try:
            await sign_again(prepared.saved, self._services.files, user)
        except StoreError as error:
            log.warning("run %s goes on with its old links: %s", run.id, error)

    async def end(self, run: Run, status: Literal["stopped", "failed"], error: str) -> bool:
        """End a paused run where it stands; whether it was still paused."""
        now = self._services.clock.now()
        ended = await self._store.write(
            lambda connection: runs.end_paused(connection, run, status, error, now)
        )
        if ended:
            await self.tell(run.id)
        return ended

    async def set_variables(self, app_id: str, run_id: str, values: Mapping[Selector, Value]) -> bool:
        """Change variables of a run that waits; whether it does.

        Raises:
            VariableError: One of them cannot be changed so; nothing is changed.
            RunError: Its state cannot be read.
        """
        now = self._services.clock.now()

        def write(connection: Connection) -> bool:
            run, state = runs.find(connection, app_id, run_id), run_states.find(connection, run_id)
            if run is None or run.status != "paused":
                return False
            saved = load_saved(_readable(state).state)
            pool = VariablePool()
            pool.restore(saved.pool)
            change_variables(pool, values)
            saved.pool = pool.save()
            run_states.put(connection, RunState(run_id, FORMAT, saved.dump(), now))
            if run.conversation_id is not None:
                stored = conversation_variables.list_all(connection, app_id, run.conversation_id)
                changed = [
                    msgspec.structs.replace(row, value=pool.get(selector), updated_at=now)
                    for row in stored
                    if (selector := ("conversation", row.name)) in values
                ]
                conversation_variables.upsert(connection, changed)
            return True

        return await self._store.write(write)

    async def tell(self, run_id: str) -> None:
        """Tell those who wait for a run, here and in other processes, that something has become of it."""
        self._live.changed(run_id)
        await self.post("changed", run_id, {})

    async def post(self, kind: str, target_id: str, payload: Mapping[str, object]) -> None:
        """Tell the other processes something."""
        signal = Signal(
            id=self._services.ids.new(),
            kind=kind,
            target_id=target_id,
            created_at=self._services.clock.now(),
            payload={**payload, "from": self._owner_id},
        )
        await self._store.write(lambda connection: signals.post(connection, signal))

    def _prepared(
        self,
        found: _Found,
        state: RunState,
        version: AppVersion,
        closed: Sequence[Form],
        live: LiveRun | None,
    ) -> Prepared:
        run = found.run
        saved = VariablePool()
        saved.restore(load_saved(state.state).pool)
        pool = VariablePool()
        for variable in version.file.environment_variables:
            pool.set("env", variable.name, variable.value, variable.value_type)
        live = live or LiveRun(run, found.message, found.conversation)
        stored = {variable.variable_id: variable for variable in found.variables}
        recorder = Recorder(
            live,
            {
                declared.name: stored[declared.id]
                for declared in version.file.conversation_variables
                if declared.id in stored
            },
            store=self._store,
            clock=self._services.clock,
            ids=self._services.ids,
            goes_on=True,
        )
        user_id = saved.find(("sys", "user_id"))
        user = user_id if isinstance(user_id, str) else ""
        return Prepared(
            live=live,
            recorder=recorder,
            version=version,
            pool=pool,
            user=user,
            inputs={name: revive(value) for name, value in run.inputs.items()},
            history=self._history(found.conversation, user),
            reason="resumption",
            saved=state.state,
            answers={form.id: form_answer(form) for form in closed},
            news=[form_closed(form) for form in closed],
        )

    def _history(self, conversation: Conversation | None, user: str) -> History:
        if conversation is None:
            return NoHistory()
        files = self._services.files
        return StoredHistory(self._store, conversation.app_id, conversation.id, files=files, user=user)

    def _version(self, workflow: Workflow | None) -> AppVersion:
        if workflow is None:
            raise RunError("the version of the app that it began with has been deleted")
        return self._catalog.find(workflow.id) or self._catalog.compile(workflow)


def is_answered(connection: Connection, run_id: str) -> bool:
    """Whether something that a paused run waits for has come, so that it is about to go on."""
    state = run_states.find(connection, run_id)
    if state is None or state.format != FORMAT:
        return True  # it is about to end
    try:
        awaited = awaited_keys(state.state)
    except RunError:
        return True
    return any(
        form.id in awaited and form.status != "waiting" for form in forms.list_by_run(connection, run_id)
    )


def paused_event(run: Run, waiting: Sequence[Form], at: datetime) -> RunPaused:
    """What is told of a run that has paused, as far as its rows know."""
    reasons = [
        PauseReason(
            type="human_input_required",
            node_id=form.node_id,
            node_title=form.node_title,
            form=form_requested(form),
        )
        for form in waiting
    ]
    return RunPaused(
        run_id=run.id,
        workflow_id=run.workflow_id,
        reasons=reasons or [PauseReason(type="scheduling_pause", node_id="", node_title="")],
        outputs={},
        elapsed_time=run.elapsed_time,
        total_tokens=run.total_tokens,
        total_steps=run.total_steps,
        started_at=run.created_at,
        at=at,
    )


def finished_event(run: Run, error_code: str | None = None) -> RunFinished:
    """What is told of a run that has ended, as far as its row knows."""
    return RunFinished(
        run_id=run.id,
        workflow_id=run.workflow_id,
        status=run.status,
        outputs={name: revive(value) for name, value in (run.outputs or {}).items()},
        error=run.error,
        error_code=error_code,
        elapsed_time=run.elapsed_time,
        total_tokens=run.total_tokens,
        total_steps=run.total_steps,
        exceptions_count=run.exceptions_count,
        started_at=run.created_at,
        at=run.finished_at or run.created_at,
    )


def _find(connection: Connection, app_id: str, run_id: str) -> _Found | None:
    run = runs.find(connection, app_id, run_id)
    if run is None or run.status != "paused":
        return None
    conversation_id, message_id = run.conversation_id, run.message_id
    return _Found(
        run,
        run_states.find(connection, run_id),
        forms.list_by_run(connection, run_id),
        workflows.find(connection, app_id, run.workflow_id),
        None if message_id is None else messages.find(connection, app_id, message_id),
        None
        if conversation_id is None
        else conversations.find(connection, app_id, conversation_id, end_user_id=None),
        ()
        if conversation_id is None
        else conversation_variables.list_all(connection, app_id, conversation_id),
    )


def _readable(state: RunState | None) -> RunState:
    if state is None:
        raise RunError("its state is not there")
    if state.format != FORMAT:
        raise RunError(
            f"it was paused by another version of Weft, which saved it in format {state.format}, and this "
            f"version reads format {FORMAT}; ask again"
        )
    return state
