"""Which tools there are beside the built-in ones, and how to reach them: the ``[tools.NAME]`` tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from weft.errors import ConfigError
from weft.tools.name import tool_provider_key

_Seconds: TypeAlias = Annotated[float, Meta(gt=0)]


class OpenApiConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API whose operations are tools."""

    openapi: str
    """The description: a file's path, or the text itself (YAML or JSON)."""
    base_url: str = ""
    """Where the API is, if not where its description says."""
    api_key: str = ""
    """Secret; never part of `repr` or of an error message."""
    auth: Literal["bearer", "basic", "header", "query"] = "bearer"
    """How the key is shown: after the word ``Bearer`` or ``Basic``, or bare in the header or the query
    parameter `auth_name`."""
    auth_name: str = ""
    headers: dict[str, str] = {}
    """Sent with every request; values count as secret."""
    timeout: _Seconds = 60.0
    """Seconds for one call."""

    def __repr__(self) -> str:
        return f"OpenApiConfig(base_url={self.base_url!r}{', api_key=***' if self.api_key else ''})"


class McpConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server that speaks the Model Context Protocol over HTTP."""

    mcp: str
    """Its address."""
    api_key: str = ""
    """Secret; shown after the word ``Bearer``."""
    headers: dict[str, str] = {}
    """Sent with every request; values count as secret."""
    timeout: _Seconds = 60.0
    """Seconds for one request."""

    def __repr__(self) -> str:
        return f"McpConfig({'api_key=***' if self.api_key else ''})"


class AppToolConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow that is served here and used as a tool."""

    app: Annotated[str, Meta(min_length=1)]
    """Name of the app."""


_Table = TypeVar("_Table", OpenApiConfig, McpConfig, AppToolConfig)


@dataclass(frozen=True, slots=True)
class ToolsConfig:
    """All tables, read."""

    apis: Mapping[str, OpenApiConfig] = field(default_factory=dict)
    servers: Mapping[str, McpConfig] = field(default_factory=dict)
    apps: Mapping[str, str] = field(default_factory=dict)
    """Names of the apps that workflows used as tools are."""
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)
    """For providers that are built in or installed: keys, or whatever they understand."""


def parse_tools_config(tables: Mapping[str, object]) -> ToolsConfig:
    """Read the tables of a settings file.

    Args:
        tables: By the provider's name as files spell it. A table with `openapi` is an API, one with `mcp` a
            server, one with `app` a workflow that is served here, any other holds options for a provider
            that is there already.

    Raises:
        ConfigError: A table is wrong; the message names it and the field.
    """
    apis: dict[str, OpenApiConfig] = {}
    servers: dict[str, McpConfig] = {}
    apps: dict[str, str] = {}
    options: dict[str, Mapping[str, object]] = {}
    seen: dict[str, str] = {}
    for name, table in tables.items():
        key = tool_provider_key(name)
        if key in seen:
            raise ConfigError(
                f"{title(name)}: the same provider as {title(seen[key])}; remove one of the tables"
            )
        seen[key] = name
        if not isinstance(table, Mapping):
            raise ConfigError(f"{title(name)} has to be a table")
        if "openapi" in table and "mcp" in table:
            raise ConfigError(f"{title(name)} has both openapi and mcp; make two tables of it")
        if "openapi" in table:
            apis[name] = _read(name, table, OpenApiConfig)
            _check_api(name, apis[name])
        elif "mcp" in table:
            servers[name] = _read(name, table, McpConfig)
            _check_address(f"{title(name)} mcp", servers[name].mcp)
        elif "app" in table:
            apps[name] = _read(name, table, AppToolConfig).app
        else:
            options[name] = table
    return ToolsConfig(apis, servers, apps, options)


def title(name: str) -> str:
    """The heading of a provider's table in `weft.toml`."""
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return f"[tools.{name}]" if bare else f'[tools."{name}"]'


def _read(name: str, table: Mapping[str, object], kind: type[_Table]) -> _Table:
    try:
        return msgspec.convert(dict(table), kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{title(name)}: {error}") from error


def _check_api(name: str, config: OpenApiConfig) -> None:
    if config.base_url:
        _check_address(f"{title(name)} base_url", config.base_url)
    if config.auth in ("header", "query") and config.api_key and not config.auth_name:
        raise ConfigError(f"{title(name)}: auth is {config.auth}; say in auth_name what it is called")


def _check_address(where: str, url: str) -> None:
    if not host_of(url):
        raise ConfigError(f"{where}: this is no address; write https://host/path or the like")


def host_of(url: str) -> str:
    """The host in an address; empty if it is none that a request could be sent to."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""
