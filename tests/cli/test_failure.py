from __future__ import annotations

import pytest

from weft.cli.failure import exit_code, sentences
from weft.errors import (
    ConfigError,
    GraphError,
    InvalidRequestError,
    Problem,
    ProviderError,
    RunError,
    UnsupportedNodeError,
    WeftError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (GraphError([]), 2),
        (UnsupportedNodeError([]), 2),
        (InvalidRequestError("x"), 2),
        (RunError("x"), 1),
        (ProviderError("x"), 1),
        (WeftError("x"), 1),
        (OSError(5, "I/O error"), 1),
        (ValueError("x"), 1),
    ],
)
def test_what_the_caller_can_put_right_exits_with_two_and_all_else_with_one(
    error: Exception, code: int
) -> None:
    assert exit_code(error) == code


def test_every_problem_of_a_file_has_its_own_line_with_place_fault_and_cure() -> None:
    problems = [
        Problem(code="a", message="the node\nhas no title", path="nodes[0]", fix="give it one"),
        Problem(code="b", message="there is no end"),
    ]
    assert sentences(GraphError(problems)) == [
        "nodes[0]: the node has no title (give it one)",
        "there is no end",
    ]


def test_every_setting_that_is_wrong_has_its_own_line() -> None:
    assert sentences(ConfigError("port: no\n\nhost: no")) == ["port: no", "host: no"]


def test_an_error_without_words_is_called_by_its_name() -> None:
    assert sentences(RunError("")) == ["RunError"]
