"""What an app answers, as chat completions: whole, or in chunks.

Source: OpenAI API reference, the chat completion object and the chat completion chunk object.
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.events import AnswerReplaced, Event, RunFinished, RunPaused, TextStreamed
from weft.runs import LiveRun
from weft.server.json_text import encode
from weft.server.openai_api.errors import error_body
from weft.server.sse import run_error, seconds
from weft.store import Message
from weft.wire import encode_frame

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
"""A comment; OpenAI's clients take every other frame for a chunk."""


class Teller:
    """Turns the events of one run into chunks.

    Args:
        message: The message that the run answers.
        model: What the app is called as a model.
        include_usage: Whether the last chunk is the usage.
    """

    def __init__(self, message: Message, model: str, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._head = {**identity(message, "chat.completion.chunk", model)}
        if include_usage:
            self._head["usage"] = None
        chunk = self._chunk({"content": ""})
        text_at = chunk.rindex(b'""')
        self._before, self._after = chunk[:text_at], chunk[text_at + 2 :]
        self._begun = False
        self._said: list[str] = []
        """Kept for an answer that is replaced, which no chunk can say."""

    def tell(self, event: Event, live: LiveRun) -> Iterable[bytes]:
        """The chunks that say what happened."""
        yield from self._begin(live.message)
        match event:
            case TextStreamed():
                yield self._text(event.text)
            case AnswerReplaced():
                yield self._text(_correction("".join(self._said), event.text))
                self._said = [event.text]
            case RunFinished() if event.status == "failed":
                status, code, text = run_error(event.error, event.error_code)
                yield encode_frame(encode(error_body(status, code, text)))
            case RunFinished() | RunPaused():
                yield from self._end(live.message)
            case _:
                return

    def tell_whole(self, message: Message) -> Iterable[bytes]:
        """The chunks of an answer that is there already."""
        yield from self._begin(message)
        yield self._text(message.answer)
        yield from self._end(message)

    def _begin(self, message: Message | None) -> Iterable[bytes]:
        if not self._begun:
            self._begun = True
            yield self._chunk({"role": "assistant", "content": ""}, metadata=where(message))

    def _end(self, message: Message | None) -> Iterable[bytes]:
        yield self._chunk({}, finish_reason="stop")
        if self._include_usage:
            yield encode_frame(encode({**self._head, "choices": [], "usage": usage(message)}))
        yield DONE

    def _text(self, text: str) -> bytes:
        self._said.append(text)
        return self._before + encode(text) + self._after

    def _chunk(
        self,
        delta: dict[str, object],
        *,
        finish_reason: str | None = None,
        metadata: dict[str, object] | None = None,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        more = {} if metadata is None else {"metadata": metadata}
        return encode_frame(encode({**self._head, **more, "choices": [choice]}))


def whole(message: Message, model: str) -> dict[str, object]:
    """A whole answer."""
    return {
        **identity(message, "chat.completion", model),
        "metadata": where(message),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": message.answer, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": usage(message),
    }


def identity(message: Message, kind: str, model: str) -> dict[str, object]:
    """What an answer and all its chunks begin with."""
    return {
        "id": f"chatcmpl-{message.id}",
        "object": kind,
        "created": seconds(message.created_at),
        "model": model,
    }


def where(message: Message | None) -> dict[str, object]:
    """Where to find the message again through the Chatflow API."""
    if message is None:
        return {}
    return {"conversation_id": message.conversation_id, "message_id": message.id}


def usage(message: Message | None) -> dict[str, int]:
    """Tokens of all models that a run called."""
    prompt, completion = (0, 0) if message is None else (message.message_tokens, message.answer_tokens)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _correction(said: str, text: str) -> str:
    """What to say after `said` so that a reader ends up with `text`, as far as that can be."""
    if text.startswith(said):
        return text[len(said) :]
    if said.endswith(text):
        return ""
    return f"\n\n{text}"
