"""The gateway: from the provider and model that an app names to somebody who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weft.clock import Clock
from weft.errors import ConfigError, CredentialsError
from weft.providers.chat import ChatModel
from weft.providers.config import ModelsConfig, ProviderConfig, quoted
from weft.providers.http import Http
from weft.providers.name import provider_key
from weft.providers.price import PriceTable
from weft.registry import Registry

if TYPE_CHECKING:
    import aiohttp


class ProviderType(Protocol):
    """Makes the chat models of one provider; a class or a function.

    What a provider type returns may show further faces beside `ChatModel`.
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
    ) -> None:
        self.prices: PriceTable = config.prices
        self._default = config.default
        if not config.providers and config.default is None:
            self._default = ProviderConfig(type="scripted")
        self._configs = _by_key(config)
        self._clock = clock
        self._http = http
        self._types = types
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
        chat = self._opened.get(provider)
        if chat is None:
            open_provider = self._types.get(config.type)
            chat = open_provider(provider, config, clock=self._clock, http=self._http)
            self._opened[provider] = chat
        return chat, config.models.get(model) or config.models.get("*") or model

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
