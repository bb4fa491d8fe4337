"""A typed client for the Chatflow App API, in two colours with the same methods."""

from __future__ import annotations

from weft.client._async.client import AsyncClient
from weft.client._async.stream import AsyncEventStream
from weft.client._core import ErrorReply, error_reply
from weft.client._events import StreamResult
from weft.client._retry import RetryPolicy, Timeouts
from weft.client._sync.client import Client
from weft.client._sync.stream import EventStream

__all__ = [
    "AsyncClient",
    "AsyncEventStream",
    "Client",
    "ErrorReply",
    "EventStream",
    "RetryPolicy",
    "StreamResult",
    "Timeouts",
    "error_reply",
]
