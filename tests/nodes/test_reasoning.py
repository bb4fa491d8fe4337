from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.nodes.reasoning import ReasoningSplitter, split_reasoning


def split_in_pieces(pieces: list[str]) -> tuple[str, str]:
    splitter = ReasoningSplitter()
    found = [splitter.feed(piece) for piece in pieces]
    found.append(splitter.finish())
    return "".join(text for text, _ in found), "".join(thought for _, thought in found)


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        pytest.param("<think>why</think>so", "so", "why", id="dsl-50-one-block"),
        pytest.param(
            "a <think>x</think>b<think>\ny\n</think> c", "a b c", "x\ny", id="dsl-50-several-blocks"
        ),
        pytest.param('<think lang="en">x</think>so', "so", "x", id="dsl-50-attributes"),
        pytest.param("<THINK>x</Think >so", "so", "x", id="dsl-50-upper-case"),
        pytest.param("<thinking>x</thinking>so", "<thinking>x</thinking>so", "", id="dsl-51a-other-tag"),
        pytest.param("1 < 2 <b>", "1 < 2 <b>", "", id="dsl-51a-stray-angle"),
        pytest.param("<think so", "<think so", "", id="dsl-51a-open-tag-without-end"),
        pytest.param("<think <think>x</think>so", "<think so", "x", id="dsl-51a-tag-in-malformed-tag"),
        pytest.param("<think/>so", "<think/>so", "", id="dsl-51a-self-closing"),
        pytest.param("<think />so", "<think />so", "", id="dsl-51a-self-closing-with-space"),
        pytest.param(f"<think {'a' * 300}>so", f"<think {'a' * 300}>so", "", id="dsl-51a-endless-attributes"),
        pytest.param("so<think>on and on", "so", "on and on", id="dsl-51b-unclosed"),
        pytest.param("so<think>on </thi", "so", "on </thi", id="dsl-51b-unclosed-in-its-end-tag"),
        pytest.param("so</think>", "so</think>", "", id="end-tag-alone"),
        pytest.param(" \n a \n \n\n  b \n", "a \n\n  b", "", id="blank-lines-collapse"),
        pytest.param("a\n<think>x</think>\nb", "a\n\nb", "x", id="blank-lines-around-a-block"),
        pytest.param("<think> </think><think>x</think>so", "so", "x", id="empty-block"),
        pytest.param("", "", "", id="nothing"),
    ],
)
def test_thoughts_and_answer_are_told_apart(text: str, answer: str, reasoning: str) -> None:
    assert split_reasoning(text) == (answer, reasoning)
    assert split_in_pieces(list(text)) == (answer, reasoning)


FRAGMENTS = [
    "<think>",
    "</think>",
    "<THINK a=1>",
    "<think",
    ">",
    "<",
    "</",
    " ",
    "\n",
    "\n\n",
    "a",
    "b c",
    "\t",
    "/",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30), st.lists(st.integers(0, 80), max_size=8))
def test_where_the_pieces_end_makes_no_difference(fragments: list[str], cuts: list[int]) -> None:
    text = "".join(fragments)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]

    assert split_in_pieces(pieces) == split_reasoning(text)


@given(
    st.lists(
        st.tuples(st.booleans(), st.text(alphabet="ab \n.", max_size=12).filter(lambda text: text.strip())),
        max_size=8,
    )
)
def test_well_formed_replies_split_as_the_plain_rule_says(parts: list[tuple[bool, str]]) -> None:
    text = "".join(f"<think>{part}</think>" if is_thought else part for is_thought, part in parts)
    thoughts = re.findall(r"<think>(.*?)</think>", text, re.DOTALL)
    answer = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL)

    assert split_reasoning(text) == (
        re.sub(r"\n\s*\n", "\n\n", answer).strip(),
        "\n".join(thought.strip() for thought in thoughts),
    )


def test_thoughts_sent_apart_are_a_block_of_their_own() -> None:
    splitter = ReasoningSplitter()

    found = [splitter.think(" one"), splitter.think(" two ")]
    splitter.end_block()
    found.append(splitter.feed("<think>three</think>so")[1])

    assert "".join(found) == "one two\nthree"


def test_a_long_reply_of_many_small_pieces_is_held_back_no_further_than_a_tag() -> None:
    splitter = ReasoningSplitter()

    assert splitter.feed("see <th") == ("see", "")
    assert splitter.feed("e other") == (" <the other", "")
