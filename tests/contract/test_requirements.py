"""Every requirement has a test or a reason, and every test that claims a requirement names a real one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.contract.requirements import REQUIREMENTS

TESTS = Path(__file__).resolve().parents[1]


@cache
def marked() -> dict[str, list[str]]:
    """Requirement ids by the tests' files that carry them, read off the source, so that a part of the suite
    that is run alone sees all of it."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for id in _ids(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(id, []).append(path.relative_to(TESTS).as_posix())
    return found


def _ids(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.requirement":
            for argument in call.args:
                assert isinstance(argument, ast.Constant), ast.unparse(call)
                yield str(argument.value)


def test_every_requirement_that_is_not_left_for_later_is_shown_by_a_test() -> None:
    due = {id for id, requirement in REQUIREMENTS.items() if not requirement.later}
    assert sorted(due - set(marked())) == []


def test_every_id_that_a_test_carries_is_a_requirement() -> None:
    assert {id: files for id, files in marked().items() if id not in REQUIREMENTS} == {}


def test_a_requirement_that_a_test_shows_is_not_left_for_later() -> None:
    later = {id for id, requirement in REQUIREMENTS.items() if requirement.later}
    assert sorted(later & set(marked())) == []


def test_every_requirement_says_what_it_demands_in_a_sentence_of_its_own() -> None:
    sentences = [requirement.sentence for requirement in REQUIREMENTS.values()]
    assert [sentence for sentence in sentences if not sentence.endswith(".")] == []
    assert len(set(sentences)) == len(sentences)
