from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from weft.cli.log import start_logging
from weft.settings import LogSettings

pytestmark = pytest.mark.usefixtures("own_logging")


def fail(logger: logging.Logger) -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("it broke")


def test_lines_for_people_have_time_level_logger_and_message() -> None:
    file = io.StringIO()
    start_logging(LogSettings(), file)
    logging.getLogger("weft.runs").info("closed %d runs", 2)
    time, rest = file.getvalue().split(" ", 1)
    assert (len(time), rest) == (24, "info    weft.runs: closed 2 runs\n")


def test_lines_for_collectors_are_one_object_each_with_the_traceback_inside() -> None:
    file = io.StringIO()
    start_logging(LogSettings(format="json"), file)
    fail(logging.getLogger("weft.runs"))
    (line,) = file.getvalue().splitlines()
    content = json.loads(line)
    assert {name: content[name] for name in ("level", "logger", "message")} == {
        "level": "error",
        "logger": "weft.runs",
        "message": "it broke",
    }
    assert content["error"].endswith("ValueError: bad")


def test_a_brief_log_has_no_tracebacks() -> None:
    file = io.StringIO()
    start_logging(LogSettings(), file, brief=True)
    fail(logging.getLogger("weft.runs"))
    assert file.getvalue().endswith("weft.runs: it broke\n")


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["weft debug", "weft info", "weft error", "other error"]),
        ("info", ["weft info", "weft error", "other error"]),
        ("error", ["weft error", "other error"]),
    ],
)
def test_libraries_are_never_heard_below_warnings(level: str, heard: list[str]) -> None:
    file = io.StringIO()
    start_logging(LogSettings.model_validate({"level": level}), file)
    for name in ("weft", "other"):
        for kind in ("debug", "info", "error"):
            getattr(logging.getLogger(name), kind)("%s %s", name, kind)
    assert [line.rpartition(": ")[2] for line in file.getvalue().splitlines()] == heard


def test_starting_twice_does_not_say_everything_twice() -> None:
    file = io.StringIO()
    start_logging(LogSettings(), sys.stderr)
    start_logging(LogSettings(), file)
    logging.getLogger("weft").warning("once")
    assert file.getvalue().count("once") == 1
