"""An event stream as the caller holds it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from weft.client._async.session import Session
from weft.client._call import Call
from weft.client._events import EventReader, StreamResult
from weft.errors import TransportError

if TYPE_CHECKING:
    from weft.client._async.connection import Answer
    from weft.wire import StreamEvent, UnknownEvent


class AsyncEventStream:
    """The events of one answer, in order, and what they have told so far.

    The request goes out with the first event asked for, or on entering the context::

        async with client.stream_chat_messages("Hello", user="u1") as stream:
            async for event in stream:
                ...
        print(stream.result.answer)

    Leaving the context early closes the connection; the run goes on unless the stream was made with
    `stop_on_exit`. Reading to the end, or an error, closes it as well.
    """

    def __init__(
        self,
        session: Session,
        call: Call[None],
        *,
        has_message: bool,
        stop: Callable[[str], Call[None]],
        stop_on_exit: bool,
    ) -> None:
        self._session = session
        self._call = call
        self._stop = stop
        self._stop_on_exit = stop_on_exit
        self._reader = EventReader(call, has_message=has_message)
        self._answer: Answer | None = None
        self._closed = False

    @property
    def result(self) -> StreamResult:
        """What the events taken so far have told."""
        return self._reader.result

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._stop_on_exit and not self._closed:
                await self.stop()
        finally:
            await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent | UnknownEvent:
        """The next event.

        Raises:
            StreamBrokenError: The stream ended too early; its `answer` is what had arrived.
            WeftError: The stream told of an error; `error_reply` gives its code and the partial answer.
        """
        try:
            event = self._reader.take()
            while event is None and not (self._closed or self._reader.is_over):
                await self._read_on()
                event = self._reader.take()
        except BaseException:
            await self.aclose()
            raise
        if event is None:
            await self.aclose()
            raise StopAsyncIteration
        return event

    async def collect(self) -> StreamResult:
        """Read to the end and return what was told.

        Raises:
            StreamBrokenError: The stream ended too early; its `answer` is what had arrived.
            WeftError: The stream told of an error; `error_reply` gives its code and the partial answer.
        """
        async for _ in self:
            pass
        return self.result

    async def stop(self) -> bool:
        """Ask the server to end the run; what follows on the stream is the end of a stopped run.

        Returns:
            Whether it could be asked: not before the first event, which tells the task.
        """
        task_id = self.result.task_id
        if task_id is None:
            return False
        await self._session._send(self._stop(task_id))
        return True

    async def aclose(self) -> None:
        """Give the connection back; the run goes on."""
        self._closed = True
        answer, self._answer = self._answer, None
        if answer is not None:
            await answer.aclose()

    async def _begin(self) -> Answer:
        if self._answer is None:
            self._answer = await self._session._open(self._call)
        return self._answer

    async def _read_on(self) -> None:
        answer = self._answer or await self._begin()
        try:
            chunk = await answer.chunk()
        except TransportError as failure:
            self._reader.finish(failure)
            return
        if chunk is None:
            self._reader.finish()
        else:
            self._reader.feed(chunk)
