from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weft.retrieval.chunk import split_text


def test_paragraphs_stay_together_as_long_as_they_fit() -> None:
    assert split_text("one\n\n \n\ntwo\r\n\r\nthree", 10) == ["one\n\ntwo", "three"]


def test_a_heading_begins_a_new_passage_and_belongs_to_what_follows() -> None:
    text = "before\n\n# A\n\n## B\n\ntext\n\n## C\nmore"
    assert split_text(text) == ["before", "# A\n\n## B\n\ntext", "## C\nmore"]


def test_long_paragraphs_are_cut_between_sentences() -> None:
    assert split_text("今天天气好。明天也好！后天呢？", 8) == ["今天天气好。", "明天也好！", "后天呢？"]


def test_a_sentence_that_is_too_long_is_cut_anywhere() -> None:
    assert split_text("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


@given(st.text("ab#. \n。", max_size=200), st.integers(1, 30))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, max_chars: int) -> None:
    passages = split_text(text, max_chars)
    assert all(0 < len(passage) <= max_chars for passage in passages)
    assert "".join("".join(passages).split()) == "".join(text.split())
