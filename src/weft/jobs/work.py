"""A job at work: its steps, its progress, its secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from weft.clock import Clock
from weft.jobs import book
from weft.jobs.job import Job
from weft.store import Store


class Work:
    """What the function of a job gets; see `weft.jobs.JobWork`."""

    def __init__(
        self,
        job: Job,
        store: Store,
        clock: Clock,
        secret: object | None,
        say_advanced: Callable[[], None] = lambda: None,
    ) -> None:
        self.job = job
        self.clock = clock
        self.secret = secret
        self.progress: dict[str, object] = dict(job.progress)
        self.has_news = False
        self.has_advanced = False
        """Since this was last noted."""
        self._store = store
        self._say_advanced = say_advanced
        self._is_noted = job.deaths == 0
        """Whether it is on disk that no process has ended in vain since it last got further."""

    async def step(self, name: str, run: Callable[[], Awaitable[object]]) -> object:
        """Do a part of the work once, however often the job is begun."""
        job_id = self.job.id
        known = await self._store.read(lambda connection: book.find_step(connection, job_id, name))
        if known is not None:
            return msgspec.json.decode(known)
        text = book.encode(await run())
        await self._store.write(lambda connection: book.put_step(connection, job_id, name, text))
        self._is_noted = True
        return msgspec.json.decode(text)

    def tell(self, **progress: object) -> None:
        """Say how far the work is."""
        self.progress.update(progress)
        self.has_news = True

    def advance(self) -> None:
        """Say that something is done for good."""
        if not self._is_noted:
            self._is_noted = self.has_advanced = True
            self._say_advanced()
