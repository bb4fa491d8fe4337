from __future__ import annotations

import pytest

from weft.retrieval import KeywordIndex, similarity

TEXTS = [
    "The return policy: goods can be returned within 30 days.",
    "Shipping takes three days.",
    "退款政策：商品可以在三十天内退货。",
    "我们的办公室在上海。",
]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("return policy", [0]),
        ("days", [1, 0]),  # in the shorter text it weighs more
        ("如何退款", [2]),
        ("上海", [3]),
        ("海", [3]),
        ("nothing of this sort", []),
        ("", []),
    ],
)
def test_texts_are_found_by_their_words(query: str, places: list[int]) -> None:
    assert [place for place, _ in KeywordIndex(TEXTS).search(query, 10)] == places


def test_a_score_is_a_share() -> None:
    index = KeywordIndex(["a b c d", "a x y z", "q"])
    whole, part = index.search("a b", 10)
    assert 1 > whole[1] > part[1] > 0
    assert index.search("b", 1)[0][1] == pytest.approx(1 / (1 + 1.2 * (0.25 + 0.75 * 4 / 3)))


def test_only_some_texts_may_be_looked_at() -> None:
    assert [place for place, _ in KeywordIndex(TEXTS).search("days", 10, [True, False, True, True])] == [0]


def test_nothing_can_be_searched() -> None:
    assert KeywordIndex([]).search("a", 3) == KeywordIndex([""]).search("a", 3) == []


def test_likeness_is_about_common_words() -> None:
    same, half, none = similarity("a b", ["a b", "a c", "d"])
    assert same == pytest.approx(1, abs=0.001)
    assert same > half > none == 0
    assert similarity("a", []) == []
