"""Every setting, typed, read once, with the place that each value came from."""

from weft.settings.load import load_settings
from weft.settings.model import (
    ArchiveSettings,
    HttpSettings,
    Limits,
    LogSettings,
    SandboxSettings,
    ServerSettings,
    SettingRow,
    Settings,
)
from weft.settings.reference import SettingInfo, reference
from weft.settings.secret import load_server_secret

__all__ = [
    "ArchiveSettings",
    "HttpSettings",
    "Limits",
    "LogSettings",
    "SandboxSettings",
    "ServerSettings",
    "SettingInfo",
    "SettingRow",
    "Settings",
    "load_server_secret",
    "load_settings",
    "reference",
]
