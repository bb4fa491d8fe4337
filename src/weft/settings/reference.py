"""The reference of all settings, for the page that is made from it."""

from __future__ import annotations

from dataclasses import dataclass

from weft.settings.model import Settings
from weft.settings.names import SYNONYMS, TABLES, allowed, extra, fields, is_secret, option, shown, variable


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting as the reference page shows it."""

    name: str
    """Path in `weft.toml`, e.g. ``limits.max_steps``."""
    option: str | None
    """On the command line, e.g. ``--limits-max-steps``; `None` when only the file can give it."""
    variable: str | None
    """In the environment, e.g. ``WEFT_LIMITS_MAX_STEPS``; `None` when only the file can give it."""
    synonyms: tuple[str, ...]
    """Older variables that are accepted too."""
    allowed: str
    """What may be written, in words."""
    default: str
    description: str
    secret: bool
    """Never shown."""


def reference() -> list[SettingInfo]:
    """All settings with names, bounds, defaults and descriptions."""
    return [
        SettingInfo(
            name=name,
            option=None if name in TABLES else option(name),
            variable=None if name in TABLES else variable(name),
            synonyms=tuple(old for old, new in SYNONYMS.items() if new == name),
            allowed=allowed(field),
            default=extra(field, "default") or shown(field.default),
            description=field.description or "",
            secret=is_secret(field),
        )
        for name, field in fields(Settings)
    ]
