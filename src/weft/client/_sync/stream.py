# Written by scripts/unasync.py from ../_async/stream.py; change that file instead.
"""An event stream as the caller holds it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from weft.client._call import Call
from weft.client._events import EventReader, StreamResult
from weft.client._rejoin import Rejoin
from weft.client._sync.session import Session
from weft.errors import InvalidRequestError, RequestError, ServerError, TransportError

if TYPE_CHECKING:
    from weft.client._sync.connection import Answer
    from weft.wire import StreamEvent, UnknownEvent

RECONNECT_DELAY = 1.0
"""Seconds before a stream that broke off is joined again; proxies need a moment."""


class EventStream:
    """The events of one answer, in order, and what they have told so far.

    The request goes out with the first event asked for, or on entering the context::

        with client.stream_chat_messages("Hello", user="u1") as stream:
            for event in stream:
                ...
        print(stream.result.answer)

    Leaving the context early closes the connection; the run goes on unless the stream was made with
    `stop_on_exit`. Reading to the end, or an error, closes it as well.

    A stream made with `reconnects` that breaks off after its run has begun is joined again through the run's
    own events: what was told is not told again, and what was missed of the answer comes as one
    `message_replace` at the end, whose reason is ``rejoined``.
    """

    def __init__(
        self,
        session: Session,
        call: Call[None],
        *,
        has_message: bool,
        stop: Callable[[str], Call[None]] | None,
        stop_on_exit: bool,
        rejoin: Rejoin,
        reconnects: int = 0,
        joins: bool = False,
    ) -> None:
        self._session = session
        self._call = call
        self._stop = stop
        self._stop_on_exit = stop_on_exit
        self._rejoin = rejoin
        self._reconnects = reconnects
        self._compared = False
        self._reader = EventReader(call, has_message=has_message)
        if joins:
            self._reader.join()
        self._answer: Answer | None = None
        self._closed = False

    @property
    def result(self) -> StreamResult:
        """What the events taken so far have told."""
        return self._reader.result

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._stop_on_exit and not self._closed:
                self.stop()
        finally:
            self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamEvent | UnknownEvent:
        """The next event.

        Raises:
            StreamBrokenError: The stream ended too early; its `answer` is what had arrived.
            WeftError: The stream told of an error; `error_reply` gives its code and the partial answer.
        """
        reader = self._reader
        try:
            event = reader.take(may_join=self._reconnects > 0)
            while event is None and not self._closed:
                if not reader.is_over:
                    self._read_on()
                elif not self._join_again():
                    event = reader.take() or self._what_was_missed()
                    break
                event = reader.take(may_join=self._reconnects > 0)
        except BaseException:
            self.close()
            raise
        if event is None:
            self.close()
            raise StopIteration
        return event

    def collect(self) -> StreamResult:
        """Read to the end and return what was told.

        Raises:
            StreamBrokenError: The stream ended too early; its `answer` is what had arrived.
            WeftError: The stream told of an error; `error_reply` gives its code and the partial answer.
        """
        for _ in self:
            pass
        return self.result

    def stop(self) -> bool:
        """Ask the server to end the run; what follows on the stream is the end of a stopped run.

        Returns:
            Whether it could be asked: not before the first event, which tells the task, and not on a
            stream that joined a run, which does not say what kind of app it is.
        """
        task_id = self.result.task_id
        if task_id is None or self._stop is None:
            return False
        self._session._send(self._stop(task_id))
        return True

    def resume(self) -> None:
        """Join a paused run again, before its forms are submitted, so that nothing is missed; read on then.

        The stream stays open while the run is paused once more.

        Raises:
            InvalidRequestError: The stream has not told of a run that waits.
            NotFoundError: The run does not exist, is another user's, or the server cannot do this.
        """
        run = self.result.workflow_run_id
        if self.result.pause is None or run is None:
            raise InvalidRequestError("no run waits for a form on this stream; read it to its end first")
        self._join(self._rejoin.events(run, False, True))

    def close(self) -> None:
        """Give the connection back; the run goes on."""
        self._closed = True
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    def _begin(self) -> Answer:
        if self._answer is None:
            self._answer = self._session._open(self._call)
        return self._answer

    def _read_on(self) -> None:
        answer = self._answer or self._begin()
        try:
            chunk = answer.chunk()
        except TransportError as failure:
            self._reader.finish(failure)
            return
        if chunk is None:
            self._reader.finish()
        else:
            self._reader.feed(chunk)

    def _join_again(self) -> bool:
        run = self._reader.run_to_join
        if run is None:
            return False
        while self._reconnects > 0:
            self._reconnects -= 1
            self._session._sleep(RECONNECT_DELAY)
            try:
                self._join(self._rejoin.events(run, True, False))
            except TransportError:
                continue
            except (RequestError, ServerError):
                self._reconnects = 0  # this server cannot do it, and will not learn to
                return False
            return True
        return False

    def _join(self, call: Call[None]) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()
        self._answer = self._session._open(call)
        self._reader.join()
        self._closed = False

    def _what_was_missed(self) -> StreamEvent | None:
        place = self._reader.message_to_compare
        if place is None or self._compared:
            return None
        self._compared = True
        page = self._session._send(self._rejoin.messages(place[0]))
        kept = next((message for message in page.data if message.id == place[1]), None)
        return None if kept is None else self._reader.repair(kept.answer)
