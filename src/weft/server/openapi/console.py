"""The operations of the console API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from weft import wire as service_wire
from weft.server import session_view
from weft.server.console_api import (
    account,
    apps,
    conversations,
    drafts,
    feedback,
    imports,
    keys,
    login,
    messages,
    runs,
    sessions,
    setup,
    statistics,
    versions,
    workflow_logs,
    workspace,
)
from weft.server.openapi.operation import (
    BODY_ERRORS,
    DONE,
    JSON,
    TEXT,
    Handler,
    Operation,
    Schema,
    get,
    post,
)
from weft.wire import console as wire

COMMON: Final = "unauthorized forbidden internal_server_error"
"""Errors of all operations that need a login."""

_APP: Final = "app_not_found"
_OBJECT: Final[Schema] = {"type": "object"}
_LIST: Final[Schema] = {"type": "array"}
_TIME: Final[Schema] = {"type": "string", "pattern": r"^(\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{1,2})?$"}
_RANGE: Final[Mapping[str, Schema]] = {"start": _TIME, "end": _TIME}
_REFUSED: Final[Schema] = {
    "type": "object",
    "properties": {"result": {"const": "fail"}, "message": TEXT},
    "required": ["result", "message"],
}


_SESSION: Final = "/apps/{app_id}/sessions/{session_id}"


def _session(below: str, handler: Handler, **more: object) -> Operation:
    return get(f"{_SESSION}{below}", handler, _OBJECT, f"{_APP} invalid_param not_found", **more)


def _rows(path: str, row: object) -> Operation:
    return get(
        f"/apps/{{app_id}}/{path}",
        _HANDLERS[path],
        wire.Statistics[row],  # type: ignore[valid-type]  # made for each kind of row
        f"{_APP} bad_request",
        more_query=_RANGE,
        summary=(row.__doc__ or "").strip().partition("\n")[0],
    )


def _made(
    path: str, handler: Handler, body: object, answer: object, errors: str = "", **more: Any
) -> Operation:
    return post(path, handler, body, answer, errors, answers={201: {JSON: answer}}, **more)


_HANDLERS: Final[Mapping[str, Handler]] = {
    route.path.removeprefix("/apps/{app_id}/"): route.endpoint for route in statistics.ROUTES
}
_STATISTICS: Final[Mapping[str, object]] = {
    "statistics/daily-messages": wire.DailyMessages,
    "statistics/daily-conversations": wire.DailyConversations,
    "statistics/daily-end-users": wire.DailyEndUsers,
    "statistics/token-costs": wire.TokenCosts,
    "statistics/average-session-interactions": wire.AverageSessionInteractions,
    "statistics/user-satisfaction-rate": wire.UserSatisfactionRate,
    "statistics/tokens-per-second": wire.TokensPerSecond,
    "statistics/average-response-time": wire.AverageResponseTime,
    "workflow/statistics/daily-conversations": wire.DailyRuns,
    "workflow/statistics/daily-terminals": wire.DailyEndUsers,
    "workflow/statistics/token-costs": wire.TokenCosts,
    "workflow/statistics/average-app-interactions": wire.AverageAppInteractions,
}
_RUN_LISTS: Final = (
    ("/apps/{app_id}/workflow-runs", runs.listing, runs.count),
    ("/apps/{app_id}/advanced-chat/workflow-runs", runs.chat_listing, runs.chat_count),
)

OPERATIONS: Final = (
    # Signing in
    post(
        "/login",
        login.login,
        login.LoginBody,
        wire.LoginAnswer,
        "authentication_failed account_banned email_code_login_limit too_many_requests",
        security="none",
    ),
    *(
        Operation(
            method="POST",
            path=path,
            handler=login.refresh,
            body={JSON: {"type": "object", "properties": {"refresh_token": TEXT}}},
            body_required=False,
            answers={200: {JSON: wire.LoginAnswer}, 401: {JSON: _REFUSED}},
            errors=BODY_ERRORS,
            security="none",
        )
        for path in ("/refresh-token", "/refresh")
    ),
    post("/logout", login.logout, _OBJECT, DONE, body_required=False, security="none"),
    get("/setup", setup.setup, wire.SetupStatus, security="none"),
    get("/version", setup.version, _OBJECT, security="none"),
    get("/ping", setup.ping, {"const": {"result": "pong"}}, security="none"),
    # Apps
    get("/apps", apps.listing, wire.AppPage, query=apps.AppsQuery),
    _made("/apps", apps.create, apps.NewApp, wire.AppDetail),
    get("/apps/{app_id}", apps.detail, wire.AppDetail, _APP),
    Operation(
        method="PUT",
        path="/apps/{app_id}",
        handler=apps.update,
        body={JSON: apps.ChangedApp},
        answers={200: {JSON: wire.AppDetail}},
        errors=f"{BODY_ERRORS} {_APP} not_found",
    ),
    Operation(method="DELETE", path="/apps/{app_id}", handler=apps.delete, answers={204: {}}, errors=_APP),
    _made("/apps/{app_id}/copy", apps.copy, apps.AppCopy, wire.AppDetail, _APP, body_required=False),
    post("/apps/{app_id}/name", apps.rename, apps.AppName, wire.AppDetail, _APP),
    post("/apps/{app_id}/icon", apps.change_icon, apps.AppIcon, wire.AppDetail, _APP),
    post("/apps/{app_id}/site-enable", apps.switch_site, apps.SiteSwitch, wire.AppDetail, _APP),
    post("/apps/{app_id}/api-enable", apps.switch_api, apps.ApiSwitch, wire.AppDetail, _APP),
    post("/apps/{app_id}/site", apps.change_site, apps.SiteChange, _OBJECT, _APP),
    post("/apps/{app_id}/model-config", apps.configure_model, _OBJECT, DONE, _APP),
    Operation(
        method="POST",
        path="/apps/imports",
        handler=imports.create,
        body={JSON: imports.ImportBody},
        answers={
            200: {JSON: wire.AppImport},
            202: {JSON: wire.AppImport},
            400: {JSON: wire.AppImport},
        },
        errors=BODY_ERRORS,
    ),
    Operation(
        method="POST",
        path="/apps/imports/{import_id}/confirm",
        handler=imports.confirm,
        answers={200: {JSON: wire.AppImport}, 400: {JSON: wire.AppImport}},
    ),
    get("/apps/{app_id}/export", imports.export, wire.AppExport, _APP, query=imports.AppExportQuery),
    get("/apps/{app_id}/api-keys", keys.listing, wire.AppTokenList, _APP),
    _made(
        "/apps/{app_id}/api-keys",
        keys.create,
        _OBJECT,
        wire.AppToken,
        f"{_APP} max_keys_exceeded",
        body_required=False,
    ),
    Operation(
        method="DELETE",
        path="/apps/{app_id}/api-keys/{key_id}",
        handler=keys.delete,
        answers={204: {}},
        errors=_APP,
    ),
    # Drafts and versions
    get(
        "/apps/{app_id}/workflows/draft",
        drafts.get,
        wire.WorkflowDraft,
        f"{_APP} draft_workflow_not_exist",
    ),
    post(
        "/apps/{app_id}/workflows/draft",
        drafts.save,
        drafts.DraftBody,
        wire.DraftSaved,
        f"{_APP} draft_workflow_not_sync",
    ),
    get("/apps/{app_id}/workflows/publish", versions.published, wire.WorkflowDraft | None, _APP),
    post(
        "/apps/{app_id}/workflows/publish",
        versions.publish,
        versions.VersionMarks,
        wire.Published,
        f"{_APP} conflict",
        body_required=False,
    ),
    get(
        "/apps/{app_id}/workflows",
        versions.listing,
        wire.WorkflowVersionPage,
        _APP,
        query=versions.VersionsQuery,
    ),
    Operation(
        method="PATCH",
        path="/apps/{app_id}/workflows/{workflow_id}",
        handler=versions.mark,
        body={JSON: versions.VersionMarks},
        answers={200: {JSON: wire.WorkflowDraft}},
        errors=f"{BODY_ERRORS} {_APP}",
    ),
    Operation(
        method="DELETE",
        path="/apps/{app_id}/workflows/{workflow_id}",
        handler=versions.delete,
        answers={204: {}},
        errors=f"bad_request {_APP}",
    ),
    # Logs
    get(
        "/apps/{app_id}/chat-conversations",
        conversations.listing,
        wire.ChatConversationPage,
        f"{_APP} bad_request",
        query=conversations.ConversationsQuery,
        more_query=_RANGE,
    ),
    get(
        "/apps/{app_id}/completion-conversations",
        conversations.completions,
        wire.ChatConversationPage,
        f"{_APP} bad_request",
        query=conversations.ConversationsQuery,
        more_query=_RANGE,
    ),
    get(
        "/apps/{app_id}/chat-conversations/{conversation_id}",
        conversations.detail,
        wire.ChatConversationDetail,
        _APP,
    ),
    Operation(
        method="DELETE",
        path="/apps/{app_id}/chat-conversations/{conversation_id}",
        handler=conversations.delete,
        answers={204: {}},
        errors=_APP,
    ),
    get(
        "/apps/{app_id}/chat-messages",
        messages.history,
        wire.ChatMessagePage,
        f"{_APP} not_found",
        query=messages.MessagesQuery,
    ),
    get(
        "/apps/{app_id}/chat-messages/{message_id}/suggested-questions",
        messages.suggested,
        wire.SuggestedQuestionList,
        _APP,
    ),
    get("/apps/{app_id}/messages/{message_id}", messages.detail, wire.ChatMessage, _APP),
    post("/apps/{app_id}/feedbacks", feedback.judge, feedback.Judgement, DONE, f"{_APP} not_found"),
    Operation(
        method="GET",
        path="/apps/{app_id}/feedbacks/export",
        handler=feedback.export,
        query=feedback.FeedbackExportQuery,
        answers={200: {JSON: wire.FeedbackExport, "text/csv": TEXT}},
        errors=_APP,
    ),
    get("/apps/{app_id}/annotations/count", feedback.count_annotations, wire.AnnotationCount, _APP),
    get(
        "/apps/{app_id}/workflow-app-logs",
        workflow_logs.listing,
        wire.WorkflowLogEntryPage,
        _APP,
        query=workflow_logs.LogsQuery,
    ),
    get(
        "/apps/{app_id}/workflow-archived-logs",
        workflow_logs.archived,
        wire.WorkflowLogEntryPage,
        _APP,
        query=workflow_logs.LogsQuery,
    ),
    *(
        operation
        for path, listing, count in _RUN_LISTS
        for operation in (
            get(path, listing, wire.WorkflowRunPage, _APP, query=runs.RunsQuery),
            get(f"{path}/count", count, wire.WorkflowRunCount, _APP, query=runs.RunCountQuery),
        )
    ),
    Operation(
        method="POST",
        path="/apps/{app_id}/workflow-runs/tasks/{task_id}/stop",
        handler=runs.stop,
        answers={200: {JSON: DONE}},
        errors=_APP,
        path_schemas={"task_id": TEXT},
    ),
    get("/apps/{app_id}/workflow-runs/{run_id}", runs.detail, wire.WorkflowRunDetail, _APP),
    get(
        "/apps/{app_id}/workflow-runs/{run_id}/node-executions",
        runs.executions,
        wire.NodeExecutions,
        _APP,
    ),
    *(_rows(path, row) for path, row in _STATISTICS.items()),
    # Sessions
    get(
        "/apps/{app_id}/sessions",
        sessions.listing,
        service_wire.SessionSummaryPage,
        f"{_APP} not_found",
        query=session_view.SessionsQuery,
    ),
    _session("", sessions.PAGES.detail, query=session_view.SessionQuery),
    Operation(
        method="PATCH",
        path=_SESSION,
        handler=sessions.change,
        body={JSON: service_wire.SessionChangeRequest},
        answers={200: {JSON: _OBJECT}},
        errors=f"{BODY_ERRORS} {_APP} not_found conflict",
    ),
    Operation(
        method="DELETE",
        path=_SESSION,
        handler=sessions.delete,
        answers={204: {}},
        errors=f"{_APP} invalid_param not_found",
    ),
    post(
        f"{_SESSION}/name",
        sessions.rename,
        service_wire.ConversationRenameRequest,
        _OBJECT,
        f"{_APP} not_found",
    ),
    _session("/runs", sessions.PAGES.runs, query=session_view.RunsQuery),
    _session("/runs/{run_id}", sessions.PAGES.run),
    _session("/history", sessions.PAGES.history, query=session_view.HistoryQuery),
    _session("/chat-history", sessions.PAGES.chat_history, query=session_view.ChatHistoryQuery),
    _session("/messages", sessions.PAGES.messages, query=session_view.MessagesQuery),
    # Account and workspace
    get("/account/profile", account.profile, wire.Account),
    post("/account/timezone", account.change_timezone, account.TimezoneBody, wire.Account),
    get("/workspaces", workspace.listing, _OBJECT),
    get("/workspaces/current", workspace.current, _OBJECT),
    Operation(
        method="POST",
        path="/workspaces/current",
        handler=workspace.current,
        answers={200: {JSON: _OBJECT}},
    ),
    get("/workspaces/current/members", workspace.members, _OBJECT),
    get("/workspaces/current/model-providers", workspace.no_models, _OBJECT),
    get("/workspaces/current/tool-providers", workspace.no_tools, _LIST),
)
