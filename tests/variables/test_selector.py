from __future__ import annotations

import pytest

from weft.variables import as_selector


@pytest.mark.parametrize(
    ("given", "selector"),
    [
        (["a", "b"], ("a", "b")),
        (("a", "b", "c"), ("a", "b", "c")),
        (["a"], None),
        ([], None),
        (["a", ""], None),
        (["a", 1], None),
        ("a.b", None),
        (None, None),
        ({"a": 1, "b": 2}, None),
    ],
)
def test_a_selector_is_a_list_of_at_least_two_texts(given: object, selector: object) -> None:
    assert as_selector(given) == selector
