"""Names of providers.

An app of an old version says ``openai``, a newer one ``langgenius/openai/openai`` (publisher, plugin,
provider); both mean the same provider.

Source: Dify app DSL, import of apps before 1.0.
"""

from __future__ import annotations

_PUBLISHER = "langgenius"
_SYNONYMS = {"gemini": "google"}


def provider_key(name: str) -> str:
    """One spelling for all spellings of a provider's name.

    Plugins of other publishers keep their full name: ``acme/openai/openai`` is not ``openai``.
    """
    parts = name.strip().lower().split("/")
    key = parts[-1] if parts[0] == _PUBLISHER else "/".join(parts)
    return _SYNONYMS.get(key, key)
