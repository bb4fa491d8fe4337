"""One operation of an API, and the request that a call of it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from weft.tools.parameter import ToolParameter
from weft.variables import Value, to_native

Location: TypeAlias = Literal["path", "query", "header", "cookie", "body"]

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class OperationParameter:
    """A parameter and where in the request it goes."""

    tool: ToolParameter
    location: Location
    explode: bool = True
    """A list in the query is several parameters of one name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a description says of one method of one path."""

    name: str
    method: str
    """In capitals."""
    url: str
    """Absolute; may hold ``{name}``."""
    summary: str
    parameters: tuple[OperationParameter, ...]
    body_type: str = ""
    """Media type of the body; empty if it takes none."""
    whole_body: str = ""
    """The parameter that is the whole body; empty if the body is made of those that go there."""

    def address(self, arguments: Mapping[str, Value]) -> str:
        """The address of a call.

        Raises:
            ValueError: A value would lead out of the path.
        """
        url = self.url
        query: list[tuple[str, str]] = []
        for name, value, _ in self._given("path", arguments):
            text = _text(value)
            if text in ("", ".", ".."):
                raise ValueError(f"parameter {name!r} is part of a path, so it cannot be {text!r}")
            url = url.replace(f"{{{name}}}", quote(text, safe=""))
        for name, value, parameter in self._given("query", arguments):
            if isinstance(value, list) and parameter.explode:
                query.extend((name, _text(item)) for item in value)
            else:
                query.append((name, _joined(value)))
        return with_query(url, query)

    def headers(self, arguments: Mapping[str, Value]) -> dict[str, str]:
        """Headers of a call, the cookies among them.

        Raises:
            ValueError: A value would end the header.
        """
        headers = {name: _joined(value) for name, value, _ in self._given("header", arguments)}
        cookies = [
            f"{quote(name)}={quote(_joined(value))}" for name, value, _ in self._given("cookie", arguments)
        ]
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        for name, value in headers.items():
            if not value.isprintable():
                raise ValueError(f"parameter {name!r} is a header, so it must be one line of text")
        return headers

    def body(self, arguments: Mapping[str, Value]) -> tuple[str, bytes]:
        """Media type and bytes of a call's body; empty without one.

        Raises:
            ValueError: The media type is none that can be written.
        """
        if not self.body_type:
            return "", b""
        fields = {name: value for name, value, _ in self._given("body", arguments)}
        if self.whole_body:
            if self.whole_body not in fields:
                return "", b""
            return self.body_type, self._write_whole(fields[self.whole_body])
        if not fields:
            return "", b""
        if self.body_type == _FORM:
            pairs = [(name, _joined(value)) for name, value in fields.items()]
            return _FORM, urlencode(pairs).encode()
        if self.body_type == "multipart/form-data":
            return _multipart(fields)
        return self.body_type, self._write_whole(fields)

    def _write_whole(self, value: Value) -> bytes:
        if is_json(self.body_type):
            return msgspec.json.encode(to_native(value))
        if self.body_type.startswith("text/") or isinstance(value, str):
            return _text(value).encode()
        raise ValueError(f"a body of type {self.body_type} cannot be written")

    def _given(
        self, location: Location, arguments: Mapping[str, Value]
    ) -> list[tuple[str, Value, OperationParameter]]:
        return [
            (item.tool.name, arguments[item.tool.name], item)
            for item in self.parameters
            if item.location == location and item.tool.name in arguments
        ]


def is_json(media_type: str) -> bool:
    """Whether that is JSON."""
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def with_query(url: str, pairs: list[tuple[str, str]]) -> str:
    """The address with more parameters in its query."""
    if not pairs:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs, quote_via=quote)}"


def _text(value: Value) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case None:
            return ""
        case _:
            return msgspec.json.encode(to_native(value)).decode()


def _joined(value: Value) -> str:
    return ",".join(_text(item) for item in value) if isinstance(value, list) else _text(value)


def _multipart(fields: Mapping[str, Value]) -> tuple[str, bytes]:
    texts = {quote(name): _text(value) for name, value in fields.items()}
    boundary = "weft-form-part"
    while any(boundary in text for text in texts.values()):
        boundary += "-"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in texts.items()
    ]
    return f"multipart/form-data; boundary={boundary}", "".join([*parts, f"--{boundary}--\r\n"]).encode()
