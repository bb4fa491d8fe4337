"""JSON as the archive writes it: compact UTF-8 bytes that are the same for the same content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from weft.errors import ArchiveError

T = TypeVar("T")
JsonObject = dict[str, object]
"""A JSON object: text, numbers, booleans, null, lists and objects of the same."""

_DETERMINISTIC = msgspec.json.Encoder(order="deterministic")
_PLAIN = msgspec.json.Encoder()
_CHECKSUM = b',"checksum":"'
_PIECE = 2047
"""Bytes up to which hashlib keeps the interpreter's lock. Beside a busy event loop it takes a thread many
times longer to get it back than to hash a conversation."""
_LONG = 128 * 1024
"""Beyond this it is worth it to let others run meanwhile."""
_TAIL = len(_CHECKSUM) + 64 + len(b'"}\n')


class BadJsonError(ArchiveError):
    """Bytes are not JSON, or not of the shape that was expected."""


def encode(value: object) -> bytes:
    """Compact JSON in the order of the mapping; half surrogate pairs, which no file holds, become ``?``."""
    try:
        return _PLAIN.encode(value)
    except UnicodeEncodeError:
        return _PLAIN.encode(_mend(value))


def decode_object(data: bytes | bytearray | memoryview | str, what: str) -> JsonObject:
    """The JSON object in these bytes.

    Raises:
        BadJsonError: They are something else; the message begins with `what`.
    """
    return decode(data, JsonObject, what)


def decode(data: bytes | bytearray | memoryview | str, shape: type[T], what: str) -> T:
    """The value of that shape in these bytes.

    Raises:
        BadJsonError: They are something else; the message begins with `what`.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadJsonError(f"{what}: {error}") from error


def digest(data: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    if len(data) > _LONG:
        return hashlib.sha256(data).hexdigest()
    made = hashlib.sha256()
    for start in range(0, len(data), _PIECE):
        made.update(data[start : start + _PIECE])
    return made.hexdigest()


def content_digest(value: Mapping[str, object]) -> str:
    """SHA-256 of content, whatever the order of its keys."""
    try:
        return digest(_DETERMINISTIC.encode(value))
    except UnicodeEncodeError:
        return digest(_DETERMINISTIC.encode(_mend(value)))


def seal(value: object) -> bytes:
    """JSON object with its own SHA-256 as last member ``checksum``, and a line feed.

    The sum is taken over the object without that member, so `unseal` finds every changed byte.
    """
    body = encode(value)
    return body[:-1] + _CHECKSUM + digest(body).encode() + b'"}\n'


def unseal(data: bytes, shape: type[T], what: str) -> T:
    """The value that was sealed.

    Raises:
        BadJsonError: A byte has changed since.
    """
    body = data[:-_TAIL] + b"}"
    if data[-_TAIL:] != _CHECKSUM + digest(body).encode() + b'"}\n':
        raise BadJsonError(f"{what}: its checksum does not fit its content")
    return decode(body, shape, what)


def _mend(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, Mapping):
        return {_mend(key): _mend(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mend(item) for item in value]
    return value
