from __future__ import annotations

import pytest

from weft.egress.error import InvalidUrlError
from weft.egress.url import origin_of, parse_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://a.b", "http://a.b/"),
        ("HTTP://A.B:80/x#part", "http://a.b/x"),
        ("https://a.b:8443?q=1", "https://a.b:8443/?q=1"),
        ("http://a.b/x y/ü?q=é&r=\u4e2d", "http://a.b/x%20y/%C3%BC?q=%C3%A9&r=%E4%B8%AD"),
        ("http://a.b/a%2Fb%41?x=%2f%2B+1&y=a=b?c", "http://a.b/a%2Fb%41?x=%2f%2B+1&y=a=b?c"),
        ("http://a.b/100%?x=%zz", "http://a.b/100%25?x=%25zz"),
        ('http://a.b/{x}|"<>\\^`?{y}', "http://a.b/%7Bx%7D%7C%22%3C%3E%5C%5E%60?%7By%7D"),
        ("http://a.b//c/../d", "http://a.b//c/../d"),
        ("http://münchen.de/", "http://xn--mnchen-3ya.de/"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("http://127\u30020\u30020\u30021/", "http://127.0.0.1/"),
        ("http://[::FFFF:127.0.0.1]:81/", "http://[::ffff:7f00:1]:81/"),
        ("http://a.b/caf\udce9", "http://a.b/caf%E9"),
    ],
)
def test_an_address_is_sent_as_it_was_written_but_for_what_no_request_line_holds(text: str, url: str) -> None:
    parsed, authorization = parse_url(text)

    assert (f"{origin_of(parsed)}{parsed.raw_path_qs}", authorization) == (url, None)


def test_user_and_password_become_a_header_and_leave_the_address() -> None:
    url, authorization = parse_url("https://us%40er:p%3Ass@a.b/x")

    assert (str(url), authorization) == ("https://a.b/x", "Basic dXNAZXI6cDpzcw==")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "//a.b/",
        "ftp://a.b/",
        "file:///etc/passwd",
        "gopher://a.b/",
        "javascript:alert(1)",
        " http://a.b/",
        "http:/a.b",
        "http://",
        "http:///x",
        "http://:80/",
        "http://a.b:99999/",
        "http://a.b:x/",
        "http://[::1/",
        "http://a b/",
        "http://a.b\t.c/",
        "http://a.b/x\r\nHost: c",
        "http://a.b/\0",
        "http://good.com\\@evil.com/",
        "http://good.com@evil.com@worse.com/",
        "http://user name@a.b/",
        "http://a.b/\ud800",
    ],
)
def test_what_is_no_address_or_read_differently_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrlError):
        parse_url(text)
