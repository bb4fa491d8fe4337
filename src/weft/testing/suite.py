"""Running the cases of a file against an app."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from weft.errors import ConfigError, WeftError
from weft.settings import Settings
from weft.testing.case import Case, CaseFile, read_cases
from weft.testing.expectation import complaints
from weft.testing.flow import open_flow
from weft.testing.recording import read_recording
from weft.testing.replay import replay_recording


class CaseResult(msgspec.Struct, frozen=True):
    """How a case went."""

    name: str
    complaints: list[str]
    """Everything that was not as expected; none if the case passed."""
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.complaints


class Suite:
    """The cases of one file.

    Args:
        path: The file of cases.
        app: The app to test; the one that the file names unless given.
        settings: Models, tools and so on; scripted models unless given.
        seconds: Tells the time, for the report.

    Raises:
        ConfigError: The file is wrong, or nobody says which app.
    """

    def __init__(
        self,
        path: Path,
        app: Path | None = None,
        *,
        settings: Settings | None = None,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._path = path
        self._file: CaseFile = read_cases(path)
        self._settings = settings
        self._seconds = seconds
        if app is None:
            if self._file.app is None:
                raise ConfigError(f"{path}: names no app; write `app: my-app.yml` into it, or give the app")
            app = path.parent / self._file.app
        self._app = app

    @property
    def cases(self) -> list[Case]:
        """All cases, in the file's order."""
        return self._file.cases

    async def run(self, case: Case) -> CaseResult:
        """Run a case in an app of its own."""
        began = self._seconds()
        try:
            found = await (self._replay(case) if case.replay is not None else self._converse(case))
        except WeftError as error:
            found = [line for line in str(error).splitlines() if line.strip()]
        return CaseResult(case.name, found, self._seconds() - began)

    async def _converse(self, case: Case) -> list[str]:
        mocks = {**self._file.mocks, **case.mocks}
        found: list[str] = []
        async with open_flow(self._app, mocks=mocks, settings=self._settings) as flow:
            conversation_id = None
            turns = case.all_turns
            for number, turn in enumerate(turns, start=1):
                run = await flow.ask(
                    turn.query,
                    inputs=turn.inputs,
                    files=turn.files,
                    user=case.user,
                    conversation_id=conversation_id,
                )
                conversation_id = run.conversation_id
                where = f"turn {number}: " if len(turns) > 1 else ""
                found += [f"{where}{complaint}" for complaint in complaints(turn.expect, run)]
        return found

    async def _replay(self, case: Case) -> list[str]:
        recording = read_recording(self._path.parent / (case.replay or ""))
        turns = await replay_recording(recording, self._app, settings=self._settings)
        return [
            f"turn {number}: {difference}" if len(turns) > 1 else str(difference)
            for number, turn in enumerate(turns, start=1)
            for difference in turn.differences
        ]
