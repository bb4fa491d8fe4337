"""pytest finds files of cases by their names, ``*.cases.yml``, and runs each case as a test.

The app is the one that a file names; models are scripted, mocks say the rest. Nothing has to be set up:
where Weft is installed, ``pytest`` runs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from weft.testing.case import Case
    from weft.testing.suite import Suite

SUFFIXES = (".cases.yml", ".cases.yaml")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take files of cases."""
    if file_path.name.endswith(SUFFIXES):
        return CasesFile.from_parent(parent, path=file_path)
    return None


class CasesFile(pytest.File):
    """A file of cases."""

    def collect(self) -> Iterator[pytest.Item]:
        """Each case."""
        from weft.errors import ConfigError
        from weft.testing.suite import Suite  # brings the engine and the store along

        try:
            suite = Suite(self.path)
        except ConfigError as error:
            raise self.CollectError(str(error)) from error
        for case in suite.cases:
            yield CaseItem.from_parent(self, name=case.name, suite=suite, case=case)


class CaseItem(pytest.Item):
    """One case."""

    def __init__(self, *, suite: Suite, case: Case, name: str, parent: CasesFile) -> None:
        super().__init__(name, parent)
        self._suite = suite
        self._case = case

    def runtest(self) -> None:
        """Run it."""
        result = asyncio.run(self._suite.run(self._case))
        if not result.passed:
            raise CaseFailed("\n".join(result.complaints))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """What was not as expected, and nothing of how that was found out."""
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the case stands."""
        return self.path, None, self.name


class CaseFailed(AssertionError):
    """A case was not as expected."""
