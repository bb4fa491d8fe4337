"""What to send: one request as a value, built from the arguments of a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote, urlsplit

from weft import wire
from weft.errors import ConfigError, InvalidRequestError

if TYPE_CHECKING:
    from weft.wire import WireModel

M = TypeVar("M", bound="WireModel")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """One request, and how to read its answer."""

    method: str
    path: str
    """Below the base address, already quoted."""
    read: Callable[[bytes], T_co]
    """Raises `ValueError` for a body that is not as expected."""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """JSON text."""
    waits_for_run: bool = False
    """Whether the answer may take as long as a run."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class ApiKey:
    """An app key that never shows itself.

    Raises:
        ConfigError: It is empty or cannot stand in a header.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        text = text.strip()
        if not text:
            raise ConfigError("the API key is empty; give an app key such as 'app-...'")
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ConfigError("the API key has blanks or characters that no key has; copy it again")
        self._text = text

    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self._text}"

    def hide_in(self, body: bytes) -> bytes:
        """The body without this key, should a server have echoed it."""
        return body.replace(self._text.encode(), b"***")

    def __repr__(self) -> str:
        return "'***'"


def base_address(text: str) -> str:
    """The address all paths are appended to, ending in ``/v1``.

    Args:
        text: The server's root, its ``/v1`` or its ``/console/api``, with or without a final slash.

    Raises:
        ConfigError: It is no http address, or holds credentials, a query or a fragment.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the base address must be like 'https://host' or 'https://host/v1'")
    if "@" in parts.netloc:
        raise ConfigError("the base address must not hold credentials; give the API key on its own")
    if parts.query or parts.fragment:
        raise ConfigError("the base address must end with its path, without '?' and '#'")
    base = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/console/api").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{base}/v1"


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


def get(model: type[M], address: str, **query: object) -> Call[M]:
    """A request for something; query values of ``None`` are left out."""
    texts = {name: _text(value) for name, value in given(**query).items()}
    return Call("GET", address, partial(wire.parse_answer, model), texts)


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
    return Call(method, address, _nothing, body=wire.encode_request(request, fields))


def stream(address: str, request: type[WireModel], fields: Mapping[str, object]) -> Call[None]:
    """A request whose answer is an event stream.

    Raises:
        InvalidRequestError: The server would refuse the body.
    """
    return send_only("POST", address, request, {**fields, "response_mode": "streaming"})


def _nothing(body: bytes) -> None:
    return None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
