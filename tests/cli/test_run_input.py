from __future__ import annotations

import pytest

from weft.cli.failure import BadCallError
from weft.cli.run_input import parse_inputs


def test_inputs_are_texts_or_json() -> None:
    given = ["a=one = 1", "b:=[1, {}]", "c=", "d:=null", "e=x:=y"]
    assert parse_inputs(given, "abcde") == {"a": "one = 1", "b": [1, {}], "c": "", "d": None, "e": "x:=y"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["a"], "--input a: write name=text"),
        (["=x"], "--input =x: write name=text"),
        ([":=1"], "--input :=1: write name=text"),
        (["a:={"], "--input a: what stands after := is not valid JSON"),
        (["a:=" + "[" * 100_000], "--input a: what stands after := is not valid JSON"),
        (["a=1", "a=2"], "--input a is given twice"),
        (["z=1"], "--input z: the app has no input of that name; it has a, b"),
    ],
)
def test_an_input_that_makes_no_sense_is_refused(given: list[str], complaint: str) -> None:
    with pytest.raises(BadCallError) as caught:
        parse_inputs(given, ["a", "b"])
    assert str(caught.value).startswith(complaint)


def test_what_may_be_given_more_than_once_comes_as_a_list() -> None:
    given = ["photos=a.png", "photos=https://a.example/b.png", "plan=c.pdf"]
    assert parse_inputs(given, ["photos", "plan"], ["photos"]) == {
        "photos": ["a.png", "https://a.example/b.png"],
        "plan": "c.pdf",
    }
