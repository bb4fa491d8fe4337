"""Names of tools, in the spellings of all files.

A file of an old version says ``time``, a newer one ``langgenius/time/time`` (publisher, plugin, provider);
a tool that its author made says the id of a record that exists only in the database it came from, and, beside
it, a name.
"""

from __future__ import annotations

from msgspec import Struct

_PUBLISHER = "langgenius"


class ToolRef(Struct, frozen=True, kw_only=True):
    """A tool as a file names it."""

    provider_type: str = "builtin"
    """``builtin``, ``plugin``, ``api``, ``mcp``, ``workflow``, ``app`` or ``dataset-retrieval``."""
    provider_id: str = ""
    provider_name: str = ""
    tool_name: str

    @property
    def provider(self) -> str:
        """What to call the provider in messages: the name for those that have no telling id."""
        if self.provider_type in ("api", "mcp", "workflow", "app"):
            return self.provider_name or self.provider_id or "?"
        return self.provider_id or self.provider_name or "?"

    @property
    def keys(self) -> tuple[str, ...]:
        """Under which keys its provider may be found, likeliest first."""
        names = (self.provider_id, self.provider_name)
        return tuple(dict.fromkeys(tool_provider_key(name) for name in names if name.strip()))

    def __str__(self) -> str:
        return f"{self.provider}/{self.tool_name}"


def tool_provider_key(name: str) -> str:
    """One spelling for all spellings of a provider's name.

    Plugins of other publishers keep their full name: ``acme/time/time`` is not ``time``.
    """
    parts = name.strip().lower().split("/")
    return parts[-1] if parts[0] == _PUBLISHER else "/".join(parts)
