"""Runs and what their nodes did. Source: Dify console API, `/apps/{id}/workflow-runs`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError
from weft.server.console_api.app_view import account_summary
from weft.server.console_api.call import FLOW_MODES, ConsoleCall
from weft.server.console_api.field import Limit, OptionalId, OptionalText
from weft.server.console_api.run_view import end_user_summary, execution_view
from weft.server.path import path_id
from weft.server.reply import SUCCESS, json_reply
from weft.server.sse import seconds
from weft.store import (
    Account,
    App,
    Connection,
    EndUser,
    NodeExecution,
    Page,
    Run,
    Workflow,
    accounts,
    end_users,
    node_executions,
    run_history,
    workflows,
)
from weft.store import runs as rows
from weft.wire import WireModel, parse_request

_ABSENT = "Workflow run not found"
_TIME = re.compile(r"([1-9][0-9]{0,8})([dhms])", re.ASCII)
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_COUNTED = ("running", "succeeded", "failed", "stopped", "partial-succeeded")
_Status = Literal["running", "succeeded", "failed", "stopped", "partial-succeeded"]


class RunCountQuery(WireModel):
    """Query string of the number of runs."""

    status: _Status | None = None
    triggered_from: Literal["debugging", "app-run"] = "debugging"
    time_range: OptionalText = None


class RunsQuery(WireModel):
    """Query string of the list of runs."""

    last_id: OptionalId = None
    limit: Limit = 20
    status: _Status | None = None
    triggered_from: Literal["debugging", "app-run"] = "debugging"


async def listing(request: Request) -> Response:
    """A page of runs, newest first."""
    call = await ConsoleCall.begin(request, "editor")
    return await _page(call, await call.app(*FLOW_MODES), of_messages=False)


async def chat_listing(request: Request) -> Response:
    """The same for a chatflow, with the messages that were answered."""
    call = await ConsoleCall.begin(request, "editor")
    return await _page(call, await call.app("advanced-chat"), of_messages=True)


async def _page(call: ConsoleCall, app: App, *, of_messages: bool) -> Response:
    query = parse_request(RunsQuery, _without_empty(call.query))

    def read(connection: Connection) -> tuple[Page[Run], dict[str, Account]]:
        try:
            page = run_history.list_page(
                connection,
                app.id,
                query.triggered_from,
                status=query.status,
                last_id=query.last_id,
                limit=query.limit,
            )
        except NotFoundError as error:
            raise InvalidRequestError(str(error)) from error
        ids = {run.account_id for run in page.items if run.account_id}
        return page, accounts.list_by_id(connection, ids)

    page, people = await call.read(read)
    return json_reply(
        {
            "limit": query.limit,
            "has_more": page.has_more,
            "data": [_item(run, people, of_messages=of_messages) for run in page.items],
        }
    )


async def count(request: Request) -> Response:
    """How many runs ended how."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    return await _count(call, app)


async def chat_count(request: Request) -> Response:
    """The same for a chatflow."""
    call = await ConsoleCall.begin(request, "editor")
    return await _count(call, await call.app("advanced-chat"))


async def _count(call: ConsoleCall, app: App) -> Response:
    query = parse_request(RunCountQuery, _without_empty(call.query))
    since = _since(query.time_range, call.runtime.clock.now())
    found = await call.read(
        lambda connection: run_history.count_by_status(
            connection, app.id, query.triggered_from, status=query.status, since=since
        )
    )
    counted = {status.replace("-", "_"): found.get(status, 0) for status in _COUNTED}
    return json_reply({"total": sum(found.values()), **counted})


