"""One error family for the whole program, the same on both ends of the wire.

::

    WeftError
      ConfigError                      settings, plugins, files on this machine
      GraphError                       the chatflow file; holds every problem at once
        UnsupportedNodeError           a node type that nothing here can run
      VariableError                    selector not found, type mismatch, too large
      RunError                         a run that did not end well
        NodeFailedError                one node failed and no strategy caught it
        LimitExceededError             steps, time, depth or size
        RunStoppedError                a person asked
      ProviderError                    a model service
        CredentialsError  RateLimitedError  QuotaExceededError
        ProviderTimeoutError  BadReplyError  UnsupportedModelError
      RequestError                     the caller's fault
        InvalidRequestError  UnauthorizedError  ForbiddenError
        NotFoundError  ConflictError  TooManyRequestsError
      UnavailableError                 this server is stopping; another may answer
      StoreError                       the server's records
        MigrationError
      SandboxError                     strangers' code
        CodeFailedError  SandboxUnavailableError
      ArchiveError                     the conversation archive
      RemoteError                      what only a client meets
        TransportError  StreamBrokenError  ServerError

Errors carry data as attributes and build their message from them: which thing,
what is wrong, what to do. They know no HTTP; `weft.server.errors` maps them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class WeftError(Exception):
    """Root of every error that Weft raises on purpose."""


class ConfigError(WeftError):
    """A setting, a plugin or a file on this machine is wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a chatflow file."""

    code: str
    """Stable identifier such as ``graph.duplicate_node_id``."""
    message: str
    """What is wrong, naming the thing."""
    path: str = ""
    """Where in the file, e.g. ``workflow.graph.nodes[3].data.model``."""
    node_id: str | None = None
    node_title: str | None = None
    fix: str = ""
    """What to do about it."""
    severity: str = "error"
    """``error`` stops the app from running, ``warning`` does not."""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        fix = f" ({self.fix})" if self.fix else ""
        return f"{where}{self.message}{fix}"


class GraphError(WeftError):
    """A chatflow file cannot be run; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems) or "invalid chatflow file")


class UnsupportedNodeError(GraphError):
    """The file uses node types that nothing here can run."""


class VariableError(WeftError):
    """A variable is missing, has the wrong type or is too large."""


class RunError(WeftError):
    """A run did not end well."""


class NodeFailedError(RunError):
    """A node failed; `error_type` is the class name that the run's record shows."""

    def __init__(self, message: str, *, error_type: str = "", node_id: str = "", node_type: str = "") -> None:
        self.error_type = error_type
        self.node_id = node_id
        self.node_type = node_type
        super().__init__(message)


class LimitExceededError(RunError):
    """A limit was hit: `limit` names the setting, `value` is what it is set to."""

    def __init__(self, limit: str, value: float) -> None:
        self.limit = limit
        self.value = value
        super().__init__(
            f"{limit} exceeded: the limit is {value:g}; raise the setting {limit!r} if this is intended"
        )


class RunStoppedError(RunError):
    """Somebody stopped the run."""


class ProviderError(WeftError):
    """A model service did not do its part."""

    error_type = "InvokeError"
    """The class name that Dify's records show for this kind of failure."""

    def __init__(self, message: str, *, provider: str = "", model: str = "") -> None:
        self.provider = provider
        self.model = model
        super().__init__(message)


class CredentialsError(ProviderError):
    """No credentials, or the service refused them."""

    error_type = "InvokeAuthorizationError"


class RateLimitedError(ProviderError):
    """The service asks to slow down; `retry_after` is in seconds when it said so."""

    error_type = "InvokeRateLimitError"

    def __init__(
        self, message: str, *, provider: str = "", model: str = "", retry_after: float | None = None
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, provider=provider, model=model)


class QuotaExceededError(ProviderError):
    """The account at the service has nothing left to spend."""

    error_type = "InvokeRateLimitError"


class ProviderTimeoutError(ProviderError):
    """The service did not answer in time, or could not be reached."""

    error_type = "InvokeConnectionError"


class BadReplyError(ProviderError):
    """The service answered something that cannot be understood, or broke off."""

    error_type = "InvokeServerUnavailableError"


class UnsupportedModelError(ProviderError):
    """The service does not offer this model, or not for this use."""

    error_type = "InvokeBadRequestError"


class RequestError(WeftError):
    """The caller did something that cannot be done."""


class InvalidRequestError(RequestError):
    """A field of the request is wrong; `fields` maps its name to the reason."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        self.fields = dict(fields or {})
        super().__init__(message)


class UnauthorizedError(RequestError):
    """The key or token is missing or unknown."""


class ForbiddenError(RequestError):
    """The key is known and may not do this."""


class NotFoundError(RequestError):
    """There is no such thing, or it belongs to somebody else."""

    def __init__(self, message: str, *, kind: str = "", id: str = "") -> None:
        self.kind = kind
        self.id = id
        super().__init__(message)


class ConflictError(RequestError):
    """The thing has changed since the caller looked at it."""


class TooManyRequestsError(RequestError):
    """The caller has too many requests running, or sends them too fast."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class UnavailableError(WeftError):
    """The server is stopping and begins nothing new; ask again, another may answer."""


class StoreError(WeftError):
    """The server's records could not be read or written."""


class MigrationError(StoreError):
    """The database is of another version than this program."""


class SandboxError(WeftError):
    """Strangers' code could not be run to its end."""


class CodeFailedError(SandboxError):
    """The code itself failed, was too slow or used too much; the message is for its author."""


class SandboxUnavailableError(SandboxError):
    """This machine cannot confine code, so none is run; the message says what to change."""


class ArchiveError(WeftError):
    """The conversation archive could not do its work."""


class RemoteError(WeftError):
    """Talking to a server failed in a way that is not one of the errors above."""


class TransportError(RemoteError):
    """No answer: the connection failed or timed out."""


class StreamBrokenError(RemoteError):
    """An event stream ended before its terminal event; `answer` is what had arrived."""

    def __init__(self, message: str, *, answer: str = "") -> None:
        self.answer = answer
        super().__init__(message)


class ServerError(RemoteError):
    """The server answered with an error that has no closer class."""

    def __init__(
        self, message: str, *, status: int, code: str = "unknown", request_id: str | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.request_id = request_id
        super().__init__(message)


__all__ = [
    name
    for name, value in list(globals().items())
    if isinstance(value, type) and issubclass(value, WeftError)
]
__all__ += ["Problem"]
