"""What crosses the wall, and how it is written down.

Two channels. The control socket (sequenced packets of JSON) joins the server and the zygote: the server
sends a `Setup` once, then orders to start (with the call's channel attached) or to kill; the zygote answers
``ready`` or ``missing`` once, then one ``exit`` per call. The call's channel (a stream socket) joins the
server and one child: one request in, one reply out.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

RESULT = b"R"
"""Kind of a reply that holds the result as JSON."""
COMPLAINT = b"E"
"""Kind of a reply that holds a message for the author of the code."""
UNCONFINED = b"U"
"""Kind of a reply that says why the child did not start on the code at all."""

LANGUAGES = ("python3", "javascript")
PACKET_BYTES = 65536
"""No packet on the control socket is longer."""

_HEAD = struct.Struct("=BQQ")
_REPLY = struct.Struct("=cQ")
HEAD_BYTES = _HEAD.size
REPLY_HEAD_BYTES = _REPLY.size


class Setup(NamedTuple):
    """What the zygote must know before it can fork."""

    packages: Sequence[str]
    """Folders whose modules may be imported besides the standard library."""
    quickjs: str | None
    """The file of the JavaScript engine, if it is installed."""
    user_ids: Sequence[int]
    """First and one past the last user id that children may take when the zygote runs as root."""


class Allowance(NamedTuple):
    """The limits that the child and the kernel keep; the server keeps those of time on the wall."""

    cpu_seconds: int
    memory_bytes: int
    output_bytes: int
    processes: int


def pack_request(language: str, source: str, inputs: Mapping[str, object]) -> bytes:
    """One request: a head with the lengths, the source, the inputs as JSON."""
    code = source.encode("utf-8", "replace")
    values = encode(dict(inputs))
    return _HEAD.pack(LANGUAGES.index(language), len(code), len(values)) + code + values


def request_size(head: bytes) -> int:
    """How long a request is that begins with these `HEAD_BYTES` bytes."""
    _, code, values = _HEAD.unpack(head)
    return _HEAD.size + int(code) + int(values)


def unpack_request(request: bytes) -> tuple[str, str, bytes]:
    """Language, source, and inputs as JSON."""
    language, code, _ = _HEAD.unpack_from(request)
    middle = _HEAD.size + code
    return LANGUAGES[language], request[_HEAD.size : middle].decode(), request[middle:]


def pack_reply(kind: bytes, body: bytes) -> bytes:
    """One reply: its kind, the length of its body, the body."""
    return _REPLY.pack(kind, len(body)) + body


def unpack_reply_head(head: bytes) -> tuple[bytes, int]:
    """Kind, and length of the body, from the first `REPLY_HEAD_BYTES` bytes."""
    kind, size = _REPLY.unpack(head)
    return kind, size


def encode(value: object) -> bytes:
    """JSON in UTF-8. NaN and infinities become null, halves of surrogate pairs ``?``.

    Raises:
        TypeError: Something in it is not a JSON value.
        ValueError: It contains itself, or a number too long to be written.
        RecursionError: It is nested too deeply.
    """
    try:
        text = _dump(value, nan=False)
    except ValueError:
        # Raises again unless a float was the reason.
        clean = json.loads(_dump(value, nan=True), parse_constant=lambda _: None)
        text = _dump(clean, nan=False)
    return text.encode("utf-8", "replace")


def _dump(value: object, *, nan: bool) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=nan, separators=(",", ":"))
