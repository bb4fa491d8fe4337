"""What every model provider keeps, as tests that a provider's author inherits.

::

    class TestMyProvider(ChatModelContract):
        pytestmark = pytest.mark.anyio

        def given(self, situation):
            ...  # an async context manager that yields a Subject
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import cast

from weft import errors
from weft.errors import ProviderError
from weft.providers import (
    AudioChunk,
    ChatChunk,
    ChatModel,
    ChatRequest,
    EmbeddingModel,
    Message,
    ModerationModel,
    Recording,
    RerankModel,
    SpeechModel,
    SpeechRequest,
    Tool,
    ToolCall,
    TranscriptionModel,
    join_tool_calls,
)

_PATIENCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the model service shall do with the next call."""

    text: str = ""
    """Answer with it, in one chunk per word."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Ask for these tools."""
    error: str = ""
    """Fail so that this class of `weft.errors` is the right one, after `text` if there is any."""
    endless: bool = False
    """Fall silent after `text`, with the connection open."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider in that situation."""

    chat: ChatModel
    model: str
    hung_up: Callable[[], Awaitable[None]]
    """Returns when the service has noticed that the call was left; at once where there is no service."""


class ChatModelContract:
    """Inherit, say how to bring a situation about, and every method is a test."""

    def given(self, situation: Situation) -> AbstractAsyncContextManager[Subject]:
        """A provider whose service does what the situation says."""
        raise NotImplementedError

    async def test_text_comes_in_pieces_that_join_to_the_answer(self) -> None:
        """An answer of several words is streamed, blanks and all."""
        async with self.given(Situation(text="one two  three")) as subject:
            chunks = await collect(subject)
        assert "".join(chunk.text for chunk in chunks) == "one two  three"
        assert sum(1 for chunk in chunks if chunk.text) > 1

    async def test_only_the_last_chunk_carries_usage_and_the_reason_to_finish(self) -> None:
        """Whoever reads the last chunk knows all there is to know about the call."""
        async with self.given(Situation(text="one two")) as subject:
            *others, last = await collect(subject)
        assert [(chunk.usage, chunk.finish_reason) for chunk in others] == [(None, None)] * len(others)
        assert last == ChatChunk(usage=last.usage, finish_reason="stop")

    async def test_usage_counts_prompt_and_answer(self) -> None:
        """Counted by the service or estimated, but never zero."""
        async with self.given(Situation(text="one two three")) as subject:
            usage = (await collect(subject))[-1].usage
        assert usage is not None
        assert usage.prompt_tokens > 0
        assert usage.completion_tokens > 0
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens

    async def test_tool_calls_arrive_whole(self) -> None:
        """Ids, names and arguments are those that the model gave, in its order."""
        wanted = [ToolCall("call_a", "weather", '{"city":"Oslo"}'), ToolCall("call_b", "time", "{}")]
        async with self.given(Situation(tool_calls=tuple(wanted))) as subject:
            chunks = await collect(subject)
        assert join_tool_calls(delta for chunk in chunks for delta in chunk.tool_calls) == wanted
        assert chunks[-1].finish_reason == "tool_calls"

    async def test_each_failure_has_its_error_which_names_provider_and_model(self) -> None:
        """A caller can tell failures apart without reading messages."""
        for name in (
            "CredentialsError",
            "RateLimitedError",
            "QuotaExceededError",
            "UnsupportedModelError",
            "ProviderTimeoutError",
            "BadReplyError",
            "ProviderError",
        ):
            async with self.given(Situation(error=name)) as subject:
                error = await fail(subject, [])
                assert (type(error).__name__, error.provider, error.model) == (
                    name,
                    subject.chat.name,
                    subject.model,
                )

    async def test_a_failure_in_the_middle_comes_after_the_chunks_before_it(self) -> None:
        """What was said is not lost."""
        chunks: list[ChatChunk] = []
        async with self.given(Situation(text="one two", error="BadReplyError")) as subject:
            error = await fail(subject, chunks)
        assert "".join(chunk.text for chunk in chunks) == "one two"
        assert isinstance(error, errors.BadReplyError)

    async def test_leaving_early_ends_the_call(self) -> None:
        """Closing the iterator frees the connection."""
        async with self.given(Situation(text="one two", endless=True)) as subject:
            async with asyncio.timeout(_PATIENCE), aclosing(_stream(subject)) as chunks:
                async for chunk in chunks:
                    assert chunk.text
                    break
            async with asyncio.timeout(_PATIENCE):
                await subject.hung_up()

    async def test_cancelling_ends_the_call(self) -> None:
        """So does cancelling the task that waits for the next chunk."""
        async with self.given(Situation(text="one", endless=True)) as subject:
            first = asyncio.Event()

            async def consume() -> None:
                async for _ in _stream(subject):
                    first.set()

            task = asyncio.create_task(consume())
            async with asyncio.timeout(_PATIENCE):
                await first.wait()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert task.cancelled()
                await subject.hung_up()

    async def test_two_calls_at_once_do_not_disturb_each_other(self) -> None:
        """A provider keeps nothing of a call in itself."""
        async with self.given(Situation(text="one two three")) as subject:
            both = await asyncio.gather(collect(subject), collect(subject))
        assert ["".join(chunk.text for chunk in chunks) for chunks in both] == ["one two three"] * 2

    async def test_closing_twice_does_no_harm(self) -> None:
        """Shutting down is safe to repeat."""
        async with self.given(Situation(text="one")) as subject:
            await collect(subject)
            await subject.chat.close()
            await subject.chat.close()


