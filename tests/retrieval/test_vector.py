from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.retrieval import VectorIndex, pack

numbers = st.floats(-1000, 1000, allow_nan=False)


def cosine(left: list[float], right: list[float]) -> float:
    length = math.hypot(*left) * math.hypot(*right)
    return sum(a * b for a, b in zip(left, right, strict=True)) / length if length else 0.0


def test_similarities_are_cosines() -> None:
    rows = [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [-3.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    index = VectorIndex([pack(row) for row in rows])

    assert index.similarities(pack([5.0, 0.0, 0.0])) == pytest.approx([1, 0, -1, math.sqrt(0.5), 0], abs=1e-6)
    assert index.similarities(pack([0.0, 0.0, 0.0])) == [0.0] * 5


@given(st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=2, max_size=9))
def test_cosines_are_nearly_exact(vectors: list[list[float]]) -> None:
    wanted, *rows = vectors
    found = VectorIndex([pack(row) for row in rows]).similarities(pack(wanted))

    # Numbers far below the largest one of a short vector are lost; in long vectors errors even out.
    assert found == pytest.approx([cosine(wanted, row) for row in rows], abs=0.03)


def test_long_vectors_neither_overflow_nor_lose_their_order() -> None:
    chance = random.Random(1)
    rows = [[chance.gauss(0, 1) for _ in range(3072)] for _ in range(30)]
    wanted = [value + chance.gauss(0, 0.5) for value in rows[7]]
    found = VectorIndex([pack(row) for row in rows]).similarities(pack(wanted))

    assert found == pytest.approx([cosine(wanted, row) for row in rows], abs=0.005)
    assert max(range(30), key=found.__getitem__) == 7

    extreme = VectorIndex([pack([1.0] * 3072), pack([-1.0] * 3072)])
    assert extreme.similarities(pack([1.0] * 3072)) == pytest.approx([1.0, -1.0])


@pytest.mark.parametrize("bad", [[math.inf, 1.0], [math.nan, 1.0], [0.0, 0.0]])
def test_a_vector_without_a_direction_is_like_nothing(bad: list[float]) -> None:
    assert VectorIndex([pack(bad), pack([1.0, 0.0])]).similarities(pack([1.0, 0.0]))[0] == 0.0
