"""What can be done as a job, how it is tried again, and how much of it is done at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from weft.clock import Clock
from weft.jobs.job import Job


class JobWork(Protocol):
    """A job at work: what its function gets."""

    @property
    def job(self) -> Job:
        """The job as it was when it began."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def secret(self) -> object | None:
        """What was given to the process along with the job and is stored nowhere; none after a kill."""
        ...

    async def step(self, name: str, run: Callable[[], Awaitable[object]]) -> object:
        """Do a part of the work once, however often the job is begun.

        Args:
            name: Unique within the job.
            run: The work; what it returns is JSON and is given again when the step was done before.
        """
        ...

    def tell(self, **progress: object) -> None:
        """Say how far the work is; written from time to time, so it costs next to nothing."""
        ...

    def advance(self) -> None:
        """Say that something is done for good, which whoever goes on with this need not do again.

        A step that is done says so by itself. A job is given up when many processes in a row ended in the
        middle of it and none of them got any further.
        """
        ...


@dataclass(frozen=True, slots=True)
class Partly:
    """Returned by a job that came to its end without doing everything."""

    result: object
    error: str


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a job that failed is begun again; the wait doubles each time."""

    attempts: int = 1
    """Times that it is begun in all."""
    first_seconds: float = 10.0
    longest_seconds: float = 3600.0

    def delay(self, attempts: int) -> float | None:
        """Seconds to wait after that many failures; none to give up."""
        if attempts >= self.attempts:
            return None
        return min(self.first_seconds * 2.0 ** (attempts - 1), self.longest_seconds)


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job."""

    name: str
    run: Callable[[JobWork], Awaitable[object]]
    """Returns JSON, or `Partly`; a `WeftError` that it raises is tried again as `retry` says."""
    queue: str = "default"
    retry: Retry = Retry()


@dataclass(frozen=True, slots=True)
class QueueRule:
    """How much of a queue is done at once, by all processes together."""

    concurrency: int = 1
    per_minute: int | None = None
    """Jobs that may begin within a minute; none does not restrict."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants jobs, and until when they are theirs."""

    owner: str
    now: datetime
    until: datetime
