"""A place in an object store for the copy of an archive; each object is read back before it counts.

Objects have the names of the archive's own files below a prefix, so a bucket that is copied to a disk is an
archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from weft.archive.json_text import BadJsonError, digest
from weft.archive.manifest import Manifest, load_manifest
from weft.archive.place import KINDS, LOGS, MANIFEST, Day, parse_day
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
    removed_days: int = 0
    """Days whose conversations were all deleted from the archive, as its audit log proves."""
    damaged: list[str] = field(default_factory=list)
    """Files of the archive that are not what was written; their days are not complete in the bucket."""
    secrets: int = 0
    """Conversations and runs whose masked texts are now in the bucket as well, encrypted."""
    secrets_left: str = ""
    """Why no masked texts were brought, although the archive keeps some; empty when they were."""


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
            raise ConfigError(f"the object store {url!r} cannot be opened: {_said(error)}") from error

    def put(self, path: str, data: bytes) -> None:
        """Store an object and read it back.

        Raises:
            BucketError: The store refused, or gave back something else.
        """
        try:
            obstore.put(self._store, self._prefix + path, data)
        except (BaseError, OSError) as error:
            raise BucketError(f"{path}: the bucket does not take it: {_said(error)}") from error
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
            raise BucketError(f"{path}: the bucket does not give it: {_said(error)}") from error

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
        return (path for path, _ in self.iter_sizes(folder))

    def iter_sizes(self, folder: str) -> Iterator[tuple[str, int]]:
        """Every object below a folder, as its path in an archive, and its bytes by the store's own count.

        Raises:
            BucketError: The store refused.
        """
        try:
            for page in obstore.list(self._store, self._prefix + folder, chunk_size=1000):
                for row in page:
                    yield row["path"].removeprefix(self._prefix), int(row["size"])
        except (BaseError, OSError) as error:
            raise BucketError(f"{folder}: the bucket does not list it: {_said(error)}") from error

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
            raise BucketError(f"{path}: the bucket does not give it: {_said(error)}") from error

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
            raise BucketError(f"{path}: the bucket does not remove it: {_said(error)}") from error


def _said(error: Exception) -> str:
    """What the store said, without the inside of its library, and what to do where that is known."""
    whole = str(error)
    if "NoSuchBucket" in whole:
        return "there is no such bucket; make it first, or look at the address"
    text = whole.partition("\n")[0]
    # Whoever has no keys is asked for those of a machine in Amazon's cloud, at this address.
    if "169.254.169.254" in text:
        return "there are no credentials for it: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
    return text


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
