"""Copies of sealed days in an object store, each object read back before it counts.

Objects have the names of the archive's own files below a prefix, so a bucket that is copied to a disk is an
archive. A day's manifest is put last: a manifest in the bucket says that its day is complete.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from weft.archive.catalogue import dump_catalogue
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.file_shelf import FileKey
from weft.archive.json_text import BadJsonError, digest
from weft.archive.manifest import Manifest, dump_manifest, load_manifest
from weft.archive.packing import FOLDER as DICTIONARIES
from weft.archive.place import INNER, KINDS, LOGS, MANIFEST, Day, parse_day
from weft.archive.vault import Vault
from weft.errors import ArchiveError, ConfigError

_CONNECTING = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_url", "timeout", "user_agent"}
)


TRIES = 3
"""Of a day that is written to while it is copied."""


class BucketError(ArchiveError):
    """The object store refused, or did not give back what was put into it."""


@dataclass(slots=True)
class Copied:
    """What copying to a bucket did."""

    days: int = 0
    """Days that are now complete in the bucket, and were not before."""
    unchanged_days: int = 0
    """Days that were complete already."""
    files: int = 0
    bytes: int = 0
    removed: int = 0
    """Objects that the archive no longer holds."""
    removed_days: int = 0
    """Days whose conversations were all deleted from the archive, as its audit log proves."""
    damaged: list[str] = field(default_factory=list)
    """Files of the archive that are not what was written; their days are not complete in the bucket."""


class Bucket:
    """A place in an object store.

    Args:
        store: Any store of obstore: local, memory, S3, GCS or Azure.
        prefix: Stands before every object's name, without slashes around it.
    """

    def __init__(self, store: ObjectStore, prefix: str = "") -> None:
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @classmethod
    def open(cls, url: str, options: dict[str, str] | None = None) -> Bucket:
        """The bucket at an address such as ``s3://name/prefix``, ``gs://name`` or ``file:///folder``.

        Args:
            options: Credentials and the like, and how to connect (``allow_http``, ``timeout``, ...), by
                obstore's names; the environment gives the others.

        Raises:
            ConfigError: The address or an option is wrong.
        """
        given = dict(options or {})
        if _endpoint_without_tls():
            given.setdefault("allow_http", "true")
        client = {name: _connecting(name, value) for name, value in given.items() if name in _CONNECTING}
        config = {name: value for name, value in given.items() if name not in _CONNECTING}
        try:
            if url.startswith("file://"):
                return cls(LocalStore(Path(url.removeprefix("file://")), mkdir=True))
            # Typed for each kind of store apart, which only the address tells.
            return cls(from_url(url, config=config, client_options=client))  # type: ignore[call-overload]
        except (BaseError, OSError, ValueError, TypeError) as error:
            raise ConfigError(f"the object store {url!r} cannot be opened: {error}") from error

    def put(self, path: str, data: bytes) -> None:
        """Store an object and read it back.

        Raises:
            BucketError: The store refused, or gave back something else.
        """
        try:
            obstore.put(self._store, self._prefix + path, data)
        except (BaseError, OSError) as error:
            raise BucketError(f"{path}: the bucket does not take it: {error}") from error
        found = self.find(path)
        if found is None or digest(found) != digest(data):
            raise BucketError(f"{path}: the bucket does not give back what was put into it; copy it again")

    def find(self, path: str) -> bytes | None:
        """The bytes of an object, or none.

        Raises:
            BucketError: The store refused.
        """
        try:
            return bytes(obstore.get(self._store, self._prefix + path).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise BucketError(f"{path}: the bucket does not give it: {error}") from error

    def list_days(self) -> dict[Day, bool]:
        """The days of which anything is there, in order, and whether their manifest is: then they are whole.

        Raises:
            BucketError: The store refused.
        """
        found: dict[Day, bool] = {}
        for kind in KINDS:
            for path in self.iter_paths(f"{LOGS}/{kind}"):
                folder, _, name = path.rpartition("/")
                day = parse_day(folder)
                if day is not None:
                    found[day] = found.get(day, False) or name == MANIFEST
        return {day: found[day] for day in sorted(found)}

    def iter_paths(self, folder: str) -> Iterator[str]:
        """Every object below a folder, as its path in an archive.

        Raises:
            BucketError: The store refused.
        """
        try:
            for page in obstore.list(self._store, self._prefix + folder, chunk_size=1000):
                for row in page:
                    yield row["path"].removeprefix(self._prefix)
        except (BaseError, OSError) as error:
            raise BucketError(f"{folder}: the bucket does not list it: {error}") from error

    def size(self, path: str) -> int | None:
        """The bytes of an object by the store's own count, or none where there is no such object.

        Raises:
            BucketError: The store refused.
        """
        try:
            return int(obstore.head(self._store, self._prefix + path)["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise BucketError(f"{path}: the bucket does not give it: {error}") from error

    def remove(self, path: str) -> None:
        """Remove an object; one that is absent already is no error.

        Raises:
            BucketError: The store refused.
        """
        try:
            obstore.delete(self._store, self._prefix + path)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise BucketError(f"{path}: the bucket does not remove it: {error}") from error


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
    for day in days:
        manifest = vault.find_manifest(day)
        if manifest is None:
            continue
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
    if dropped:
        named = {key for day in bucket.list_days() for key in _named_remotely(bucket, day)}
        for key in sorted(dropped - named):
            bucket.remove(key.path)
            done.removed += 1
    return done


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


def load_remote(bucket: Bucket, day: Day) -> Manifest | None:
    """The manifest of a day in the bucket; none where there is none that can be trusted."""
    data = bucket.find(f"{day.path}/{MANIFEST}")
    try:
        return None if data is None else load_manifest(data, day)
    except BadJsonError:
        return None


def _endpoint_without_tls() -> bool:
    """Whether whoever runs this has named an endpoint of plain HTTP, such as one beside it."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    return any(os.environ.get(name, "").startswith("http://") for name in names)


def _connecting(name: str, value: str) -> str | bool:
    return value.lower() == "true" if name.startswith("allow_") else value
