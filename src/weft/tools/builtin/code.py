"""The provider ``code``: what a piece of code prints.

Source: Dify built-in tools, provider ``code``.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.errors import CodeFailedError
from weft.tools.errors import ToolInvokeError, ToolParameterError
from weft.tools.parameter import ToolParameter
from weft.tools.tool import Caller, FixedTools, Language, TextTool, ToolProvider
from weft.variables import Value

_LANGUAGES: dict[str, Language] = {
    "python3": "python3",
    "python": "python3",
    "javascript": "javascript",
    "js": "javascript",
}
# The sandbox drops what code prints, so what is printed becomes what is returned.
_SOURCES: dict[Language, str] = {
    "python3": """\
import contextlib, io

def main(code):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
    return {"printed": printed.getvalue()}
""",
    "javascript": """\
async function main({code}) {
  const lines = [];
  const show = (item) => typeof item === "string" ? item : (JSON.stringify(item) ?? String(item));
  const print = (...items) => { lines.push(items.map(show).join(" ")); };
  const quiet = {log: print, info: print, warn: print, error: print, debug: print};
  const work = Object.getPrototypeOf(async function () {}).constructor;
  await new work("console", code)(quiet);
  return {printed: lines.map((line) => line + "\\n").join("")};
}
""",
}


def open_code(name: str, options: Mapping[str, object]) -> ToolProvider:
    """The provider; it has no options."""
    return FixedTools(
        [
            TextTool(
                "code",
                "simple_code",
                "A tool for running code and getting the result back. Only what the language itself brings "
                "along can be used, without network and files. The result is what print() or console.log() "
                "puts out.",
                [
                    ToolParameter(
                        name="language",
                        required=True,
                        description="Language of the code",
                        options=("python3", "javascript"),
                    ),
                    ToolParameter(name="code", required=True, description="The code to run"),
                ],
                _simple_code,
            )
        ]
    )


async def _simple_code(arguments: Mapping[str, Value], caller: Caller) -> str:
    language = _LANGUAGES.get(str(arguments["language"]).strip().lower())
    if language is None:
        raise ToolParameterError(
            f"the tool 'simple_code' runs python3 and javascript, not {arguments['language']!r}",
            provider="code",
            tool="simple_code",
        )
    try:
        done = await run_code(caller, "code", language, _SOURCES[language], {"code": arguments["code"]})
    except CodeFailedError as error:
        raise ToolInvokeError(str(error), provider="code", tool="simple_code") from error
    return str(done["printed"])


async def run_code(
    caller: Caller, provider: str, language: Language, source: str, inputs: Mapping[str, object]
) -> dict[str, object]:
    """Run code where it can reach nothing.

    Raises:
        CodeFailedError: It failed or took too long.
        SandboxError: It was not run.
        ToolInvokeError: There is no place to run it.
    """
    if caller.code is None:
        raise ToolInvokeError(
            f"the tools of {provider!r} run code, and there is no sandbox here", provider=provider
        )
    return await caller.code.run(language, source, inputs)
