from __future__ import annotations

import pytest

from weft.egress.error import AddressRefusedError
from weft.egress.redirect import Hop, next_hop
from weft.egress.url import parse_url

HEADERS = (
    ("X", "1"),
    ("Authorization", "a"),
    ("cookie", "b"),
    ("X-Api-Key", "c"),
    ("My-Key", "d"),
    ("Host", "e"),
    ("Content-Type", "f"),
)
ALL = tuple(name for name, _ in HEADERS)


def hop(method: str = "POST", url: str = "http://a.b/x/y?z") -> Hop:
    return Hop(method, parse_url(url)[0], HEADERS, b"body")


def follow(start: Hop, status: int, location: str) -> tuple[str, str, tuple[str, ...], bytes]:
    after = next_hop(start, status, location, frozenset({"my-key"}))
    return after.method, str(after.url), tuple(name for name, _ in after.headers), after.body


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (301, "GET", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "GET"),
        (302, "HEAD", "HEAD"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_the_method_changes_as_in_other_clients_and_takes_the_body_with_it(
    status: int, method: str, after: str
) -> None:
    got = follow(hop(method), status, "/n")

    names, body = (ALL, b"body") if method == after else (ALL[:-1], b"")
    assert got == (after, "http://a.b/n", names, body)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/n", "http://a.b/n"),
        ("n", "http://a.b/x/n"),
        ("?n", "http://a.b/x/y?n"),
        ("../../n", "http://a.b/n"),
        ("http://a.b:80/n", "http://a.b/n"),
        ("https://a.b/n", "https://a.b/n"),
        ("/caf\udcc3\udca9 x", "http://a.b/caf%C3%A9%20x"),
    ],
)
def test_the_same_server_keeps_seeing_everything(location: str, url: str) -> None:
    assert follow(hop(), 307, location) == ("POST", url, ALL, b"body")


@pytest.mark.parametrize(
    ("start", "location"),
    [
        ("http://a.b/", "http://c.d/"),
        ("http://a.b/", "//c.d/"),
        ("http://a.b/", "http://a.b:8080/"),
        ("https://a.b/", "http://a.b/"),
        ("http://a.b:8080/", "https://a.b/"),
        ("http://a.b/", "https://a.b:8443/"),
        ("http://a.b/", "https://www.a.b/"),
    ],
)
def test_another_origin_sees_no_credentials(start: str, location: str) -> None:
    assert follow(hop(url=start), 307, location)[2] == ("X", "Content-Type")


@pytest.mark.parametrize(
    "location",
    [
        "ftp://c.d/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://user:pass@c.d/",
        "http://good.com\\@evil.com/",
        "http://[::1",
        "/a\tb\x00",
    ],
)
def test_a_redirect_to_what_is_no_plain_address_is_refused(location: str) -> None:
    with pytest.raises(AddressRefusedError, match=r"^http://a\.b redirects to"):
        follow(hop(), 302, location)
