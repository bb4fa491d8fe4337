from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.providers.ngram import DIMENSIONS, ngram_vector


def likeness(left: str, right: str) -> float:
    return sum(a * b for a, b in zip(ngram_vector(left), ngram_vector(right), strict=True))


def test_a_vector_is_the_same_on_every_machine() -> None:
    vector = ngram_vector("ab")

    third = pytest.approx(1 / math.sqrt(3))
    assert {place: abs(value) for place, value in enumerate(vector) if value} == {
        139: third,
        372: third,
        412: third,
    }


@pytest.mark.parametrize(
    ("question", "near", "far"),
    [
        ("reimbursing travel costs", "Travel cost reimbursement", "Opening hours of the office"),
        ("recieve the pakage", "How to receive a package", "How to send a letter"),
        ("怎么申请退款", "退款申请需要三天", "办公室的开放时间"),
        ("Krankenversicherung", "Die Versicherung zahlt im Krankenhaus", "Das Büro ist geöffnet"),
    ],
)
def test_texts_with_parts_of_words_in_common_are_alike(question: str, near: str, far: str) -> None:
    assert likeness(question, near) > 2 * likeness(question, far)


@given(st.text(max_size=200))
def test_a_vector_has_length_one_or_zero(text: str) -> None:
    vector = ngram_vector(text)

    assert len(vector) == DIMENSIONS
    length = math.hypot(*vector)
    assert length == pytest.approx(1.0, abs=1e-5) or vector == array("f", [0.0] * DIMENSIONS)


def test_width_and_case_of_letters_make_no_difference() -> None:
    assert ngram_vector("ＡＢＣ") == ngram_vector("abc")


def test_a_text_without_letters_has_no_direction() -> None:
    assert not any(ngram_vector(" -?! "))
