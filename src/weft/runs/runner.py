"""Starting runs: from a request that has passed the door to a run that lives on its own."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping

from weft.engine import Engine, RunOutcome
from weft.errors import (
    NodeFailedError,
    StoreError,
    TooManyRequestsError,
    UnavailableError,
    WeftError,
)
from weft.events import RunStarted
from weft.nodes import RunInfo, Services
from weft.runs import ending, naming
from weft.runs.app_version import AppVersion, Catalog
from weft.runs.filing import Filing
from weft.runs.forms import RunForms
from weft.runs.live import STOP_SECONDS, LiveRun, LiveRuns
from weft.runs.moderation import Judge, OutputModeration
from weft.runs.pauses import Pauses
from weft.runs.prepared import Prepared
from weft.runs.preparing import Preparer
from weft.runs.request import RunRequest
from weft.store import (
    App,
    Run,
    Store,
    conversations,
    runs,
)
from weft.variables import (
    Selector,
    Value,
    as_selector,
    freeze,
)

log = logging.getLogger(__name__)

SLOT_SECONDS = 2.0
"""When to ask again where an app has as many runs as it may: about as long as a short answer takes."""


class Runner:
    """Starts the runs of a process and sees them to their end.

    Args:
        store: Where records go.
        services: What nodes work with.
        owner_id: Id of this process, noted in every run.
        max_active_requests: Runs of one app at a time; 0 means no limit. The app's own number counts
            where it is smaller.
        filing: Knows what was uploaded; without it nothing was.
        catalog: Compiled versions, for runs that go on.
    """

    def __init__(
        self,
        store: Store,
        services: Services,
        *,
        owner_id: str,
        max_active_requests: int = 0,
        filing: Filing | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        self.live = LiveRuns()
        self.preparer = Preparer(store, services, owner_id=owner_id, filing=filing)
        self.pauses = Pauses(store, services, catalog or Catalog(), owner_id=owner_id, live=self.live)
        self._store = store
        self._services = services
        self._max_active = max_active_requests
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._wanted: dict[str, bool] = {}
        """Runs that were to go on while they had not paused yet, and whether in any case."""
        self.refused = 0
        """Requests that would have been one run too many for their app."""
        self._starting: Counter[str] = Counter()
        """Runs by app id that are about to live: their rows are being written."""

    def refuse_new(self) -> None:
        """Begin no further run: the process is about to end."""
        self._closing = True
        self.live.dismiss()

    @property
    def refuses_new(self) -> bool:
        """Whether the process is about to end."""
        return self._closing

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
            self.refused += 1
            raise TooManyRequestsError(
                "Too many requests. Please try again later. The current maximum concurrent requests "
                f"allowed for {app.id} is {min(limits)}.",
                retry_after=SLOT_SECONDS,
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
        if request.call_depth == 0:  # a call from inside a run has its slot already
            self.check_slot(request.app)
        self._starting[request.app.id] += 1
        try:
            prepared = await self.preparer.prepare(request)
        finally:
            self._starting[request.app.id] -= 1
        return self._launch(prepared, request)

    async def resume(self, app_id: str, run_id: str, *, anyway: bool = False) -> LiveRun | None:
        """Let a paused run go on in this process with what has come for it.

        Args:
            app_id: Its app.
            run_id: The run.
            anyway: Go on even if nothing that it waits for has come, as after a pause from outside.

        Returns:
            The run; nothing if it waits on, cannot go on, or goes on in another process. One that has not
            paused yet goes on by itself after it has.

        Raises:
            StoreError: It could not be read or taken over.
        """
        if self._closing:
            return None  # whoever starts next finds it
        if self.live.find_run(run_id) is not None:
            # It looks by itself what has come when it pauses; what comes just then is looked at afterwards.
            self._wanted[run_id] = anyway or self._wanted.get(run_id, False)
            return None
        prepared = await self.pauses.prepare(app_id, run_id, anyway=anyway)
        return None if prepared is None else self._launch(prepared)

    def resume_soon(self, app_id: str, run_id: str, *, anyway: bool = False) -> None:
        """Let a paused run go on in the background; trouble leaves it for those who look for such runs."""

        async def resume() -> None:
            try:
                await self.resume(app_id, run_id, anyway=anyway)
            except StoreError:
                log.exception("run %s could not go on yet", run_id)
            except Exception:  # the border around a background task
                log.exception("run %s could not go on", run_id)

        self._own(asyncio.create_task(resume()))

    async def stop(
        self, task_id: str, *, app_id: str, owner_id: str, reason: str = "Stopped by user."
    ) -> None:
        """Stop a run, wherever it goes on; one that has paused ends where it stands.

        Args:
            task_id: The run's task.
            app_id: The app that it must be of.
            owner_id: The end user or account that must have started it; anything else is passed over.
            reason: What its record says.
        """
        live = self.live.find(task_id)
        run = live.run if live is not None else None
        if run is None:
            run = await self._store.read_quick(lambda connection: runs.find_unfinished(connection, task_id))
        if run is None or run.app_id != app_id or (run.end_user_id or run.account_id) != owner_id:
            return
        if live is not None:
            live.stop(reason)
        elif run.status != "paused" or not await self.pauses.end(run, "stopped", reason):
            await self._command(run.id, "stop", {"reason": reason})

    async def pause(self, run_id: str) -> None:
        """Pause a run, wherever it goes on: nodes at work end, no other starts, until it is resumed."""
        await self._command(run_id, "pause", {})

    async def set_variables(self, app_id: str, run_id: str, values: Mapping[Selector, Value]) -> None:
        """Change variables of a run, wherever it goes on, or waits; see `Engine.set_variables`.

        Raises:
            VariableError: One of them cannot be changed so; nothing is changed.
        """
        if self.live.find_run(run_id) is None and await self.pauses.set_variables(app_id, run_id, values):
            return
        changes: list[Value] = [
            {"selector": list(selector), "value": value} for selector, value in values.items()
        ]
        await self._command(run_id, "variables", {"changes": changes})

    async def obey(self, kind: str, run_id: str, payload: Mapping[str, Value]) -> None:
        """Do what another process asks for a run; what is not known here, or does not go on here, is not
        ours to do."""
        live = self.live.find_run(run_id)
        if kind == "changed":
            self.live.changed(run_id)
        if live is not None and live.engine is not None:
            _obey(live, live.engine, kind, payload)

    async def _command(self, run_id: str, kind: str, payload: dict[str, Value]) -> None:
        live = self.live.find_run(run_id)
        if live is not None and live.engine is not None:
            _obey(live, live.engine, kind, payload)
        else:
            await self.pauses.post(kind, run_id, {name: freeze(value) for name, value in payload.items()})

    def _launch(self, prepared: Prepared, request: RunRequest | None = None) -> LiveRun:
        live, engine = prepared.live, self._engine(prepared)
        self.live.add(live)
        live.task = asyncio.create_task(self._run(prepared, engine, request))
        self._own(live.task)
        return live

    def _engine(self, prepared: Prepared) -> Engine:
        """The engine of a run, whose record is kept from now on."""
        live, version = prepared.live, prepared.version
        prepared.moderation = moderation = self._moderation(prepared)
        engine = Engine(
            version.graph,
            prepared.pool,
            self._services,
            RunInfo(
                run_id=live.run.id,
                app_id=live.run.app_id,
                workflow_id=version.workflow_id,
                user=prepared.user,
                conversation_id=live.run.conversation_id,
                history=prepared.history,
                forms=RunForms(self._store, self._services.clock, live.run),
                call_depth=prepared.call_depth,
                secrets=tuple(
                    str(variable.value)
                    for variable in version.file.environment_variables
                    if variable.value_type == "secret" and variable.value
                ),
            ),
            live.emit if moderation is None else moderation.emit,
            saved=prepared.saved,
        )
        live.engine = engine
        live.listen(prepared.recorder.hear)
        return engine

    def _moderation(self, prepared: Prepared) -> OutputModeration | None:
        rules, live = prepared.version.moderation, prepared.live
        if rules is None or rules.output_answer is None:
            return None
        judge = Judge(rules, self._services.models)
        said = prepared.recorder.answer
        return OutputModeration(judge, rules.output_answer, emit=live.emit, stop=live.stop, said=said)

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

    async def _run(self, prepared: Prepared, engine: Engine, request: RunRequest | None) -> None:
        live = prepared.live
        live.emit(
            RunStarted(
                run_id=live.run.id,
                workflow_id=live.run.workflow_id,
                inputs=dict(prepared.inputs),
                at=live.run.created_at,
                reason=prepared.reason,
            )
        )
        try:
            outcome = await self._through(prepared, engine)
            if outcome.status == "paused":
                live.paused = ending.paused(live.run, outcome, self._services.clock.now())
                live.emit(live.paused)
            else:
                live.error_code = ending.error_code(outcome.cause)
                live.emit(ending.finished(live, outcome, self._services.clock.now()))
        finally:
            self.live.remove(live)
            live.end()
            wanted = self._wanted.pop(live.run.id, None)
        if wanted is not None and live.paused is not None:
            self.resume_soon(live.run.app_id, live.run.id, anyway=wanted)
        if prepared.reason == "resumption":
            await self._tell(live.run)
        is_first = request is not None and request.query is not None and request.conversation is None
        if request is not None and is_first and request.auto_generate_name:
            await self._name(request, live)

    async def _through(self, prepared: Prepared, engine: Engine) -> RunOutcome:
        """Run to the end, or to a pause that lasts: where the answer has come before it, there is none."""
        live = prepared.live
        while True:
            for event in prepared.news:
                live.emit(event)
            outcome = await self._outcome(engine, prepared)
            if not prepared.can_go_on:
                return outcome
            try:
                again = await self.pauses.prepare(live.run.app_id, live.run.id, anyway=False, live=live)
            except StoreError:
                log.exception("run %s could not go on yet", live.run.id)
                return outcome
            if again is None:
                return outcome  # it goes on elsewhere
            live.leave(prepared.recorder.hear)
            prepared, engine = again, self._engine(again)

    async def _outcome(self, engine: Engine, prepared: Prepared) -> RunOutcome:
        """Run, and have the end on disk; what goes wrong with either is an outcome of its own."""
        recorder, run_id, moderation = prepared.recorder, prepared.live.run.id, prepared.moderation
        try:
            outcome = await engine.run(prepared.answers)
            if moderation is not None:
                outcome = await moderation.finish(outcome)
        except Exception as error:  # the border around a whole run
            log.exception("run %s broke", run_id)
            outcome = engine.outcome(NodeFailedError(str(error) or type(error).__name__), 0.0)
        finally:
            if moderation is not None:
                moderation.close()
        resources = bool(prepared.version.feature("retriever_resource").get("enabled"))
        try:
            if outcome.status == "paused":
                state = engine.save()
                prepared.can_go_on = await recorder.pause(outcome, state, show_resources=resources)
            else:
                await recorder.finish(outcome, show_resources=resources)
        except Exception as error:  # also a value that cannot be written as JSON
            log.exception("the end of run %s could not be stored", run_id)
            cause = StoreError(f"the end of this run could not be stored: {error}")
            outcome = engine.outcome(cause, outcome.elapsed_time)
            try:
                await recorder.finish(outcome, show_resources=False)  # without what was to be written before
            except StoreError:
                log.exception("run %s stays without an end until this process is gone", run_id)
        return outcome

    async def _tell(self, run: Run) -> None:
        """Tell other processes, where somebody may wait for it, that a run has gone on and is done."""
        try:
            await self.pauses.tell(run.id)
        except StoreError as error:  # they look by themselves, too
            log.warning("other processes could not be told of run %s: %s", run.id, error)

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


def _obey(live: LiveRun, engine: Engine, kind: str, payload: Mapping[str, Value]) -> None:
    match kind, payload:
        case "stop", {"reason": str(reason)}:
            live.stop(reason)
        case "pause", _:
            engine.pause()
        case "variables", {"changes": list(changes)}:
            engine.set_variables(dict(_change(change) for change in changes if isinstance(change, dict)))


def _change(given: dict[str, Value]) -> tuple[Selector, Value]:
    return as_selector(given.get("selector")) or (), given.get("value")
