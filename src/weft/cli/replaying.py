"""Recording runs that were kept, and replaying recordings."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from weft.cli.failure import FAILED
from weft.cli.log import start_logging
from weft.cli.screen import Screen
from weft.clock import SystemClock
from weft.settings import Settings
from weft.store import open_store
from weft.testing import (
    Recording,
    ReplayedTurn,
    read_recording,
    record_run,
    replay_recording,
    write_recording,
)


def record_to_file(settings: Settings, run_id: str, file: str) -> int:
    """Write a recording of a run; returns the exit code.

    Raises:
        NotFoundError: There is no such run.
        ConfigError: It has not ended yet, or the file cannot be written.
    """
    start_logging(settings.log, sys.stderr, level="error", brief=True)

    async def read() -> Recording:
        clock = SystemClock()
        async with open_store(settings.database_url, clock=clock) as store:
            return await record_run(store, run_id, clock.now())

    recording = asyncio.run(read())
    write_recording(Path(file), recording)
    turns = len(recording.turns)
    print(f"{file}: {recording.name}, {turns} turn{'s' * (turns != 1)}")
    return 0


def replay_file(settings: Settings, file: str, app: str | None, *, as_json: bool) -> int:
    """Replay a recording and show what is different; returns the exit code.

    Raises:
        ConfigError: A file cannot be read or is of the wrong kind.
        GraphError: The app cannot be run.
    """
    start_logging(settings.log, sys.stderr, level="error", brief=True)
    recording = read_recording(Path(file))
    turns = asyncio.run(replay_recording(recording, None if app is None else Path(app), settings=settings))
    different = any(turn.differences for turn in turns)
    if as_json:
        content = msgspec.json.encode({"same": not different, "turns": [_content(turn) for turn in turns]})
        print(msgspec.json.format(content, indent=2).decode())
    else:
        screen = Screen(sys.stdout)
        for number, turn in enumerate(turns, start=1):
            _show(screen, number, turn)
    return FAILED if different else 0


def _show(screen: Screen, number: int, turn: ReplayedTurn) -> None:
    asked = "" if turn.before.query is None else f": {turn.before.query}"
    if not turn.differences:
        screen.line(f"turn {number}{asked}: the same", "green")
        return
    screen.line(f"turn {number}{asked}: {len(turn.differences)} different", "bold red")
    for difference in turn.differences:
        screen.line(f"  {difference}")


def _content(turn: ReplayedTurn) -> dict[str, object]:
    return {
        "query": turn.before.query,
        "differences": [
            {"where": difference.where, "told": str(difference)} for difference in turn.differences
        ],
    }
