"""One call: confine, read a request, run it, answer, end."""

from __future__ import annotations

import gc
import os
from types import ModuleType
from typing import NoReturn

from . import javascript_code, python_code
from .complaint import ComplaintError
from .confinement import CHANNEL, Walls, enter
from .messages import (
    COMPLAINT,
    HEAD_BYTES,
    RESULT,
    UNCONFINED,
    Allowance,
    pack_reply,
    request_size,
    unpack_request,
)
from .refusal import UnconfinableError, explain


def live(
    channel: int,
    allowance: Allowance,
    walls: Walls,
    user_id: int | None,
    zygote: int,
    engine: ModuleType | None,
) -> NoReturn:
    """Spend the life of a forked child; never returns into the zygote's loop."""
    status = 1
    try:
        os.dup2(channel, CHANNEL)
        reply = _confine(walls, allowance, user_id, zygote)
        if reply is None:
            gc.enable()
            reply = _answer(_read_request(), allowance, engine)
        _write(reply)
        status = 0
    finally:
        os._exit(status)


def _confine(walls: Walls, allowance: Allowance, user_id: int | None, zygote: int) -> bytes | None:
    try:
        enter(walls, allowance, user_id, zygote)
    except UnconfinableError as error:
        return pack_reply(UNCONFINED, str(error).encode())
    except OSError as error:
        return pack_reply(UNCONFINED, f"a step of the confinement failed ({explain(error)})".encode())
    return None


def _answer(request: bytes, allowance: Allowance, engine: ModuleType | None) -> bytes:
    language, source, inputs = unpack_request(request)
    try:
        if language == "python3":
            result = python_code.run(source, inputs, allowance.memory_bytes)
        elif engine is not None:
            result = javascript_code.run(
                engine,
                source,
                inputs,
                memory_bytes=allowance.memory_bytes,
                cpu_seconds=allowance.cpu_seconds,
            )
        else:
            missing = b"the JavaScript engine is missing or cannot be loaded; install the package quickjs-ng"
            return pack_reply(UNCONFINED, missing)
        if len(result) > allowance.output_bytes:
            raise ComplaintError(
                f"main returned {len(result)} bytes of JSON; the limit is {allowance.output_bytes}"
            )
    except ComplaintError as complaint:
        return pack_reply(COMPLAINT, str(complaint).encode("utf-8", "replace"))
    return pack_reply(RESULT, result)


def _read_request() -> bytes:
    head = _read(HEAD_BYTES)
    return head + _read(request_size(head) - HEAD_BYTES)


def _read(size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = os.read(CHANNEL, size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(reply: bytes) -> None:
    rest = memoryview(reply)
    while rest:
        rest = rest[os.write(CHANNEL, rest) :]
