from __future__ import annotations

from typing import Any

import pytest

from weft.tools.json_path import JsonPath

DOCUMENT: Any = {
    "name": "Ada",
    "odd key": 1,
    "items": [{"id": 1, "tags": ["a", "b"]}, {"id": 2}, {"id": 3, "child": {"id": 4}}],
    "a.b": {"c'd": 5},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [DOCUMENT]),
        ("", [DOCUMENT]),
        ("$.name", ["Ada"]),
        ("name", ["Ada"]),
        ("$['odd key']", [1]),
        ("$['a.b'].*", [5]),
        ("$[\"a.b\"]['c\\'d']", [5]),
        ("$.items[0].id", [1]),
        ("items[-1].id", [3]),
        ("$.items[*].id", [1, 2, 3]),
        ("$.items[ * ].id", [1, 2, 3]),
        ("$.items.*.id", [1, 2, 3]),
        ("$.items[1:].id", [2, 3]),
        ("$.items[::-1].id", [3, 2, 1]),
        ("$.items[0, 2].id", [1, 3]),
        ("$['name', 'odd key']", ["Ada", 1]),
        ("$..id", [1, 2, 3, 4]),
        ("$..tags[1]", ["b"]),
        ("$..child.id", [4]),
        ("$.missing", []),
        ("$.items[9]", []),
        ("$.name.first", []),
    ],
)
def test_a_path_leads_to_its_places(path: str, found: list[object]) -> None:
    assert [place.value for place in JsonPath(path).find(DOCUMENT)] == found


@pytest.mark.parametrize(
    "path",
    ["$.items[?(@.id > 1)]", "$.items[", "$.items[1", "$.", "$..", "$.a b", "$[::0]", "$[a]", "$.items[1 2]"],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        JsonPath(path)


def test_a_path_that_leads_everywhere_is_stopped() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep, deep[:1]]
    with pytest.raises(ValueError, match="more than 10000 places"):
        JsonPath("$..*..*..*").find(deep)
