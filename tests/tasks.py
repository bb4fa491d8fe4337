"""Which tasks a test begins, on a loop that servers of other tests may share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any

Work = Generator[Any, None, Any] | Coroutine[Any, Any, Any]


@contextmanager
def family() -> Iterator[set[asyncio.Task[Any]]]:
    """Collect the tasks that the calling task begins inside, and those that they begin in turn."""
    loop = asyncio.get_running_loop()
    former = loop.get_task_factory()
    parent = asyncio.current_task()
    members = set[asyncio.Task[Any]]()

    def begin(loop: asyncio.AbstractEventLoop, work: Work, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **options) if former is None else former(loop, work, **options)
        assert isinstance(task, asyncio.Task)
        if (by := asyncio.current_task()) is parent or by in members:
            members.add(task)
        return task

    loop.set_task_factory(begin)
    try:
        yield members
    finally:
        loop.set_task_factory(former)
