"""APIs as tools: each operation of an OpenAPI description is one."""

from weft.tools.openapi.document import load_operations
from weft.tools.openapi.operation import Operation
from weft.tools.openapi.provider import ApiTool, open_api

__all__ = ["ApiTool", "Operation", "load_operations", "open_api"]
