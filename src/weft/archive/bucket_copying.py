"""Copying sealed days into a bucket, with everything that their conversations need.

A day's manifest is put last: a manifest in the bucket says that its day is complete.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.archive.bucket import Bucket, Copied, load_remote
from weft.archive.bucket_secrets import SecretCopier
from weft.archive.catalogue import dump_catalogue
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.file_shelf import FileKey
from weft.archive.manifest import Manifest, dump_manifest
from weft.archive.packing import FOLDER as DICTIONARIES
from weft.archive.place import INNER, MANIFEST, Day
from weft.archive.vault import Vault

TRIES = 3
"""Of a day that is written to while it is copied."""


def copy_days(
    vault: Vault, bucket: Bucket, days: list[Day], deleted: Callable[[], set[str]] | None = None
) -> Copied:
    """Bring these days into the bucket; days that are there already cost one request each.

    Args:
        vault: The archive.
        bucket: Where to.
        days: Which.
        deleted: Gives the paths, without the suffix of packed ones, that the audit log says were deleted. A
            day that the archive does not have goes from the bucket when all of it was, and stays when that is
            not proven: an archive that was lost must not take its copy along.

    Raises:
        BucketError: The store refused; run it again, what is complete stays.
    """
    done = Copied()
    try:
        _copy_own(vault, bucket)
    except OSError as error:
        raise from_os_error(error, f"reading {INNER}") from error
    dropped: set[FileKey] = set()
    secrets = _open_secrets(vault, bucket, done)
    for day in days:
        manifest = vault.find_manifest(day)
        if manifest is None:
            continue
        secrets.copy_day(day, manifest)
        before = load_remote(bucket, day)
        if before is not None:
            dropped |= attached_keys(day, before) - attached_keys(day, manifest)
        if before is not None and dump_manifest(before) == dump_manifest(manifest):
            done.unchanged_days += 1
            continue
        _copy_day(vault, bucket, day, manifest, before, done)
    if deleted is not None:
        dropped |= _remove_deleted(vault, bucket, deleted, done)
    rows = {day: row for day, row in vault.rows().items() if day in set(days)}
    bucket.put(f"{INNER}/catalogue.json", dump_catalogue(rows))
    secrets.remove_unnamed()
    if dropped:
        named = {key for day in bucket.list_days() for key in _named_remotely(bucket, day)}
        for key in sorted(dropped - named):
            bucket.remove(key.path)
            done.removed += 1
    return done


def _open_secrets(vault: Vault, bucket: Bucket, done: Copied) -> SecretCopier:
    try:
        return SecretCopier(vault, bucket, done)
    except OSError as error:
        raise from_os_error(error, f"reading {INNER}") from error


def attached_keys(day: Day, manifest: Manifest) -> set[FileKey]:
    """What the conversations of a day name."""
    return {FileKey(day.organization, ref.sha256) for entry in manifest.files for ref in entry.files}


def _remove_deleted(
    vault: Vault, bucket: Bucket, deleted: Callable[[], set[str]], done: Copied
) -> set[FileKey]:
    """Remove the days that were deleted as a whole; what they named of attached files."""
    here = vault.rows()
    left = [day for day, is_whole in bucket.list_days().items() if is_whole and day not in here]
    proven = deleted() if left else set()
    dropped: set[FileKey] = set()
    for day in left:
        manifest = load_remote(bucket, day)
        if manifest is None or not all(f"{day.path}/{one.plain_file}" in proven for one in manifest.files):
            continue
        dropped |= attached_keys(day, manifest)
        # The manifest last: without it nobody would know what else is to go.
        for entry in manifest.files:
            bucket.remove(f"{day.path}/{entry.file}")
        bucket.remove(f"{day.path}/{MANIFEST}")
        done.removed_days += 1
        done.removed += len(manifest.files)
    return dropped


def _named_remotely(bucket: Bucket, day: Day) -> set[FileKey]:
    manifest = load_remote(bucket, day)
    return set() if manifest is None else attached_keys(day, manifest)


def _copy_day(
    vault: Vault, bucket: Bucket, day: Day, manifest: Manifest, before: Manifest | None, done: Copied
) -> None:
    for _ in range(TRIES):
        damaged: list[str] = []
        _try_day(vault, bucket, day, manifest, before, done, damaged)
        present = vault.find_manifest(day)
        if not damaged or present is None or present == manifest:
            break
        manifest = present  # somebody wrote to it meanwhile, and removed what was to be read
    done.damaged += damaged


def _try_day(
    vault: Vault,
    bucket: Bucket,
    day: Day,
    manifest: Manifest,
    before: Manifest | None,
    done: Copied,
    damaged: list[str],
) -> None:
    there = {entry.file: entry.stored_sha256 for entry in (before.files if before is not None else ())}
    whole = _copy_attached(vault, bucket, day, manifest, done, damaged)
    for entry in manifest.files:
        if there.pop(entry.file, None) == entry.stored_sha256:
            continue
        try:
            data = vault.read_stored(day, entry)
        except DamagedFileError as error:
            damaged.append(error.path)
            whole = False
            continue
        bucket.put(f"{day.path}/{entry.file}", data)
        done.files += 1
        done.bytes += len(data)
    if not whole:
        return
    bucket.put(f"{day.path}/{MANIFEST}", dump_manifest(manifest))
    for name in there:
        bucket.remove(f"{day.path}/{name}")
        done.removed += 1
    done.days += 1


def _copy_attached(
    vault: Vault, bucket: Bucket, day: Day, manifest: Manifest, done: Copied, damaged: list[str]
) -> bool:
    """Bring what the day's conversations name, before they are there themselves; whether all is sound."""
    whole = True
    for ref in sorted({ref for entry in manifest.files for ref in entry.files}):
        key = FileKey(day.organization, ref.sha256)
        if bucket.size(key.path) == ref.size:
            continue  # it was read back when it was put there
        try:
            data = vault.shelf.read(day.organization, ref)
        except DamagedFileError as error:
            damaged.append(error.path)
            whole = False
            continue
        bucket.put(key.path, data)
        done.files += 1
        done.bytes += len(data)
    return whole


def _copy_own(vault: Vault, bucket: Bucket) -> None:
    """What the days cannot be read without."""
    names = ["format.json"]
    for number in vault.packer.numbers():
        names += [f"{DICTIONARIES}/{number}.zdict", f"{DICTIONARIES}/{number}.sha256"]
    for name in names:
        data = vault.files.read(vault.inner / name)
        if bucket.find(f"{INNER}/{name}") != data:
            bucket.put(f"{INNER}/{name}", data)
