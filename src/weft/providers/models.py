"""The gateway: from the provider and model that an app names to somebody who answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from weft.clock import Clock
from weft.errors import ConfigError, CredentialsError, UnsupportedModelError
from weft.providers.chat import ChatModel
from weft.providers.config import ModelsConfig, ProviderConfig, quoted
from weft.providers.embedding import EmbeddingModel
from weft.providers.http import Http
from weft.providers.moderation import ModerationModel
from weft.providers.name import provider_key
from weft.providers.price import PriceTable
from weft.providers.rerank import RerankModel
from weft.providers.speech import SpeechModel, TranscriptionModel
from weft.providers.use import BUILT_IN, Use, UseDefaults
from weft.registry import Registry

if TYPE_CHECKING:
    import aiohttp


class ProviderType(Protocol):
    """Makes the models of one provider; a class or a function.

    What a provider type returns may show further faces beside `ChatModel`: `EmbeddingModel`, `RerankModel`,
    `SpeechModel`, `TranscriptionModel`, `ModerationModel`.
    """

    def __call__(self, name: str, config: ProviderConfig, *, clock: Clock, http: Http) -> ChatModel:
        """Open a provider.

        Args:
            name: As the app spells it.
            config: Its settings; `options` are the type's own.
            clock: For every wait.
            http: Session to share.

        Raises:
            CredentialsError: Something that only the user has is missing.
            ConfigError: The settings are wrong.
        """
        ...


PROVIDER_TYPES: Registry[ProviderType] = Registry(
    "provider type",
    "weft.providers",
    {
        "openai-compatible": "weft.providers.openai_compatible:OpenAICompatible",
        "scripted": "weft.providers.scripted:open_scripted",
        "espeak-ng": "weft.providers.espeak:EspeakModels",
        "weft": "weft.providers.local:LocalModels",
    },
)


class Models:
    """All model services of this process; see `open_models`."""

    def __init__(
        self,
        config: ModelsConfig,
        *,
        clock: Clock,
        http: Http,
        types: Registry[ProviderType] = PROVIDER_TYPES,
        which: Callable[[str], str | None] = shutil.which,
    ) -> None:
        self.prices: PriceTable = config.prices
        self._default = config.default
        if not config.providers and config.default is None:
            self._default = ProviderConfig(type="scripted")
        self._configs = _by_key(config)
        self._clock = clock
        self._http = http
        self._types = types
        self._defaults = UseDefaults(config.providers, self._default, which)
        self._opened: dict[str, ChatModel] = {}
        for provider in [*self._configs.values(), *([self._default] if self._default else [])]:
            # A known type is loaded when it is used; an unknown one shall not wait for that.
            if provider.type not in types:
                types.get(provider.type)

    def resolve(self, provider: str, model: str) -> tuple[ChatModel, str]:
        """Who answers for a model, and what the model is called there.

        Args:
            provider: As the app spells it, e.g. ``openai`` or ``langgenius/openai/openai``.
            model: As the app spells it.

        Raises:
            CredentialsError: Nobody does; the message says what to set.
            ConfigError: The provider's settings are wrong.
        """
        config = self._configs.get(provider_key(provider), self._default)
        if config is None:
            raise CredentialsError(
                f"provider {provider!r} is not set up; add [providers.{quoted(provider)}] with api_key or "
                "base_url to weft.toml, or start with --models URL",
                provider=provider,
                model=model,
            )
        return self._open(provider, config), config.models.get(model) or config.models.get("*") or model

    def resolve_embedding(self, provider: str = "", model: str = "") -> tuple[EmbeddingModel, str]:
        """Who embeds texts, and what the model is called there.

        Args:
            provider: As the app spells it; empty for the one that the settings name, else the built-in model.
            model: As the app spells it; empty for the provider's own.

        Raises:
            CredentialsError: Nobody does; the message says what to set.
            UnsupportedModelError: The provider does not embed.
            ConfigError: The provider's settings are wrong.
        """
        found, name = self._resolve_use("embedding", provider, model)
        if not isinstance(found, EmbeddingModel):
            raise _unable(found, name, "embed texts")
        return found, name

    def resolve_rerank(self, provider: str = "", model: str = "") -> tuple[RerankModel, str]:
        """Who puts passages in order; see `resolve_embedding`. There is no built-in model."""
        found, name = self._resolve_use("rerank", provider, model)
        if not isinstance(found, RerankModel):
            raise _unable(found, name, "rerank")
        return found, name

    def resolve_speech(self, provider: str = "", model: str = "") -> tuple[SpeechModel, str]:
        """Who speaks; see `resolve_embedding`. Without any settings for it, espeak-ng if it is installed."""
        found, name = self._resolve_use("speech", provider, model)
        if not isinstance(found, SpeechModel):
            raise _unable(found, name, "speak")
        return found, name

    def resolve_transcription(self, provider: str = "", model: str = "") -> tuple[TranscriptionModel, str]:
        """Who writes down recordings; see `resolve_embedding`. There is no built-in model."""
        found, name = self._resolve_use("transcription", provider, model)
        if not isinstance(found, TranscriptionModel):
            raise _unable(found, name, "write down recordings")
        return found, name

    def resolve_moderation(self, provider: str = "", model: str = "") -> tuple[ModerationModel, str]:
        """Who judges texts; see `resolve_embedding`. There is no built-in model."""
        found, name = self._resolve_use("moderation", provider, model)
        if not isinstance(found, ModerationModel):
            raise _unable(found, name, "judge texts")
        return found, name

    def _resolve_use(self, use: Use, provider: str, model: str) -> tuple[ChatModel, str]:
        if not provider:
            provider, default = self._defaults.find(use)
            model = model or default
        key = provider_key(provider)
        if key in BUILT_IN and key not in self._configs:
            return self._open(provider, BUILT_IN[key]), model
        if not model:
            model = self._defaults.model_of(use, key, self._configs.get(key, self._default))
        return self.resolve(provider, model)

    def _open(self, provider: str, config: ProviderConfig) -> ChatModel:
        chat = self._opened.get(provider)
        if chat is None:
            open_provider = self._types.get(config.type)
            chat = open_provider(provider, config, clock=self._clock, http=self._http)
            self._opened[provider] = chat
        return chat

    async def close(self) -> None:
        """Close every provider that was used, and the session."""
        opened, self._opened = list(self._opened.values()), {}
        for chat in opened:
            await chat.close()
        await self._http.close()


def open_models(config: ModelsConfig, *, clock: Clock, http: aiohttp.ClientSession | None = None) -> Models:
    """The models that a configuration describes; nothing is contacted yet.

    A provider that has no table of its own is served by `config.default`; without any table and default
    every provider is ``scripted``.

    Args:
        config: See `parse_models_config`.
        clock: For every wait.
        http: Session to use; it stays open. Without it one is opened when first needed.

    Raises:
        ConfigError: Two tables are about the same provider, or a provider type is unknown.
    """
    return Models(config, clock=clock, http=Http(http))


def _unable(found: ChatModel, model: str, what: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"provider {found.name!r} cannot {what}; name another provider",
        provider=found.name,
        model=model,
    )


def _by_key(config: ModelsConfig) -> dict[str, ProviderConfig]:
    found: dict[str, ProviderConfig] = {}
    for name, provider in config.providers.items():
        key = provider_key(name)
        if key in found:
            raise ConfigError(
                f"provider {name!r} is configured twice, once as {key!r}; remove one of the tables"
            )
        found[key] = provider
    return found
