from __future__ import annotations

from weft.archive.sources.held import HeldRows


def test_the_rows_that_were_given_out_last_are_held() -> None:
    held: HeldRows[str] = HeldRows(most=3)
    held.put("a", [("1", "one"), ("2", "two")])
    held.put("b", [("1", "other")])
    held.put("a", [("1", "changed"), ("3", "three")])
    assert [held.find("a", id) for id in "123"] == ["changed", None, "three"]
    assert held.find("b", "1") == "other"
