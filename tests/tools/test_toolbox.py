from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.tools.fake import caller, said
from weft.errors import ConfigError
from weft.registry import Registry
from weft.tools import (
    TOOL_PROVIDERS,
    Caller,
    FixedTools,
    TextMessage,
    TextTool,
    Tool,
    Toolbox,
    ToolParameterError,
    ToolProvider,
    ToolProviderType,
    ToolRef,
    ToolsConfig,
    ToolUnavailableError,
    parse_tools_config,
    tool_provider_key,
)
from weft.variables import Value

pytestmark = pytest.mark.anyio


def installed(**providers: ToolProviderType) -> Registry[ToolProviderType]:
    registry: Registry[ToolProviderType] = Registry("tool provider", "weft.testing.tools", {})
    for name, provider in providers.items():
        registry.add(name.replace("__", "/"), provider)
    return registry


def open_acme(name: str, options: Mapping[str, object]) -> ToolProvider:
    async def find(arguments: Mapping[str, Value], by: Caller) -> str:
        return f"{name} with {options}"

    return FixedTools([TextTool(name, "find", "Finds", [], find)])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("time", "time"),
        ("langgenius/time/time", "time"),
        ("langgenius/jina_tool/jina", "jina"),
        ("Acme/Time/Time", "acme/time/time"),
        (" My API ", "my api"),
    ],
)
def test_all_spellings_of_a_provider_have_one_key(name: str, key: str) -> None:
    assert tool_provider_key(name) == key


@pytest.mark.parametrize("spelling", ["time", "langgenius/time/time"])
async def test_a_built_in_tool_is_found_under_each_of_its_names(spelling: str) -> None:
    by_id = await Toolbox().get(ToolRef(provider_id=spelling, tool_name="weekday"), caller())
    by_name = await Toolbox().get(
        ToolRef(provider_type="plugin", provider_name=spelling, tool_name="weekday"), caller()
    )
    assert (by_id.name, by_name.name) == ("weekday", "weekday")


async def test_every_built_in_tool_says_what_it_does() -> None:
    for name in TOOL_PROVIDERS:
        for tool in await TOOL_PROVIDERS.get(name)(name, {}).list(caller()):
            assert (tool.provider, bool(tool.description)) == (name, True)
            assert all(
                parameter.description or parameter.type == "number" or parameter.name == "timezone"
                for parameter in tool.parameters
            )


async def test_an_installed_provider_gets_its_table() -> None:
    config = parse_tools_config({"Acme/search/search": {"api_key": "k"}})
    tools = Toolbox(config, providers=installed(acme__search__search=open_acme))
    tool = await tools.get(ToolRef(provider_id="acme/search/search", tool_name="find"), caller())
    assert await said(tool, {}) == [TextMessage("acme/search/search with {'api_key': 'k'}")]


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        (
            ToolRef(provider_id="tavily", tool_name="tavily_search"),
            "tool 'tavily_search' cannot be had: the tool provider 'tavily' is not set up; "
            'add [tools.tavily] with openapi = "FILE" to weft.toml, or mcp instead of openapi, '
            "or install a plugin that provides it "
            "(here are: code, json_process, maths, regex, time, webscraper)",
        ),
        (
            ToolRef(provider_type="api", provider_id="5e-uuid", provider_name="My API", tool_name="run"),
            "tool 'run' cannot be had: the custom tool 'My API' is not set up; "
            'add [tools."My API"] with openapi = "FILE" to weft.toml',
        ),
        (
            ToolRef(provider_type="mcp", provider_id="uuid", provider_name="maps", tool_name="route"),
            "tool 'route' cannot be had: the MCP server 'maps' is not set up; "
            'add [tools.maps] with mcp = "URL" to weft.toml',
        ),
        (
            ToolRef(provider_type="workflow", provider_id="uuid", provider_name="scrape", tool_name="scrape"),
            "tool 'scrape' cannot be had: the workflow that is used as a tool 'scrape' is not set up; "
            'serve an app of that name here, say which app it is with [tools.scrape] app = "NAME", '
            'or add [tools.scrape] with openapi = "FILE" to weft.toml',
        ),
        (
            ToolRef(provider_type="api", provider_name="time", tool_name="weekday"),
            "tool 'weekday' cannot be had: the custom tool 'time' is not set up; "
            'add [tools.time] with openapi = "FILE" to weft.toml',
        ),
        (
            ToolRef(provider_type="dataset-retrieval", provider_id="d", tool_name="d"),
            "tool 'd' cannot be had: a tool of type dataset-retrieval 'd' is not set up; "
            "use a knowledge-retrieval or http-request node",
        ),
        (
            ToolRef(provider_id="maths", tool_name="guess"),
            "tool provider 'maths' has no tool 'guess'; it has: eval_expression",
        ),
        (
            ToolRef(tool_name="nothing"),
            "tool 'nothing' cannot be had: the tool provider '?' is not set up; add [tools.\"?\"] with "
            'openapi = "FILE" to weft.toml, or mcp instead of openapi, or install a plugin that provides it '
            "(here are: code, json_process, maths, regex, time, webscraper)",
        ),
    ],
)
async def test_what_cannot_be_had_is_told_with_what_to_do(ref: ToolRef, told: str) -> None:
    with pytest.raises(ToolUnavailableError) as raised:
        await Toolbox().get(ref, caller())
    assert str(raised.value) == told


def test_options_for_nobody_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"\[tools.tavily\]: no tool provider of that name"):
        Toolbox(ToolsConfig(options={"tavily": {"api_key": "k"}}))


async def test_a_table_stands_in_for_a_provider_that_is_not_here() -> None:
    text = '{"paths": {"/s": {"get": {"operationId": "tavily_search"}}}}'
    table = {"openapi": text, "base_url": "https://a.example"}
    tools = Toolbox(parse_tools_config({"tavily": table}))
    ref = ToolRef(provider_id="langgenius/tavily/tavily", tool_name="tavily_search")
    assert (await tools.get(ref, caller())).provider == "tavily"


async def test_workflows_are_asked_for_from_whoever_runs_them() -> None:
    class Published:
        async def find(self, ref: ToolRef, app: str = "") -> Tool | None:
            return workflow if ref.provider_id == "uuid" else None

    async def nothing(arguments: Mapping[str, Value], by: Caller) -> str:
        return ""

    workflow = TextTool("flows", "scrape", "", [], nothing)
    tools = Toolbox()
    tools.workflows = Published()
    ref = ToolRef(provider_type="workflow", provider_id="uuid", tool_name="scrape")
    assert await tools.get(ref, caller()) is workflow
    with pytest.raises(ToolUnavailableError):
        await tools.get(ToolRef(provider_type="workflow", provider_id="other", tool_name="scrape"), caller())


def test_servers_that_apps_name_are_remembered_up_to_a_number() -> None:
    tools = Toolbox()
    first = tools.open_server("https://a.example/0")
    for number in range(1, 100):
        tools.open_server(f"https://a.example/{number}")
    assert tools.open_server("https://a.example/0") is first
    for number in range(100):
        tools.open_server(f"https://b.example/{number}")
    assert tools.open_server("https://a.example/0") is not first
    with pytest.raises(ToolParameterError, match="has to look like https://host/path"):
        tools.open_server("stdio")
