"""What OpenAI-compatible services do beside chatting: embed, rerank, speak, listen, moderate.

Source: OpenAI API reference (embeddings, audio, moderations); reranking as Jina, Cohere, Voyage, vLLM and
Text Embeddings Inference have it, which is nearly the same.
"""

from __future__ import annotations

import math
import random
import re
import uuid
from array import array
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import TypeVar

import msgspec
from msgspec import Struct

from weft.clock import Clock
from weft.providers.chat import TokenUsage
from weft.providers.config import ProviderConfig
from weft.providers.embedding import Embeddings
from weft.providers.http import Http
from weft.providers.moderation import Moderation
from weft.providers.name import provider_key
from weft.providers.openai_body import ReplyBody
from weft.providers.openai_endpoint import AttemptError, Endpoint
from weft.providers.openai_form import encode_form
from weft.providers.openai_request import encode_body
from weft.providers.rerank import Reranking
from weft.providers.retry import RetryPolicy
from weft.providers.service import SERVICES
from weft.providers.speech import AudioChunk, Recording, SpeechRequest, Transcript
from weft.providers.token import estimate_tokens

T = TypeVar("T")

_TEXTS_PER_CALL = 32
"""What every well-known service takes in one request, Text Embeddings Inference by its default too."""
_CHARS_PER_CALL = 200_000
_MAX_SPOKEN_CHARS = 4000
"""In one request; longer texts are spoken in several, cut after a sentence."""
_SENTENCE_END = re.compile(r"(?<=[.!?。！？\n])\s*")


class _Tokens(Struct):
    prompt_tokens: int | None = None
    input_tokens: int | None = None
    total_tokens: int | None = None

    def usage(self, estimate: int) -> TokenUsage:
        count = self.prompt_tokens or self.input_tokens or self.total_tokens or estimate
        return TokenUsage(count, 0, count)


class _Vector(Struct):
    embedding: list[float]
    index: int | None = None


class _Vectors(Struct):
    data: list[_Vector]
    usage: _Tokens | None = None


class _Score(Struct):
    index: int
    relevance_score: float | None = None
    score: float | None = None


class _Scores(Struct):
    results: list[_Score] = []
    data: list[_Score] = []
    usage: _Tokens | None = None


class _Text(Struct):
    text: str


class _Judgement(Struct):
    flagged: bool
    categories: dict[str, bool | None] = {}


class _Judgements(Struct):
    results: list[_Judgement]


