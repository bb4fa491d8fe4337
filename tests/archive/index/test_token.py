from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.archive.index.token import END, FACET, cutter, split_text, split_words


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Refund order", ["refund", "order"]),
        ("退款申请", ["退", "款", "申", "请", END]),
        ("退款 申请。", ["退", "款", END, "申", "请", END]),
        ("iPhone手机壳", ["iphone", "手", "机", "壳", END]),
        ("か\u3099a", ["が", END, "a"]),
        (f"a{FACET}b {END} 我{END}", ["a", "b", "我", END]),
        ("a\0b", ["a", "b"]),
    ],
)
def test_a_text_is_stored_as_words_and_single_characters_with_a_mark_behind_each_run(
    text: str, stored: list[str]
) -> None:
    assert cutter().cut(split_text(text)) == stored


@pytest.mark.parametrize(
    ("text", "is_prefix", "words", "goes_on"),
    [
        ("refu", True, ["refu"], True),
        ("款", False, ["款"], False),
        ("退款", True, ["退", "款"], False),
        ("退款。", True, ["退", "款"], False),
        ("退款。", False, ["退", "款", END], False),
        ("退款 申请", False, ["退", "款", END, "申", "请"], False),
        ("手机 ca", True, ["手", "机", END, "ca"], True),
    ],
)
def test_what_is_asked_for_says_whether_its_last_word_may_go_on(
    text: str, is_prefix: bool, words: list[str], goes_on: bool
) -> None:
    found, is_beginning = split_words(text, is_prefix=is_prefix)
    assert (cutter().cut(found), is_beginning) == (words, goes_on)


@given(st.lists(st.text(max_size=30), max_size=5))
def test_cutting_words_again_gives_the_same_words(texts: list[str]) -> None:
    clean = [split_text(text.encode("utf-8", "replace").decode()) for text in texts]
    words = cutter().words(clean)
    assert words == sorted({word for text in clean for word in cutter().cut(text)}, key=str.encode)
    for word in words:
        assert cutter().cut(word) == [word]
