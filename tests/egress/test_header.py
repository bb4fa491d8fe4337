from __future__ import annotations

import pytest

from weft.egress.error import EgressError
from weft.egress.header import usable_headers, without


def test_the_usual_headers_are_added_and_those_of_the_connection_left_out() -> None:
    given = [
        ("X-One", "1"),
        ("Connection", "close"),
        ("content-length", "7"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Expect", "100-continue"),
        ("X-Empty", ""),
        ("X-Text", "grün\t中"),
    ]

    assert usable_headers(given, user_agent="weft") == [
        ("X-One", "1"),
        ("X-Empty", ""),
        ("X-Text", "grün\t中"),
        ("User-Agent", "weft"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate"),
    ]


def test_given_headers_take_the_place_of_the_usual_ones() -> None:
    given = [("user-agent", "mine"), ("ACCEPT", "text/html"), ("accept-encoding", "identity")]

    assert usable_headers(given, user_agent="weft") == given


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip;q=0.8"),
        ("br", "identity"),
        ("", "identity"),
    ],
)
def test_only_codings_that_can_be_undone_are_asked_for(given: str, sent: str) -> None:
    assert ("Accept-Encoding", sent) in usable_headers([("Accept-Encoding", given)], user_agent="weft")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a:b", "x"),
        ("ä", "x"),
        ("a\n", "x"),
        ("X", "a\r\nHost: b"),
        ("X", "a\0"),
        ("X", "\x7f"),
        ("X", "\ud800"),
    ],
)
def test_names_and_values_that_cannot_be_sent_are_refused_without_telling_the_value(
    name: str, value: str
) -> None:
    with pytest.raises(EgressError) as caught:
        usable_headers([(name, value)], user_agent="weft")

    assert repr(name) in str(caught.value)
    assert "Host: b" not in str(caught.value)


def test_headers_are_dropped_in_any_case() -> None:
    assert without([("Cookie", "a"), ("X", "b"), ("COOKIE", "c")], {"cookie"}) == [("X", "b")]
