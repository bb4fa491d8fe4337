"""From a response that points elsewhere to the next request."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from yarl import URL

from weft.egress.error import AddressRefusedError, InvalidUrlError
from weft.egress.header import CREDENTIALS, Header, without
from weft.egress.url import origin_of, parse_url

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OF_THE_BODY = frozenset({"content-type", "content-encoding", "content-language", "content-location"})


@dataclass(frozen=True, slots=True)
class Hop:
    """One of the requests that a request may become."""

    method: str
    url: URL
    headers: tuple[Header, ...]
    body: bytes


def next_hop(hop: Hop, status: int, location: str, credentials: frozenset[str]) -> Hop:
    """The request that follows a redirect.

    Args:
        hop: The request that was redirected.
        status: One of `REDIRECTS`.
        location: Where to, as the header says.
        credentials: Further headers, lower case, that no other origin may see.

    Raises:
        AddressRefusedError: There is no such way.
    """
    try:
        url, userinfo = parse_url(urljoin(str(hop.url), location))
    except ValueError as error:
        raise AddressRefusedError(
            f"{origin_of(hop.url)} redirects to something that is no address"
        ) from error
    except InvalidUrlError as error:
        raise AddressRefusedError(
            f"{origin_of(hop.url)} redirects to where nobody can follow: {error}"
        ) from error
    if userinfo is not None:
        raise AddressRefusedError(
            f"{origin_of(hop.url)} redirects to an address with a user; that is not followed"
        )
    method, body, headers = hop.method, hop.body, list(hop.headers)
    if _becomes_get(method, status):
        method, body, headers = "GET", b"", without(headers, _OF_THE_BODY)
    if not _keeps_credentials(hop.url, url):
        headers = without(headers, CREDENTIALS | credentials | {"host"})
    return Hop(method, url, tuple(headers), body)


def _becomes_get(method: str, status: int) -> bool:
    if status in (302, 303):
        return method != "HEAD"
    return status == 301 and method == "POST"


def _keeps_credentials(here: URL, there: URL) -> bool:
    if here.origin() == there.origin():
        return True
    # The same server, now over TLS.
    return (here.scheme, here.port, there.scheme, there.port) == (
        "http",
        80,
        "https",
        443,
    ) and here.raw_host == there.raw_host
