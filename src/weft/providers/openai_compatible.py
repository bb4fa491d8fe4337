"""Chat models of any service that speaks the OpenAI-compatible protocol.

The parts lie beside it: the body in `openai_request`, the traffic in `openai_endpoint`, the reply in
`openai_reply`, refusals in `openai_refusal`, waits between attempts in `retry`; what such services do beside
chatting is in `openai_services`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Callable
from fnmatch import fnmatchcase

from weft.clock import Clock
from weft.providers.chat import ChatChunk, ChatRequest, Feature
from weft.providers.config import ProviderConfig
from weft.providers.http import Http
from weft.providers.openai_endpoint import AttemptError, Reply
from weft.providers.openai_refusal import Refusal
from weft.providers.openai_request import Adaptation, Body, chat_body, encode_body, find_adaptation
from weft.providers.openai_services import OpenAIServices
from weft.providers.profile import known_context_size, known_features
from weft.providers.token import estimate_prompt_tokens

_logger = logging.getLogger("weft.providers")

_PATH = "chat/completions"
_MAX_ADAPTATIONS = 6
_MAX_MODELS = 256


class OpenAICompatible(OpenAIServices):
    """A provider behind ``POST {base_url}/chat/completions`` and its neighbours.

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
        super().__init__(name, config, clock=clock, http=http, jitter=jitter)
        self._adaptations: dict[str, tuple[Adaptation, ...]] = {}

    def __repr__(self) -> str:
        return f"OpenAICompatible({self.name!r}, {self._endpoint!r})"

    def features(self, model: str) -> frozenset[Feature]:
        """What that model can do: as configured, else as known of its family."""
        for pattern, features in self._config.features.items():
            if fnmatchcase(model, pattern):
                return frozenset(features)
        return known_features(model)

    def context_size(self, model: str) -> int | None:
        """Tokens that the model takes: as configured, else as known of its family."""
        for pattern, size in self._config.context_sizes.items():
            if fnmatchcase(model, pattern):
                return size
        return known_context_size(model)

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Ask the model; see `ChatModel.stream_chat`."""
        reply = await self._begin(request)
        try:
            while True:
                for chunk in reply.chunks:
                    yield chunk
                if reply.ended:
                    break
                await reply.advance()
            reply.raise_failure()
            yield reply.reader.last_chunk(lambda: estimate_prompt_tokens(request.messages, request.tools))
            await reply.drain()
        finally:
            reply.close()

    async def _begin(self, request: ChatRequest) -> Reply:
        """The reply at its first chunk, after as many attempts as it takes."""
        retries = adaptations = 0
        while True:
            body = self._body(request)
            try:
                return await self._endpoint.open_reply(_PATH, encode_body(body), request.model)
            except AttemptError as failed:
                if adaptations < _MAX_ADAPTATIONS and self._adapt(request, body, failed.refusal):
                    adaptations += 1
                    continue
                delay = self._delay(failed, retries)
                if delay is None:
                    raise failed.error from failed.__cause__
            retries += 1
            await self._clock.sleep(delay)

    def _body(self, request: ChatRequest) -> Body:
        body = chat_body(request, self.features(request.model))
        for adaptation in self._adaptations.get(request.model, ()):
            adaptation.apply(body)
        return body

    def _adapt(self, request: ChatRequest, body: Body, refusal: Refusal | None) -> bool:
        """Learn from a refusal how to ask this model; true if there is another way."""
        if refusal is None:
            return False
        adaptation = find_adaptation(
            body,
            status=refusal.status,
            message=refusal.message,
            param=refusal.param,
            code=refusal.code,
            own_format=request.response_schema is not None,
        )
        if adaptation is None:
            return False
        known = self._adaptations.get(request.model, ())
        if adaptation not in known:
            if len(self._adaptations) >= _MAX_MODELS:
                self._adaptations.clear()
            self._adaptations[request.model] = (*known, adaptation)
            _logger.warning(
                "provider %r: model %r is asked %s from now on", self.name, request.model, adaptation
            )
        return True