class OpenAIServices:
    """A provider behind ``/embeddings``, ``/rerank``, ``/audio/...`` and ``/moderations``.

    Args:
        name: Provider's name as the app spells it.
        config: Where and how; without `base_url` the provider must be a well-known one.
        clock: Waits between attempts.
        http: Shared session; without it this provider opens its own.
        jitter: Gives random numbers from 0 to 1.

    Raises:
        CredentialsError: Address or key is missing; the message says what to set.
    """

    def __init__(
        self,
        name: str,
        config: ProviderConfig,
        *,
        clock: Clock,
        http: Http | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._config = config
        self._clock = clock
        self._own_http = None if http else Http()
        self._endpoint = Endpoint(name, config, http or self._own_http or Http(), clock)
        self._jitter = jitter
        self._retry = RetryPolicy(config.max_retries, config.max_retry_wait)
        self._service = SERVICES.get(provider_key(name))
        self._texts_field: dict[str, str] = {}
        """Models whose service calls the texts to rerank otherwise than ``documents``."""

    async def close(self) -> None:
        """Close the session, unless it is shared."""
        if self._own_http is not None:
            await self._own_http.close()

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """Turn texts into vectors; see `EmbeddingModel.embed`."""
        vectors: list[array[float]] = []
        total = 0
        for part in _parts(texts):
            # No service takes an empty text, and a blank has no meaning either.
            body = encode_body({"model": model, "input": [text.strip() or "-" for text in part]})
            reply, found = await self._ask("embeddings", body, model, _Vectors)
            rows = sorted(found.data, key=lambda row: row.index or 0)
            lengths = {len(row.embedding) for row in rows}
            if len(rows) != len(part) or len(lengths) != 1 or (vectors and len(vectors[0]) not in lengths):
                raise reply.errors.bad_reply(
                    f"it was asked for {len(part)} vectors and sent {len(rows)}, of lengths {sorted(lengths)}"
                )
            vectors += [array("f", row.embedding) for row in rows]
            estimate = sum(estimate_tokens(text) for text in part)
            total += (found.usage or _Tokens()).usage(estimate).total_tokens
        return Embeddings(vectors, TokenUsage(total, 0, total))

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Reranking:
        """Score texts; see `RerankModel.rerank`."""
        service = self._service
        path = self._config.rerank_url
        if not path and service is not None and not self._config.base_url:
            path = service.rerank_url
        try:
            found, reply = await self._rerank(path or "rerank", model, query, texts)
        except AttemptError as failed:
            refusal = failed.refusal
            # Text Embeddings Inference has its own word for them.
            if refusal is None or refusal.status not in (400, 422) or "texts" not in refusal.message:
                raise failed.error from failed.__cause__
            self._texts_field[model] = "texts"
            try:
                found, reply = await self._rerank(path or "rerank", model, query, texts)
            except AttemptError as again:
                raise again.error from again.__cause__
        scores: list[float | None] = [None] * len(texts)
        for row in found.results or found.data:
            value = row.score if row.relevance_score is None else row.relevance_score
            if not 0 <= row.index < len(texts) or value is None or not math.isfinite(value):
                raise reply.errors.bad_reply("it scored a passage that it was not given")
            scores[row.index] = value
        estimate = sum(estimate_tokens(text) for text in (query, *texts))
        return Reranking(scores, (found.usage or _Tokens()).usage(estimate))

    async def _rerank(
        self, path: str, model: str, query: str, texts: Sequence[str]
    ) -> tuple[_Scores, ReplyBody]:
        field = self._texts_field.get(model, "documents")
        body = encode_body({"model": model, "query": query, field: list(texts)})
        reply = await self._attempt(path, body, model)
        data = await reply.read()
        if data.lstrip().startswith(b"["):
            return _Scores(results=self._decode(reply, data, list[_Score])), reply
        return self._decode(reply, data, _Scores), reply

    def voices(self, model: str) -> Sequence[str]:
        """Those of the settings, else those that the service is known to have."""
        return self._config.voices or (self._service.voices if self._service else ())

    async def stream_speech(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        """Say a text as MP3, or whatever the service makes of that; see `SpeechModel.stream_speech`."""
        voices = self.voices(request.model)
        voice = request.voice
        if voices and voice not in voices:
            voice = voices[0]
        for text in _spoken(request.text):
            body: dict[str, object] = {"model": request.model, "input": text, "response_format": "mp3"}
            if voice:
                body["voice"] = voice
            reply = await self._open("audio/speech", encode_body(body), request.model)
            kind = reply.media_type if reply.media_type.startswith("audio/") else "audio/mpeg"
            if reply.media_type == "application/json" or reply.media_type.startswith("text/"):
                reply.close()
                raise reply.errors.bad_reply(f"its reply is no audio but {reply.media_type}")
            async with aclosing(reply.pieces()) as pieces:
                async for piece in pieces:
                    yield AudioChunk(piece, kind)

    async def transcribe(self, model: str, recording: Recording) -> Transcript:
        """Write down what is said; see `TranscriptionModel.transcribe`."""
        boundary = uuid.uuid4().hex
        body = encode_form(
            {"model": model, "response_format": "json"},
            name="file",
            filename=recording.filename,
            media_type=recording.media_type,
            data=recording.data,
            boundary=boundary,
        )
        kind = f"multipart/form-data; boundary={boundary}"
        _, found = await self._ask("audio/transcriptions", body, model, _Text, content_type=kind)
        return Transcript(found.text.strip())

    async def moderate(self, model: str, texts: Sequence[str]) -> list[Moderation]:
        """Judge texts; see `ModerationModel.moderate`."""
        body = encode_body({"model": model, "input": list(texts)})
        reply, found = await self._ask("moderations", body, model, _Judgements)
        if len(found.results) != len(texts):
            raise reply.errors.bad_reply(f"it judged {len(found.results)} of {len(texts)} texts")
        return [
            Moderation(row.flagged, [name for name, applies in row.categories.items() if applies])
            for row in found.results
        ]

    async def _ask(
        self, path: str, body: bytes, model: str, answer: type[T], *, content_type: str = "application/json"
    ) -> tuple[ReplyBody, T]:
        reply = await self._open(path, body, model, content_type=content_type)
        return reply, self._decode(reply, await reply.read(), answer)

    def _decode(self, reply: ReplyBody, data: bytes, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise reply.errors.bad_reply(f"its reply cannot be understood: {error}") from error

    async def _open(
        self, path: str, body: bytes, model: str, *, content_type: str = "application/json"
    ) -> ReplyBody:
        try:
            return await self._attempt(path, body, model, content_type=content_type)
        except AttemptError as failed:
            raise failed.error from failed.__cause__

    async def _attempt(
        self, path: str, body: bytes, model: str, *, content_type: str = "application/json"
    ) -> ReplyBody:
        """A reply at its first bytes, after as many attempts as it takes; raises what the last one met."""
        retries = 0
        while True:
            try:
                return await self._endpoint.open_body(path, body, model, content_type=content_type)
            except AttemptError as failed:
                delay = self._delay(failed, retries)
                if delay is None:
                    raise
            retries += 1
            await self._clock.sleep(delay)

    def _delay(self, failed: AttemptError, retries: int) -> float | None:
        """Seconds until the next attempt, or ``None`` to give up."""
        if not failed.is_transient:
            return None
        delay = self._retry.delay(retries, failed.retry_after, self._jitter())
        return 0.0 if delay is not None and failed.is_stale and retries == 0 else delay


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts as many at a time as a service takes."""
    part: list[str] = []
    size = 0
    for text in texts:
        if part and (len(part) == _TEXTS_PER_CALL or size + len(text) > _CHARS_PER_CALL):
            yield part
            part, size = [], 0
        part.append(text)
        size += len(text)
    if part:
        yield part


def _spoken(text: str) -> Iterator[str]:
    """A text in pieces that a service takes, cut between sentences if possible."""
    piece = ""
    for sentence in _SENTENCE_END.split(text) if len(text) > _MAX_SPOKEN_CHARS else [text]:
        if piece and len(piece) + len(sentence) >= _MAX_SPOKEN_CHARS:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}" if piece else sentence
        while len(piece) > _MAX_SPOKEN_CHARS:
            yield piece[:_MAX_SPOKEN_CHARS]
            piece = piece[_MAX_SPOKEN_CHARS:]
    if piece.strip():
        yield piece
