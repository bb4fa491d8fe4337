"""Switching answers from annotations on and off: jobs of the process that was asked.

A job whose process died is closed as an error by whoever looks next.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import msgspec

from weft.clock import Clock
from weft.errors import WeftError
from weft.ids import Ids
from weft.runs.annotation_reply import AnnotationReplies, ReplySettings
from weft.runs.lease import SILENT_SECONDS
from weft.store import (
    AnnotationAction,
    AnnotationJob,
    Connection,
    Store,
    annotation_replies,
    apps,
    processes,
)

log = logging.getLogger(__name__)

KEPT_SECONDS: Final = 600.0
"""For so long a job that has ended is known."""


@dataclass(slots=True)
class AnnotationJobs:
    """The switching on and off of all apps.

    Args:
        replies: What is switched.
        store: Where jobs are noted.
        clock: The time.
        ids: New identifiers.
        owner_id: Id of this process, noted in every job.
    """

    replies: AnnotationReplies
    store: Store
    clock: Clock
    ids: Ids
    owner_id: str
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _orders: dict[str, asyncio.Lock] = field(default_factory=dict)
    """Jobs of one app are done one after the other, in the order in which they were asked for."""

    async def open(self) -> None:
        """Close the jobs of processes that died."""
        if closed := await self.store.write(self._close_orphans):
            log.warning("closed %d jobs of annotation replies whose process had died", closed)

    async def close(self) -> None:
        """Stop the jobs that are under way; the next process closes them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def enable(self, app_id: str, wanted: ReplySettings) -> AnnotationJob:
        """Begin to switch answering on, and to index all annotations for it.

        Returns:
            The job, or the one that is doing so already, as ``processing``.
        """
        settings: dict[str, object] = {
            "score_threshold": wanted.score_threshold,
            "embedding_provider_name": wanted.provider,
            "embedding_model_name": wanted.model,
        }
        return await self._begin(app_id, "enable", settings, wanted)

    async def disable(self, app_id: str) -> AnnotationJob:
        """Begin to switch answering off; see `enable`. It completes where answering was never on."""
        return await self._begin(app_id, "disable", {}, None)

    async def job(self, app_id: str, action: AnnotationAction, job_id: str) -> AnnotationJob | None:
        """A job that is under way or ended less than ten minutes ago."""

        def find(connection: Connection) -> AnnotationJob | None:
            return annotation_replies.find_job(connection, app_id, action, job_id)

        found = await self.store.read_quick(find)
        if found is not None and found.finished_at is None and not self._is_ours(found):
            await self.store.write(self._close_orphans)
            found = await self.store.read_quick(find)
        if found is None or found.finished_at is None:
            return found
        return found if self.clock.now() - found.finished_at < timedelta(seconds=KEPT_SECONDS) else None

    async def idle(self) -> None:
        """Wait until no job of this process is under way."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _begin(
        self,
        app_id: str,
        action: AnnotationAction,
        settings: dict[str, object],
        wanted: ReplySettings | None,
    ) -> AnnotationJob:
        now = self.clock.now()
        job = AnnotationJob(
            self.ids.new(),
            app_id,
            action,
            "waiting",
            now,
            {**settings, annotation_replies.OWNER: self.owner_id},
        )

        def write(connection: Connection) -> AnnotationJob:
            apps.get_for_update(connection, app_id)  # of two who ask at once one comes second
            self._close_orphans(connection)
            annotation_replies.remove_jobs(connection, now - timedelta(seconds=KEPT_SECONDS))
            found = annotation_replies.find_unfinished_job(connection, app_id, action)
            if found is None:
                annotation_replies.insert_job(connection, job)
            return found or job

        stored = await self.store.write(write)
        if stored.id != job.id:
            return msgspec.structs.replace(stored, status="processing")
        task = asyncio.create_task(self._work(job, wanted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _work(self, job: AnnotationJob, wanted: ReplySettings | None) -> None:
        async with self._orders.setdefault(job.app_id, asyncio.Lock()):
            error = ""
            try:
                await self._note(msgspec.structs.replace(job, status="processing"))
                if wanted is None:
                    await self.replies.switch_off(job.app_id)
                else:
                    await self.replies.switch_on(job.app_id, wanted)
            except WeftError as failure:
                error = str(failure)
            except Exception:  # the border around a background task
                log.exception("annotation replies of app %s: %s failed", job.app_id, job.action)
                error = "Internal server error."
            ended = msgspec.structs.replace(
                job, status="error" if error else "completed", error=error, finished_at=self.clock.now()
            )
            try:
                await self._note(ended)
            except WeftError:
                log.exception("the end of job %s could not be stored", job.id)

    async def _note(self, job: AnnotationJob) -> None:
        await self.store.write(lambda connection: annotation_replies.update_job(connection, job))

    def _close_orphans(self, connection: Connection) -> int:
        now = self.clock.now()
        alive = processes.list_alive(connection, now - timedelta(seconds=SILENT_SECONDS))
        return annotation_replies.close_orphans(
            connection, {self.owner_id, *(process.id for process in alive)}, now
        )

    def _is_ours(self, job: AnnotationJob) -> bool:
        return job.settings.get(annotation_replies.OWNER) == self.owner_id
