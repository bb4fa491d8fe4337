"""What to send: one request as a value, built from the arguments of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote, urlsplit

from weft import wire
from weft.errors import ConfigError, InvalidRequestError

if TYPE_CHECKING:
    from weft.client._upload import Upload
    from weft.wire import WireModel

M = TypeVar("M", bound="WireModel")
T_co = TypeVar("T_co", covariant=True)

SERVICE = "/v1"
CONSOLE = "/console/api"


@dataclass(frozen=True, slots=True)
class Minute:
    """A moment in a query string whose text depends on the account's time zone."""

    moment: datetime


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """One request, and how to read its answer."""

    method: str
    path: str
    """Below the base address, already quoted."""
    read: Callable[[bytes], T_co] = field(repr=False)
    """Raises `ValueError` for a body that is not as expected."""
    query: Mapping[str, str] = field(default_factory=dict)
    minutes: Mapping[str, Minute] = field(default_factory=dict)
    """Part of the query that is still to be written in the account's time zone."""
    body: bytes | None = field(default=None, repr=False)
    """JSON text."""
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Fields that go along with `upload`."""
    upload: Upload | None = None
    """A file, which makes the body a form."""
    headers: Mapping[str, str] = field(default_factory=dict)
    waits_for_run: bool = False
    """Whether the answer may take as long as a run."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def base_address(text: str, below: str = SERVICE) -> str:
    """The address all paths are appended to.

    Args:
        text: The server's root, its ``/v1`` or its ``/console/api``, with or without a final slash.
        below: What it shall end in.

    Raises:
        ConfigError: It is no http address, or holds credentials, a query or a fragment.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the base address must be like 'https://host' or 'https://host/v1'")
    if "@" in parts.netloc:
        raise ConfigError("the base address must not hold credentials; give them on their own")
    if parts.query or parts.fragment:
        raise ConfigError("the base address must end with its path, without '?' and '#'")
    base = parts.path.rstrip("/").removesuffix(SERVICE).removesuffix(CONSOLE).rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{base}{below}"


@lru_cache(maxsize=1024)
def path(*segments: str) -> str:
    """Join path segments, each quoted as a whole.

    Raises:
        InvalidRequestError: A segment is empty or would change the path.
    """
    for segment in segments:
        if segment.strip() in ("", ".", ".."):
            raise InvalidRequestError(f"{segment!r} cannot be an id; give the id of the thing you mean")
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def given(**fields: object) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def texts(**query: object) -> dict[str, str]:
    """A query string's values as text; those of ``None`` are left out."""
    return {name: _text(value) for name, value in query.items() if value is not None}


def get(model: type[M], address: str, **query: object) -> Call[M]:
    """A request for something; query values of ``None`` are left out."""
    return Call("GET", address, partial(wire.parse_answer, model), texts(**query))


def send(
    method: str,
    model: type[M],
    address: str,
    request: type[WireModel],
    fields: Mapping[str, object],
    *,
    waits_for_run: bool = False,
) -> Call[M]:
    """A request with a JSON body.

    Raises:
        InvalidRequestError: The server would refuse the body.
    """
    body = wire.encode_request(request, fields)
    return Call(method, address, partial(wire.parse_answer, model), body=body, waits_for_run=waits_for_run)


def send_only(
    method: str, address: str, request: type[WireModel], fields: Mapping[str, object]
) -> Call[None]:
    """A request with a JSON body whose answer has nothing to tell.

    Raises:
        InvalidRequestError: The server would refuse the body.
    """
    return Call(method, address, nothing, body=wire.encode_request(request, fields))


def ask_only(method: str, address: str, **query: object) -> Call[None]:
    """A request without a body whose answer has nothing to tell."""
    return Call(method, address, nothing, texts(**query))


def send_file(model: type[M], address: str, upload: Upload, **fields: object) -> Call[M]:
    """A request whose body is a form with a file; fields of ``None`` are left out."""
    return Call("POST", address, partial(wire.parse_answer, model), form=texts(**fields), upload=upload)


def stream(address: str, request: type[WireModel], fields: Mapping[str, object]) -> Call[None]:
    """A request whose answer is an event stream.

    Raises:
        InvalidRequestError: The server would refuse the body.
    """
    return send_only("POST", address, request, {**fields, "response_mode": "streaming"})


def nothing(body: bytes) -> None:
    """Read an answer that has nothing to tell."""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
