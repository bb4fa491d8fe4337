"""Fixed answers to known questions. Source: Dify service API, `/apps/annotations` and its neighbours."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError
from weft.runs import ReplySettings
from weft.server.call import Call
from weft.server.path import path_id
from weft.server.reply import json_reply, no_content
from weft.server.sse import seconds
from weft.store import Annotation, AnnotationAction, AnnotationJob, app_annotations
from weft.wire import AnnotationReplyRequest, AnnotationRequest, AnnotationsQuery, parse_request

_MOST = 100
"""Annotations on a page, whatever is asked for."""
_ABSENT = "Annotation not found"
_NO_JOB = "The job does not exist."


async def listing(request: Request) -> Response:
    """A page of annotations, newest first."""
    call = await Call.begin(request)
    query = parse_request(AnnotationsQuery, call.query)
    page = await call.runtime.store.read(
        lambda connection: app_annotations.list_page(
            connection,
            call.app.id,
            keyword=query.keyword or "",
            page=query.page,
            limit=min(query.limit, _MOST),
        )
    )
    return json_reply(
        {
            "data": [_shown(annotation) for annotation in page.items],
            "has_more": page.has_more,
            "limit": query.limit,
            "total": page.total,
            "page": query.page,
        }
    )


async def create(request: Request) -> Response:
    """Write an answer for a question."""
    call = await Call.begin(request)
    wanted = parse_request(AnnotationRequest, await call.json())
    created = await call.runtime.annotation_replies.create(call.app.id, wanted.question, wanted.answer)
    return json_reply(_shown(created), 201)


async def update(request: Request) -> Response:
    """Write another question or answer."""
    call = await Call.begin(request)
    wanted = parse_request(AnnotationRequest, await call.json())
    annotation_id = path_id(request, "annotation_id", _ABSENT)
    changed = await call.runtime.annotation_replies.change(
        call.app.id, annotation_id, wanted.question, wanted.answer
    )
    return json_reply(_shown(changed))


async def delete(request: Request) -> Response:
    """Remove an annotation and the history of its hits."""
    call = await Call.begin(request)
    annotation_id = path_id(request, "annotation_id", _ABSENT)
    await call.runtime.annotation_replies.remove(call.app.id, annotation_id)
    return no_content()


async def switch(request: Request) -> Response:
    """Begin to answer from annotations, or to stop doing so."""
    call = await Call.begin(request)
    jobs = call.runtime.annotation_jobs
    match request.path_params["action"]:
        case "enable":
            wanted = parse_request(AnnotationReplyRequest, await call.json())
            settings = ReplySettings(
                score_threshold=wanted.score_threshold,
                provider=wanted.embedding_provider_name,
                model=wanted.embedding_model_name,
            )
            job = await jobs.enable(call.app.id, settings)
        case "disable":
            job = await jobs.disable(call.app.id)
        case _:
            raise InvalidRequestError("Unsupported annotation reply action")
    return json_reply({"job_id": job.id, "job_status": job.status})


async def status(request: Request) -> Response:
    """How far a switching on or off is."""
    call = await Call.begin(request)
    job_id = path_id(request, "job_id", _NO_JOB)
    action: AnnotationAction | None = _action(request.path_params["action"])
    job: AnnotationJob | None = None
    if action is not None:
        job = await call.runtime.annotation_jobs.job(call.app.id, action, job_id)
    if job is None:
        raise InvalidRequestError(_NO_JOB)
    return json_reply({"job_id": job.id, "job_status": job.status, "error_msg": job.error})


async def _all(request: Request) -> Response:
    return await (create if request.method == "POST" else listing)(request)


async def _one(request: Request) -> Response:
    return await (delete if request.method == "DELETE" else update)(request)


def _action(given: str) -> AnnotationAction | None:
    match given:
        case "enable" | "disable":
            return given
        case _:
            return None


def _shown(annotation: Annotation) -> dict[str, object]:
    return {
        "id": annotation.id,
        "question": annotation.question,
        "answer": annotation.answer,
        "hit_count": annotation.hit_count,
        "created_at": seconds(annotation.created_at),
    }


ROUTES = [
    Route("/apps/annotations", _all, methods=["GET", "POST"]),
    Route("/apps/annotations/{annotation_id}", _one, methods=["PUT", "DELETE"]),
    Route("/apps/annotation-reply/{action}", switch, methods=["POST"]),
    Route("/apps/annotation-reply/{action}/status/{job_id}", status, methods=["GET"]),
]
