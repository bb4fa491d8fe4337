from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from weft.files import FileLinks
from weft.testing.clock import FrozenClock

ID = "0197e2d4-5b6c-7def-8123-456789abcdef"
OTHER = "0197e2d4-5b6c-7def-8123-456789abcdee"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def links(clock: FrozenClock) -> FileLinks:
    return FileLinks("a secret", clock=clock, base="https://e.org/weft", nonce=lambda: "00ff")


def parts(link: str) -> tuple[str, str, str]:
    query = parse_qs(urlsplit(link).query)
    return query["timestamp"][0], query["nonce"][0], query["sign"][0]


def test_a_link_is_signed_as_the_contract_says(links: FileLinks, clock: FrozenClock) -> None:
    at = int(clock.now().timestamp())
    message = f"file-preview|{ID}|{at}|00ff".encode()
    sign = urlsafe_b64encode(hmac.new(b"a secret", message, hashlib.sha256).digest()).decode()
    assert links.sign(ID) == (
        f"https://e.org/weft/files/{ID}/file-preview?timestamp={at}&nonce=00ff&sign={sign}"
    )


def test_no_two_links_are_the_same(clock: FrozenClock) -> None:
    links = FileLinks("a secret", clock=clock)
    assert links.sign(ID) != links.sign(ID)


def test_a_link_is_good_for_five_minutes(links: FileLinks, clock: FrozenClock) -> None:
    made = parts(links.sign(ID))
    clock.advance(300)
    assert links.check("file-preview", ID, *made)
    clock.advance(0.1)
    assert not links.check("file-preview", ID, *made)


def test_a_link_is_good_for_what_it_was_made_for(links: FileLinks, clock: FrozenClock) -> None:
    timestamp, nonce, sign = parts(links.sign(ID))
    assert links.check("file-preview", ID, timestamp, nonce, sign)
    assert not links.check("image-preview", ID, timestamp, nonce, sign)
    assert not links.check("file-preview", OTHER, timestamp, nonce, sign)
    assert not links.check("file-preview", ID, str(int(timestamp) + 1), nonce, sign)
    assert not links.check("file-preview", ID, timestamp, "00fe", sign)
    assert not links.check("file-preview", ID, timestamp, nonce, sign.swapcase())
    assert not FileLinks("another", clock=clock).check("file-preview", ID, timestamp, nonce, sign)


@pytest.mark.parametrize("odd", ["", " ", "-1", "1e3", "١٢", "9" * 5000, "\ud800", "nan"])
def test_odd_parts_make_a_link_bad_and_nothing_worse(links: FileLinks, odd: str) -> None:
    timestamp, nonce, sign = parts(links.sign(ID))
    assert not links.check("file-preview", ID, odd, nonce, sign)
    assert not links.check("file-preview", ID, timestamp, odd, sign)
    assert not links.check("file-preview", ID, timestamp, nonce, odd)
    assert not links.check("file-preview", odd, timestamp, nonce, sign)


def test_links_in_a_text_are_made_again(links: FileLinks, clock: FrozenClock) -> None:
    old, others = links.sign(ID), links.sign(OTHER)
    text = f"![a]({old}) and [b]({others}), {old}."
    assert links.find(text) == {ID, OTHER}
    clock.advance(10_000)
    new = links.sign(ID)
    assert links.renew(text, {ID}) == f"![a]({new}) and [b]({others}), {new}."
    assert links.renew(text, set()) == text


def test_a_link_keeps_no_old_address(links: FileLinks) -> None:
    old = links.sign(ID)
    links.base = "http://127.0.0.1:8600"
    assert links.renew(f"see {old}", {ID}) == f"see {links.sign(ID)}"


def test_a_link_without_a_host_is_one_too(links: FileLinks) -> None:
    old = links.sign(ID).removeprefix("https://e.org/weft")
    assert links.renew(f"http://a.b c{old}{old}", {ID}) == f"http://a.b c{links.sign(ID)}{links.sign(ID)}"


def test_a_link_of_somebody_else_stays_as_it_is(links: FileLinks, clock: FrozenClock) -> None:
    forged = FileLinks("guess", clock=clock, base="https://e.org/weft").sign(ID)
    assert links.find(forged) == set()
    assert links.renew(forged, {ID}) == forged


def test_a_text_full_of_beginnings_is_read_in_no_time(links: FileLinks) -> None:
    text = ("http://a/" * 40_000) + "/files/" * 20_000
    assert links.renew(text, {ID}) == text
