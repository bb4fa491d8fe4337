"""Every setting, typed, read once, with the place that each value came from."""

from weft.settings.load import load_settings
from weft.settings.model import (
    ArchiveSettings,
    HttpSettings,
    JobsSettings,
    Limits,
    LogSettings,
    SandboxSettings,
    ServerSettings,
    SettingRow,
    Settings,
    TracingSettings,
)
from weft.settings.reference import SettingInfo, reference
from weft.settings.secret import load_server_secret

__all__ = [
    "ArchiveSettings",
    "HttpSettings",
    "JobsSettings",
    "Limits",
    "LogSettings",
    "SandboxSettings",
    "ServerSettings",
    "SettingInfo",
    "SettingRow",
    "Settings",
    "TracingSettings",
    "load_server_secret",
    "load_settings",
    "reference",
]
