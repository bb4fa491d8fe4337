from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.server.sentence import SentenceCutter


def cut(text: str, size: int = 1) -> list[str]:
    cutter = SentenceCutter()
    pieces = [text[place : place + size] for place in range(0, len(text), size)]
    return [*(sentence for piece in pieces for sentence in cutter.feed(piece)), *cutter.finish()]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("Just this", ["Just this"]),
        ("The price is 3.14 euros. That is all.", ["The price is 3.14 euros.", "That is all."]),
        ('He said "it is over there." Then he left.', ['He said "it is over there."', "Then he left."]),
        ("Yes. No. Perhaps we will see.", ["Yes. No. Perhaps we will see."]),
        ("这是第一句话，内容比较长一些。第二句。", ["这是第一句话，内容比较长一些。", "第二句。"]),
        ("# A heading of a text\n\n- an item of a list\n", ["# A heading of a text", "- an item of a list"]),
        ("<think>What to say. Hm.</think>The answer is here. Yes", ["The answer is here.", "Yes"]),
        ("This comes first, then. <think>never ending. thoughts", ["This comes first, then."]),
        ("1 < 2 is true, as all know. 3 < 4", ["1 < 2 is true, as all know.", "3 < 4"]),
        ("--- *** !!!!!!!!!!!!!!!!!!!! ... \n", []),
    ],
)
def test_a_text_is_cut_into_what_can_be_spoken(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences
    assert cut(text, 7) == sentences


def test_a_text_without_any_end_is_cut_at_a_pause() -> None:
    sentences = cut("word, " * 300, 5)
    assert max(map(len, sentences)) <= 400
    assert " ".join(sentences) == ("word, " * 300).strip()
    assert cut("x" * 1000) == ["x" * 400, "x" * 400, "x" * 200]


@given(st.text("ab .,!。\n", max_size=1500), st.integers(1, 50))
def test_nothing_is_lost_but_blanks_and_signs(text: str, size: int) -> None:
    def letters(given: str) -> str:
        return "".join(letter for letter in given if letter in "ab")

    assert letters("".join(cut(text, size))) == letters(text)
