"""Speech to text and back. Source: Dify service API, `/audio-to-text` and `/text-to-audio`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from weft.errors import CredentialsError, InvalidRequestError, ProviderError, UnsupportedModelError
from weft.providers import AudioChunk, Models, Recording, TranscriptionModel
from weft.server.call import Call
from weft.server.errors import ApiError
from weft.server.multipart import Form, FormFile, read_form
from weft.server.reply import json_reply
from weft.server.speech import FEATURE, Speak, find_speaker
from weft.store import messages
from weft.wire import TextToAudioRequest, parse_request, parse_uuid

log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_MAX_BYTES = 30 * _MIB
_FORM_BYTES = 2 * _MIB
"""What a form may have around its file."""
_KINDS = {
    "mp3": "mp3",
    "mp4": "mp4",
    "mpeg": "mpeg",
    "mpga": "mpga",
    "m4a": "m4a",
    "x-m4a": "m4a",
    "wav": "wav",
    "x-wav": "wav",
    "wave": "wav",
    "webm": "webm",
    "amr": "amr",
}
"""Extensions, and second halves of types, with the extension that services know."""


async def to_text(request: Request) -> Response:
    """Write down what is said in a recording."""
    call = await Call.begin(request)
    with await _form(request) as form:
        await call.end_user(form.fields)
        file = form.file("file")
        if file is None:
            raise ApiError(400, "no_audio_uploaded", "Please upload your audio.")
        if not (await _feature(call, "speech_to_text")).get("enabled"):
            raise InvalidRequestError("Speech to text is not enabled")
        extension = _extension(file)
        if extension is None:
            raise ApiError(415, "unsupported_audio_type", "Audio type not allowed.")
        if file.too_large:
            raise _too_large()
        model, name = _listener(call.runtime.models)
        heard = await model.transcribe(name, await _recording(file, extension))
    return json_reply({"text": heard.text})


async def to_audio(request: Request) -> Response:
    """Say a text, or the answer of a message; audio leaves as it comes."""
    call = await Call.begin(request)
    body = await call.json()
    await call.end_user(body)
    wanted = parse_request(TextToAudioRequest, body)
    feature = await _feature(call, FEATURE)
    if not feature.get("enabled"):
        raise InvalidRequestError("TTS is not enabled")
    text = wanted.text or ""
    if wanted.message_id:
        text = await _answer(call, wanted.message_id)
    if not text.strip():
        raise InvalidRequestError("Text is required")
    speak = find_speaker(call.runtime.models, wanted.voice or str(feature.get("voice") or ""))
    return await _spoken(speak, text)


async def _form(request: Request) -> Form:
    try:
        return await read_form(
            request, max_file_bytes=lambda head: _MAX_BYTES, max_bytes=_MAX_BYTES + _FORM_BYTES
        )
    except ApiError as error:
        if error.status == 413:
            raise _too_large() from error
        raise


async def _feature(call: Call, name: str) -> Mapping[str, object]:
    version = await call.published()
    if version is None:
        raise ApiError(400, "app_unavailable", "App unavailable, please check your app configurations.")
    return version.feature(name)


def _extension(file: FormFile) -> str | None:
    """The extension for a recording's format; ``None`` if it is of no format that is allowed."""
    kind = (file.content_type or "").partition(";")[0].strip().lower()
    return _KINDS.get(file.filename.rpartition(".")[2].lower()) or _KINDS.get(kind.partition("/")[2])


async def _recording(file: FormFile, extension: str) -> Recording:
    name, dot, suffix = file.filename.rpartition(".")
    # Services go by the extension, whatever the type says.
    filename = (
        file.filename if dot and suffix.lower() in _KINDS else f"{name or suffix or 'audio'}.{extension}"
    )
    return Recording(await file.read(), filename, file.content_type or "application/octet-stream")


def _too_large() -> ApiError:
    return ApiError(413, "audio_too_large", "Audio size exceeded. Audio size larger than 30 mb")


def _listener(models: Models) -> tuple[TranscriptionModel, str]:
    try:
        return models.resolve_transcription()
    except (CredentialsError, UnsupportedModelError) as error:
        if isinstance(error, CredentialsError) and error.provider:
            raise
        log.warning("recordings cannot be written down: %s", error)
        raise ApiError(
            400, "provider_not_support_speech_to_text", "Provider not support speech to text."
        ) from error


async def _answer(call: Call, message_id: str) -> str:
    """The answer of a message of this app, which must have one."""
    try:
        normal = parse_uuid(message_id)
    except ValueError:
        found = None
    else:
        found = await call.read(lambda connection: messages.find(connection, call.app.id, normal))
    if found is None or not found.answer.strip():
        raise InvalidRequestError("Message Not Exists.")
    return found.answer


async def _spoken(speak: Speak, text: str) -> Response:
    """The response to a request to speak, once the first piece is there: until then it may still fail."""
    chunks = speak(text)
    try:
        first = await anext(chunks, None)
        if first is None:
            raise ProviderError("the speech model sent no audio; try again")
    except BaseException:
        await chunks.aclose()
        raise
    return _AudioReply(first, chunks)


class _AudioReply(Response):
    """Sends audio as it comes; a reader that leaves ends the call to the model."""

    def __init__(self, first: AudioChunk, rest: AsyncGenerator[AudioChunk, None]) -> None:
        self.background = None
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", self._first.media_type.encode("latin-1", "replace"))]
        async with aclosing(self._rest) as rest:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": self._first.data, "more_body": True})
            try:
                async for chunk in rest:
                    await send({"type": "http.response.body", "body": chunk.data, "more_body": True})
            except ProviderError as error:
                # Without a last piece the connection is cut, which tells the reader that there was more.
                log.warning("speech broke off: %s", error)
                return
            except OSError:
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})


ROUTES = [
    Route("/audio-to-text", to_text, methods=["POST"]),
    Route("/text-to-audio", to_audio, methods=["POST"]),
]
