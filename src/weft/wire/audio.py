"""Speech to text and back. Source: Dify service API, `/audio-to-text` and `/text-to-audio`."""

from __future__ import annotations

from weft.wire._field import OptionalUser, Text
from weft.wire._model import WireModel


class AudioToTextAnswer(WireModel):
    """What was said."""

    text: Text = ""


class TextToAudioRequest(WireModel):
    """Body of a request to speak; `message_id` wins over `text`."""

    message_id: str | None = None
    text: str | None = None
    user: OptionalUser = None
    voice: str | None = None
    streaming: bool | None = None
    """Accepted and ignored: sound comes in pieces either way."""
