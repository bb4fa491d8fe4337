from __future__ import annotations

import pytest

from weft.store import Link, RunStatus, Thread, given_of, link_of, made_of, status_of

NIL = "00000000-0000-0000-0000-000000000000"


def through(*oldest_first: Link) -> str:
    """Ids of the messages that the thread goes through, oldest first."""
    thread = Thread()
    return "".join(link.message_id for link in reversed(oldest_first) if thread.goes_through(link))[::-1]


def linked(text: str) -> list[Link]:
    """Messages in the order in which they came, such as ``a b:a``: the second answers to the first."""
    found: list[Link] = []
    for word in text.split():
        id, _, parent = word.partition(":")
        known = parent in [link.message_id for link in found]
        found.append(link_of(id, parent or NIL, parent if known else None))
    return found


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ("", ""),
        ("a b c", "abc"),
        ("a b:a c:b", "abc"),
        # Made anew: the first answer is left aside, and what was built on it.
        ("a b:a c:a", "ac"),
        ("a b:a x:b c:a d:c", "acd"),
        # Somebody went back to the first answer.
        ("a b:a c:a d:b", "abd"),
        # Later callers know no branches.
        ("a b:a c:a d e", "acde"),
        # The beginning is not there, so that all that is there counts.
        ("a b:gone c:b", "abc"),
        ("a b:gone c:gone", "ac"),
    ],
)
def test_a_thread_goes_back_along_what_answers_build_on(messages: str, expected: str) -> None:
    assert through(*linked(messages)) == expected


@pytest.mark.parametrize("parent", [None, "", NIL])
def test_callers_that_know_no_branches_name_no_parent(parent: str | None) -> None:
    assert link_of("m", parent, None) == Link("m", None, None)


@pytest.mark.parametrize(
    ("status", "answer", "outputs", "expected"),
    [
        ("succeeded", "yes", {"answer": "yes"}, "yes"),
        ("succeeded", "", {"answer": ""}, None),
        ("succeeded", "", {"sum": 3}, {"sum": 3}),
        ("succeeded", "", {"answer": "", "sum": 3}, {"answer": "", "sum": 3}),
        ("failed", "", {"sum": 3}, None),
        ("failed", "par", {}, "par"),
        ("stopped", "par", None, "par"),
        ("paused", "", None, None),
    ],
)
def test_what_came_of_a_turn(
    status: RunStatus, answer: str, outputs: dict[str, object] | None, expected: object
) -> None:
    assert made_of(answer, outputs, status) == expected


def test_what_went_into_a_turn_and_how_it_ended() -> None:
    assert given_of("why?", {"x": 1}) == "why?"
    assert given_of("", {"x": 1, "sys.user_id": "u"}) == {"x": 1}
    assert [status_of(None, status) for status in ("normal", "error", "paused", None)] == [
        "succeeded",
        "failed",
        "paused",
        "scheduled",
    ]
    assert status_of("stopped", "normal") == "stopped"
