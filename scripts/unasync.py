"""Write the synchronous client from the asynchronous one, token by token.

``async`` and ``await`` go, names change by the table below, strings change like the code around
them; imports are put in order again and loops that only pass items on become ``yield from``. The
output is committed; ``--check`` only compares and fails when it is out of date.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src/weft/client/_async"
TARGET = ROOT / "src/weft/client/_sync"

NAMES = {
    "AsyncAdvancedChatApp": "AdvancedChatApp",
    "AsyncAgentApp": "AgentApp",
    "AsyncApp": "App",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncChat": "Chat",
    "AsyncChatApp": "ChatApp",
    "AsyncClient": "Client",
    "AsyncCompletionApp": "CompletionApp",
    "AsyncConsoleClient": "ConsoleClient",
    "AsyncDownload": "Download",
    "AsyncEventStream": "EventStream",
    "AsyncItems": "Items",
    "AsyncSessionHandle": "SessionHandle",
    "AsyncSleep": "BlockingSleep",
    "AsyncWorkflowApp": "WorkflowApp",
    "ExchangeTransport": "BlockingExchangeTransport",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "_async": "_sync",
    "aclose": "close",
    "aiter_bytes": "iter_bytes",
    "anext": "next",
    "aread": "read",
    "asyncio": "time",
    "new_async_lock": "new_blocking_lock",
}
"""Names that change; one that is never met is an error."""

WARNING = "# Written by scripts/unasync.py from ../_async/{name}; change that file instead.\n"
_DROPPED = re.compile(r"\b(?:async|await)\s+")
_IMPORT = re.compile(r"^(from [\w.]+ import )(\w+(?:, \w+)*)$", re.MULTILINE)
_IMPORT_BLOCK = re.compile(r"(?:^from weft[\w.]* import [\w, ]+\n)+", re.MULTILINE)
_PASSED_ON = re.compile(r"^( +)for (\w+) in (.+):\n +yield \2\n", re.MULTILINE)
_WORD = re.compile(r"\w+")


def convert(source: str, used: Counter[str]) -> str:
    """The synchronous form of a module; counts in `used` which names were met."""
    lines = source.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        if token.type not in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT):
            continue
        (row, begin), (last_row, end) = token.start, token.end
        head, tail = lines[row - 1][:begin], lines[last_row - 1][end:]
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            lines[row - 1] = head + tail.lstrip(" ")
        elif token.type == tokenize.NAME:
            lines[row - 1] = head + _renamed(token.string, used) + tail
        else:
            text = rename(_DROPPED.sub("", token.string), used)
            lines[row - 1 : last_row] = (head + text + tail).splitlines(keepends=True)
    text = _IMPORT.sub(_sorted_import, "".join(lines))
    text = _IMPORT_BLOCK.sub(lambda found: "".join(sorted(found[0].splitlines(keepends=True))), text)
    return _PASSED_ON.sub(r"\1yield from \3\n", text)


def _sorted_import(found: re.Match[str]) -> str:
    return found[1] + ", ".join(sorted(found[2].split(", "), key=_import_order))


def _import_order(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name.lower())


def rename(text: str, used: Counter[str]) -> str:
    """Text with every name of the table changed."""
    return _WORD.sub(lambda found: _renamed(found[0], used), text)


def _renamed(name: str, used: Counter[str]) -> str:
    if name in NAMES:
        used[name] += 1
        return NAMES[name]
    return name


def main(check: bool) -> int:
    """Write or compare all modules; returns the exit code."""
    used: Counter[str] = Counter()
    wanted = {
        TARGET / path.name: WARNING.format(name=path.name) + convert(path.read_text(encoding="utf-8"), used)
        for path in sorted(SOURCE.glob("*.py"))
    }
    unused = sorted(set(NAMES) - set(used))
    if unused:
        print(f"names in the table that the source never uses: {', '.join(unused)}")
        return 1
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    stale += [path for path in TARGET.glob("*.py") if path not in wanted]
    if check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run: python scripts/unasync.py")
        return 1 if stale else 0
    TARGET.mkdir(exist_ok=True)
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
        print(f"wrote {path.relative_to(ROOT)}" if path in wanted else f"removed {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
