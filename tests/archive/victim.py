"""Run beside a test that kills it: stores conversations without end and says which of them are on disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.archive.records import conversation
from weft.archive import Archive


def main() -> None:
    with Archive.open(Path(sys.argv[1])) as archive:
        turns = 0
        while True:
            turns += 1
            for start in range(0, 60, 5):
                archive.save(
                    conversation(number, turns=turns, answer="a" * 5000) for number in range(start, start + 5)
                )
                told = {f"conv-{number}": turns for number in range(start, start + 5)}
                sys.stdout.write(json.dumps(told) + "\n")
                sys.stdout.flush()
