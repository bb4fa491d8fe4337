"""The body of a request, made of what the node is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlencode

from weft.nodes.http_config import Body, BodyItem
from weft.nodes.http_error import FileFetchError, RequestBodyError
from weft.nodes.http_field import Headers, find, put
from weft.nodes.http_json import normalise_json
from weft.nodes.http_multipart import Part, encode_parts, show_parts
from weft.nodes.kept_file import FileContent
from weft.nodes.vision import files_in
from weft.variables import File, Selector, Template, VariablePool, compile_template

Fetch = Callable[[File], Awaitable[FileContent]]
"""Gets the bytes of a file; raises `FileFetchError`."""


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is ready to be sent."""

    data: bytes = b""
    shown: str = ""
    """For the record."""


class _Item:
    """A part of the configuration, taken apart."""

    __slots__ = ("file", "key", "value")

    def __init__(self, item: BodyItem) -> None:
        self.key: Template = compile_template(item.key)
        self.value: Template | None = compile_template(item.value) if item.type == "text" else None
        self.file: Selector = item.file


class BodyTemplate:
    """A body with variables in it."""

    def __init__(self, body: Body) -> None:
        self.type = body.type
        self._items = [] if body.type == "none" else [_Item(item) for item in body.data]

    @property
    def selectors(self) -> Sequence[Selector]:
        """The variables and files in it."""
        found: list[Selector] = []
        for item in self._items:
            found += item.key.selectors
            if item.value is not None:
                found += item.value.selectors
            if item.file and (item.value is None or self.type == "binary"):
                found.append(item.file)
        return found

    async def render(self, pool: VariablePool, headers: Headers, fetch: Fetch, boundary: str) -> Content:
        """Put variables and files in.

        Args:
            pool: The values.
            headers: Those of the request; a content type is added where none is given.
            fetch: Gets files.
            boundary: What to part the fields of a form with, if the headers do not say.

        Raises:
            RequestBodyError: The body does not have exactly one item, or is no JSON where it should be.
            FileFetchError: A file is missing or cannot be had.
        """
        match self.type:
            case "none":
                return Content()
            case "form-data":
                return await self._form(pool, headers, fetch, boundary)
            case "x-www-form-urlencoded":
                _default_type(headers, "application/x-www-form-urlencoded")
                pairs = {item.key.render(pool): _text(item, pool) for item in self._items}
                return _of_text(urlencode(pairs, errors="replace"))
            case "binary":
                return await self._binary(pool, fetch)
            case "json":
                _default_type(headers, "application/json")
                return _of_text(await normalise_json(_text(self._only(), pool)))
            case "raw-text":
                _default_type(headers, "text/plain")
                return _of_text(_text(self._only(), pool))

    def _only(self) -> _Item:
        if len(self._items) != 1:
            raise RequestBodyError(
                f"a body of type {self.type} has exactly one item, this one has {len(self._items)}"
            )
        return self._items[0]

    async def _binary(self, pool: VariablePool, fetch: Fetch) -> Content:
        selector = self._only().file
        file = pool.find(selector)
        if not isinstance(file, File):
            name = ".".join(selector)
            raise FileFetchError(
                f"the variable {name!r}, whose file is the body, holds no file; choose a file variable"
            )
        content = (await fetch(file)).data
        return Content(content, f"<binary content, {len(content)} bytes>")

    async def _form(self, pool: VariablePool, headers: Headers, fetch: Fetch, boundary: str) -> Content:
        parts = [
            Part(item.key.render(pool), _text(item, pool).encode(errors="replace"))
            for item in self._items
            if item.value is not None
        ]
        files = [
            Part(item.key.render(pool), fetched.data, fetched.name, fetched.mime_type)
            for item in self._items
            if item.value is None
            for fetched in [await fetch(file) for file in files_in(pool.find(item.file))]
        ]
        boundary = _form_type(headers, boundary, has_files=bool(files))
        every = parts + files
        return Content(encode_parts(every, boundary), show_parts(every, boundary))


def _text(item: _Item, pool: VariablePool) -> str:
    return "" if item.value is None else item.value.render(pool)


def _of_text(text: str) -> Content:
    return Content(text.encode(errors="replace"), text)


def _default_type(headers: Headers, content_type: str) -> None:
    if find(headers, "content-type") is None:
        put(headers, "Content-Type", content_type)


def _form_type(headers: Headers, boundary: str, *, has_files: bool) -> str:
    """Set the content type of a form, and give the boundary that it then names."""
    given = find(headers, "content-type")
    if given is not None and not has_files:
        message = Message()
        message["Content-Type"] = " ".join(given.split())
        if message.get_content_type() != "multipart/form-data":
            return boundary
        named = message.get_boundary()
        if named:
            return named
    put(headers, "Content-Type", f"multipart/form-data; boundary={boundary}")
    return boundary
