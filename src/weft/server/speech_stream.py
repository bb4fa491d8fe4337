"""Speaking an answer while it is being written: sentences go out one after the other, audio comes back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import aclosing

from weft.errors import ProviderError
from weft.server.sentence import SentenceCutter
from weft.server.speech import Speak

log = logging.getLogger(__name__)

_MAX_WAITING = 1000
"""Sentences that may wait to be spoken; an answer that runs so far ahead is not spoken further."""
_TAIL_SECONDS = 120.0
"""How long speech may go on after the answer is complete."""


class SpeechStream:
    """Hears an answer and has it spoken, in order, beside it.

    Args:
        speak: Says a sentence.
        tell: Takes the pieces of audio.
        ended: Called once when nothing more comes, unless `close` was called before.
    """

    def __init__(self, speak: Speak, *, tell: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._speak = speak
        self._tell = tell
        self._ended = ended
        self._cutter = SentenceCutter()
        self._waiting: deque[str] = deque()
        self._finished = False
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._limit: asyncio.TimerHandle | None = None

    def hear(self, text: str) -> None:
        """The answer goes on."""
        self._add(self._cutter.feed(text))

    def finish(self) -> None:
        """The answer is complete; `ended` is called when the last of it has been spoken."""
        if self._finished:
            return
        self._add(self._cutter.finish())
        self._finished = True
        self._more.set()
        if self._task is None or self._task.done():
            self._ended()
        else:
            self._limit = asyncio.get_running_loop().call_later(_TAIL_SECONDS, self._task.cancel)

    def close(self) -> None:
        """Nobody listens any more."""
        self._finished = True
        self._ended = _nothing
        if self._task is not None:
            self._task.cancel()

    def _add(self, sentences: list[str]) -> None:
        if self._finished or not sentences or (self._task is not None and self._task.done()):
            return
        if len(self._waiting) < _MAX_WAITING:
            self._waiting.extend(sentences)
            self._more.set()
        if self._task is None:
            # Ends by itself if a sentence fails: the answer goes on unspoken.
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting or not self._finished:
                if not self._waiting:
                    self._more.clear()
                    await self._more.wait()
                    continue
                # Sentences that have come up meanwhile are one request.
                text = self._waiting.popleft()
                while self._waiting and len(text) + len(self._waiting[0]) < 400:
                    text = f"{text} {self._waiting.popleft()}"
                async with aclosing(self._speak(text)) as chunks:
                    async for chunk in chunks:
                        self._tell(chunk.data)
        except ProviderError as error:
            log.warning("an answer is not spoken further: %s", error)
        except Exception:  # the border of a background task
            log.exception("an answer is not spoken further")
        finally:
            if self._limit is not None:
                self._limit.cancel()
            if self._finished:
                self._ended()


def _nothing() -> None:
    return
