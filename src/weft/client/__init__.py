"""Typed clients in two colours with the same methods: one for an app and its key, one for an account.

`Client` and `AsyncClient` speak the Chatflow App API, `ConsoleClient` and `AsyncConsoleClient` that of the
console. A name is imported when it is first used; the names of models are in `weft.wire` and
`weft.client.models`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.client._async.client import AsyncClient as AsyncClient
    from weft.client._async.console_app import AsyncApp as AsyncApp
    from weft.client._async.console_apps import AsyncAdvancedChatApp as AsyncAdvancedChatApp
    from weft.client._async.console_apps import AsyncAgentApp as AsyncAgentApp
    from weft.client._async.console_apps import AsyncChatApp as AsyncChatApp
    from weft.client._async.console_apps import AsyncCompletionApp as AsyncCompletionApp
    from weft.client._async.console_apps import AsyncWorkflowApp as AsyncWorkflowApp
    from weft.client._async.console_client import AsyncConsoleClient as AsyncConsoleClient
    from weft.client._async.console_conversation import AsyncChat as AsyncChat
    from weft.client._async.download import AsyncDownload as AsyncDownload
    from weft.client._async.exchange import ExchangeTransport as ExchangeTransport
    from weft.client._async.items import AsyncItems as AsyncItems
    from weft.client._async.session_handle import AsyncSessionHandle as AsyncSessionHandle
    from weft.client._async.stream import AsyncEventStream as AsyncEventStream
    from weft.client._core import ErrorReply as ErrorReply
    from weft.client._core import error_reply as error_reply
    from weft.client._events import StreamResult as StreamResult
    from weft.client._exchange import Incoming as Incoming
    from weft.client._exchange import Outgoing as Outgoing
    from weft.client._form import FormReply as FormReply
    from weft.client._login import LoginError as LoginError
    from weft.client._network import Network as Network
    from weft.client._retry import RetryPolicy as RetryPolicy
    from weft.client._retry import Timeouts as Timeouts
    from weft.client._rows import to_arrow as to_arrow
    from weft.client._rows import to_pandas as to_pandas
    from weft.client._sync.client import Client as Client
    from weft.client._sync.console_app import App as App
    from weft.client._sync.console_apps import AdvancedChatApp as AdvancedChatApp
    from weft.client._sync.console_apps import AgentApp as AgentApp
    from weft.client._sync.console_apps import ChatApp as ChatApp
    from weft.client._sync.console_apps import CompletionApp as CompletionApp
    from weft.client._sync.console_apps import WorkflowApp as WorkflowApp
    from weft.client._sync.console_client import ConsoleClient as ConsoleClient
    from weft.client._sync.console_conversation import Chat as Chat
    from weft.client._sync.download import Download as Download
    from weft.client._sync.exchange import BlockingExchangeTransport as BlockingExchangeTransport
    from weft.client._sync.items import Items as Items
    from weft.client._sync.session_handle import SessionHandle as SessionHandle
    from weft.client._sync.stream import EventStream as EventStream
    from weft.client._walk import Progress as Progress

_NAMES = {
    "_async.client": "AsyncClient",
    "_async.console_app": "AsyncApp",
    "_async.console_apps": """
        AsyncAdvancedChatApp AsyncAgentApp AsyncChatApp AsyncCompletionApp AsyncWorkflowApp
    """,
    "_async.console_client": "AsyncConsoleClient",
    "_async.console_conversation": "AsyncChat",
    "_async.download": "AsyncDownload",
    "_async.exchange": "ExchangeTransport",
    "_async.items": "AsyncItems",
    "_async.session_handle": "AsyncSessionHandle",
    "_async.stream": "AsyncEventStream",
    "_core": "ErrorReply error_reply",
    "_events": "StreamResult",
    "_exchange": "Incoming Outgoing",
    "_form": "FormReply",
    "_login": "LoginError",
    "_network": "Network",
    "_retry": "RetryPolicy Timeouts",
    "_rows": "to_arrow to_pandas",
    "_sync.client": "Client",
    "_sync.console_app": "App",
    "_sync.console_apps": "AdvancedChatApp AgentApp ChatApp CompletionApp WorkflowApp",
    "_sync.console_client": "ConsoleClient",
    "_sync.console_conversation": "Chat",
    "_sync.download": "Download",
    "_sync.exchange": "BlockingExchangeTransport",
    "_sync.items": "Items",
    "_sync.session_handle": "SessionHandle",
    "_sync.stream": "EventStream",
    "_walk": "Progress",
}
"""Public names by the module they live in."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOMES)  # the same names as the imports above, a test compares them


if not TYPE_CHECKING:  # a type checker would take it for leave to use any name

    def __getattr__(name: str) -> object:
        module = _HOMES.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
