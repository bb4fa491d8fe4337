"""Durable background jobs: work that outlives the process that began it.

`Jobs` is the port: put a job in, look at it, cancel it, say what is done when. `JobEngine` is the
implementation, over tables of its own in the server's database::

    engine = JobEngine(store, [JobKind("count", count)], clock=SystemClock(), ids=TimeOrderedIds())
    async with engine.working():
        job = await engine.enqueue("count", {"to": 3})
        print((await engine.wait(job.id)).result)

A job belongs to whoever holds its lease. When a process is killed its leases run out, another one goes on
with its jobs, and steps that were done are not done again.
"""

from __future__ import annotations

from weft.jobs.cron import check_cron, next_time
from weft.jobs.engine import JobEngine
from weft.jobs.job import ENDED, Job, JobStatus, Schedule
from weft.jobs.kind import JobKind, JobWork, Partly, QueueRule, Retry
from weft.jobs.port import Jobs

__all__ = [
    "ENDED",
    "Job",
    "JobEngine",
    "JobKind",
    "JobStatus",
    "JobWork",
    "Jobs",
    "Partly",
    "QueueRule",
    "Retry",
    "Schedule",
    "check_cron",
    "next_time",
]
