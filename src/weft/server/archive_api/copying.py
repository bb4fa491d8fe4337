"""Packing days that have ended, and copying them to a bucket, as a job."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from weft.archive import AsyncArchive, Bucket, Copied
from weft.errors import ConfigError
from weft.jobs import JobWork, Partly
from weft.server.archive_api.desk import ArchiveDesk

ENDED_DAYS: Final = 0.0
"""Every day that has ended is copied; when it changes, only the changed files are."""
_SHOWN_FILES: Final = 100


async def copy(desk: ArchiveDesk, work: JobWork) -> object:
    """Pack what is old enough, then copy what is not in the bucket yet; each as far as the settings want it.

    Raises:
        ConfigError: The settings want neither, or the bucket cannot be opened.
        BucketError: The bucket refuses; what is complete there stays.
        ArchiveError: The archive cannot be read or written.
    """
    settings = desk.settings.archive
    if settings.pack_after_days is None and settings.bucket is None:
        raise ConfigError("neither archive.pack_after_days nor archive.bucket is set, so nothing is done")
    view: dict[str, object] = {}
    wrong: list[str] = []
    async with desk.writing() as archive:
        if settings.pack_after_days is not None:
            packed = await archive.compress_sealed_days(settings.pack_after_days)
            view["packed"] = {
                "files": packed.files,
                "bytes_before": packed.bytes_before,
                "bytes_after": packed.bytes_after,
            }
            work.tell(packed=packed.files)
        if settings.bucket is not None:
            copied = await _copy(archive, settings.bucket)
            view["copied"] = {**msgspec.to_builtins(copied), "damaged": copied.damaged[:_SHOWN_FILES]}
            if found := copied.damaged:
                wrong.append(f"{len(found)} damaged files are not in the bucket, {found[0]} the first")
            if copied.secrets_left:
                wrong.append(f"masked texts were not copied: {copied.secrets_left}")
    desk.say_changed()
    return Partly(view, "; ".join(wrong)) if wrong else view


async def _copy(archive: AsyncArchive, url: str) -> Copied:
    bucket = await asyncio.to_thread(Bucket.open, url)
    return await archive.copy_to_bucket(bucket, ENDED_DAYS)
