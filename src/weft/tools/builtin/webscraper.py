"""The provider ``webscraper``: the text of a page.

Source: Dify built-in tools, provider ``webscraper``; an unreadable page is told as text where it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from weft.tools.errors import ToolInvokeError
from weft.tools.html_text import page_text
from weft.tools.http import HttpRequest
from weft.tools.parameter import ToolParameter
from weft.tools.tool import Caller, FixedTools, TextTool, ToolProvider
from weft.variables import Value

_PROVIDER = "webscraper"
_USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/100.0.1000.0 Safari/537.36"
)
_PAGES = ("text/html", "application/xhtml+xml", "")
_TEXTS = ("application/json", "application/xml", "application/yaml", "application/javascript")


def open_webscraper(name: str, options: Mapping[str, object]) -> ToolProvider:
    """The provider; it has no options."""
    return FixedTools(
        [
            TextTool(
                _PROVIDER,
                "webscraper",
                "A tool for reading web pages. Input should be a URL.",
                [
                    ToolParameter(name="url", required=True, description="Address of the page"),
                    ToolParameter(
                        name="user_agent",
                        form="form",
                        description="What the page takes the reader for",
                        default=_USER_AGENT,
                    ),
                    ToolParameter(
                        name="generate_summary",
                        type="boolean",
                        form="form",
                        description="Give a summary instead of the text",
                    ),
                ],
                _webscraper,
            )
        ]
    )


async def _webscraper(arguments: Mapping[str, Value], caller: Caller) -> str:
    url = str(arguments["url"]).strip()
    if not url:
        return "Please input url"
    if arguments.get("generate_summary"):
        raise _failed("pages are not summed up here; switch generate_summary off and let an llm node do it")
    headers = {"User-Agent": str(arguments["user_agent"]), "Accept": "text/html,text/*;q=0.9,*/*;q=0.5"}
    reply = await caller.network(_PROVIDER).send(HttpRequest(url=url, headers=headers))
    if reply.status >= 400:
        return f"URL returned status code {reply.status}."
    kind = reply.content_type
    if kind in _PAGES:
        # Taking a large page apart costs a tenth of a second that other flows need not wait for.
        title, text = await asyncio.to_thread(page_text, reply.text)
        return f"TITLE: {title}\nTEXT:\n\n{text}" if title else text
    if kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml")):
        return reply.text
    return f"Unsupported content-type [{kind}] of URL."


def _failed(message: str) -> ToolInvokeError:
    return ToolInvokeError(message, provider=_PROVIDER, tool=_PROVIDER)
