"""The book of secrets in a bucket: what redaction masked, still encrypted, and never its key.

The book goes along with the days whose conversations it belongs to, so that a machine that has nothing but
the bucket, and whoever has the key, can reveal what was masked. In the bucket it has the names that it has on
the disk. What proves the key (a salt and a check) goes along too; the key itself is nowhere but in the
settings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from weft.archive.bucket import Bucket, Copied, load_remote
from weft.archive.errors import DamagedFileError, WrongKeyError, from_os_error
from weft.archive.file_system import write_durably
from weft.archive.json_text import BadJsonError, JsonObject, unseal
from weft.archive.manifest import Manifest
from weft.archive.place import INNER, KINDS, Day
from weft.archive.query import Query, iter_entries
from weft.archive.saving import Failure
from weft.archive.secret_book import FOLDER, KEY_FILE, Kept, Owner, SecretBook
from weft.archive.vault import Vault

BOOK = f"{INNER}/{FOLDER}"
KEY_PATH = f"{BOOK}/{KEY_FILE}"
OTHER_BOOK = (
    "the bucket holds secrets that were written with another key, or by another archive with the same key; "
    "restore from it first, or copy to another prefix"
)
AT_ONCE = 256
"""Owners whose secrets are made durable together."""


class SecretCopier:
    """Brings the secrets of days into a bucket.

    Args:
        vault: The archive.
        bucket: Where to.
        done: Gets counts, and what is damaged.
    """

    def __init__(self, vault: Vault, bucket: Bucket, done: Copied) -> None:
        self._vault = vault
        self._bucket = bucket
        self._done = done
        self._here = {
            path.relative_to(vault.root).as_posix(): vault.files.size(path) for path in vault.secrets.paths()
        }
        self._there = dict(bucket.iter_sizes(BOOK))
        self._fits = bool(self._here) and self._copy_key()

    def _copy_key(self) -> bool:
        """Bring what proves the key; false where what is there proves another one."""
        try:
            data = self._vault.files.read(self._vault.inner / FOLDER / KEY_FILE)
        except FileNotFoundError:
            self._done.damaged.append(KEY_PATH)
            return False
        known = self._bucket.find(KEY_PATH)
        if known is None:
            self._bucket.put(KEY_PATH, data)
        elif known != data:
            self._done.secrets_left = OTHER_BOOK
            return False
        return True

    def copy_day(self, day: Day, manifest: Manifest) -> None:
        """Bring what the day's conversations, or runs, have.

        Raises:
            BucketError: The store refused.
        """
        if not self._fits:
            return
        for path in _paths(day, manifest):
            size = self._here.get(path)
            # Encrypted texts are only ever added, so one of the same size is the same, or as good.
            if size is None or self._there.get(path) == size:
                continue
            file = self._vault.root / path
            try:
                if self._vault.secrets.read(file) is None:
                    continue  # deleted at this moment
                data = self._vault.files.read(file)
            except (DamagedFileError, FileNotFoundError):
                self._done.damaged.append(path)
                continue
            self._bucket.put(path, data)
            self._there[path] = len(data)
            self._done.secrets += 1
            self._done.bytes += len(data)

    def remove_unnamed(self) -> None:
        """Remove from the bucket what belongs to nothing there any more.

        Raises:
            BucketError: The store refused; run it again.
        """
        extra = self._there.keys() - self._here.keys() - {KEY_PATH}
        if not extra:
            return
        for day in self._bucket.list_days():
            manifest = load_remote(self._bucket, day)
            extra -= set() if manifest is None else set(_paths(day, manifest))
        for path in sorted(extra):
            self._bucket.remove(path)
            self._done.removed += 1


def restore_secrets(
    other: Vault, names: Collection[str], own: Vault, book: SecretBook | None, query: Query
) -> list[Failure]:
    """Take in the secrets of what matches and is here by now.

    Without a key they are taken as they are, for somebody to open the archive with it later. Where this
    archive has a book of its own, they are encrypted anew, which needs the one key of both.

    Args:
        other: The archive in the bucket.
        names: The objects of the book there.
        own: This one; what the secrets belong to is in it already.
        book: Of this archive, when it was opened with its key.
        query: Which.

    Returns:
        What cannot be revealed here, and why.

    Raises:
        BucketError: The store refused; run it again.
        ArchiveError: The disk is full, or refuses.
    """
    try:
        theirs = other.files.read(other.inner / FOLDER / KEY_FILE)
    except FileNotFoundError:
        return []
    try:
        translate = _open_translation(other, own, book, theirs)
    except (WrongKeyError, DamagedFileError, BadJsonError) as error:
        return [Failure(KEY_PATH, str(error))]
    failed: list[Failure] = []
    batch: dict[Owner, dict[str, str]] = {}
    for owner in _owners(other, names, own, query):
        try:
            kept = other.secrets.find(owner)
            if kept is not None:
                batch[owner] = translate(kept)
        except DamagedFileError as error:
            failed.append(Failure(error.path, str(error)))
        if len(batch) >= AT_ONCE:
            own.apply({}, (), batch)
            batch = {}
    if batch:
        own.apply({}, (), batch)
    return failed


def _open_translation(
    other: Vault, own: Vault, book: SecretBook | None, theirs: bytes
) -> Callable[[Kept], dict[str, str]]:
    """What makes of secrets there secrets here; the book here may become that of the bucket.

    Raises:
        WrongKeyError: One key does not open both books.
        DamagedFileError, BadJsonError: What proves the bucket's key is not what was written.
        ArchiveError: The disk is full, or refuses.
    """
    unseal(theirs, JsonObject, KEY_PATH)
    path = own.inner / FOLDER / KEY_FILE
    try:
        ours = own.files.read(path)
    except FileNotFoundError:
        ours = None
    if ours == theirs:
        return _as_it_is
    has_secrets = bool(own.secrets.paths())
    if has_secrets and book is None:
        raise WrongKeyError(
            "this archive has masked texts of its own, so those of the bucket have to be encrypted anew: set "
            "archive.redact_key and restore again"
        )
    there = None if book is None else _opened(book, other)
    if book is not None and there is not None and has_secrets:
        return lambda kept: book.encrypt(kept.owner, there.decrypt(kept))
    try:
        own.files.make_folder(path.parent)
        write_durably(own.files, path, theirs)
    except OSError as error:
        raise from_os_error(error, f"writing {KEY_PATH}") from error
    if book is not None and there is not None:
        book.go_on_with(there)
    return _as_it_is


def _opened(book: SecretBook, other: Vault) -> SecretBook:
    try:
        return book.beside(other.secrets, other)
    except WrongKeyError as error:
        raise WrongKeyError(
            "the masked texts in the bucket were written with another key than archive.redact_key, so they "
            "did not come along; set that key and restore again"
        ) from error


def _as_it_is(kept: Kept) -> dict[str, str]:
    return kept.secrets


def _owners(other: Vault, names: Collection[str], own: Vault, query: Query) -> Iterator[Owner]:
    """Who has secrets in the bucket and is here."""
    for kind in KINDS if names else ():
        for day, entry in iter_entries(other, query, kind=kind):
            owner = Owner(day.organization, kind, entry.id)
            if secret_path(owner) in names and own.locate(kind, day.organization, entry.id) is not None:
                yield owner


def secret_path(owner: Owner) -> str:
    """Where the secrets of an owner lie, relative to the archive's root."""
    return f"{BOOK}/{owner.file}"


def _paths(day: Day, manifest: Manifest) -> Iterator[str]:
    return (secret_path(Owner(day.organization, day.kind, entry.id)) for entry in manifest.files)
