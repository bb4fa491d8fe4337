"""The operations of the archive's API; the first five have paths and bodies of the conversation log guide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from weft.server.archive_api import find, jobs, logs, own_store, records, report, tail
from weft.server.openapi.operation import (
    BODY_ERRORS,
    BYTES,
    EVENTS,
    JSON,
    TEXT,
    Handler,
    Operation,
    Schema,
)

COMMON: Final = (
    "unauthorized forbidden internal_server_error archive_failed archive_damaged "
    "request_header_fields_too_large"
)
_WRITES: Final = "archive_locked archive_full archive_read_only"
_ANY: Final[Schema] = {"type": "object"}
_SHORT: Final[Schema] = {"type": "string", "maxLength": 2000}
_DAY: Final[Schema] = {**_SHORT, "description": "A day such as 2025-10-15, or an instant in ISO 8601."}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number"}
_DAYS: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 36_500}
_MAYBE: Final[Schema] = {"type": ["string", "null"], "maxLength": 4096}


def _object(*optional: str, **properties: Schema) -> Schema:
    """An object all of whose properties are there, except for those that are named."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _body(**properties: Schema) -> Schema:
    """A body of which everything may be left out, and that has nothing else."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


_JOB: Final = _object(
    id=TEXT,
    name=TEXT,
    status={"enum": ["queued", "running", "succeeded", "partial-succeeded", "failed", "cancelled"]},
    subject=TEXT,
    created_at=TEXT,
    run_at=TEXT,
    started_at=_MAYBE,
    finished_at=_MAYBE,
    attempts=_COUNT,
    progress=_ANY,
    result={},
    error=TEXT,
)
_BEGUN: Final = _object("message", success=_FLAG, message=TEXT, job=_JOB)
_SCHEDULE: Final = _object(
    id=TEXT,
    cron=TEXT,
    timezone=TEXT,
    task=TEXT,
    args=_ANY,
    origin={"enum": ["settings", "api"]},
    is_active=_FLAG,
    next_at=_MAYBE,
    last_at=_MAYBE,
)
_HOLD: Final = _object(
    id=TEXT,
    reason=TEXT,
    placed_at=TEXT,
    organization_id=_MAYBE,
    app_id=_MAYBE,
    from_source=_MAYBE,
    end_user_id=_MAYBE,
    conversation_id=_MAYBE,
)
_SAVED: Final = _object(
    success=_FLAG,
    message=TEXT,
    total_conversations=_COUNT,
    saved_count=_COUNT,
    failed_count=_COUNT,
    file_paths=_list(TEXT),
)
_CLEANED: Final = _object(
    "dry_run",
    "held",
    "total",
    "paths",
    success=_FLAG,
    message=TEXT,
    deleted_files=_COUNT,
    deleted_size_bytes=_COUNT,
    dry_run=_FLAG,
    held=_COUNT,
    total=_COUNT,
    paths=_list(TEXT),
)
_THINNED: Final = _object(
    "disk",
    "files",
    success=_FLAG,
    error=TEXT,
    dry_run=_FLAG,
    older_than_days=_NUMBER,
    conversations=_COUNT,
    candidates=_COUNT,
    deleted=_COUNT,
    messages=_COUNT,
    runs=_COUNT,
    size_bytes=_COUNT,
    files=_COUNT,
    kept={"type": "object", "additionalProperties": _COUNT},
    apps=_list(_ANY),
    disk=_ANY,
)
_APP: Final[Mapping[str, Schema]] = {
    "dify_api_url": _MAYBE,
    "app_id": _MAYBE,
    "api_key": _MAYBE,
    "organization_id": _MAYBE,
    "source": _MAYBE,
    "kind": {"enum": ["console", "app-key", "", None]},
}
_FILTERS: Final[Schema] = {
    "anyOf": [_body(start_date=_MAYBE, end_date=_MAYBE, from_source=_MAYBE), {"type": "null"}]
}
_SELECTION: Final[Mapping[str, Schema]] = {
    "organization_id": _SHORT,
    "app_id": _SHORT,
    "from_source": _SHORT,
    "end_user_id": _SHORT,
    "rating": {"enum": ["like", "dislike", "none"]},
    "start_date": _DAY,
    "end_date": _DAY,
}
_FORMATS: Final = ("json", "jsonl", "csv", "parquet", "markdown", "html", "openai", "sharegpt", "preference")
_EXPORTS: Final = (
    "application/x-ndjson",
    "text/csv",
    "text/markdown",
    "text/html",
    "application/vnd.apache.parquet",
)


def _operation(
    method: str, path: str, endpoint: object, summary: str, answers: Mapping[int, object], **more: Any
) -> Operation:
    content = {
        status: answer if isinstance(answer, dict) and JSON in answer else {JSON: answer}
        for status, answer in answers.items()
    }
    # Of a handler only its name is told here, and these get a call where others get a request.
    handler = cast(Handler, endpoint)
    return Operation(method=method, path=path, handler=handler, summary=summary, answers=content, **more)


def _guide(path: str) -> tuple[Operation, ...]:
    return (
        _operation(
            "POST",
            path,
            logs.save,
            "Save an app's conversations in the archive, now or in the background.",
            {200: _SAVED, 202: _BEGUN},
            body={JSON: {"type": "object", "properties": {**_APP, "filters": _FILTERS, "background": _FLAG}}},
            errors=f"{BODY_ERRORS} {_WRITES} not_found source_failed",
        ),
        _operation(
            "GET",
            path,
            logs.look,
            "Count what is in the archive, or export conversations.",
            {200: {JSON: {"type": ["object", "array"]}, **{kind: {} for kind in _EXPORTS}}},
            more_query={
                **_SELECTION,
                "action": {"enum": ["summary", "export"]},
                "format": {"enum": list(_FORMATS)},
                "cursor": _SHORT,
            },
            errors="invalid_param archive_read_only",
        ),
        _operation(
            "DELETE",
            path,
            logs.clean,
            "Delete conversations from the archive whose last activity is older.",
            {200: _CLEANED},
            more_query={"days_to_keep": _DAYS, "organization_id": _SHORT, "dry_run": _FLAG},
            errors=f"invalid_param retention_refused {_WRITES}",
        ),
    )


def _schedule(method: str, endpoint: object, summary: str, answer: Schema, **more: Any) -> Operation:
    schemas = {"schedule_id": {"type": "string", "minLength": 1, "maxLength": 100}}
    return _operation(
        method, "/schedules/{schedule_id}", endpoint, summary, {200: answer}, path_schemas=schemas, **more
    )


def _of_job(method: str, path: str, endpoint: object, summary: str) -> Operation:
    schemas = {"job_id": TEXT}
    return _operation(method, path, endpoint, summary, {200: _JOB}, path_schemas=schemas, errors="not_found")


OPERATIONS: Final = (
    *_guide(""),
    *_guide("/"),
    _operation(
        "POST",
        "/scheduled",
        logs.save_scheduled,
        "Save several apps; what happens to one stops no other.",
        {200: _object(success=_FLAG, message=TEXT, results=_list(_ANY)), 202: _BEGUN},
        body={
            JSON: {
                "type": "object",
                "properties": {
                    "apps": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 200,
                        "items": {"type": "object", "properties": dict(_APP)},
                    },
                    "filters": _FILTERS,
                    "background": _FLAG,
                },
                "required": ["apps"],
            }
        },
        errors=f"{BODY_ERRORS} {_WRITES} source_failed",
    ),
    _operation(
        "GET",
        "/search",
        find.search,
        "Find archived messages by their words.",
        {200: _object(success=_FLAG, data=_list(_ANY))},
        more_query={
            **_SELECTION,
            "q": _SHORT,
            "order": {"enum": ["newest", "relevance"]},
            "cursor": _SHORT,
            "limit": {"type": "integer", "minimum": 1, "maximum": 200},
        },
        errors=f"invalid_param {_WRITES}",
    ),
    _operation(
        "GET",
        "/statistics",
        find.statistics,
        "Count archived messages, users, tokens, costs and ratings, also in groups.",
        {200: _object(success=_FLAG, totals=_ANY)},
        more_query={**_SELECTION, "by": {"enum": list(find._GROUPS)}, "timezone": _SHORT},
        errors=f"invalid_param {_WRITES}",
    ),
    _operation(
        "GET",
        "/report",
        report.report,
        "Report on the last full week, or on a range of days.",
        {200: {JSON: _ANY, "text/markdown": {}, "text/html": {}}},
        more_query={
            "start_date": _DAY,
            "end_date": _DAY,
            "timezone": _SHORT,
            "organization_id": _SHORT,
            "format": {"enum": list(report._FORMATS)},
            "excerpts": _FLAG,
        },
        errors=f"invalid_param {_WRITES}",
    ),
    _operation(
        "GET",
        "/tail",
        tail.tail,
        "Stream what is archived from now on.",
        {200: {EVENTS: TEXT, JSON: _ANY}},
        more_query={**_SELECTION, "after": _SHORT, "since": _DAY},
        errors="invalid_param",
    ),
    _operation(
        "GET",
        "/conversations/{conversation_id}",
        records.show,
        "Get an archived conversation with all its messages.",
        {200: _ANY},
        more_query={"organization_id": _SHORT},
        path_schemas={"conversation_id": TEXT},
        errors="invalid_param not_found",
    ),
    _operation(
        "GET",
        "/holds",
        records.list_holds,
        "List what may not be deleted.",
        {200: _object(data=_list(_HOLD))},
    ),
    _operation(
        "POST",
        "/holds",
        records.place_hold,
        "Exempt conversations from deletion.",
        {201: _HOLD},
        body={
            JSON: {
                "type": "object",
                "properties": {
                    "id": TEXT,
                    "reason": {"type": "string", "minLength": 1},
                    **{
                        name: {"type": ["string", "null"]}
                        for name in (
                            "organization_id",
                            "app_id",
                            "from_source",
                            "end_user_id",
                            "conversation_id",
                        )
                    },
                },
                "required": ["reason"],
                "additionalProperties": False,
            }
        },
        errors=f"{BODY_ERRORS} {_WRITES}",
    ),
    _operation(
        "DELETE",
        "/holds/{hold_id}",
        records.release_hold,
        "Release a hold.",
        {200: _HOLD},
        path_schemas={"hold_id": TEXT},
        errors=f"not_found {_WRITES}",
    ),
    _operation(
        "POST",
        "/verify",
        records.verify,
        "Prove the archive, now or in the background.",
        {
            200: _object(
                success=_FLAG,
                result=TEXT,
                depth=TEXT,
                days=_COUNT,
                files=_COUNT,
                bytes=_COUNT,
                complete=_FLAG,
                findings=_list(_ANY),
                findings_total=_COUNT,
            ),
            202: _BEGUN,
        },
        body={
            JSON: {
                "type": "object",
                "properties": {
                    "depth": {"enum": ["structure", "sizes", "bytes"]},
                    "budget_seconds": {"type": ["number", "null"], "minimum": 0},
                    "background": _FLAG,
                },
            }
        },
        body_required=False,
        errors=BODY_ERRORS,
    ),
    _operation(
        "POST",
        "/import",
        records.take_in,
        "Take in a file of conversations, as they were exported or archived.",
        {
            200: _object(
                success=_FLAG, written=_COUNT, unchanged=_COUNT, failed_count=_COUNT, failed=_list(_ANY)
            )
        },
        more_query={"name": _SHORT, "organization_id": _SHORT},
        body={BYTES: {}},
        errors=f"invalid_param request_entity_too_large {_WRITES}",
    ),
    _operation(
        "POST",
        "/thin",
        own_store.thin,
        "Delete from the server's own database what the archive has; with dry_run, only say what would go.",
        {200: _THINNED, 202: _BEGUN},
        body={
            JSON: _body(
                older_than_days={**_DAYS, "type": ["number", "null"]},
                app_ids={"anyOf": [_list(TEXT), {"type": "null"}]},
                max_share={"type": "number", "minimum": 0, "maximum": 1},
                keep_annotated=_FLAG,
                keep_files=_FLAG,
                dry_run=_FLAG,
                pull=_FLAG,
                background={"type": ["boolean", "null"]},
            )
        },
        body_required=False,
        errors=BODY_ERRORS,
    ),
    _operation(
        "POST",
        "/restore",
        own_store.restore,
        "Put archived conversations back into the server's own database, as a job.",
        {202: _BEGUN},
        body={
            JSON: _body(
                app_id={"type": ["string", "null"]},
                from_app_ids={"anyOf": [_list(TEXT), {"type": "null"}]},
                conversation_ids={"anyOf": [_list(TEXT), {"type": "null"}]},
                organization_id={"type": ["string", "null"]},
                end_user_id={"type": ["string", "null"]},
                from_source={"type": ["string", "null"]},
                start_date={"type": ["string", "null"]},
                end_date={"type": ["string", "null"]},
            )
        },
        body_required=False,
        errors=BODY_ERRORS,
    ),
    _operation(
        "GET",
        "/jobs",
        jobs.list_jobs,
        "List background work, the latest first.",
        {200: _object(data=_list(_JOB))},
        more_query={
            "status": cast("dict[str, Schema]", _JOB["properties"])["status"],
            "name": _SHORT,
            "limit": {"type": "integer", "minimum": 1, "maximum": 200},
        },
        errors="invalid_param",
    ),
    _of_job("GET", "/jobs/{job_id}", jobs.show_job, "Look at background work."),
    _of_job("POST", "/jobs/{job_id}/cancel", jobs.cancel_job, "Cancel background work."),
    _operation(
        "GET",
        "/schedules",
        jobs.list_schedules,
        "List what is done when.",
        {200: _object(data=_list(_SCHEDULE))},
    ),
    _schedule(
        "PUT",
        jobs.put_schedule,
        "Make or change a schedule.",
        _SCHEDULE,
        body={
            JSON: {
                "type": "object",
                "properties": {
                    "cron": TEXT,
                    "task": {"enum": list(jobs._TASKS)},
                    "args": _ANY,
                    "timezone": TEXT,
                    "is_active": _FLAG,
                },
                "required": ["cron"],
                "additionalProperties": False,
            }
        },
        errors=f"{BODY_ERRORS} not_found",
    ),
    _schedule(
        "DELETE", jobs.remove_schedule, "Remove a schedule.", _object(success=_FLAG), errors="not_found"
    ),
)
