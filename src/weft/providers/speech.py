"""The faces of models that speak and listen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct


class SpeechRequest(Struct, frozen=True):
    """What a model shall say."""

    model: str
    """The service's own name of the model."""
    text: str
    voice: str = ""
    """A model whose voices are known speaks with its first one if it does not have this."""


class AudioChunk(Struct, frozen=True):
    """A piece of a recording; the pieces joined are one file."""

    data: bytes
    media_type: str
    """The same for all pieces, e.g. ``audio/mpeg`` or ``audio/wav``."""


@runtime_checkable
class SpeechModel(Protocol):
    """The models of one provider that speak."""

    name: str
    """The provider's name as the app spells it."""

    def voices(self, model: str) -> Sequence[str]:
        """The voices that are known, the usual one first; a service may have others."""
        ...

    def stream_speech(self, request: SpeechRequest) -> AsyncIterator[AudioChunk]:
        """Say a text; pieces come as the service sends them.

        Leaving the iteration early ends the call; wrap the iterator in `contextlib.aclosing`.

        Raises:
            ProviderError: As for `ChatModel.stream_chat`.
        """
        ...


class Recording(Struct, frozen=True):
    """Something to be written down."""

    data: bytes
    filename: str
    """With an extension, by which services tell formats apart."""
    media_type: str


class Transcript(Struct, frozen=True):
    """What was said in a recording."""

    text: str


@runtime_checkable
class TranscriptionModel(Protocol):
    """The models of one provider that listen."""

    name: str
    """The provider's name as the app spells it."""

    async def transcribe(self, model: str, recording: Recording) -> Transcript:
        """Write down what is said.

        Args:
            model: The service's own name of the model.
            recording: Audio in a format that the service understands.

        Raises:
            ProviderError: As for `ChatModel.stream_chat`.
        """
        ...
