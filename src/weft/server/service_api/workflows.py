"""Workflow runs and their log, and running a workflow app. Source: Dify service API, `/workflows`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError, NotFoundError
from weft.runs import LiveRun, RunRequest
from weft.server.call import WORKFLOW_MODES, Call
from weft.server.path import path_id
from weft.server.reply import SUCCESS, json_reply
from weft.server.service_api.chat import stop_task, wanted_version
from weft.server.sse import paused_data, seconds, stream_run
from weft.store import EndUser, LogEntry, LogFilter, Run, accounts, logs, runs
from weft.wire import WorkflowLogsQuery, WorkflowRunRequest, parse_request


async def run_published(request: Request) -> Response:
    """Run the published version."""
    return await _run(request, None)


async def run_version(request: Request) -> Response:
    """Run a version by its id."""
    return await _run(request, str(request.path_params["workflow_id"]))


async def _run(request: Request, workflow_id: str | None) -> Response:
    call = await Call.begin(request)
    body = await call.json()
    user = await call.end_user(body, required=True)
    call.check_mode("workflow")
    wanted = parse_request(WorkflowRunRequest, body)
    runner = call.runtime.runner
    runner.check_slot(call.app)
    version = await wanted_version(call, workflow_id)
    live = await runner.start(
        RunRequest(
            app=call.app, version=version, end_user=user, inputs=wanted.inputs, files=wanted.files or ()
        )
    )
    if wanted.streaming:
        server = call.runtime.settings.server
        return stream_run(
            live,
            user.session_id,
            ping_seconds=server.ping_seconds,
            stop_when_left=server.stop_when_client_leaves,
        )
    await live.ended()
    return json_reply(_whole_result(live))


async def stop(request: Request) -> Response:
    """Stop a running workflow; says success whatever there was to stop."""
    call = await Call.begin(request)
    user = await call.end_user(await call.json(), required=True)
    call.check_mode("workflow")
    await stop_task(call, request.path_params["task_id"], user)
    return json_reply(SUCCESS)


async def detail(request: Request) -> Response:
    """One run, whoever started it."""
    call = await Call.begin(request)
    call.check_mode(*WORKFLOW_MODES)
    run_id = path_id(request, "workflow_run_id", "Workflow run not found.")
    run = await call.read(lambda connection: runs.find(connection, call.app.id, run_id))
    if run is None:
        raise NotFoundError("Workflow run not found.", kind="run", id=run_id)
    return json_reply(
        {
            "id": run.id,
            "workflow_id": run.workflow_id,
            "status": run.status,
            "inputs": run.inputs,
            "outputs": run.outputs or {},
            "error": run.error,
            "total_steps": run.total_steps,
            "total_tokens": run.total_tokens,
            "created_at": seconds(run.created_at),
            "finished_at": None if run.finished_at is None else seconds(run.finished_at),
            "elapsed_time": run.elapsed_time,
        }
    )


async def log(request: Request) -> Response:
    """A page of the app's runs, newest first."""
    call = await Call.begin(request)
    query = parse_request(WorkflowLogsQuery, call.query)
    wanted = LogFilter(
        keyword=query.keyword or "",
        status=query.status,
        created_after=query.created_at__after,
        created_before=query.created_at__before,
        session_id=query.created_by_end_user_session_id,
        account_id=await _account_id(call, query.created_by_account),
    )
    page = await call.runtime.store.read(
        lambda connection: logs.list_page(connection, call.app.id, wanted, page=query.page, limit=query.limit)
    )
    return json_reply(
        {
            "page": query.page,
            "limit": query.limit,
            "total": page.total,
            "has_more": page.has_more,
            "data": [_entry(entry) for entry in page.items],
        }
    )


async def _account_id(call: Call, given: str | None) -> str | None:
    """The id of an account that is named by id or e-mail address."""
    if given is None:
        return None
    account = await call.read(
        lambda connection: accounts.find(connection, given) or accounts.find_by_email(connection, given)
    )
    if account is None or account.workspace_id != call.app.workspace_id:
        raise InvalidRequestError(f"Account not found: {given}")
    return account.id


def _whole_result(live: LiveRun) -> dict[str, object]:
    run = live.run
    told: dict[str, object] = {}
    if live.paused is not None:
        told = paused_data(live.paused)
    return {
        "task_id": live.task_id,
        "workflow_run_id": run.id,
        "data": {
            "id": run.id,
            "workflow_id": run.workflow_id,
            "status": run.status,
            "outputs": run.outputs or {},
            "error": run.error,
            "elapsed_time": run.elapsed_time,
            "total_tokens": run.total_tokens,
            "total_steps": run.total_steps,
            "created_at": seconds(run.created_at),
            "finished_at": None if run.finished_at is None else seconds(run.finished_at),
            **{name: value for name, value in told.items() if name in ("paused_nodes", "reasons")},
        },
    }


def _entry(entry: LogEntry) -> dict[str, object]:
    run = entry.run
    return {
        "id": run.log_id,
        "workflow_run": _summary(run),
        "details": None,
        "created_from": run.created_from,
        "created_by_role": run.created_by_role,
        "created_by_account": None,
        "created_by_end_user": None if entry.end_user is None else _end_user(entry.end_user),
        "created_at": seconds(run.created_at),
    }


def _summary(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "version": run.version,
        "status": run.status,
        "triggered_from": run.triggered_from,
        "error": run.error,
        "elapsed_time": run.elapsed_time,
        "total_tokens": run.total_tokens,
        "total_steps": run.total_steps,
        "created_at": seconds(run.created_at),
        "finished_at": None if run.finished_at is None else seconds(run.finished_at),
        "exceptions_count": run.exceptions_count,
    }


def _end_user(end_user: EndUser) -> dict[str, object]:
    return {
        "id": end_user.id,
        "type": end_user.type,
        "is_anonymous": end_user.is_anonymous,
        "session_id": end_user.session_id,
    }


ROUTES = [
    Route("/workflows/run", run_published, methods=["POST"]),
    Route("/workflows/logs", log, methods=["GET"]),
    Route("/workflows/run/{workflow_run_id}", detail, methods=["GET"]),
    Route("/workflows/tasks/{task_id}/stop", stop, methods=["POST"]),
    Route("/workflows/{workflow_id}/run", run_version, methods=["POST"]),
]
