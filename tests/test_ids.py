from __future__ import annotations

import time
from uuid import RFC_4122, UUID

import pytest

from weft.ids import SequentialIds, TimeOrderedIds


def test_identifiers_are_version_seven_lower_case_and_hyphenated() -> None:
    before = time.time_ns() // 1_000_000
    text = TimeOrderedIds().new()
    after = time.time_ns() // 1_000_000
    uuid = UUID(text)
    assert (str(uuid), uuid.version, uuid.variant) == (text, 7, RFC_4122)
    assert before <= uuid.int >> 80 <= after


def test_each_identifier_is_later_in_text_order_than_all_before_it() -> None:
    ids = TimeOrderedIds()
    made = [ids.new() for _ in range(20_000)]  # several to a millisecond, and more than one batch of noise
    assert made == sorted(set(made))


@pytest.mark.parametrize("step", [0, -5_000_000_000], ids=["clock-stands-still", "clock-goes-back"])
def test_order_does_not_depend_on_the_clock(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000_000_000_000

    def tick() -> int:
        nonlocal now
        now += step
        return now

    monkeypatch.setattr(time, "time_ns", tick)
    ids = TimeOrderedIds()
    made = [ids.new() for _ in range(10_000)]  # the counter overflows into the next millisecond
    assert made == sorted(set(made))
    assert {UUID(text).version for text in made} == {7}


def test_two_makers_do_not_make_the_same() -> None:
    one, other = TimeOrderedIds(), TimeOrderedIds()
    assert not {one.new() for _ in range(2000)} & {other.new() for _ in range(2000)}


def test_sequential_identifiers_count_up() -> None:
    ids = SequentialIds()
    assert [ids.new(), ids.new()] == [
        "00000000-0000-7000-8000-000000000001",
        "00000000-0000-7000-8000-000000000002",
    ]
    assert SequentialIds(16).new() == "00000000-0000-7000-8000-000000000010"
    assert UUID(SequentialIds().new()).version == 7
