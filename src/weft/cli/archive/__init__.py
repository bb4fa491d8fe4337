"""`weft archive`: the conversation archive at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc

from cyclopts import App

from weft.cli.archive import (
    care,
    copying,
    own_store,
    reading,
    remote,
    report,
    restoring,
    reveal,
    schedule,
    writing,
)

ENDING = """\
Examples:

  weft archive pull --folder exports/
  weft archive summary
  weft archive export october.jsonl --format jsonl --start 2025-10-01 --end 2025-10-31
  weft archive clean --days 30 --dry-run

All but `restore` and those with --server work on the archive's own files and need no server: on --archive,
else on the setting archive.folder, else on <data>/archive. `thin` and `restore --into-store` are about a
server's own database as well; while that server runs, they have to be given its address.

Exit codes: 0 all is well, 1 the work failed or only a part of it was done, 2 the call or a setting is wrong,
130 interrupted."""


def build(flow: Callable[[str], str]) -> App:
    """The command with all its own commands.

    Args:
        flow: Makes texts fit terminals of any width.
    """
    app = App(
        name="archive",
        help="Pull, search, export, prove and clean archived conversations.",
        help_epilogue=flow(ENDING),
        help_format="plaintext",
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
    )
    for command, ending, name in (
        (writing.pull, writing.PULL, "pull"),
        (reading.summary, reading.SUMMARY, "summary"),
        (reading.search, reading.SEARCH, "search"),
        (reading.show, reading.SHOW, "show"),
        (reading.export, reading.EXPORT, "export"),
        (reading.stats, reading.STATS, "stats"),
        (report.report, report.REPORT, "report"),
        (writing.clean, writing.CLEAN, "clean"),
        (care.verify, care.VERIFY, "verify"),
        (writing.take_in, writing.IMPORT, "import"),
        (own_store.thin, own_store.THIN, "thin"),
        (restoring.restore, restoring.RESTORE, "restore"),
        (schedule.schedule, schedule.SCHEDULE, "schedule"),
        (remote.tail, remote.TAIL, "tail"),
        (care.holds, care.HOLDS, "holds"),
        (reveal.reveal, reveal.REVEAL, "reveal"),
        (copying.copy, copying.COPY, "copy"),
    ):
        about = cleandoc(command.__doc__ or "").partition("\nArgs:\n")[0]
        app.command(command, name=name, help=flow(about), help_epilogue=flow(ending))
    return app


__all__ = ["build"]
