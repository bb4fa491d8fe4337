"""What can go wrong between a flow and a tool.

::

    ToolError(provider, tool)      a tool did not do its part
      ToolUnavailableError         there is no such tool here; the message says what to set up
      ToolParameterError           a parameter is missing or cannot be read as its type
      ToolCredentialsError         the service behind it refused the key
      ToolFileError                a file that it made cannot be kept
      ToolInvokeError              anything else
"""

from __future__ import annotations

from weft.errors import WeftError


class ToolError(WeftError):
    """A tool did not do its part."""

    error_type = "ToolInvokeError"
    """The class name that Dify's records show for this kind of failure."""

    def __init__(self, message: str, *, provider: str = "", tool: str = "") -> None:
        self.provider = provider
        self.tool = tool
        super().__init__(message)


class ToolUnavailableError(ToolError):
    """There is no such tool here."""

    error_type = "ToolNodeError"


class ToolParameterError(ToolError):
    """A parameter is missing or cannot be read as its type."""

    error_type = "ToolParameterError"


class ToolCredentialsError(ToolError):
    """The service behind the tool refused the key."""

    error_type = "ToolProviderCredentialValidationError"


class ToolFileError(ToolError):
    """A file that the tool made cannot be kept."""

    error_type = "ToolFileError"


class ToolInvokeError(ToolError):
    """The tool was called and failed."""
