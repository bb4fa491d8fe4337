"""The graph of a workflow or chatflow, and its runs. Source: Dify console API, `/apps/{id}/workflows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.console_app import AsyncApp
from weft.client._async.items import AsyncItems
from weft.client._call import Call, ask_only, get, given, nothing, path, send
from weft.client._console import TriggeredFrom, runs, workflow_logs
from weft.client._core import read_console_run, read_published
from weft.client._walk import ForwardWalk, NumberedWalk, OnProgress
from weft.errors import NotFoundError

if TYPE_CHECKING:
    from weft.wire import CursorPage, Instant, Page


class WorkflowPart(AsyncApp):
    """What workflow apps and chatflows have in common."""

    _runs_of: tuple[str, ...] = ("workflow-runs",)

    async def get_draft(self) -> wire.console.WorkflowDraft:
        """The draft that is edited, with everything that the server says of it.

        Raises:
            NotFoundError: There is none yet.
        """
        return await self.client._send(get(wire.console.WorkflowDraft, self._drafts))

    async def update_draft(
        self, draft: wire.console.WorkflowDraft, *, overwrite: bool = False
    ) -> wire.console.DraftSaved:
        """Write the draft back whole, with all keys that it came with.

        Args:
            draft: As `get_draft` gave it, changed; or made anew.
            overwrite: Whether it replaces whatever is there; otherwise a draft that has been changed since
                it was read is left alone.

        Returns:
            The `hash` of what was written, which the next write needs.

        Raises:
            ConflictError: The draft was changed meanwhile; get it again.
        """
        known = draft.hash
        if overwrite:
            try:
                known = (await self.get_draft()).hash
            except NotFoundError:
                known = None
        whole = draft.to_dict()
        fields = given(
            graph=whole.get("graph") or {"nodes": [], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}},
            features=draft.features,
            hash=known,
            environment_variables=draft.environment_variables,
            conversation_variables=draft.conversation_variables,
        )
        return await self.client._send(
            send("POST", wire.console.DraftSaved, self._drafts, wire.console.DraftRequest, fields)
        )

    async def publish(
        self, *, marked_name: str | None = None, marked_comment: str | None = None
    ) -> wire.console.Published:
        """Publish the draft; from now on the service API runs it.

        Args:
            marked_name: Name of the version, at most 20 characters.
            marked_comment: What is new, at most 100 characters.

        Raises:
            InvalidRequestError: There is nothing to publish.
        """
        fields = given(marked_name=marked_name, marked_comment=marked_comment)
        return await self.client._send(
            send("POST", wire.console.Published, self._published, wire.console.PublishRequest, fields)
        )

    async def get_published(self) -> wire.console.WorkflowDraft | None:
        """The published graph; ``None`` if there is none."""
        return await self.client._send(Call("GET", self._published, read_published))

    async def get_versions(
        self, page: int = 1, limit: int = 10, *, user_id: str | None = None, named_only: bool = False
    ) -> Page[wire.console.WorkflowDraft]:
        """One page of published versions, newest first.

        Args:
            page: Number of the page, from 1.
            limit: Versions per page, 1 to 100.
            user_id: Only those that this account published.
            named_only: Only those with a name.
        """
        return await self.client._send(
            get(
                wire.console.WorkflowVersionPage,
                path("apps", self.id, "workflows"),
                page=page,
                limit=limit,
                user_id=user_id,
                named_only=named_only or None,
            )
        )

    def iter_versions(
        self,
        limit: int = 10,
        *,
        user_id: str | None = None,
        named_only: bool = False,
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[wire.console.WorkflowDraft]:
        """All published versions, newest first, page by page, none twice.

        Args:
            limit: Versions per request, 1 to 100.
            user_id: Only those that this account published.
            named_only: Only those with a name.
            max_items: Versions at most.
            progress: Told after every page how far it is.
        """
        first = get(
            wire.console.WorkflowVersionPage,
            path("apps", self.id, "workflows"),
            page=1,
            limit=limit,
            user_id=user_id,
            named_only=named_only or None,
        )
        return self.client._walk(NumberedWalk(first), max_items=max_items, progress=progress)

    async def name_version(
        self, workflow_id: str, *, marked_name: str | None = None, marked_comment: str | None = None
    ) -> wire.console.WorkflowDraft:
        """Name a published version.

        Args:
            workflow_id: The version's `id`.
            marked_name: At most 20 characters.
            marked_comment: At most 100 characters.
        """
        return await self.client._send(
            send(
                "PATCH",
                wire.console.WorkflowDraft,
                path("apps", self.id, "workflows", workflow_id),
                wire.console.PublishRequest,
                given(marked_name=marked_name, marked_comment=marked_comment),
            )
        )

    async def delete_version(self, workflow_id: str) -> None:
        """Remove a published version.

        Raises:
            InvalidRequestError: It is in use.
        """
        await self.client._send(ask_only("DELETE", path("apps", self.id, "workflows", workflow_id)))

    async def get_runs(
        self,
        *,
        last_id: str | None = None,
        limit: int = 20,
        status: str | None = None,
        triggered_from: TriggeredFrom = "app-run",
    ) -> CursorPage[wire.console.WorkflowRun]:
        """One page of runs, newest first.

        Args:
            last_id: Last run of the page before.
            limit: Runs per page, 1 to 100.
            status: Only runs that are so, e.g. ``failed``.
            triggered_from: ``app-run``, or ``debugging`` for those of the editor.
        """
        return await self.client._send(
            runs(self._runs, last_id=last_id, limit=limit, status=status, triggered_from=triggered_from)
        )

    def iter_runs(
        self,
        limit: int = 100,
        *,
        status: str | None = None,
        triggered_from: TriggeredFrom = "app-run",
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[wire.console.WorkflowRun]:
        """All runs, newest first, page by page, none twice.

        Args:
            limit: Runs per request, 1 to 100.
            status: Only runs that are so.
            triggered_from: ``app-run`` or ``debugging``.
            max_items: Runs at most.
            progress: Told after every page how far it is.
        """
        first = runs(self._runs, last_id=None, limit=limit, status=status, triggered_from=triggered_from)
        return self.client._walk(ForwardWalk(first), max_items=max_items, progress=progress)

    async def get_run(self, run_id: str) -> wire.console.WorkflowRunDetail:
        """One run with its graph, inputs and outputs.

        Raises:
            NotFoundError: There is no such run of this app.
        """
        return await self.client._send(
            Call("GET", path("apps", self.id, "workflow-runs", run_id), read_console_run)
        )

    async def count_runs(
        self,
        *,
        status: str | None = None,
        time_range: str | None = None,
        triggered_from: TriggeredFrom = "app-run",
    ) -> wire.console.WorkflowRunCount:
        """How many runs there are, by how they ended.

        Args:
            status: Only runs that are so.
            time_range: Only the last ``7d``, ``4h``, ``30m`` or ``30s``.
            triggered_from: ``app-run`` or ``debugging``.
        """
        return await self.client._send(
            get(
                wire.console.WorkflowRunCount,
                f"{self._runs}/count",
                status=status,
                time_range=time_range,
                triggered_from=triggered_from,
            )
        )

    async def get_node_executions(self, run_id: str) -> wire.console.NodeExecutions:
        """All node executions of a run, in their order; none if there is no such run.

        Args:
            run_id: The run's id, of a log entry `entry.workflow_run.id`.
        """
        return await self.client._send(
            get(
                wire.console.NodeExecutions,
                path("apps", self.id, "workflow-runs", run_id, "node-executions"),
            )
        )

    async def stop_run(self, task_id: str) -> None:
        """Ask the server to end a run; succeeds for every task, known or not."""
        address = path("apps", self.id, "workflow-runs", "tasks", task_id, "stop")
        await self.client._send(Call("POST", address, nothing, body=b"{}"))

    async def get_workflow_logs(
        self,
        page: int = 1,
        limit: int = 10,
        *,
        keyword: str | None = None,
        status: str | None = None,
        created_before: Instant | None = None,
        created_after: Instant | None = None,
        end_user_session_id: str | None = None,
        created_by_account: str | None = None,
        detail: bool = False,
    ) -> Page[wire.console.WorkflowLogEntry]:
        """One page of the log of runs, newest first; all filters must hold.

        Dify has this log for workflow apps only, Weft for chatflows too.

        Args:
            page: Number of the page, from 1.
            limit: Entries per page, 1 to 100.
            keyword: Part of inputs, outputs or user, or a run's id.
            status: Only runs that are so, e.g. ``failed``.
            created_before: Latest start, inclusive; a naive datetime means UTC.
            created_after: Earliest start, inclusive.
            end_user_session_id: Exactly this `user`.
            created_by_account: Email address of a member of the workspace.
            detail: Whether `details` are filled in.

        Raises:
            NotFoundError: The app has no such log.
        """
        return await self.client._send(
            workflow_logs(
                self.id,
                page=page,
                limit=limit,
                keyword=keyword,
                status=status,
                created_before=created_before,
                created_after=created_after,
                end_user_session_id=end_user_session_id,
                created_by_account=created_by_account,
                detail=detail,
            )
        )

    def iter_workflow_logs(
        self,
        limit: int = 10,
        *,
        start_page: int = 1,
        max_items: int | None = None,
        progress: OnProgress | None = None,
        keyword: str | None = None,
        status: str | None = None,
        created_before: Instant | None = None,
        created_after: Instant | None = None,
        end_user_session_id: str | None = None,
        created_by_account: str | None = None,
        detail: bool = False,
    ) -> AsyncItems[wire.console.WorkflowLogEntry]:
        """The log of runs, newest first, page by page, none lost or twice though runs begin meanwhile.

        Args:
            limit: Entries per request, 1 to 100.
            start_page: Page to begin with.
            max_items: Entries at most.
            progress: Told after every page how far it is.
            keyword: As in `get_workflow_logs`, like the arguments that follow.
            status: Only runs that are so.
            created_before: Latest start, inclusive.
            created_after: Earliest start, inclusive.
            end_user_session_id: Exactly this `user`.
            created_by_account: Email address of a member of the workspace.
            detail: Whether `details` are filled in.
        """
        first = workflow_logs(
            self.id,
            page=start_page,
            limit=limit,
            keyword=keyword,
            status=status,
            created_before=created_before,
            created_after=created_after,
            end_user_session_id=end_user_session_id,
            created_by_account=created_by_account,
            detail=detail,
        )
        return self.client._walk(NumberedWalk(first), max_items=max_items, progress=progress)

    @property
    def _drafts(self) -> str:
        return path("apps", self.id, "workflows", "draft")

    @property
    def _published(self) -> str:
        return path("apps", self.id, "workflows", "publish")

    @property
    def _runs(self) -> str:
        return path("apps", self.id, *self._runs_of)
