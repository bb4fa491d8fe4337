"""Running files of cases and telling how they went."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from weft.cli.failure import FAILED, BadCallError
from weft.cli.log import start_logging
from weft.cli.screen import Screen
from weft.cli.trace import render_seconds
from weft.settings import Settings
from weft.testing import CaseResult, Suite


@dataclass(frozen=True, slots=True)
class TestCall:
    """What the command line asks for."""

    files: Sequence[str]
    only: str | None
    junit: str | None
    as_json: bool


def run_cases(settings: Settings, call: TestCall) -> int:
    """Run the cases of all files; returns the exit code.

    Raises:
        BadCallError: No file of cases is named, or no case is left.
        ConfigError: A file is wrong.
    """
    start_logging(settings.log, sys.stderr, level="error", brief=True)
    suites = _suites(call.files, settings)
    results: list[tuple[str, CaseResult]] = []
    screen = Screen(sys.stdout)

    async def run() -> None:
        for file, suite in suites:
            for case in suite.cases:
                if call.only is not None and call.only not in case.name:
                    continue
                result = await suite.run(case)
                results.append((file, result))
                if not call.as_json:
                    _show(screen, result)

    asyncio.run(run())
    if not results:
        raise BadCallError(f"--only {call.only}: no case has a name that holds it")
    failed = sum(not result.passed for _, result in results)
    if call.junit is not None:
        _write_junit(Path(call.junit), results)
    if call.as_json:
        cases = [
            {"file": file, "name": result.name, "passed": result.passed, "complaints": result.complaints}
            for file, result in results
        ]
        print(json.dumps({"passed": len(results) - failed, "failed": failed, "cases": cases}, indent=2))
    else:
        screen.line(f"{len(results) - failed} passed, {failed} failed", "bold red" if failed else "green")
    return FAILED if failed else 0


def _suites(files: Sequence[str], settings: Settings) -> list[tuple[str, Suite]]:
    if not files:
        raise BadCallError("no file is named; give a file of cases: weft test app.yml app.cases.yml")
    scripted = settings.models_url is None and not settings.providers
    chosen = settings.model_copy(update={"models_url": "scripted"}) if scripted else settings
    app, *rest = files
    if _is_cases(app):
        return [(file, Suite(Path(file), settings=chosen)) for file in files]
    if not rest:
        raise BadCallError(f"{app} is no file of cases; name one after it: weft test {app} app.cases.yml")
    return [(file, Suite(Path(file), Path(app), settings=chosen)) for file in rest]


def _is_cases(file: str) -> bool:
    """Whether a file has cases; an app has none."""
    import yaml

    try:
        content = yaml.load(Path(file).read_bytes(), yaml.CSafeLoader)
    except (OSError, yaml.YAMLError):
        return True  # whoever reads it as cases says what is wrong
    return not (isinstance(content, dict) and "app" in content and isinstance(content["app"], dict))


def _show(screen: Screen, result: CaseResult) -> None:
    if result.passed:
        screen.line(f"ok      {result.name} ({render_seconds(result.seconds)})")
        return
    screen.line(f"FAILED  {result.name} ({render_seconds(result.seconds)})", "bold red")
    for complaint in result.complaints:
        screen.line(f"        {complaint}")


def _write_junit(path: Path, results: Sequence[tuple[str, CaseResult]]) -> None:
    root = ElementTree.Element("testsuites")
    for file in dict.fromkeys(file for file, _ in results):
        own = [result for name, result in results if name == file]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=file,
            tests=str(len(own)),
            failures=str(sum(not result.passed for result in own)),
            time=f"{sum(result.seconds for result in own):.3f}",
        )
        for result in own:
            case = ElementTree.SubElement(
                suite, "testcase", classname=file, name=result.name, time=f"{result.seconds:.3f}"
            )
            if not result.passed:
                failure = ElementTree.SubElement(case, "failure", message=result.complaints[0])
                failure.text = "\n".join(result.complaints)
    try:
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise BadCallError(f"--junit {path}: cannot be written: {error.strerror}") from error
