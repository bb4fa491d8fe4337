"""Annotations: fixed answers to known questions. Source: Dify service API, `/apps/annotations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.items import AsyncItems
from weft.client._async.session import Session
from weft.client._call import ask_only, get, path, send
from weft.client._job import check_job, late, waits
from weft.client._walk import NumberedWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import (
        Annotation,
        AnnotationReplyAction,
        AnnotationReplyJob,
        AnnotationReplyJobStatus,
        Page,
    )


class AnnotationOperations(Session):
    """Answers that are given without asking a model."""

    async def annotations(
        self,
        *,
        page: int = 1,
        limit: int = 20,
        keyword: str | None = None,
    ) -> Page[Annotation]:
        """One page of annotations, newest first.

        Args:
            page: Number of the page, from 1.
            limit: Annotations per page, 1 to 100.
            keyword: Part of question or answer, in any case.
        """
        return await self._send(
            get(wire.AnnotationPage, "/apps/annotations", page=page, limit=limit, keyword=keyword)
        )

    def iter_annotations(
        self,
        *,
        limit: int = 100,
        keyword: str | None = None,
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[Annotation]:
        """All annotations, newest first, page by page, none twice.

        Args:
            limit: Annotations per request, 1 to 100.
            keyword: Part of question or answer, in any case.
            max_items: Annotations at most.
            progress: Told after every page how far it is.
        """
        first = get(wire.AnnotationPage, "/apps/annotations", page=1, limit=limit, keyword=keyword)
        return self._walk(NumberedWalk(first), max_items=max_items, progress=progress)

    async def create_annotation(self, question: str, answer: str) -> Annotation:
        """Add an annotation.

        Args:
            question: What is asked.
            answer: What is answered.
        """
        fields = {"question": question, "answer": answer}
        call = send("POST", wire.Annotation, "/apps/annotations", wire.AnnotationRequest, fields)
        return await self._send(call)

    async def update_annotation(self, annotation_id: str, question: str, answer: str) -> Annotation:
        """Change an annotation.

        Args:
            annotation_id: Which.
            question: What is asked.
            answer: What is answered.

        Raises:
            NotFoundError: There is no such annotation in this app.
        """
        return await self._send(
            send(
                "PUT",
                wire.Annotation,
                path("apps", "annotations", annotation_id),
                wire.AnnotationRequest,
                {"question": question, "answer": answer},
            )
        )

    async def delete_annotation(self, annotation_id: str) -> None:
        """Remove an annotation.

        Raises:
            NotFoundError: There is no such annotation in this app.
        """
        await self._send(ask_only("DELETE", path("apps", "annotations", annotation_id)))

    async def enable_annotation_reply(
        self, *, score_threshold: float, embedding_provider_name: str, embedding_model_name: str
    ) -> AnnotationReplyJob:
        """Begin to answer by annotations; `wait_for_annotation_reply` tells when it is done.

        Args:
            score_threshold: How alike a query must be to be answered, 0 to 1.
            embedding_provider_name: Provider of the model that compares.
            embedding_model_name: That model.
        """
        return await self._send(
            send(
                "POST",
                wire.AnnotationReplyJob,
                "/apps/annotation-reply/enable",
                wire.AnnotationReplyRequest,
                {
                    "score_threshold": score_threshold,
                    "embedding_provider_name": embedding_provider_name,
                    "embedding_model_name": embedding_model_name,
                },
            )
        )

    async def disable_annotation_reply(self) -> AnnotationReplyJob:
        """Answer by annotations no longer; `wait_for_annotation_reply` tells when that is so."""
        return await self._send(
            send(
                "POST",
                wire.AnnotationReplyJob,
                "/apps/annotation-reply/disable",
                wire.AnnotationReplyRequest,
                # Some servers want the fields for switching off too, and make nothing of them.
                {"score_threshold": 1.0, "embedding_provider_name": "", "embedding_model_name": ""},
            )
        )

    async def annotation_reply_job(
        self,
        action: AnnotationReplyAction,
        job_id: str,
    ) -> AnnotationReplyJobStatus:
        """How far a switching on or off is.

        Args:
            action: ``enable`` or ``disable``, as it was begun.
            job_id: Which.

        Raises:
            InvalidRequestError: There is no such job, or it was of the other action.
        """
        address = path("apps", "annotation-reply", action, "status", job_id)
        return await self._send(get(wire.AnnotationReplyJobStatus, address))

    async def wait_for_annotation_reply(
        self, action: AnnotationReplyAction, job_id: str, *, timeout: float = 300.0
    ) -> AnnotationReplyJobStatus:
        """Wait until a switching on or off is done.

        Args:
            action: ``enable`` or ``disable``, as it was begun.
            job_id: Which.
            timeout: Seconds to wait at most.

        Raises:
            RunError: It failed.
            TransportError: It is not done in time; it goes on, and may be waited for again.
        """
        for wait in waits(timeout):
            status = await self.annotation_reply_job(action, job_id)
            if check_job(status):
                return status
            await self._sleep(wait)
        raise late(action, job_id, timeout)
