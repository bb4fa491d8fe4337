"""Tools: what flows can have done for them besides asking a model.

`Toolbox.get` finds the tool that a file names, `Tool.invoke` gives the messages of one call. There are some
that need nothing (`TOOL_PROVIDERS`); a table in the settings makes tools of an API's description or of an MCP
server, and an installed package may bring more under the entry-point group ``weft.tools``.

What a tool needs of the world comes with each call, in its `Caller`.
"""

from weft.tools.config import McpConfig, OpenApiConfig, ToolsConfig, host_of, parse_tools_config
from weft.tools.errors import (
    ToolCredentialsError,
    ToolError,
    ToolFileError,
    ToolInvokeError,
    ToolParameterError,
    ToolUnavailableError,
)
from weft.tools.http import Http, HttpReply, HttpRequest
from weft.tools.message import (
    RESERVED_NAMES,
    BlobMessage,
    FileMessage,
    ImageMessage,
    JsonMessage,
    LinkMessage,
    LogMessage,
    TextMessage,
    ToolMessage,
    VariableMessage,
)
from weft.tools.name import ToolRef, tool_provider_key
from weft.tools.parameter import (
    ParameterForm,
    ParameterType,
    ToolParameter,
    arguments_schema,
    cast_arguments,
)
from weft.tools.tool import (
    Caller,
    CodeRunner,
    FixedTools,
    TextTool,
    Tool,
    ToolProvider,
    ToolProviderType,
    WorkflowTools,
)
from weft.tools.toolbox import TOOL_PROVIDERS, Toolbox

__all__ = [
    "RESERVED_NAMES",
    "TOOL_PROVIDERS",
    "BlobMessage",
    "Caller",
    "CodeRunner",
    "FileMessage",
    "FixedTools",
    "Http",
    "HttpReply",
    "HttpRequest",
    "ImageMessage",
    "JsonMessage",
    "LinkMessage",
    "LogMessage",
    "McpConfig",
    "OpenApiConfig",
    "ParameterForm",
    "ParameterType",
    "TextMessage",
    "TextTool",
    "Tool",
    "ToolCredentialsError",
    "ToolError",
    "ToolFileError",
    "ToolInvokeError",
    "ToolMessage",
    "ToolParameter",
    "ToolParameterError",
    "ToolProvider",
    "ToolProviderType",
    "ToolRef",
    "ToolUnavailableError",
    "Toolbox",
    "ToolsConfig",
    "VariableMessage",
    "WorkflowTools",
    "arguments_schema",
    "cast_arguments",
    "host_of",
    "parse_tools_config",
    "tool_provider_key",
]
