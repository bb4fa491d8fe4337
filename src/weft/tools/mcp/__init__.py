"""Servers of the Model Context Protocol as tools."""

from weft.tools.mcp.provider import McpTool, McpTools
from weft.tools.mcp.session import McpSession

__all__ = ["McpSession", "McpTool", "McpTools"]
