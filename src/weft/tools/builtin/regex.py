"""The provider ``regex``: what an expression finds in a text.

An expression may take for ever on a text that was made for it, so it is tried where code runs that is not
trusted: in a process of its own with a bound on its time.

Source: Dify built-in tools, provider ``regex``; as there, an expression that fails is told as text.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.errors import CodeFailedError
from weft.tools.builtin.code import run_code
from weft.tools.parameter import ToolParameter
from weft.tools.tool import Caller, FixedTools, TextTool, ToolProvider
from weft.variables import Value

_SOURCE = """\
import re

def main(expression, content):
    return {"found": str(re.findall(expression, content))}
"""


def open_regex(name: str, options: Mapping[str, object]) -> ToolProvider:
    """The provider; it has no options."""
    return FixedTools(
        [
            TextTool(
                "regex",
                "regex_extract",
                "A tool for extracting matching content using regular expressions.",
                [
                    ToolParameter(name="content", required=True, description="Content to be extracted from"),
                    ToolParameter(name="expression", required=True, description="Regular expression"),
                ],
                _regex_extract,
            )
        ]
    )


async def _regex_extract(arguments: Mapping[str, Value], caller: Caller) -> str:
    content, expression = str(arguments["content"]).strip(), str(arguments["expression"]).strip()
    if not content:
        return "Invalid content"
    if not expression:
        return "Invalid expression"
    try:
        found = await run_code(
            caller, "regex", "python3", _SOURCE, {"expression": expression, "content": content}
        )
    except CodeFailedError as error:
        return f"Failed to extract result, error: {error}"
    return str(found["found"])
