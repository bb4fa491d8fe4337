from __future__ import annotations

import pytest

from weft.retrieval.words import index_words, query_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Straße, ＡＢＣ 12_x!", ["strasse", "abc", "12", "x"]),
        ("今天好", ["今天", "天好", "今", "天", "好"]),
        ("用GPT答", ["用", "gpt", "答"]),
    ],
)
def test_a_text_is_found_by_its_words(text: str, words: list[str]) -> None:
    assert index_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [("a b A", ["a", "b"]), ("今天好", ["今天", "天好"]), ("猫 and 犬", ["猫", "and", "犬"])],
)
def test_a_query_takes_each_word_once(text: str, words: list[str]) -> None:
    assert query_words(text) == words
