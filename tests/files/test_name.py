from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.files import category_of, clean_name, extension_of


@pytest.mark.parametrize(
    ("name", "extension", "category"),
    [
        ("a.png", "png", "image"),
        ("a.b.JPEG", "jpeg", "image"),
        ("a.svg", "svg", "image"),
        ("a.webm", "webm", "video"),
        ("a.mpga", "mpga", "audio"),
        ("a.pdf", "pdf", "document"),
        ("a.zip", "zip", "document"),
        ("png", "", "document"),
        ("a.", "", "document"),
        (".png", "png", "image"),
        ("", "", "document"),
    ],
)
def test_a_name_says_what_is_in_a_file(name: str, extension: str, category: str) -> None:
    assert (extension_of(name), category_of(name)) == (extension, category)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("a.png", "a.png"),
        ("Übersicht 図 🦔.png", "Übersicht 図 🦔.png"),
        (" a.png\r\n", "a.png"),
        ("a\x00b\x1b[31m.png", "ab[31m.png"),
        ("gnp\u202etxt.exe", "gnptxt.exe"),
        ("\ud800.png", ".png"),
        ("x" * 205 + ".png", "x" * 200 + ".png"),
        ("a." + "x" * 300, "a." + "x" * 200),
        ("x" * 300, "x" * 200),
        ("." * 300, ""),
    ],
)
def test_a_name_is_made_fit_to_be_shown(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


@given(st.text(max_size=500))
def test_a_name_that_is_clean_stays_as_it_is(name: str) -> None:
    cleaned = clean_name(name)
    assert clean_name(cleaned) == cleaned
    assert len(cleaned) <= 401
    assert not any(ord(letter) < 32 for letter in cleaned)
