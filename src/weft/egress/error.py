"""Why a request to an address of a flow's own choice got no usable answer.

::

    EgressError
      InvalidUrlError          not an address that a request can be sent to
      AddressRefusedError      an address that flows may not reach
      EgressTimeoutError       no connection, no answer, or nobody took what was sent
      TooManyRedirectsError
      ResponseTooLargeError

Messages name the scheme, host and port of an address and nothing else of it: path, query and user may hold
secrets. The address that a name stands for is not told either, or flows could be used to look around in the
server's network.
"""

from __future__ import annotations

from weft.errors import RemoteError


class EgressError(RemoteError):
    """A request was not sent, or not answered in a usable way."""


class InvalidUrlError(EgressError):
    """What was given is no address that a request could be sent to."""


class AddressRefusedError(EgressError):
    """The address is one that flows may not reach."""


class EgressTimeoutError(EgressError):
    """The other side could not be reached, answered nothing or took nothing for too long."""


class TooManyRedirectsError(EgressError):
    """The other side keeps pointing elsewhere."""


class ResponseTooLargeError(EgressError):
    """A response has more than `max_bytes` bytes; it was not read any further."""

    def __init__(self, origin: str, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        super().__init__(
            f"the response of {origin} has more than {max_bytes} bytes, which is the most that is read"
        )
