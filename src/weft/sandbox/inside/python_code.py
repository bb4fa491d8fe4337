"""Running a Python code node: ``main(**inputs)``."""

from __future__ import annotations

import errno
import json
import linecache
import sys
import traceback
from collections.abc import Iterator, Mapping
from mmap import mmap
from types import ModuleType, TracebackType

from .complaint import ComplaintError, shorten, too_much_memory
from .messages import encode

FILE = "main.py"
"""The name of the code in tracebacks."""
_RESERVE_BYTES = 1 << 20
"""Held back so that there is memory left to say that there is none left."""
_MISSING_MODULE = (
    "This module is not installed where code runs: there is the standard library, and what the operator of "
    "the server adds with the setting 'sandbox.packages'."
)
_FORBIDDEN = "Code here has no network, cannot write files, reads no other files and starts no programs."


def run(source: str, inputs: bytes, memory_bytes: int) -> bytes:
    """Run the code and give its result as JSON.

    Args:
        source: Defines a function ``main``.
        inputs: JSON object, its members are the arguments by name.
        memory_bytes: Only for the message when it is used up.

    Raises:
        ComplaintError: The code is at fault.
    """
    # A mapping costs nothing until it is touched.
    reserve = mmap(-1, _RESERVE_BYTES)
    try:
        return _call(source, json.loads(inputs))
    except ComplaintError:
        raise
    except MemoryError as error:
        reserve.close()
        error.__traceback__ = error.__context__ = None
        raise ComplaintError(too_much_memory(memory_bytes)) from None
    except SystemExit as error:
        raise ComplaintError(f"the code called exit({error.code!r}) instead of returning a dict") from None
    # Whatever strangers' code raises ends here; this process has nothing else to do.
    except BaseException as error:
        raise ComplaintError(_tell(error)) from None


def _call(source: str, arguments: dict[str, object]) -> bytes:
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    linecache.cache[FILE] = (len(source), None, [f"{line}\n" for line in source.splitlines()], FILE)
    exec(compile(source, FILE, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  (what this room is for)
    main = module.__dict__.get("main")
    if not callable(main):
        raise ComplaintError("the code defines no function 'main'; write: def main(...) -> dict")
    result = main(**arguments)
    if not isinstance(result, Mapping):
        raise ComplaintError(f"main returned {_article(type(result).__name__)} instead of a dict")
    try:
        return encode(dict(result))
    except (TypeError, ValueError) as error:
        raise ComplaintError(f"main returned a dict that JSON cannot hold: {error}") from None
    except RecursionError:
        raise ComplaintError("main returned a dict that is nested too deeply") from None


def _tell(error: BaseException) -> str:
    """First line what and where, then the traceback, cut down to the author's own lines."""
    line = _last_own_line(error)
    for member in _family(error):
        member.__traceback__ = _own_frames(member.__traceback__)
    shown = traceback.TracebackException.from_exception(error, compact=True)
    what = next(text for text in shown.format_exception_only() if not text.startswith(" ")).strip()
    where = "" if line is None else f" (line {line})"
    parts = [f"{what}{where}", "".join(shown.format()).rstrip(), _hint(error)]
    return shorten("\n\n".join(part for part in parts if part))


def _family(error: BaseException) -> Iterator[BaseException]:
    """The error and all that are shown with it: causes, contexts, members of groups."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        member = waiting.pop()
        if member is None or id(member) in seen:
            continue
        seen.add(id(member))
        yield member
        waiting += [member.__cause__, member.__context__]
        if isinstance(member, BaseExceptionGroup):
            waiting += member.exceptions


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    own: list[TracebackType] = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE:
            own.append(trace)
        trace = trace.tb_next
    kept: TracebackType | None = None
    for entry in reversed(own):
        kept = TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return kept


def _last_own_line(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == FILE:
        return error.lineno
    trace = _own_frames(error.__traceback__)
    line = None
    while trace is not None:
        line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return _MISSING_MODULE
    if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EACCES, errno.EROFS):
        return _FORBIDDEN
    return ""


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
