"""Weft runs Dify-compatible chatflows in one process and keeps every conversation.

The names here are the public ones for programs: the typed clients, workflow sessions and the errors.
Everything else is found in the room that it belongs to. They are imported when first used, so that
`import weft` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from weft.version import __version__ as __version__

if TYPE_CHECKING:
    from weft.client import AsyncClient as AsyncClient
    from weft.client import AsyncConsoleClient as AsyncConsoleClient
    from weft.client import Client as Client
    from weft.client import ConsoleClient as ConsoleClient
    from weft.errors import ArchiveError as ArchiveError
    from weft.errors import BadReplyError as BadReplyError
    from weft.errors import CodeFailedError as CodeFailedError
    from weft.errors import ConfigError as ConfigError
    from weft.errors import ConflictError as ConflictError
    from weft.errors import CredentialsError as CredentialsError
    from weft.errors import ForbiddenError as ForbiddenError
    from weft.errors import GraphError as GraphError
    from weft.errors import InvalidRequestError as InvalidRequestError
    from weft.errors import LimitExceededError as LimitExceededError
    from weft.errors import MigrationError as MigrationError
    from weft.errors import NodeFailedError as NodeFailedError
    from weft.errors import NotFoundError as NotFoundError
    from weft.errors import Problem as Problem
    from weft.errors import ProviderError as ProviderError
    from weft.errors import ProviderTimeoutError as ProviderTimeoutError
    from weft.errors import QuotaExceededError as QuotaExceededError
    from weft.errors import RateLimitedError as RateLimitedError
    from weft.errors import RemoteError as RemoteError
    from weft.errors import RequestError as RequestError
    from weft.errors import RunError as RunError
    from weft.errors import RunStoppedError as RunStoppedError
    from weft.errors import SandboxError as SandboxError
    from weft.errors import SandboxUnavailableError as SandboxUnavailableError
    from weft.errors import ServerError as ServerError
    from weft.errors import StoreError as StoreError
    from weft.errors import StreamBrokenError as StreamBrokenError
    from weft.errors import TooManyRequestsError as TooManyRequestsError
    from weft.errors import TransportError as TransportError
    from weft.errors import UnauthorizedError as UnauthorizedError
    from weft.errors import UnsupportedModelError as UnsupportedModelError
    from weft.errors import UnsupportedNodeError as UnsupportedNodeError
    from weft.errors import VariableError as VariableError
    from weft.errors import WeftError as WeftError
    from weft.sessions import WorkflowSession as WorkflowSession

_CLIENTS = ("AsyncClient", "AsyncConsoleClient", "Client", "ConsoleClient")


def __getattr__(name: str) -> object:
    if name in _CLIENTS:
        return getattr(import_module("weft.client"), name)
    if name == "WorkflowSession":
        return getattr(import_module("weft.sessions"), name)
    errors = import_module("weft.errors")
    if name in errors.__all__:
        return getattr(errors, name)
    raise AttributeError(f"module 'weft' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_CLIENTS, "WorkflowSession", *import_module("weft.errors").__all__})
