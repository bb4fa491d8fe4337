"""Which model services there are, and how to reach them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from weft.errors import ConfigError
from weft.providers.chat import Feature
from weft.providers.name import provider_key
from weft.providers.price import PriceTable

_Seconds = Annotated[float, Meta(gt=0)]


class Timeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait for a model service, in seconds."""

    connect: _Seconds = 10.0
    """For a connection, TLS included."""
    first_byte: _Seconds = 300.0
    """From the request to the first byte of the reply's body; models that think are silent for long."""
    between_chunks: _Seconds = 120.0
    """From one arrival of bytes to the next; a keep-alive comment counts."""


class ProviderConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach the models of one provider."""

    type: str = "openai-compatible"
    """Name in the registry of provider types: ``openai-compatible``, ``scripted``, ``espeak-ng``, ``weft`` or
    a plugin's."""
    base_url: str = ""
    """Address up to, not including, ``/chat/completions``; a bare host gets ``/v1``. May carry a query."""
    api_key: str = ""
    """Secret; never part of `repr` or of an error message."""
    models: dict[str, str] = {}
    """Names of models in apps to names at the service; ``"*"`` maps all that are not named."""
    headers: dict[str, str] = {}
    """Sent with every request; values count as secret."""
    timeouts: Timeouts = Timeouts()
    max_retries: Annotated[int, Meta(ge=0)] = 2
    """Further attempts after the first, only as long as no chunk has come."""
    max_retry_wait: Annotated[float, Meta(ge=0)] = 30.0
    """Seconds. A service that asks to wait longer than this fails the call at once."""
    features: dict[str, list[Feature]] = {}
    """Model (name at the service, ``*`` allowed) to all its features, where the built-in facts are wrong."""
    context_sizes: dict[str, Annotated[int, Meta(gt=0)]] = {}
    """Model (name at the service, ``*`` allowed) to tokens it takes."""
    embedding_model: str = ""
    """Model that embeds texts wherever nobody names another; the first table with one counts."""
    rerank_model: str = ""
    """Model that puts passages in order wherever nobody names another."""
    speech_model: str = ""
    """Model that speaks answers; the first table with one counts."""
    transcription_model: str = ""
    """Model that writes down recordings; the first table with one counts."""
    moderation_model: str = ""
    """Model that judges texts; the first table with one counts."""
    voices: list[str] = []
    """Voices of the speech model, the usual one first; an app that wants another gets the first."""
    rerank_url: str = ""
    """Address that reranks, where it is not ``/rerank`` below `base_url`."""
    options: dict[str, object] = {}
    """Whatever else the provider type understands, e.g. the `rules` of ``scripted``."""

    def __repr__(self) -> str:
        secret = ", api_key=***" if self.api_key else ""
        return f"ProviderConfig(type={self.type!r}, base_url={public_url(self.base_url)!r}{secret})"


class ModelsConfig(Struct, frozen=True, kw_only=True):
    """Everything that `open_models` needs to know."""

    providers: dict[str, ProviderConfig] = {}
    """By the provider's name as apps spell it, bare or in plugin form; both find each other."""
    default: ProviderConfig | None = None
    """For every provider that is not in `providers`."""
    prices: PriceTable = msgspec.field(default_factory=PriceTable)


def parse_models_config(
    *,
    providers: Mapping[str, object] | None = None,
    prices: Mapping[str, object] | None = None,
    url: str = "",
    api_key: str = "",
) -> ModelsConfig:
    """Make a configuration out of the tables of a settings file and the command line.

    Args:
        providers: The `[providers.NAME]` tables; their keys are the fields of `ProviderConfig`.
        prices: The `[prices."provider/model"]` tables.
        url: Endpoint for every provider without a table (``--models URL``), or ``scripted``.
        api_key: Key for that endpoint.

    Raises:
        ConfigError: A table is wrong; the message names it and the field.
    """
    parsed = {name: _parse_provider(name, table) for name, table in (providers or {}).items()}
    default = None
    if url == "scripted":
        default = ProviderConfig(type="scripted")
    elif url:
        default = ProviderConfig(base_url=url, api_key=api_key)
        check_url("--models", url)
    return ModelsConfig(providers=parsed, default=default, prices=PriceTable.parse(prices or {}))


def _parse_provider(name: str, table: object) -> ProviderConfig:
    try:
        config = msgspec.convert(table, ProviderConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"[providers.{quoted(name)}]: {error}") from error
    if config.base_url:
        check_url(f"[providers.{quoted(name)}] base_url", config.base_url)
    if config.rerank_url:
        check_url(f"[providers.{quoted(name)}] rerank_url", config.rerank_url)
    return config


def check_url(where: str, url: str) -> None:
    """Refuse what is no absolute http(s) address.

    Raises:
        ConfigError: It is none; the message starts with `where`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{where}: {public_url(url)!r} is no address of a service; write https://host/v1 or the like"
        )


def public_url(url: str) -> str:
    """The address without user, password and query, fit for messages and logs."""
    parts = urlsplit(url)
    if not parts.hostname:
        return url.partition("?")[0].rpartition("@")[2]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def quoted(name: str) -> str:
    """A provider's name as a TOML key."""
    key = provider_key(name)
    return key if key.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
