from __future__ import annotations

import pytest

from weft.retrieval import MetadataCondition, MetadataFilter, MetadataOperator, Wanted
from weft.variables import Value

DOCUMENT: dict[str, Value] = {"author": "Ada", "year": 2024, "date": "2024-05-01", "note": "", "tags": []}


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("author", "is", "Ada", True),
        ("author", "is", "Bob", False),
        ("author", "is not", "Bob", True),
        ("author", "contains", "d", True),
        ("author", "not contains", "d", False),
        ("author", "start with", "A", True),
        ("author", "end with", "A", False),
        ("author", "in", ["Ada", "Bob"], True),
        ("author", "in", "Bob, Ada", True),
        ("author", "not in", ["Bob"], True),
        ("author", "empty", None, False),
        ("note", "empty", None, True),
        ("gone", "empty", None, True),
        ("tags", "not empty", None, False),
        ("year", "=", "2024", True),
        ("year", "≠", 2024, False),
        ("year", ">", 2023, True),
        ("year", "<", 2024, False),
        ("year", "≥", 2024, True),
        ("year", "≤", 2023.5, False),
        ("year", ">", "many", False),
        ("year", "is", "2024", True),
        ("date", "before", "2024-05-02", True),
        ("date", "before", "2024-05-01T00:00:01+01:00", False),
        ("date", "after", 0, True),
        ("gone", "is", "", False),
        ("gone", "is not", "x", True),
        ("gone", ">", 1, False),
    ],
)
def test_a_condition_compares_one_entry(
    name: str, operator: MetadataOperator, value: Wanted, expected: bool
) -> None:
    assert MetadataCondition(name, operator, value).matches(DOCUMENT) is expected


def test_conditions_are_joined() -> None:
    right, wrong = MetadataCondition("author", "is", "Ada"), MetadataCondition("author", "is", "Bob")
    assert not MetadataFilter([right, wrong], "and").matches(DOCUMENT)
    assert MetadataFilter([right, wrong], "or").matches(DOCUMENT)
    assert MetadataFilter([], "or").matches(DOCUMENT)
