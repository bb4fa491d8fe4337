from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest

from scripts.lock import DIGEST, digest, main, problems, requirements

PYPROJECT = tomllib.loads("""
[project]
name = "weft"
requires-python = ">=3.11"
dependencies = ["Some.Thing>=2,<3"]
optional-dependencies.docs = ["reader==1.5"]

[dependency-groups]
dev = ["weft[docs]", "checker>=1; sys_platform != 'win32'", {include-group = "more"}]
more = ["extra-tool"]
""")
LOCK = f"""# Made by hand for this test.
{DIGEST}{digest(PYPROJECT)}
some-thing==2.9 \\
    --hash=sha256:00
    # via weft (pyproject.toml)
reader==1.5 ; python_full_version < '3.12' \\
    --hash=sha256:01
checker==1.0
extra-tool==0.1
"""


def test_requirements_of_the_program_its_extras_and_its_groups_are_locked() -> None:
    assert requirements(PYPROJECT) == [
        "Some.Thing>=2,<3",
        "checker>=1; sys_platform != 'win32'",
        "extra-tool",
        "reader==1.5",
        "weft[docs]",
    ]


def test_a_lock_that_fits_has_no_problems() -> None:
    assert problems(PYPROJECT, LOCK) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("some-thing==2.9", "some-thing==3.0", "some-thing 3.0 is outside of <3,>=2"),
        ("extra-tool==0.1\n", "", "extra-tool is missing"),
        (
            "reader==",
            "--index-url https://mirror.example/simple\nreader==",
            "it names an address or an option: ",
        ),
        (
            "    # via weft",
            "    # from file:///home/me/weft",
            "it names an address or an option: file:///home/me/weft",
        ),
    ],
)
def test_a_lock_that_does_not_fit_says_why(old: str, new: str, problem: str) -> None:
    found = problems(PYPROJECT, LOCK.replace(old, new))
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_the_lock_is_out_of_date_as_soon_as_a_requirement_changes() -> None:
    changed = copy.deepcopy(PYPROJECT)
    changed["dependency-groups"]["more"] = ["extra-tool>=0.1"]
    assert problems(changed, LOCK) == ["it was made from other requirements than pyproject.toml has now"]


def test_the_lock_of_this_project_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(["--check"]), capsys.readouterr().err) == (0, "")


def test_the_lock_has_a_hash_for_everything() -> None:
    text = (Path(__file__).resolve().parents[2] / "requirements.lock").read_text()
    entries = [line for line in text.splitlines() if line[0].isalnum()]
    assert entries
    assert [line for line in entries if not line.endswith(" \\")] == []
