"""Workflow runs and workflow apps. Source: Dify service API, `/workflows`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.items import AsyncItems
from weft.client._async.session import Session
from weft.client._async.stream import AsyncEventStream
from weft.client._call import Call, get, given, path, send, send_only, stream
from weft.client._core import read_run
from weft.client._rejoin import Rejoin
from weft.client._walk import NumberedWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import FileInput, Instant, LogStatus, Page, RunDetail, WorkflowAnswer, WorkflowLog


class RunOperations(Session):
    """Runs of the app's workflow, and running a workflow app."""

    async def workflow_run(self, workflow_run_id: str) -> RunDetail:
        """One run with its inputs and outputs.

        Raises:
            NotFoundError: There is no such run of this app.
        """
        return await self._send(Call("GET", path("workflows", "run", workflow_run_id), read_run))

    async def workflow_logs(
        self,
        *,
        page: int = 1,
        limit: int = 20,
        keyword: str | None = None,
        status: LogStatus | None = None,
        created_before: Instant | None = None,
        created_after: Instant | None = None,
        end_user_session_id: str | None = None,
        account: str | None = None,
    ) -> Page[WorkflowLog]:
        """One page of the log of runs, newest first; all filters must hold.

        Args:
            page: Number of the page, 1 to 99,999.
            limit: Entries per page, 1 to 100.
            keyword: Part of inputs, outputs or user (30 characters count), or a run's id.
            status: Only runs that ended so.
            created_before: Latest start, inclusive; a naive datetime means UTC.
            created_after: Earliest start, inclusive.
            end_user_session_id: Exactly this `user`.
            account: Id or email address of a member of the workspace.
        """
        return await self._send(
            _logs(
                page=page,
                limit=limit,
                keyword=keyword,
                status=status,
                created_before=created_before,
                created_after=created_after,
                end_user_session_id=end_user_session_id,
                account=account,
            )
        )

    def iter_workflow_logs(
        self,
        *,
        limit: int = 100,
        keyword: str | None = None,
        status: LogStatus | None = None,
        created_before: Instant | None = None,
        created_after: Instant | None = None,
        end_user_session_id: str | None = None,
        account: str | None = None,
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[WorkflowLog]:
        """All entries of the log, newest first, page by page, none twice.

        Args:
            limit: Entries per request, 1 to 100.
            keyword: As in `workflow_logs`, like the arguments that follow.
            status: Only runs that ended so.
            created_before: Latest start, inclusive.
            created_after: Earliest start, inclusive.
            end_user_session_id: Exactly this `user`.
            account: Id or email address of a member of the workspace.
            max_items: Entries at most.
            progress: Told after every page how far it is.
        """
        first = _logs(
            page=1,
            limit=limit,
            keyword=keyword,
            status=status,
            created_before=created_before,
            created_after=created_after,
            end_user_session_id=end_user_session_id,
            account=account,
        )
        return self._walk(NumberedWalk(first), max_items=max_items, progress=progress)

    async def run_workflow(
        self,
        inputs: Mapping[str, object] | None = None,
        *,
        user: str,
        files: Sequence[FileInput | Mapping[str, object]] | None = None,
        workflow_id: str | None = None,
    ) -> WorkflowAnswer:
        """Run a workflow app and wait for its end.

        Args:
            inputs: Values of the start node's variables.
            user: Who asks, 1 to 255 characters.
            files: Uploads or addresses.
            workflow_id: Published version to run instead of the current one.

        Returns:
            How the run went; a failed one is returned like others, see `data.status`.

        Raises:
            InvalidRequestError: An input is wrong, or the app is no workflow app.
            NotFoundError: There is no such version.
        """
        return await self._send(
            send(
                "POST",
                wire.WorkflowAnswer,
                _run_path(workflow_id),
                wire.WorkflowRunRequest,
                {
                    **given(user=user, files=files),
                    "inputs": inputs or {},
                    "response_mode": "blocking",
                },
                waits_for_run=True,
            )
        )

    def stream_workflow(
        self,
        inputs: Mapping[str, object] | None = None,
        *,
        user: str,
        files: Sequence[FileInput | Mapping[str, object]] | None = None,
        workflow_id: str | None = None,
        stop_on_exit: bool = False,
        reconnects: int = 0,
    ) -> AsyncEventStream:
        """Run a workflow app and read what happens while it does.

        Args:
            inputs: As in `run_workflow`, like the arguments that follow.
            user: Who asks.
            files: Uploads or addresses.
            workflow_id: Published version to run.
            stop_on_exit: Whether leaving the stream early stops the run.
            reconnects: How often a stream that breaks off after its run has begun is joined again, where
                the server can do that; see `AsyncEventStream`.

        Returns:
            The stream; nothing is sent before it is entered or read.

        Raises:
            InvalidRequestError: A field is wrong.
        """
        call = stream(
            _run_path(workflow_id),
            wire.WorkflowRunRequest,
            {**given(user=user, files=files), "inputs": inputs or {}},
        )
        return AsyncEventStream(
            self,
            call,
            has_message=False,
            stop=lambda task_id: _stop(task_id, user),
            stop_on_exit=stop_on_exit,
            rejoin=Rejoin.of(user),
            reconnects=reconnects,
        )

    def resume_events(
        self,
        workflow_run_id: str,
        *,
        user: str,
        include_state_snapshot: bool = False,
        continue_on_pause: bool = False,
        has_message: bool = True,
    ) -> AsyncEventStream:
        """Join the event stream of a run, live, paused or finished.

        Args:
            workflow_run_id: Which run.
            user: Who started it; nobody else can join.
            include_state_snapshot: Whether what happened so far is told first.
            continue_on_pause: Whether the stream stays open while the run waits for a person.
            has_message: Whether it is a chat app's; a workflow app's runs have no message.

        Returns:
            The stream; nothing is sent before it is entered or read. A finished run tells only its end.

        Raises:
            NotFoundError: When it is read: no such run, another user's, or the server cannot do this.
        """
        rejoin = Rejoin.of(user)
        return AsyncEventStream(
            self,
            rejoin.events(workflow_run_id, include_state_snapshot, continue_on_pause),
            has_message=has_message,
            stop=None,
            stop_on_exit=False,
            rejoin=rejoin,
            joins=True,
        )

    async def stop_workflow(self, task_id: str, *, user: str) -> None:
        """Ask the server to end a run of a workflow app; succeeds for every task, known or not.

        Args:
            task_id: From the run's events.
            user: Who started the run; nobody else can stop it.
        """
        await self._send(_stop(task_id, user))


def _run_path(workflow_id: str | None) -> str:
    return "/workflows/run" if workflow_id is None else path("workflows", workflow_id, "run")


def _stop(task_id: str, user: str) -> Call[None]:
    return send_only("POST", path("workflows", "tasks", task_id, "stop"), wire.StopRequest, {"user": user})


def _logs(
    *,
    page: int,
    limit: int,
    keyword: str | None,
    status: LogStatus | None,
    created_before: Instant | None,
    created_after: Instant | None,
    end_user_session_id: str | None,
    account: str | None,
) -> Call[Page[WorkflowLog]]:
    return get(
        wire.WorkflowLogPage,
        "/workflows/logs",
        page=page,
        limit=limit,
        keyword=keyword,
        status=status,
        created_at__before=None if created_before is None else wire.render_instant(created_before),
        created_at__after=None if created_after is None else wire.render_instant(created_after),
        created_by_end_user_session_id=end_user_session_id,
        created_by_account=account,
    )
