"""Reports as files: the page for people, the same as Markdown, and the values for programs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from weft.archive.errors import from_os_error
from weft.archive.file_system import FileSystem, LocalFileSystem, write_durably
from weft.archive.name import encode_name
from weft.archive.place import LOGS, TEMPORARY
from weft.archive.report.findings import Report
from weft.archive.report.html import render_html
from weft.archive.report.markdown import render_markdown

FOLDER = f"{LOGS}/reports"
"""Where reports lie if nothing else is said, relative to the archive's root."""
ReportFormat = Literal["html", "markdown", "json"]
REPORT_FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)
_SUFFIXES: dict[ReportFormat, str] = {"html": ".html", "markdown": ".md", "json": ".json"}


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report was written."""

    html: Path
    markdown: Path
    json: Path


def render_report(report: Report, format: ReportFormat) -> str:
    """The report in one of its forms."""
    renderings: dict[ReportFormat, Callable[[Report], str]] = {
        "html": render_html,
        "markdown": render_markdown,
        "json": lambda one: json.dumps(one.to_dict(), ensure_ascii=False, indent=2) + "\n",
    }
    return renderings[format](report)


def report_name(report: Report, format: ReportFormat) -> str:
    """The name of its file, e.g. ``report_2025-10-13_2025-10-19.html``, with the organisation if any."""
    of = report.organization_id
    subject = "" if of is None else f"_{encode_name(of, 'organization_id')}"
    return f"report{subject}_{report.period.start}_{report.period.end}{_SUFFIXES[format]}"


def write_report_file(report: Report, path: Path, format: ReportFormat) -> None:
    """Write one form of a report; a file of that name is replaced when the new one is whole.

    Raises:
        ArchiveError: The disk is full, or refuses.
    """
    _write(report, path, format, LocalFileSystem())


def write_report(report: Report, folder: Path, files: FileSystem) -> ReportFiles:
    """Write all forms of a report, each replacing an earlier one of the same days.

    Raises:
        ArchiveError: The disk is full, or refuses.
    """
    paths: dict[ReportFormat, Path] = {}
    try:
        files.make_folder(folder)
    except OSError as error:
        raise from_os_error(error, f"writing {folder}") from error
    for format in REPORT_FORMATS:
        paths[format] = folder / report_name(report, format)
        _write(report, paths[format], format, files)
    return ReportFiles(paths["html"], paths["markdown"], paths["json"])


def _write(report: Report, path: Path, format: ReportFormat, files: FileSystem) -> None:
    try:
        write_durably(files, path, render_report(report, format).encode())
    except OSError as error:
        with contextlib.suppress(OSError):  # a disk that is full has its room back
            files.remove(path.with_name(f"{TEMPORARY}{path.name}"))
        raise from_os_error(error, f"writing {path}") from error
