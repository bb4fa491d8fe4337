"""Copies of sealed days in an object store, each object read back before it counts.

Objects have the names of the archive's own files below a prefix, so a bucket that is copied to a disk is an
archive. A day's manifest is put last: a manifest in the bucket says that its day is complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from weft.archive.catalogue import dump_catalogue
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.json_text import BadJsonError, digest
from weft.archive.manifest import Manifest, dump_manifest, load_manifest
from weft.archive.packing import FOLDER as DICTIONARIES
from weft.archive.place import INNER, MANIFEST, Day
from weft.archive.vault import Vault
from weft.errors import ArchiveError, ConfigError

_CONNECTING = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_url", "timeout", "user_agent"}
)


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
        given = options or {}
        client = {name: _connecting(name, value) for name, value in given.items() if name in _CONNECTING}
        config = {name: value for name, value in given.items() if name not in _CONNECTING}
        try:
            # Typed for each kind of store apart, which only the address tells.
            return cls(from_url(url, config=config, client_options=client))  # type: ignore[call-overload]
        except (BaseError, ValueError, TypeError) as error:
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


def copy_days(vault: Vault, bucket: Bucket, days: list[Day]) -> Copied:
    """Bring these days into the bucket; days that are there already cost one request each.

    Raises:
        BucketError: The store refused; run it again, what is complete stays.
    """
    done = Copied()
    try:
        _copy_own(vault, bucket)
    except OSError as error:
        raise from_os_error(error, f"reading {INNER}") from error
    for day in days:
        manifest = vault.find_manifest(day)
        if manifest is None:
            continue
        before = _load_remote(bucket, day)
        if before is not None and dump_manifest(before) == dump_manifest(manifest):
            done.unchanged_days += 1
            continue
        _copy_day(vault, bucket, day, manifest, before, done)
    rows = {day: row for day, row in vault.rows().items() if day in set(days)}
    bucket.put(f"{INNER}/catalogue.json", dump_catalogue(rows))
    return done


def _copy_day(
    vault: Vault, bucket: Bucket, day: Day, manifest: Manifest, before: Manifest | None, done: Copied
) -> None:
    there = {entry.file: entry.stored_sha256 for entry in (before.files if before is not None else ())}
    whole = True
    for entry in manifest.files:
        if there.pop(entry.file, None) == entry.stored_sha256:
            continue
        try:
            data = vault.read_stored(day, entry)
        except DamagedFileError as error:
            done.damaged.append(error.path)
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


def _copy_own(vault: Vault, bucket: Bucket) -> None:
    """What the days cannot be read without."""
    names = ["format.json"]
    for number in vault.packer.numbers():
        names += [f"{DICTIONARIES}/{number}.zdict", f"{DICTIONARIES}/{number}.sha256"]
    for name in names:
        data = vault.files.read(vault.inner / name)
        if bucket.find(f"{INNER}/{name}") != data:
            bucket.put(f"{INNER}/{name}", data)


def _load_remote(bucket: Bucket, day: Day) -> Manifest | None:
    data = bucket.find(f"{day.path}/{MANIFEST}")
    try:
        return None if data is None else load_manifest(data, day)
    except BadJsonError:
        return None


def _connecting(name: str, value: str) -> str | bool:
    return value.lower() == "true" if name.startswith("allow_") else value
