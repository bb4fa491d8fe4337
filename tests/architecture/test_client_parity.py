"""The two clients are one: the blocking one is written from the asynchronous one, name for name."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scripts import unasync
from weft import client as room

ROOT = Path(__file__).resolve().parents[2]


def public(kind: type) -> dict[str, str]:
    """Public methods and properties with their signatures, in blocking terms."""
    found = {}
    for name, member in inspect.getmembers(kind):
        special = name.startswith("__") and name in vars(kind)
        if (special and callable(member)) or not name.startswith("_"):
            getter = member.fget if isinstance(member, property) else None
            if getter is None and not callable(member):
                continue
            signature = str(inspect.signature(getter or member))
            found[unasync.NAMES.get(name, name)] = unasync.rename(signature, Counter())
    return found


PAIRS = [(getattr(room, name), getattr(room, name[5:])) for name in room.__all__ if name.startswith("Async")]


@pytest.mark.parametrize(("asynchronous", "blocking"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_colours_have_the_same_methods_with_the_same_signatures(
    asynchronous: type, blocking: type
) -> None:
    assert public(asynchronous) == public(blocking)
    assert len(public(blocking)) > 4


def test_a_name_in_the_table_that_is_never_met_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(unasync.NAMES, "AsyncNobody", "Nobody")
    assert unasync.main(check=True) == 1
    assert capsys.readouterr().out == "names in the table that the source never uses: AsyncNobody\n"


def test_code_and_docstrings_change_alike() -> None:
    source = 'async def f(x):\n    """Use ``await c.aclose()``."""\n    async with x: await x.aclose()\n'
    assert unasync.convert(source, Counter()) == (
        'def f(x):\n    """Use ``c.close()``."""\n    with x: x.close()\n'
    )


def test_the_blocking_client_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/unasync.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
