"""What the server offers, as an OpenAPI document: made from the same models that its requests are read by.

A route that is not in the tables of this room is missing in the document; a test compares them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server.json_text import encode
from weft.server.openapi.operation import Operation, get
from weft.server.openapi.operator import operator_operations

__all__ = ["Description", "Operation", "operator_operations"]


class Description:
    """The document of one server, made when it is first asked for.

    Args:
        version: This program's own.
        others: Operations outside of the APIs.
    """

    def __init__(self, version: str, others: Iterable[Operation]) -> None:
        self._version = version
        self._others = tuple(others)
        self._body: bytes | None = None

    def document(self) -> dict[str, Any]:
        """The document as JSON values."""
        shown = get("/openapi.json", self.show, {"type": "object"})
        # Its tables name every model there is; a server that is never asked need not load them.
        document = import_module("weft.server.openapi.document")
        built: dict[str, Any] = document.build(self._version, (*self._others, shown))
        return built

    async def show(self, request: Request) -> Response:
        """This document."""
        if self._body is None:
            self._body = await asyncio.to_thread(lambda: encode(self.document()))
        return Response(self._body, media_type="application/json")

    def routes(self) -> list[Route]:
        """Where it is told."""
        return [Route("/openapi.json", self.show, methods=["GET"])]
