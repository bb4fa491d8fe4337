"""Outgoing HTTP for flows: requests to addresses that anybody who can edit an app may choose.

::

    egress = open_egress(EgressConfig(allow_private_addresses=False))
    async with egress.request(EgressRequest(method="GET", url="https://example.com/")) as response:
        text = await response.read(egress.config.max_text_bytes)
    await egress.close()

A request passes, in this order:

* the address, taken apart by the same code that connects; no scheme but ``http`` and ``https``, nothing that
  programs read differently (backslashes, two users, odd spellings of numbers);
* the headers; those that belong to the connection are ours;
* the host: a name is resolved and addresses that are not public are dropped (`address` has the tables; IPv4
  addresses inside of IPv6 ones are unwrapped), a literal address is looked at directly;
* the socket, in front of which the address is looked at once more: what was checked is what is connected to,
  and a name that points elsewhere a moment later gains nothing.

A redirect goes the same way from the start, without credentials if it leads to another origin. A response is
read as far as somebody asks and not a byte further; that counts decompressed bytes.
"""

from weft.egress.config import EgressConfig
from weft.egress.error import (
    AddressRefusedError,
    EgressError,
    EgressTimeoutError,
    InvalidUrlError,
    ResponseTooLargeError,
    TooManyRedirectsError,
)
from weft.egress.opening import open_egress
from weft.egress.port import Egress
from weft.egress.refusing import RefusingEgress
from weft.egress.request import EgressRequest
from weft.egress.response import EgressResponse

__all__ = [
    "AddressRefusedError",
    "Egress",
    "EgressConfig",
    "EgressError",
    "EgressRequest",
    "EgressResponse",
    "EgressTimeoutError",
    "InvalidUrlError",
    "RefusingEgress",
    "ResponseTooLargeError",
    "TooManyRedirectsError",
    "open_egress",
]
