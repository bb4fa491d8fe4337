"""`weft worker`."""

from __future__ import annotations

import asyncio
import sys

from weft.cli.options import ConfigOption, DataOption, OtherSettings, settings_of

ENDING = """\
Examples:

  weft worker
  weft worker --data /srv/weft --jobs-pulls-at-once 4

A worker does what `weft serve` does in the background unless jobs.in_server is false: pulls, retention,
verification, messages about failures. Any number may run; when one is killed, another one goes on with its
work. The archive itself has one writer at a time, so the others wait. `weft archive thin` is not done beside
a worker on the same data folder; the worker does it when a server is asked for it.

The first SIGINT or SIGTERM puts unfinished work back and ends.

Exit codes: 0 stopped by a signal, 1 the work failed, 2 the call or a setting is wrong."""


def worker(*, data: DataOption = None, config: ConfigOption = None, **others: OtherSettings) -> int:
    """Do background work without serving."""
    settings = settings_of({"data": data, "config": config}, others)
    from weft.cli.data_folder import make_data_folder
    from weft.cli.log import start_logging
    from weft.cli.working import work

    start_logging(settings.log, sys.stderr)
    make_data_folder(settings)
    return asyncio.run(work(settings))
