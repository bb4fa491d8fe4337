"""`weft archive copy`, and restoring from a bucket: the archive's copy in an object store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from weft.cli.archive.place import Selection, Where, print_json, size, writing
from weft.cli.archive.progress import showing
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

if TYPE_CHECKING:
    from weft.settings import Settings

COPY = """\
Examples:

  weft archive copy
  weft archive copy --to s3://backups/weft --pack-after-days 30
  weft archive copy --to file:///mnt/backup/weft --json

Days that have ended are copied, each object read back; what is there already costs next to nothing. What was
deleted here is deleted there. Masked texts go along encrypted, their key does not. Without --to it is the
setting archive.bucket. Keys and regions are taken from the environment, as the cloud's own tools do. `weft
serve` and `weft worker` do the same at archive.copy_schedule.

Exit codes: 0, 1 when something is damaged or the bucket refused, 2 when the call or a setting is wrong."""
_NOBODY = Where()
_SHOWN = 20


def copy(
    *,
    to: Annotated[str | None, Parameter("--to", show_default=False)] = None,
    pack_after_days: Annotated[int | None, Parameter(show_default=False)] = None,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Pack old days, and copy all that have ended to a bucket.

    Args:
        to: Address of the bucket; the setting archive.bucket unless given.
        pack_after_days: Pack days that ended so long ago first; archive.pack_after_days unless given.
    """
    settings = where.settings
    url = to or settings.archive.bucket
    after = settings.archive.pack_after_days if pack_after_days is None else pack_after_days
    if url is None and after is None:
        raise BadCallError("say where --to, or set archive.bucket or archive.pack_after_days")
    from dataclasses import asdict

    from weft.archive import Bucket

    bucket = None if url is None else Bucket.open(url)
    with writing(settings) as archive:
        with showing("Packing"):
            packed = None if after is None else archive.compress_sealed_days(after)
        with showing(f"Copying to {url}"):
            copied = None if bucket is None else archive.copy_to_bucket(bucket, 0)
    damaged = [] if copied is None else copied.damaged
    if as_json:
        print_json(
            {
                "success": not damaged,
                "packed": None if packed is None else asdict(packed),
                "copied": None if copied is None else asdict(copied),
            }
        )
        return 1 if damaged else 0
    screen = Screen(sys.stdout)
    if packed is not None:
        screen.line(
            f"{packed.files:,} files packed, {size(packed.bytes_before)} to {size(packed.bytes_after)}"
        )
    if copied is not None:
        screen.line(
            f"{copied.days:,} days copied, {copied.unchanged_days:,} unchanged; {copied.files:,} files, "
            f"{size(copied.bytes)}; {copied.removed:,} removed"
        )
        if not copied.days and not copied.unchanged_days and not damaged:
            screen.line("no day of the archive has ended yet; a day is copied when it is over, in UTC")
        if copied.secrets_left:
            screen.line(f"masked texts were not copied: {copied.secrets_left}", "red")
    for path in damaged[:_SHOWN]:
        screen.line(f"damaged, and not copied: {path}", "red")
    return 1 if damaged else 0


def restore_from(settings: Settings, url: str, selection: Selection, *, as_json: bool) -> int:
    """Take what is in a bucket into the archive here; the exit status.

    Raises:
        ConfigError: The address is wrong.
        ArchiveError: There is no archive in the bucket, or the store refused.
    """
    from weft.archive import Bucket

    bucket = Bucket.open(url)
    with writing(settings) as archive, showing(f"Restoring from {url}"):
        done = archive.restore_from_bucket(bucket, selection.query())
    if as_json:
        print_json(
            {
                "success": not done.failed,
                "written": done.written,
                "unchanged": done.unchanged,
                "failed": [{"id": failure.id, "reason": failure.reason} for failure in done.failed],
                "masked": done.masked,
            }
        )
        return 1 if done.failed else 0
    screen = Screen(sys.stdout)
    screen.line(f"{done.written} written, {done.unchanged} unchanged, {len(done.failed)} failed")
    if done.masked:
        screen.line(
            f"{done.masked} have masked texts that cannot be revealed: the bucket has no secrets for them",
            "yellow",
        )
    for failure in done.failed[:_SHOWN]:
        screen.line(f"  {failure.id}: {failure.reason}", "red")
    return 1 if done.failed else 0
