from __future__ import annotations

from pathlib import Path

import pytest

from tests.providers.conftest import HeldClock
from weft.errors import BadReplyError, ConfigError, ProviderTimeoutError, UnsupportedModelError
from weft.providers import AudioChunk, ChatRequest, Http, ProviderConfig, SpeechRequest
from weft.providers.espeak import EspeakModels

pytestmark = pytest.mark.anyio


@pytest.fixture
def espeak(tmp_path: Path, clock: HeldClock) -> EspeakModels:
    """A program in the place of espeak-ng that says how it was called and what it was given."""
    return opened(tmp_path, 'printf "%s|" "$@"; cat', clock)


def opened(folder: Path, script: str, clock: HeldClock, *voices: str) -> EspeakModels:
    program = folder / "espeak-ng"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    config = ProviderConfig(type="espeak-ng", options={"program": str(program)}, voices=list(voices))
    return EspeakModels("espeak-ng", config, clock=clock, http=Http())


async def said(espeak: EspeakModels, text: str, voice: str = "") -> list[AudioChunk]:
    return [chunk async for chunk in espeak.stream_speech(SpeechRequest("espeak-ng", text, voice))]


async def test_a_text_reaches_the_program_as_its_input_and_never_as_an_argument(espeak: EspeakModels) -> None:
    text = "-f /etc/passwd; $(id) `id` Grüße"
    chunks = await said(espeak, text, "--path=/tmp")

    assert b"".join(chunk.data for chunk in chunks).decode() == f"--stdin|--stdout|-b|1|-v|en|{text}"
    assert {chunk.media_type for chunk in chunks} == {"audio/wav"}


async def test_the_voices_are_those_of_the_settings(tmp_path: Path, clock: HeldClock) -> None:
    espeak = opened(tmp_path, 'printf "%s" "$6"', clock, "de", "en+f3")

    assert [chunk.data for chunk in await said(espeak, "x", "en+f3")] == [b"en+f3"]
    assert [chunk.data for chunk in await said(espeak, "x", "fr")] == [b"de"]
    assert list(espeak.voices("espeak-ng")) == ["de", "en+f3"]


@pytest.mark.parametrize("script", ["exit 3", "cat >/dev/null", "printf x; cat >/dev/null; exit 1"])
async def test_a_program_that_fails_or_says_nothing_is_a_bad_reply(
    script: str, tmp_path: Path, clock: HeldClock
) -> None:
    with pytest.raises(BadReplyError, match="espeak-ng failed with status"):
        await said(opened(tmp_path, script, clock), "x" * 100_000)


async def test_a_program_that_hangs_is_ended(
    tmp_path: Path, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.providers.espeak._SECONDS", 0.05)

    with pytest.raises(ProviderTimeoutError, match=r"did not finish within 0\.05 s"):
        await said(opened(tmp_path, "exec sleep 100", clock), "x")


async def test_it_does_not_chat(espeak: EspeakModels) -> None:
    with pytest.raises(UnsupportedModelError, match="only speaks"):
        espeak.stream_chat(ChatRequest("espeak-ng", []))


@pytest.mark.parametrize("voice", ["-w", "a b", "../x", ""])
async def test_a_voice_that_could_be_something_else_is_refused(
    voice: str, tmp_path: Path, clock: HeldClock
) -> None:
    with pytest.raises(ConfigError, match="is no voice"):
        opened(tmp_path, "", clock, voice)


async def test_a_program_that_is_not_there_is_told(clock: HeldClock) -> None:
    config = ProviderConfig(options={"program": "no-such-program"})
    with pytest.raises(ConfigError, match="'no-such-program' is not found; install espeak-ng"):
        EspeakModels("espeak-ng", config, clock=clock, http=Http())
