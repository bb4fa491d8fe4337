"""What happened in a period, on one page: figures, errors, feedback, and the state of the archive itself."""

from __future__ import annotations

from weft.archive.report.findings import (
    ArchiveState,
    Change,
    ErrorCount,
    Feedback,
    Part,
    PullNote,
    Report,
)
from weft.archive.report.gathering import make_report
from weft.archive.report.html import render_html
from weft.archive.report.markdown import render_markdown
from weft.archive.report.period import ReportPeriod, last_full_week
from weft.archive.report.writing import (
    FOLDER,
    REPORT_FORMATS,
    ReportFiles,
    ReportFormat,
    render_report,
    report_name,
    write_report,
    write_report_file,
)

__all__ = [
    "FOLDER",
    "REPORT_FORMATS",
    "ArchiveState",
    "Change",
    "ErrorCount",
    "Feedback",
    "Part",
    "PullNote",
    "Report",
    "ReportFiles",
    "ReportFormat",
    "ReportPeriod",
    "last_full_week",
    "make_report",
    "render_html",
    "render_markdown",
    "render_report",
    "report_name",
    "write_report",
    "write_report_file",
]
