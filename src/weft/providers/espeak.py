"""A voice of this machine: the program espeak-ng, where it is installed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from weft.clock import Clock
from weft.errors import BadReplyError, ConfigError, ProviderTimeoutError, UnsupportedModelError
from weft.providers.chat import ChatChunk, ChatRequest, Feature
from weft.providers.config import ProviderConfig
from weft.providers.http import Http
from weft.providers.speech import AudioChunk, SpeechRequest

ESPEAK = "espeak-ng"
"""Of the program, the provider type and its only model."""
_CHUNK_BYTES = 32 * 1024
_SECONDS = 60.0
"""That one text may take; it speaks some hundred times faster than anybody listens."""


class EspeakModels:
    """Speaks with espeak-ng. A text goes to its standard input, nothing of a request into its arguments.

    Args:
        name: Provider's name as the app spells it.
        config: `voices` are names of espeak-ng's voices, the usual one first; ``en`` unless given. `options`
            may hold `program`, its path.
        clock: Not needed.
        http: Not needed.

    Raises:
        ConfigError: The program is not there, or a voice cannot be the name of one.
    """

    def __init__(self, name: str, config: ProviderConfig, *, clock: Clock, http: Http) -> None:
        self.name = name
        wanted = str(config.options.get("program", ESPEAK))
        program = shutil.which(wanted)
        if program is None:
            raise ConfigError(
                f"provider {name!r}: the program {wanted!r} is not found; install espeak-ng, or set "
                "options.program to its path"
            )
        self._program = program
        self._voices = list(config.voices) or ["en"]
        for voice in self._voices:
            if not voice.replace("-", "").replace("+", "").replace("_", "").isalnum() or voice[0] == "-":
                raise ConfigError(f"provider {name!r}: {voice!r} is no voice; write one such as 'de'")

    def features(self, model: str) -> frozenset[Feature]:
        """None."""
        return frozenset()

    def context_size(self, model: str) -> int | None:
        """Unknown."""
        return None

    def stream_chat(self, request: ChatRequest) -> AsyncIterator[ChatChunk]:
        """There is nobody to talk to."""
        raise UnsupportedModelError(
            f"provider {self.name!r} only speaks; choose another one to chat with",
            provider=self.name,
            model=request.model,
        )

    def voices(self, model: str) -> Sequence[str]:
        """Those of the settings."""
        return self._voices

    async def stream_speech(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        """Say a text as WAV; see `SpeechModel.stream_speech`. A voice that is not set up gives the first."""
        voice = request.voice if request.voice in self._voices else self._voices[0]
        process = await asyncio.create_subprocess_exec(
            self._program,
            "--stdin",
            "--stdout",
            "-b",
            "1",
            "-v",
            voice,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        empty = True
        try:
            async with asyncio.timeout(_SECONDS):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    process.stdin.write(request.text.encode("utf-8", "replace"))
                    await process.stdin.drain()
                process.stdin.close()
                while data := await process.stdout.read(_CHUNK_BYTES):
                    empty = False
                    yield AudioChunk(data, "audio/wav")
                status = await process.wait()
        except TimeoutError as error:
            raise ProviderTimeoutError(
                f"provider {self.name!r}: {ESPEAK} did not finish within {_SECONDS:g} s",
                provider=self.name,
                model=request.model,
            ) from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if status != 0 or empty:
            raise BadReplyError(
                f"provider {self.name!r}: {ESPEAK} failed with status {status} for the voice {voice!r}",
                provider=self.name,
                model=request.model,
            )

    async def close(self) -> None:
        """Nothing to do."""
