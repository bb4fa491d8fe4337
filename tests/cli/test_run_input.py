from __future__ import annotations

import pytest

from weft.cli.failure import BadCallError
from weft.cli.run_input import parse_attachments, parse_inputs


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


def test_an_attachment_is_an_address_whose_kind_is_guessed() -> None:
    assert parse_attachments(["https://a.example/lamp.png?size=2", "http://a.example/plan"]) == [
        {"type": "image", "transfer_method": "remote_url", "url": "https://a.example/lamp.png?size=2"},
        {"type": "custom", "transfer_method": "remote_url", "url": "http://a.example/plan"},
    ]


def test_anything_else_is_no_attachment_yet() -> None:
    with pytest.raises(BadCallError, match=r"--file ftp://a/b: this is no address; only files at an http"):
        parse_attachments(["ftp://a/b"])
