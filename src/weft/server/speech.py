"""Finding somebody who speaks, and in which voice."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias, cast

from weft.errors import ConfigError, InvalidRequestError, ProviderError
from weft.providers import AudioChunk, Models, SpeechRequest
from weft.runs import AppVersion

log = logging.getLogger(__name__)

Speak: TypeAlias = Callable[[str], AsyncGenerator[AudioChunk, None]]
"""Says a text; the pieces joined are one file. Raises `ProviderError`."""
FEATURE = "text_to_speech"


def find_speaker(models: Models, voice: str) -> Speak:
    """Whoever speaks on this server.

    Args:
        models: Who answers for models.
        voice: What the caller or the app asks for; may be empty.

    Raises:
        InvalidRequestError: No voice is asked for, and none is known.
        ProviderError: Nobody speaks.
        ConfigError: The provider's settings are wrong.
    """
    model, name = models.resolve_speech()
    if not voice and not model.voices(name):
        raise InvalidRequestError("Sorry, no voice available.")

    def speak(text: str) -> AsyncGenerator[AudioChunk, None]:
        # A provider may return any iterator; only one that can be closed is a call that can be left.
        spoken = model.stream_speech(SpeechRequest(name, text, voice))
        return cast("AsyncGenerator[AudioChunk, None]", spoken)

    return speak


def find_auto_speaker(models: Models, version: AppVersion) -> Speak | None:
    """Whoever says an app's answers while they are written; ``None`` where the app does not want it.

    An app that wants it and cannot have it goes without, and the log says why.

    Source: Dify app DSL, `features.text_to_speech.autoPlay`.
    """
    feature = version.feature(FEATURE)
    if not feature.get("enabled") or feature.get("autoPlay") not in ("enabled", True):
        return None
    try:
        return find_speaker(models, str(feature.get("voice") or ""))
    except (ProviderError, ConfigError, InvalidRequestError) as error:
        log.warning("answers of app %s are not spoken: %s", version.app_id, error)
        return None
