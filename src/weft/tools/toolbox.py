"""From the tool that a file names to the one that does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.errors import ConfigError
from weft.registry import Registry
from weft.tools.config import McpConfig, OpenApiConfig, ToolsConfig, host_of, title
from weft.tools.errors import ToolParameterError, ToolUnavailableError
from weft.tools.name import ToolRef, tool_provider_key
from weft.tools.tool import Caller, Tool, ToolProvider, ToolProviderType, WorkflowTools

TOOL_PROVIDERS: Registry[ToolProviderType] = Registry(
    "tool provider",
    "weft.tools",
    {
        "code": "weft.tools.builtin.code:open_code",
        "json_process": "weft.tools.builtin.json_process:open_json_process",
        "maths": "weft.tools.builtin.maths:open_maths",
        "regex": "weft.tools.builtin.regex:open_regex",
        "time": "weft.tools.builtin.time:open_time",
        "webscraper": "weft.tools.builtin.webscraper:open_webscraper",
    },
)

_MAX_SERVERS = 100
"""Servers named by their address that are remembered; an app may make addresses up."""


class Toolbox:
    """All tools of this process.

    A provider that has a table in the settings is what that table says, whatever kind of tool a file takes it
    for; so a provider that exists nowhere else can be stood in for by an API or a server.

    Args:
        config: The tables; none are needed for what is built in or installed.
        providers: Built in and installed ones.

    Raises:
        ConfigError: An API's description cannot be read, or a table is about a provider that is not here.
    """

    def __init__(
        self, config: ToolsConfig | None = None, *, providers: Registry[ToolProviderType] = TOOL_PROVIDERS
    ) -> None:
        config = config or ToolsConfig()
        self.workflows: WorkflowTools | None = None
        """Who runs workflows as tools; whoever opens the toolbox says so when there is somebody."""
        self._registry = providers
        self._opened: dict[str, ToolProvider] = {}
        self._servers: dict[str, ToolProvider] = {}
        """Those that apps name by their address, the one that was used last at the end."""
        self._options: dict[str, Mapping[str, object]] = {}
        self._names: dict[str, str] | None = None
        for name, api in config.apis.items():
            self._opened[tool_provider_key(name)] = _open_api(name, api)
        for name, server in config.servers.items():
            self._opened[tool_provider_key(name)] = _open_server(name, server)
        self._apps = {tool_provider_key(name): app for name, app in config.apps.items()}
        for name, options in config.options.items():
            key = tool_provider_key(name)
            if key not in self._registered():
                raise ConfigError(
                    f"{title(name)}: no tool provider of that name is built in or installed; write openapi "
                    f"or mcp into the table, or install its plugin (known: {', '.join(self._registered())})"
                )
            self._options[key] = options

    async def get(self, ref: ToolRef, caller: Caller) -> Tool:
        """The tool that a file names.

        Raises:
            ToolUnavailableError: It is not here; the message says what to set up.
            ConfigError: Its provider's settings are wrong.
            WeftError: Its provider cannot be asked for its tools.
        """
        if ref.provider_type == "workflow" and self.workflows is not None:
            app = next((self._apps[key] for key in ref.keys if key in self._apps), "")
            workflow = await self.workflows.find(ref, app)
            if workflow is not None:
                return workflow
        provider = self._find_provider(ref)
        if provider is None:
            raise _absent(ref, list(self._registered()))
        tools = await provider.list(caller)
        for tool in tools:
            if tool.name == ref.tool_name:
                return tool
        raise ToolUnavailableError(
            f"tool provider {ref.provider!r} has no tool {ref.tool_name!r}; it has: "
            f"{', '.join(tool.name for tool in tools) or 'none'}",
            provider=ref.provider,
            tool=ref.tool_name,
        )

    def open_server(self, url: str) -> ToolProvider:
        """The tools of a server that an app names by its address.

        Raises:
            ToolParameterError: It is no address.
        """
        host = host_of(url)
        if not host:
            raise ToolParameterError("the address of an MCP server has to look like https://host/path")
        # The address itself may hold a key, so errors tell the host alone.
        server = self._servers.pop(url, None) or _open_server(host, McpConfig(mcp=url))
        self._servers[url] = server
        while len(self._servers) > _MAX_SERVERS:
            del self._servers[next(iter(self._servers))]
        return server

    async def close(self) -> None:
        """Let go of all connections."""
        opened = [*self._opened.values(), *self._servers.values()]
        self._opened, self._servers = {}, {}
        for provider in opened:
            await provider.close()

    def _find_provider(self, ref: ToolRef) -> ToolProvider | None:
        for key in ref.keys:
            if key in self._opened:
                return self._opened[key]
        if ref.provider_type in ("api", "mcp", "workflow"):
            return None  # what somebody called `time` is not our clock
        for key in ref.keys:
            name = self._registered().get(key)
            if name is not None:
                opened = self._registry.get(name)(name, self._options.get(key, {}))
                self._opened[key] = opened
                return opened
        return None

    def _registered(self) -> dict[str, str]:
        """Names of built in and installed providers, by their keys."""
        if self._names is None:
            self._names = {tool_provider_key(name): name for name in self._registry.names()}
        return self._names


# Most programs have neither, so none of them waits for the modules.


def _open_api(name: str, config: OpenApiConfig) -> ToolProvider:
    from weft.tools.openapi import open_api

    return open_api(name, config)


def _open_server(name: str, config: McpConfig) -> ToolProvider:
    from weft.tools.mcp import McpTools

    return McpTools(name, config)


def _absent(ref: ToolRef, known: Sequence[str]) -> ToolUnavailableError:
    table = title(ref.provider)
    api = f'add {table} with openapi = "FILE" to weft.toml'
    server = f'add {table} with mcp = "URL" to weft.toml'
    match ref.provider_type:
        case "api":
            what, do = "the custom tool", api
        case "mcp":
            what, do = "the MCP server", server
        case "workflow":
            what = "the workflow that is used as a tool"
            do = f'serve an app of that name here, say which app it is with {table} app = "NAME", or {api}'
        case "dataset-retrieval" | "app":
            what, do = f"a tool of type {ref.provider_type}", "use a knowledge-retrieval or http-request node"
        case _:
            what = "the tool provider"
            do = (
                f"{api}, or mcp instead of openapi, or install a plugin that provides it "
                f"(here are: {', '.join(known)})"
            )
    return ToolUnavailableError(
        f"tool {ref.tool_name!r} cannot be had: {what} {ref.provider!r} is not set up; {do}",
        provider=ref.provider,
        tool=ref.tool_name,
    )
