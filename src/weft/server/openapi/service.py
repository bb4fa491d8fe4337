"""The operations of the service API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from weft import wire
from weft.server import session_view
from weft.server.openapi.operation import (
    BINARY,
    BODY_ERRORS,
    BYTES,
    DONE,
    EVENTS,
    FORM,
    JSON,
    TEXT,
    Content,
    Operation,
    Schema,
    get,
    post,
)
from weft.server.service_api import annotations as annotation_routes
from weft.server.service_api import (
    application,
    audio,
    chat,
    completion,
    conversations,
    end_users,
    feedback,
    files,
    forms,
    messages,
    rejoin,
    sessions,
    suggested,
    variables,
    workflows,
)

COMMON: Final = "unauthorized forbidden too_many_requests internal_server_error"
"""Errors of all operations."""

_MODEL: Final = """
    provider_not_initialize provider_quota_exceeded model_currently_not_support completion_request_error
    rate_limit_error
"""
_RUN: Final = f"{_MODEL} app_unavailable not_found service_unavailable"
_PREVIEW: Final = "file_access_denied file_not_found range_not_satisfiable"
_EVENTS: Final = wire.StreamEvent
_TASK: Final[Mapping[str, Schema]] = {"task_id": TEXT}
_OBJECT: Final[Schema] = {"type": "object"}
_USER: Final[Mapping[str, Schema]] = {"user": {**TEXT, "description": "Whose sessions; always needed."}}
_ACTION: Final[Mapping[str, Schema]] = {"action": {"enum": ["enable", "disable"], "type": "string"}}


def _form(*required: str, **properties: Schema) -> Content:
    return {FORM: {"type": "object", "properties": properties, "required": list(required)}}


def _stop(path: str, handler: object, mode: str) -> Operation:
    return post(path, handler, wire.StopRequest, DONE, mode, path_schemas=_TASK)  # type: ignore[arg-type]  # a handler


def _session(below: str, handler: object, **more: object) -> Operation:
    return get(
        f"/sessions/{{session_id}}{below}",
        handler,  # type: ignore[arg-type]  # a handler
        _OBJECT,
        "invalid_param not_workflow_app not_found",
        more_query=_USER,
        **more,
    )


OPERATIONS: Final = (
    post(
        "/chat-messages",
        chat.send,
        wire.ChatRequest,
        wire.ChatAnswer,
        f"{_RUN} not_chat_app conversation_completed",
        answers={200: {JSON: wire.ChatAnswer, EVENTS: _EVENTS}},
    ),
    _stop("/chat-messages/{task_id}/stop", chat.stop, "not_chat_app"),
    get("/messages", messages.history, wire.MessagePage, "not_chat_app not_found", query=wire.MessagesQuery),
    get(
        "/messages/{message_id}/suggested",
        suggested.suggested,
        wire.SuggestedQuestions,
        "bad_request not_chat_app",
        query=wire.SuggestedQuery,
    ),
    post(
        "/messages/{message_id}/feedbacks",
        feedback.rate,
        wire.FeedbackRequest,
        DONE,
    ),
    get("/app/feedbacks", feedback.listing, wire.FeedbackList, query=wire.FeedbacksQuery),
    get(
        "/conversations",
        conversations.listing,
        wire.ConversationPage,
        "not_chat_app not_found",
        query=wire.ConversationsQuery,
    ),
    post(
        "/conversations/{conversation_id}/name",
        conversations.rename,
        wire.ConversationRenameRequest,
        wire.Conversation,
        "not_chat_app",
    ),
    Operation(
        method="DELETE",
        path="/conversations/{conversation_id}",
        handler=conversations.delete,
        body={JSON: wire.ConversationDeleteRequest},
        answers={204: {}},
        errors=f"{BODY_ERRORS} not_chat_app",
    ),
    get(
        "/conversations/{conversation_id}/variables",
        variables.listing,
        wire.VariablePage,
        "not_chat_app",
        query=wire.VariablesQuery,
    ),
    Operation(
        method="PUT",
        path="/conversations/{conversation_id}/variables/{variable_id}",
        handler=variables.update,
        body={JSON: wire.VariableUpdateRequest},
        answers={200: {JSON: wire.ConversationVariable}},
        errors=f"{BODY_ERRORS} not_chat_app",
    ),
    Operation(
        method="POST",
        path="/files/upload",
        handler=files.upload,
        body=_form("file", file=BINARY, user={"type": "string", "maxLength": 255}),
        answers={201: {JSON: wire.FileUpload}},
        errors=f"""
            {BODY_ERRORS} no_file_uploaded too_many_files filename_not_exists_error file_too_large
            unsupported_file_type
        """,
    ),
    Operation(
        method="GET",
        path="/files/{file_id}/preview",
        handler=files.preview,
        query=wire.FilePreviewQuery,
        answers={200: {"*/*": BINARY, BYTES: BINARY}, 206: {"*/*": BINARY}},
        errors=_PREVIEW,
    ),
    Operation(
        method="POST",
        path="/audio-to-text",
        handler=audio.to_text,
        body=_form("file", file=BINARY, user={"type": "string", "maxLength": 255}),
        answers={200: {JSON: wire.AudioToTextAnswer}},
        errors=f"""
            {BODY_ERRORS} {_MODEL} app_unavailable no_audio_uploaded provider_not_support_speech_to_text
            audio_too_large unsupported_audio_type
        """,
    ),
    Operation(
        method="POST",
        path="/text-to-audio",
        handler=audio.to_audio,
        body={JSON: wire.TextToAudioRequest},
        answers={200: {"audio/mpeg": BINARY, "audio/*": BINARY}},
        errors=f"{BODY_ERRORS} {_MODEL} app_unavailable",
    ),
    get("/info", application.info, wire.AppInfo),
    get("/parameters", application.parameters, wire.AppParameters, "app_unavailable invalid_param"),
    get("/meta", application.meta, wire.AppMeta),
    get("/site", application.site, wire.Site),
    get("/apps/annotations", annotation_routes.listing, wire.AnnotationPage, query=wire.AnnotationsQuery),
    Operation(
        method="POST",
        path="/apps/annotations",
        handler=annotation_routes.create,
        body={JSON: wire.AnnotationRequest},
        answers={201: {JSON: wire.Annotation}},
        errors=BODY_ERRORS,
    ),
    Operation(
        method="PUT",
        path="/apps/annotations/{annotation_id}",
        handler=annotation_routes.update,
        body={JSON: wire.AnnotationRequest},
        answers={200: {JSON: wire.Annotation}},
        errors=BODY_ERRORS,
    ),
    Operation(
        method="DELETE",
        path="/apps/annotations/{annotation_id}",
        handler=annotation_routes.delete,
        answers={204: {}},
    ),
    post(
        "/apps/annotation-reply/{action}",
        annotation_routes.switch,
        wire.AnnotationReplyRequest,
        wire.AnnotationReplyJob,
        _MODEL,
        body_required=False,
        path_schemas=_ACTION,
    ),
    get(
        "/apps/annotation-reply/{action}/status/{job_id}",
        annotation_routes.status,
        wire.AnnotationReplyJobStatus,
        "invalid_param",
        path_schemas=_ACTION,
    ),
    get(
        "/workflows/run/{workflow_run_id}",
        workflows.detail,
        wire.RunDetail,
        "not_workflow_app",
    ),
    get("/workflows/logs", workflows.log, wire.WorkflowLogPage, query=wire.WorkflowLogsQuery),
    get("/end-users/{end_user_id}", end_users.detail, wire.EndUser, "end_user_not_found"),
    # Neighbours of the chatflow API
    post(
        "/workflows/run",
        workflows.run_published,
        wire.WorkflowRunRequest,
        wire.WorkflowAnswer,
        f"{_RUN} not_workflow_app",
        answers={200: {JSON: wire.WorkflowAnswer, EVENTS: _EVENTS}},
    ),
    post(
        "/workflows/{workflow_id}/run",
        workflows.run_version,
        wire.WorkflowRunRequest,
        wire.WorkflowAnswer,
        f"{_RUN} not_workflow_app",
        answers={200: {JSON: wire.WorkflowAnswer, EVENTS: _EVENTS}},
    ),
    _stop("/workflows/tasks/{task_id}/stop", workflows.stop, "not_workflow_app"),
    post(
        "/completion-messages",
        completion.send,
        wire.CompletionRequest,
        wire.ChatAnswer,
        "app_unavailable",
        answers={200: {JSON: wire.ChatAnswer, EVENTS: _EVENTS}},
    ),
    _stop("/completion-messages/{task_id}/stop", completion.stop, "app_unavailable"),
    get(
        "/form/human_input/{form_token}",
        forms.show,
        wire.HumanInputForm,
        "not_found human_input_form_submitted human_input_form_expired",
        path_schemas={"form_token": TEXT},
    ),
    post(
        "/form/human_input/{form_token}",
        forms.submit,
        wire.FormSubmitRequest,
        {"type": "object"},
        "not_found invalid_form_data human_input_form_submitted human_input_form_expired",
        path_schemas={"form_token": TEXT},
    ),
    Operation(
        method="GET",
        path="/workflow/{workflow_run_id}/events",
        handler=rejoin.events,
        query=wire.RunEventsQuery,
        answers={200: {EVENTS: _EVENTS}},
        errors="not_workflow_app",
    ),
    get(
        "/sessions",
        sessions.listing,
        wire.SessionSummaryPage,
        "not_workflow_app not_found",
        query=session_view.SessionsQuery,
    ),
    _session("", sessions.PAGES.detail, query=session_view.SessionQuery),
    Operation(
        method="PATCH",
        path="/sessions/{session_id}",
        handler=sessions.change,
        body={JSON: wire.SessionChangeRequest},
        answers={200: {JSON: _OBJECT}},
        errors=f"{BODY_ERRORS} not_workflow_app not_found conflict",
    ),
    Operation(
        method="DELETE",
        path="/sessions/{session_id}",
        handler=sessions.delete,
        body={JSON: wire.ConversationDeleteRequest},
        answers={204: {}},
        errors=f"{BODY_ERRORS} not_workflow_app not_found",
    ),
    post(
        "/sessions/{session_id}/name",
        sessions.rename,
        wire.ConversationRenameRequest,
        _OBJECT,
        "not_workflow_app not_found",
    ),
    _session("/runs", sessions.PAGES.runs, query=session_view.RunsQuery),
    _session("/runs/{run_id}", sessions.PAGES.run),
    _session("/history", sessions.PAGES.history, query=session_view.HistoryQuery),
    _session("/chat-history", sessions.PAGES.chat_history, query=session_view.ChatHistoryQuery),
    _session("/messages", sessions.PAGES.messages, query=session_view.MessagesQuery),
)