@dataclass(frozen=True, slots=True)
class ServicesSubject:
    """Whatever a provider does beside chatting; ``None`` for what it does not."""

    model: str
    embedding: EmbeddingModel | None = None
    rerank: RerankModel | None = None
    speech: SpeechModel | None = None
    transcription: TranscriptionModel | None = None
    moderation: ModerationModel | None = None

    def faces(self) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
        """Name and a plain call of everything that the provider does."""
        model = self.model
        found: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        if (embedding := self.embedding) is not None:
            found.append((embedding.name, lambda: embedding.embed(model, ["one"])))
        if (rerank := self.rerank) is not None:
            found.append((rerank.name, lambda: rerank.rerank(model, "one", ["one"])))
        if (speech := self.speech) is not None:
            found.append((speech.name, lambda: spoken(speech, model, "one")))
        if (transcription := self.transcription) is not None:
            found.append((transcription.name, lambda: transcription.transcribe(model, _RECORDING)))
        if (moderation := self.moderation) is not None:
            found.append((moderation.name, lambda: moderation.moderate(model, ["one"])))
        return found


class ModelServicesContract:
    """What a provider keeps that embeds, reranks, speaks, listens or moderates; inherit it likewise."""

    def given_services(self, error: str = "") -> AbstractAsyncContextManager[ServicesSubject]:
        """A provider whose service works, or fails so that this class of `weft.errors` is the right one."""
        raise NotImplementedError

    async def test_each_text_gets_a_vector_of_its_own(self) -> None:
        """In order, of one length, the same for the same text, however many there are."""
        async with self.given_services() as subject:
            if subject.embedding is None:
                return
            texts = [f"text {number} {'abc' * (number % 7)}" for number in range(150)]
            found = await subject.embedding.embed(subject.model, [*texts, texts[3], ""])
            assert len(found.vectors) == 152
            assert len({len(vector) for vector in found.vectors}) == 1
            assert found.vectors[3] == found.vectors[150]
            assert found.vectors[3] != found.vectors[4]
            assert {vector.typecode for vector in found.vectors} == {"f"}
            assert (await subject.embedding.embed(subject.model, [])).vectors == []

    async def test_the_text_that_answers_scores_best(self) -> None:
        """Scores stand in the order of the texts."""
        async with self.given_services() as subject:
            if subject.rerank is None:
                return
            texts = ["nothing of it", "where is the station", "a station"]
            found = await subject.rerank.rerank(subject.model, "where is the station", texts)
            assert len(found.scores) == 3
            assert max(range(3), key=lambda place: found.scores[place] or 0.0) == 1
            assert found.usage.total_tokens > 0

    async def test_what_is_spoken_comes_in_pieces_of_one_kind(self) -> None:
        """A longer text is a longer recording."""
        async with self.given_services() as subject:
            if subject.speech is None:
                return
            short = await spoken(subject.speech, subject.model, "one")
            long = await spoken(subject.speech, subject.model, "one two three. " * 400)
            assert len(b"".join(chunk.data for chunk in long)) > len(b"".join(chunk.data for chunk in short))
            (kind,) = {chunk.media_type for chunk in (*short, *long)}
            assert kind.startswith("audio/")

    async def test_a_recording_becomes_text(self) -> None:
        """Whatever it says, it is text without blanks around it."""
        async with self.given_services() as subject:
            if subject.transcription is None:
                return
            found = await subject.transcription.transcribe(subject.model, _RECORDING)
            assert found.text
            assert found.text == found.text.strip()

    async def test_each_text_is_judged_for_itself(self) -> None:
        """As many judgements as texts."""
        async with self.given_services() as subject:
            if subject.moderation is None:
                return
            assert len(await subject.moderation.moderate(subject.model, ["one", "two"])) == 2

    async def test_each_failure_of_a_service_has_its_error(self) -> None:
        """With the names of provider and model, whatever was asked for."""
        for name in ("CredentialsError", "RateLimitedError", "UnsupportedModelError", "BadReplyError"):
            async with self.given_services(name) as subject:
                for provider, call in subject.faces():
                    try:
                        async with asyncio.timeout(_PATIENCE):
                            await call()
                    except ProviderError as error:
                        told = (type(error).__name__, error.provider, error.model)
                    else:
                        told = ("nothing", "", "")
                    assert told == (name, provider, subject.model)


_RECORDING = Recording(b"RIFF....WAVE", "a.wav", "audio/wav")


async def spoken(speech: SpeechModel, model: str, text: str) -> list[AudioChunk]:
    """All pieces of one recording, within a bound."""
    async with asyncio.timeout(_PATIENCE):
        return [chunk async for chunk in speech.stream_speech(SpeechRequest(model, text))]


def request_to(subject: Subject) -> ChatRequest:
    """A request that uses what all providers have in common."""
    tool = Tool(
        "weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}}
    )
    return ChatRequest(
        subject.model,
        [Message("system", "Be brief."), Message("user", "What is the weather in Oslo?")],
        parameters={"temperature": 0.2},
        tools=[tool],
    )


async def collect(subject: Subject) -> list[ChatChunk]:
    """All chunks of one call, within a bound."""
    async with asyncio.timeout(_PATIENCE):
        return [chunk async for chunk in _stream(subject)]


async def fail(subject: Subject, chunks: list[ChatChunk]) -> ProviderError:
    """The error that one call ends with; what came before goes into `chunks`."""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for chunk in _stream(subject):
                chunks.append(chunk)
    except ProviderError as error:
        return error
    raise AssertionError(f"the call succeeded with {chunks}")


def _stream(subject: Subject) -> AsyncGenerator[ChatChunk, None]:
    # A provider may return any iterator; only one that can be closed is a call that can be left.
    return cast("AsyncGenerator[ChatChunk, None]", subject.chat.stream_chat(request_to(subject)))
