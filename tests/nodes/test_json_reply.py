from __future__ import annotations

import pytest

from weft.nodes.json_reply import clean, find_json, find_json_object


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('{"a": 1}', {"a": 1}, id="bare"),
        pytest.param('Sure!\n```json\n{"a": 1}\n```\nDone {b}', {"a": 1}, id="fenced"),
        pytest.param('```\n{"a": 1}', {"a": 1}, id="fence-without-end"),
        pytest.param('<think>{"a": 0}</think>{"a": 1}', {"a": 1}, id="thoughts-do-not-count"),
        pytest.param('For {x} it is {"a": {"b": [1]}}, I think', {"a": {"b": [1]}}, id="in-prose"),
        pytest.param("{'a': 1, b: True,}", {"a": 1, "b": True}, id="mended"),
        pytest.param('{"a": [1, 2', {"a": [1, 2]}, id="cut-off"),
        pytest.param('{"a": "x\ny"}', {"a": "x\ny"}, id="raw-line-break"),
        pytest.param(
            '{"a": NaN, "b": -Infinity, "c": 1e999}', {"a": None, "b": None, "c": None}, id="no-numbers"
        ),
        pytest.param('{"a": "\\ud800"}', {"a": "?"}, id="half-a-character"),
        pytest.param("refund", None, id="no-json"),
        pytest.param("I choose {refund}.", None, id="a-word-in-braces"),
        pytest.param('"text"', None, id="a-bare-text"),
        pytest.param("{" * 5000, None, id="nothing-but-braces"),
        pytest.param('{"a":' * 5000, None, id="too-deep"),
    ],
)
def test_the_object_in_a_reply_is_found(text: str, found: object) -> None:
    assert find_json_object(text) == found


def test_a_list_is_json_too_and_an_object_alone_in_it_is_taken_out() -> None:
    assert find_json('[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]
    assert find_json_object('[{"a": 1}]') == {"a": 1}
    assert find_json_object("[1, 2]") is None


def test_what_json_cannot_hold_is_cleaned_away() -> None:
    assert clean({1: [float("nan"), "\udcff", 1.5], "b": ("x",)}) == {"1": [None, "?", 1.5], "b": "('x',)"}


def test_broken_json_that_would_take_long_to_mend_is_left_alone() -> None:
    assert find_json_object('{"a": "' + "x" * 1000) == {"a": "x" * 1000}
    assert find_json_object('{"a": "' + "x" * 100_000) is None
