"""The log of an app's runs. Source: Dify console API, `/apps/{id}/workflow-app-logs`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError
from weft.server.console_api.app_view import account_summary
from weft.server.console_api.call import FLOW_MODES, ConsoleCall
from weft.server.console_api.field import Flag, Limit, Moment, OptionalText, PageNumber
from weft.server.console_api.run_view import end_user_summary, run_summary
from weft.server.reply import json_reply
from weft.server.sse import seconds
from weft.store import Account, Connection, LogEntry, LogFilter, LogPage, RunStatus, accounts, logs
from weft.wire import WireModel, parse_request


class LogsQuery(WireModel):
    """Query string of the log of runs; all filters must hold."""

    keyword: OptionalText = None
    status: RunStatus | None = None
    created_at__before: Moment = None
    created_at__after: Moment = None
    created_by_end_user_session_id: OptionalText = None
    created_by_account: OptionalText = None
    detail: Flag = False
    page: PageNumber = 1
    limit: Limit = 20


async def listing(request: Request) -> Response:
    """A page of runs, newest first."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app(*FLOW_MODES)
    query = _parse(call)
    wanted = LogFilter(
        keyword=query.keyword or "",
        status=query.status,
        created_after=query.created_at__after,
        created_before=query.created_at__before,
        session_id=query.created_by_end_user_session_id,
        account_id=await _account_id(call, query.created_by_account),
    )

    def read(connection: Connection) -> tuple[LogPage, dict[str, Account]]:
        page = logs.list_page(connection, app.id, wanted, page=query.page, limit=query.limit)
        ids = {entry.run.account_id for entry in page.items if entry.run.account_id}
        return page, accounts.list_by_id(connection, ids)

    page, people = await call.read(read)
    return json_reply(
        {
            "page": query.page,
            "limit": query.limit,
            "total": page.total,
            "has_more": page.has_more,
            "data": [_entry(entry, people, detail=query.detail) for entry in page.items],
        }
    )


async def archived(request: Request) -> Response:
    """Runs that were moved elsewhere; there are none."""
    call = await ConsoleCall.begin(request, "editor")
    await call.app(*FLOW_MODES)
    query = _parse(call)
    empty: list[object] = []
    return json_reply(
        {"page": query.page, "limit": query.limit, "total": 0, "has_more": False, "data": empty}
    )


def _parse(call: ConsoleCall) -> LogsQuery:
    return parse_request(
        LogsQuery, {name: value for name, value in call.query.items() if (name, value) != ("status", "")}
    )


async def _account_id(call: ConsoleCall, given: str | None) -> str | None:
    """The id of an account of the workspace that is named by id or e-mail address."""
    if given is None:
        return None
    account = await call.read_quick(
        lambda connection: accounts.find(connection, given) or accounts.find_by_email(connection, given)
    )
    if account is None or account.workspace_id != call.workspace_id:
        raise InvalidRequestError(f"Account not found: {given[:100]}")
    return account.id


def _entry(entry: LogEntry, people: dict[str, Account], *, detail: bool) -> dict[str, object]:
    run = entry.run
    return {
        "id": run.log_id,
        "workflow_run": run_summary(run),
        "details": {"trigger_metadata": {}} if detail else None,
        "created_from": run.created_from,
        "created_by_role": run.created_by_role,
        "created_by_account": account_summary(people.get(run.account_id or "")),
        "created_by_end_user": end_user_summary(entry.end_user),
        "created_at": seconds(run.created_at),
    }


ROUTES = [
    Route("/apps/{app_id}/workflow-app-logs", listing, methods=["GET"]),
    Route("/apps/{app_id}/workflow-archived-logs", archived, methods=["GET"]),
]