async def detail(request: Request) -> Response:
    """One run with its graph."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    run_id = path_id(request, "run_id", _ABSENT)

    def read(
        connection: Connection,
    ) -> tuple[Run, Workflow | None, Account | None, EndUser | None] | None:
        run = rows.find(connection, app.id, run_id)
        if run is None:
            return None
        return run, workflows.find(connection, app.id, run.workflow_id), *_causes(connection, app, run)

    found = await call.read(read)
    if found is None:
        raise NotFoundError(_ABSENT, kind="run", id=run_id)
    run, workflow, account, end_user = found
    return json_reply(
        {
            "id": run.id,
            "version": run.version,
            "graph": None if workflow is None else workflow.graph,
            "inputs": run.inputs,
            "outputs": run.outputs or {},
            "status": run.status,
            "error": run.error,
            "elapsed_time": run.elapsed_time,
            "total_tokens": run.total_tokens,
            "total_steps": run.total_steps,
            "created_by_role": run.created_by_role,
            "created_by_account": account_summary(account),
            "created_by_end_user": end_user_summary(end_user),
            "created_at": seconds(run.created_at),
            "finished_at": None if run.finished_at is None else seconds(run.finished_at),
            "exceptions_count": run.exceptions_count,
        }
    )


async def executions(request: Request) -> Response:
    """What the nodes of a run did, in order; nothing for an unknown run."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    run_id = path_id(request, "run_id", _ABSENT)

    def read(
        connection: Connection,
    ) -> tuple[Run | None, tuple[NodeExecution, ...], Account | None, EndUser | None]:
        run = rows.find(connection, app.id, run_id)
        if run is None:
            return None, (), None, None
        found = node_executions.list_by_run(connection, app.id, run_id)
        return run, found, *_causes(connection, app, run)

    run, found, account, end_user = await call.read(read)
    role = "end_user" if run is None else run.created_by_role
    who, person = account_summary(account), end_user_summary(end_user)
    return json_reply({"data": [execution_view(execution, role, who, person) for execution in found]})


async def stop(request: Request) -> Response:
    """Stop a run; says success whatever there was to stop."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    task_id = request.path_params["task_id"]
    live = call.runtime.runner.live.find(task_id)
    if live is not None and live.run.app_id == app.id:
        live.stop()
        await call.write("run.stop", lambda connection: None, app_id=app.id, target_id=live.run.id)
    return json_reply(SUCCESS)


def _causes(connection: Connection, app: App, run: Run) -> tuple[Account | None, EndUser | None]:
    account = accounts.find(connection, run.account_id) if run.account_id else None
    end_user = end_users.find(connection, app.id, run.end_user_id) if run.end_user_id else None
    return account, end_user


def _since(text: str | None, now: datetime) -> datetime | None:
    """When a time such as ``7d`` or ``30m`` before now was."""
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError("time_range must be a time such as 7d, 4h, 30m or 30s") from error


def _without_empty(query: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if value != ""}


def _item(run: Run, people: dict[str, Account], *, of_messages: bool) -> dict[str, object]:
    item: dict[str, object] = {
        "id": run.id,
        "version": run.version,
        "status": run.status,
        "elapsed_time": run.elapsed_time,
        "total_tokens": run.total_tokens,
        "total_steps": run.total_steps,
        "created_by_account": account_summary(people.get(run.account_id or "")),
        "created_at": seconds(run.created_at),
        "finished_at": None if run.finished_at is None else seconds(run.finished_at),
        "exceptions_count": run.exceptions_count,
        "retry_index": 0,
    }
    if of_messages:
        item |= {"conversation_id": run.conversation_id, "message_id": run.message_id}
    return item


ROUTES = [
    Route("/apps/{app_id}/workflow-runs", listing, methods=["GET"]),
    Route("/apps/{app_id}/advanced-chat/workflow-runs", chat_listing, methods=["GET"]),
    Route("/apps/{app_id}/workflow-runs/count", count, methods=["GET"]),
    Route("/apps/{app_id}/advanced-chat/workflow-runs/count", chat_count, methods=["GET"]),
    Route("/apps/{app_id}/workflow-runs/tasks/{task_id}/stop", stop, methods=["POST"]),
    Route("/apps/{app_id}/workflow-runs/{run_id}", detail, methods=["GET"]),
    Route("/apps/{app_id}/workflow-runs/{run_id}/node-executions", executions, methods=["GET"]),
]
