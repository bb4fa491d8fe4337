from __future__ import annotations

import pytest

from weft.nodes.http_transcript import mask_secrets, transcribe
from weft.variables import mask_secret

SECRET = 'a b/ü"c'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        "a%20b%2F%C3%BC%22c",
        "a%20b/%C3%BC%22c",
        "a+b%2F%C3%BC%22c",
        'a b/ü\\"c',
        'a b/\\u00fc\\"c',
    ],
    ids=["plain", "component", "path", "form", "json", "ascii json"],
)
def test_a_secret_is_masked_in_every_way_to_write_it(spelling: str) -> None:
    assert mask_secrets(f"<{spelling}|{spelling}>", (SECRET,)) == "<{0}|{0}>".format(mask_secret(SECRET))


def test_a_secret_within_another_does_not_uncover_it() -> None:
    assert mask_secrets("sk-1234567890", ("1234", "sk-1234567890")) == mask_secret("sk-1234567890")


def test_a_request_without_body_ends_with_an_empty_line() -> None:
    text = transcribe(
        "GET",
        "https://me:pass@a.b:8443?q#part",
        {"X-Key": "k", "Authorization": "a"},
        "",
        0,
        hidden={"x-key"},
    )

    assert text == (
        "GET /?q HTTP/1.1\r\nHost: a.b:8443\r\nX-Key: ********************\r\n"
        "Authorization: ********************\r\n\r\n"
    )
