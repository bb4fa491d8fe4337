from __future__ import annotations

import io
import wave

import pytest

from weft.providers.tone import text_of_tone, tone


@pytest.mark.parametrize(("text", "seconds"), [("", 0.1), ("hello", 0.25), ("x" * 5000, 60.0)])
def test_a_tone_is_a_wav_file_as_long_as_its_text(text: str, seconds: float) -> None:
    with wave.open(io.BytesIO(tone(text))) as file:
        layout = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        assert layout == (1, 2, 16_000)
        assert file.getnframes() / 16_000 == pytest.approx(seconds)
        assert any(file.readframes(100))


@pytest.mark.parametrize("text", ["", "hello", "Grüße, 世界"])
def test_the_text_of_a_tone_can_be_had_again(text: str) -> None:
    assert text_of_tone(tone(text)) == text


@pytest.mark.parametrize("data", [b"", b"ID3", b"RIFF", tone("x")[:50], b"RIFF" + b"x" * 300])
def test_another_recording_has_no_text(data: bytes) -> None:
    assert text_of_tone(data) is None
