from __future__ import annotations

import sqlite3
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.archive.index import parse_search
from weft.archive.index.expression import And, Has, Not, Or, Text
from weft.archive.index.matching import render_match
from weft.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("refund", Text("refund")),
        ("refund order", And((Text("refund"), Text("order")))),
        ("refund AND order", And((Text("refund"), Text("order")))),
        ('"late delivery"', Text("late delivery")),
        ("deliv*", Text("deliv", is_prefix=True)),
        ("a OR b c", Or((Text("a"), And((Text("b"), Text("c")))))),
        ("(a OR b) c", And((Or((Text("a"), Text("b"))), Text("c")))),
        ("a -b", And((Text("a"), Not(Text("b"))))),
        ("-(a b)", Not(And((Text("a"), Text("b"))))),
        ("e-mail", Text("e-mail")),
        ("salt & pepper", And((Text("salt"), Text("pepper")))),
        ("answer:refund", Text("refund", field="answer")),
        ('query:"my order"', Text("my order", field="query")),
        ("APP:shop", Has("app", "shop")),
        ('user:"王 小明"', Has("user", "王 小明")),
        ("rating:none", Not(Or((Has("rating", "like"), Has("rating", "dislike"))))),
        ("error:no", Not(Has("error", "yes"))),
        ("at 10:30", And((Text("at"), Text("10:30")))),
        ("http://example.com", Text("http://example.com")),
        ("or and not", And((Text("or"), Text("and"), Text("not")))),
    ],
)
def test_a_search_is_understood(text: str, expected: object) -> None:
    assert parse_search(text).expression == expected


def test_days_bound_the_whole_search() -> None:
    search = parse_search("from:2025-10-01 refund to:2025-10-31")
    assert (search.expression, search.start, search.end) == (
        Text("refund"),
        date(2025, 10, 1),
        date(2025, 10, 31),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nothing to look for"),
        (" & ", "nothing to look for"),
        ('"open', "quotation mark"),
        ("(a", "not closed"),
        ("a)", "not opened"),
        ("a OR", "both sides"),
        ("OR a", "both sides"),
        ("a AND", "both sides"),
        ("AND a", "both sides"),
        ("bot:x", "no field 'bot'"),
        ("app:", "has no value"),
        ("rating:great", "none of like"),
        ("error:maybe", "neither yes nor no"),
        ("from:yesterday", "is not a day"),
        ("a OR from:2025-10-01", "without - and OR"),
        ("-from:2025-10-01", "without - and OR"),
        ("--a", "nothing to exclude"),
        ("a " * 65, "more than 64 words"),
        ("a" * 2001, "longer than 2000"),
        ("(" * 20 + "a" + ")" * 20, "nested deeper"),
    ],
)
def test_what_cannot_be_understood_is_explained(text: str, told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told) as caught:
        parse_search(text)
    assert "text" in caught.value.fields


@given(st.text(alphabet=st.sampled_from("ab退款 \"():-*ORAND^{}+\0'\\,.\ud800é"), max_size=40))
def test_no_text_from_outside_is_taken_for_syntax_of_sqlite(text: str) -> None:
    try:
        match = render_match(parse_search(text).expression)
    except InvalidRequestError:
        return
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(query, answer, name, facets, content='')")
    connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (match,)).fetchall()
    connection.close()
