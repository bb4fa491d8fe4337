"""What a scripted provider does beside chatting; the same every time, and without any service."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Sequence

from weft.providers.chat import TokenUsage
from weft.providers.embedding import Embeddings
from weft.providers.moderation import Moderation
from weft.providers.ngram import ngram_vector
from weft.providers.rerank import Reranking
from weft.providers.speech import AudioChunk, Recording, SpeechRequest, Transcript
from weft.providers.token import estimate_tokens
from weft.providers.tone import text_of_tone, tone

_CHUNK_BYTES = 32 * 1024


class ScriptedServices:
    """Embeds and reranks by letters, speaks in tones, hears what the script says, and finds nothing wrong.

    Args:
        name: Provider's name as the app spells it.
        transcript: What is heard in every recording; without it the text that a tone was made for, or the
            name of the file.
    """

    def __init__(self, name: str, transcript: str | None = None) -> None:
        self.name = name
        self.spoken: deque[SpeechRequest] = deque(maxlen=1000)
        """What was said last, in order."""
        self._transcript = transcript

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """Vectors of hashed n-grams; see `EmbeddingModel.embed`."""
        return Embeddings([ngram_vector(text) for text in texts], _tokens(texts))

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Reranking:
        """How alike question and texts are by their letters, from 0 to 1; see `RerankModel.rerank`."""
        wanted = ngram_vector(query)
        scores: list[float | None] = []
        for text in texts:
            product = sum(a * b for a, b in zip(wanted, ngram_vector(text), strict=True))
            scores.append(round(max(0.0, product), 6))
        return Reranking(scores, _tokens((query, *texts)))

    def voices(self, model: str) -> Sequence[str]:
        """A single one."""
        return ("tone",)

    async def stream_speech(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        """A tone as WAV, as long as the text; see `SpeechModel.stream_speech`."""
        self.spoken.append(request)
        audio = tone(request.text)
        for place in range(0, len(audio), _CHUNK_BYTES):
            yield AudioChunk(audio[place : place + _CHUNK_BYTES], "audio/wav")

    async def transcribe(self, model: str, recording: Recording) -> Transcript:
        """What the script says; see `TranscriptionModel.transcribe`."""
        if self._transcript is not None:
            return Transcript(self._transcript)
        heard = text_of_tone(recording.data)
        return Transcript(f"You sent {recording.filename}" if heard is None else heard)

    async def moderate(self, model: str, texts: Sequence[str]) -> list[Moderation]:
        """Nothing is wrong; see `ModerationModel.moderate`."""
        return [Moderation(False) for _ in texts]


def _tokens(texts: Sequence[str]) -> TokenUsage:
    count = sum(estimate_tokens(text) for text in texts)
    return TokenUsage(count, 0, count)
