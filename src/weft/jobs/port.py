"""What the rest of the program asks of background jobs, whatever does them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from weft.jobs.job import Job, JobStatus, Schedule


class Jobs(Protocol):
    """Durable background jobs."""

    async def enqueue(
        self,
        name: str,
        args: Mapping[str, object] | None = None,
        *,
        id: str | None = None,
        key: str | None = None,
        queue: str | None = None,
        subject: str = "",
        run_at: datetime | None = None,
        secret: object | None = None,
    ) -> Job:
        """Put a job in; when this returns it is on disk.

        Args:
            name: Of a known kind.
            args: JSON; it is stored and shown, so it must hold no secrets.
            id: The same id again is the same job.
            key: While a job with this key is queued or running, that one is returned.
            queue: In place of the kind's own.
            subject: What it is about.
            run_at: Not before then.
            secret: Kept in the memory of this process, which therefore has to do the job.

        Raises:
            InvalidRequestError: There is no such kind, or the arguments are no JSON.
        """
        ...

    async def get(self, id: str) -> Job:
        """A job as it is now.

        Raises:
            NotFoundError: There is none of that id.
        """
        ...

    async def list(
        self, *, statuses: Sequence[JobStatus] = (), name: str | None = None, limit: int = 50
    ) -> Sequence[Job]:
        """Jobs, the latest first."""
        ...

    async def cancel(self, id: str) -> Job:
        """Ask for a job not to be done or not to go on; one that has ended stays as it is.

        Raises:
            NotFoundError: There is none of that id.
        """
        ...

    async def wait(self, id: str) -> Job:
        """Wait until a job has ended; the caller sets the bound.

        Raises:
            NotFoundError: There is none of that id.
        """
        ...

    async def put_schedule(self, schedule: Schedule) -> Schedule:
        """Make a schedule, or change the one of that id; what it has missed is then still caught up once.

        Raises:
            InvalidRequestError: The cron expression, the zone or the kind is wrong.
        """
        ...

    async def remove_schedule(self, id: str) -> None:
        """Remove a schedule; jobs that it put in stay.

        Raises:
            NotFoundError: There is none of that id.
        """
        ...

    async def list_schedules(self) -> Sequence[Schedule]:
        """All schedules by id."""
        ...
