from __future__ import annotations

from typing import Any

import pytest

from weft.errors import ConfigError
from weft.tools import McpConfig, OpenApiConfig, ToolsConfig, parse_tools_config


def test_a_table_is_an_api_a_server_an_app_or_options() -> None:
    config = parse_tools_config(
        {
            "crm": {"openapi": "crm.yml", "api_key": "k", "auth": "header", "auth_name": "X-Key"},
            "files": {"mcp": "https://mcp.example/mcp", "headers": {"X-Team": "a"}, "timeout": 5},
            "Their flow": {"app": "Our flow"},
            "acme/search/search": {"api_key": "s"},
        }
    )
    assert config == ToolsConfig(
        {"crm": OpenApiConfig(openapi="crm.yml", api_key="k", auth="header", auth_name="X-Key")},
        {"files": McpConfig(mcp="https://mcp.example/mcp", headers={"X-Team": "a"}, timeout=5.0)},
        {"Their flow": "Our flow"},
        {"acme/search/search": {"api_key": "s"}},
    )


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ({"a": 5}, "[tools.a] has to be a table"),
        ({"a": {"openapi": "x", "mcp": "y"}}, "[tools.a] has both openapi and mcp; make two tables of it"),
        (
            {"a": {"openapi": "x", "key": "y"}},
            "[tools.a]: Object contains unknown field `key`",
        ),
        (
            {"a": {"openapi": "x", "auth": "magic"}},
            "[tools.a]: Invalid enum value 'magic' - at `$.auth`",
        ),
        (
            {"a": {"openapi": "x", "auth": "query", "api_key": "k"}},
            "[tools.a]: auth is query; say in auth_name what it is called",
        ),
        (
            {"a": {"openapi": "x", "base_url": "api.example"}},
            "[tools.a] base_url: this is no address; write https://host/path or the like",
        ),
        (
            {"a": {"mcp": "http://[broken"}},
            "[tools.a] mcp: this is no address; write https://host/path or the like",
        ),
        (
            {"my server": {"mcp": "stdio"}},
            '[tools."my server"] mcp: this is no address; write https://host/path or the like',
        ),
        (
            {"time": {"mcp": "https://a"}, "langgenius/time/time": {"mcp": "https://b"}},
            '[tools."langgenius/time/time"]: the same provider as [tools.time]; remove one of the tables',
        ),
    ],
)
def test_a_wrong_table_is_named(tables: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_tools_config(tables)
    assert str(raised.value) == complaint


def test_keys_do_not_show() -> None:
    config = parse_tools_config(
        {
            "a": {"openapi": "{}", "api_key": "hush", "headers": {"X": "hush"}},
            "b": {"mcp": "https://x/?k=hush", "api_key": "hush"},
            "c": {"api_key": "hush"},
        }
    )
    assert "hush" not in repr(config)
