"""Which model is meant where nobody names one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from weft.errors import CredentialsError
from weft.providers.config import ProviderConfig
from weft.providers.espeak import ESPEAK
from weft.providers.name import provider_key
from weft.providers.ngram import HASHED_NGRAM
from weft.providers.service import SERVICES

Use: TypeAlias = Literal["embedding", "rerank", "speech", "transcription", "moderation"]

BUILT_IN = {"weft": ProviderConfig(type="weft"), ESPEAK: ProviderConfig(type=ESPEAK)}
"""Providers that need no table, by key."""


class UseDefaults:
    """Finds the model for a use: that of the first table that names one, then those that are known.

    Args:
        providers: Tables by name, in the order of the settings.
        default: For providers without a table.
        which: Finds programs on this machine.
    """

    def __init__(
        self,
        providers: Mapping[str, ProviderConfig],
        default: ProviderConfig | None,
        which: Callable[[str], str | None],
    ) -> None:
        self._providers = providers
        self._default = default
        self._which = which

    def find(self, use: Use) -> tuple[str, str]:
        """Provider and model.

        Raises:
            CredentialsError: There is none; the message says what to set.
        """
        for look in (_named, _known):
            for name, config in self._providers.items():
                model = look(use, provider_key(name), config)
                if model:
                    return name, model
        if use == "embedding":
            return "weft", HASHED_NGRAM
        others = [*self._providers.items(), *([("scripted", self._default)] if self._default else [])]
        scripted = [name for name, config in others if config.type == "scripted"]
        if use == "speech" and len(scripted) < len(others) and self._which(ESPEAK):
            return ESPEAK, ESPEAK
        if scripted:
            return scripted[0], "scripted"
        raise CredentialsError(
            f"there is no model for {use}; set {use}_model in a [providers.NAME] table of weft.toml"
        )

    def model_of(self, use: Use, key: str, config: ProviderConfig | None) -> str:
        """The model of one provider; empty if nobody says."""
        return "" if config is None else _named(use, key, config) or _known(use, key, config)


def _named(use: Use, key: str, config: ProviderConfig) -> str:
    named: str = getattr(config, f"{use}_model")
    return named or (ESPEAK if use == "speech" and config.type == ESPEAK else "")


def _known(use: Use, key: str, config: ProviderConfig) -> str:
    """What the public service of that name is known to have; another address may have nothing of it."""
    service = SERVICES.get(key)
    if service is None or config.base_url not in ("", service.base_url) or config.type != "openai-compatible":
        return ""
    return {
        "speech": service.speech_model,
        "transcription": service.transcription_model,
        "moderation": service.moderation_model,
    }.get(use, "")
